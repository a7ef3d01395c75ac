"""Parts that need an extra: made only where the settings ask for them, so that nothing of them is imported before."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from readiness.errors import MissingExtra
from readiness.gateway.settings import Settings

if TYPE_CHECKING:
    from readiness.gateway.secret_store import SecretStore
    from readiness.gateway.shared_windows import SharedWindows
    from readiness.gateway.spans import Spans

OTEL_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def secret_store(settings: Settings) -> "SecretStore | None":
    """The store of secrets, if there is one; raises MissingExtra."""
    if settings.vault is None:
        return None
    try:
        from readiness.gateway.secret_store import SecretStore
    except ModuleNotFoundError as error:
        raise MissingExtra("vault", "A store of secrets") from error
    return SecretStore(settings.vault)


def shared_windows(settings: Settings) -> "SharedWindows | None":
    """The rate limit over all replicas, if there is one; raises MissingExtra."""
    if settings.rate_limit_store is None:
        return None
    try:
        from readiness.gateway.shared_windows import SharedWindows
    except ModuleNotFoundError as error:
        raise MissingExtra("shared", "A rate limit over several replicas") from error
    timeout = settings.rate_limit_store_timeout_seconds
    return SharedWindows(settings.rate_limit_store, settings.rate_limit, timeout=timeout)


def spans(settings: Settings, count: Callable[[str, int], None]) -> "Spans | None":
    """What exports spans, if the settings or OpenTelemetry's own variables name a collector; raises MissingExtra."""
    named = settings.otel_endpoint or any(map(os.environ.get, OTEL_ENDPOINTS))
    if not named or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return None
    try:
        from readiness.gateway.spans import Spans
    except ModuleNotFoundError as error:
        raise MissingExtra("otel", "The export of spans") from error
    return Spans(settings.otel_endpoint, count)

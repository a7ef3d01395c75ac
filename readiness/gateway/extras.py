"""Parts that need an extra: made only where the settings ask for them, so that nothing of them is imported before."""

from typing import TYPE_CHECKING

from readiness.errors import MissingExtra
from readiness.gateway.settings import Settings

if TYPE_CHECKING:
    from readiness.gateway.secret_store import SecretStore
    from readiness.gateway.shared_windows import SharedWindows


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

"""What an operator may set: from a TOML file, the environment and explicit overrides; the later wins."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict, SettingsError

from readiness.errors import UsageError
from readiness.gateway.rate import Rate
from readiness.gateway.tables import NATS_SUBJECT, Seconds, Upstream, Vault, WorkQueue, web_address

PREFIX = "READINESS_GATEWAY_"
TABLES: Mapping[str, type[BaseModel]] = {"upstreams": Upstream, "vault": Vault, "nats_work": WorkQueue}
Limit = Annotated[
    Rate, NoDecode, BeforeValidator(lambda value: value if isinstance(value, Rate) else Rate.parse(value))
]


class Settings(BaseSettings):
    """Durations are seconds, sizes are bytes. With no upstream the gateway answers by itself, as model `echo`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_file=None)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080  # 0 takes a free one
    upstreams: tuple[Upstream, ...] = ()
    secrets_dir: Path | None = None  # as an orchestrator mounts secrets: one file each, mode 0440 or stricter
    vault: Vault | None = None  # a Vault-compatible store of secrets
    keys_period_seconds: Seconds = 30  # between two readings of all keys: a new one is known, an old one refused
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # whose X-Forwarded-For is believed
    cors_origins: tuple[str, ...] = ()  # web pages of which origins may ask; ["*"] is all

    # The keys of clients; with none of the four everybody is served. Keys of all that are set are known.
    api_keys_file: Path | None = None  # mode 0600 or stricter, one key a line, # begins a comment
    api_keys_dir: Path | None = None  # as an orchestrator mounts secrets: one file a key, mode 0440 or stricter
    api_keys_vault: str | None = None  # the path of a secret in [vault]: the value of each field is a key
    api_keys_env: str | None = None  # the name of a variable that holds keys with spaces between; for want of a file
    health_needs_key: bool = False
    metrics_need_key: bool = False

    rate_limit: Limit = Rate(300, 60)
    rate_limit_store: SecretStr | None = None  # valkey:// or redis:// URL: one limit over all replicas that use it
    rate_limit_store_timeout_seconds: Seconds = 0.5  # beyond it the replica keeps to the limit by itself
    max_body_bytes: Annotated[int, Field(gt=0)] = 1_000_000
    request_timeout_seconds: Seconds = 60  # up to the first byte of the answer
    stream_idle_timeout_seconds: Seconds = 30  # longest pause between two chunks
    connect_timeout_seconds: Seconds = 5  # to an upstream
    keep_alive_seconds: Annotated[float, Field(gt=0, le=3600)] = 30  # until an idle connection is closed
    header_timeout_seconds: Seconds = 10  # for the head of a request, from its first byte
    body_timeout_seconds: Seconds = 30  # for the body of a request, from the end of its head
    max_connections: Annotated[int, Field(gt=0)] = 1000
    max_connections_per_client: Annotated[int, Field(gt=0)] = 500  # from one address; trusted_proxies are not bounded
    max_in_flight: Annotated[int, Field(gt=0)] = 512  # calls over both ports; beyond it the answer is `busy`
    upstream_attempts: Annotated[int, Field(ge=1, le=10)] = 3  # how often an upstream is asked for one answer, in all
    # How long the first byte of an upstream is waited for, tries included, where the model has another upstream.
    upstream_first_byte_seconds: Seconds | None = None  # None: an equal share of what is left of the request's time
    retry_first_wait_seconds: Seconds = 0.2  # the longest pause before the second try; it doubles with each one
    retry_longest_wait_seconds: Seconds = 5  # an upstream whose Retry-After is longer is not asked again
    breaker_failures: Annotated[int, Field(ge=1)] = 5  # in a row, then the upstream is left alone
    breaker_rest_seconds: Seconds = 10  # until one call tries it again
    cache_bytes: Annotated[int, Field(ge=0)] = 16_000_000  # of answers to deterministic requests; 0 keeps none
    cache_seconds: Seconds = 300

    check_period_seconds: Seconds = 5  # between two looks at an upstream's health and models
    check_timeout_seconds: Seconds = 2

    nats_url: SecretStr | None = None  # may hold a password; None: no NATS
    nats_subject: Annotated[str, Field(pattern=NATS_SUBJECT)] = "llm.chat"
    nats_queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "gateway"
    nats_max_in_flight: Annotated[int, Field(gt=0)] = 64  # beyond it the answer is `busy`
    nats_tools: tuple[
        str, ...
    ] = ()  # run over NATS when a model calls them, by name or pattern; others are the client's
    nats_tool_timeout_seconds: Seconds = 10  # for one call, within the deadline of its request
    nats_work: WorkQueue | None = None  # a JetStream work queue
    nats_check_period_seconds: Seconds = 1
    nats_check_timeout_seconds: Seconds = 1

    shutdown_notice_seconds: Annotated[float, Field(ge=0, le=600)] = 1  # readiness fails, the port is still open
    shutdown_grace_seconds: Seconds = 20  # for what is in flight
    otel_endpoint: str | None = None  # an OTLP/HTTP collector, as http://collector:4318; or OTEL_EXPORTER_OTLP_ENDPOINT
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?", origin):
                raise ValueError("write an origin as https://example.org, without a path")
        return value

    @field_validator("otel_endpoint")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        return value and web_address(value, "give what the collector asks for in OTEL_EXPORTER_OTLP_HEADERS")

    @field_validator("rate_limit_store")
    @classmethod
    def _is_store(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.match(r"(valkey|redis)s?://[^/]", value.get_secret_value()):
            raise ValueError("write the store as valkey://host:port/0, valkeys:// for TLS")
        return value

    @model_validator(mode="after")
    def _is_shared_by_the_second(self) -> "Settings":
        if self.rate_limit_store and self.rate_limit.seconds % 1:
            raise ValueError("with rate_limit_store the window of rate_limit must be whole seconds")
        return self

    @field_validator("upstreams")
    @classmethod
    def _names_differ(cls, value: tuple[Upstream, ...]) -> tuple[Upstream, ...]:
        if len({upstream.name for upstream in value}) != len(value):
            raise ValueError("two upstreams have the same name")
        return value

    @model_validator(mode="after")
    def _has_secrets(self) -> "Settings":
        if not self.secrets_dir and any(upstream.api_key_secret for upstream in self.upstreams):
            raise ValueError("api_key_secret names a file in secrets_dir, which is not set")
        return self

    @model_validator(mode="after")
    def _has_a_store(self) -> "Settings":
        if not self.vault and (self.api_keys_vault or any(upstream.api_key_vault for upstream in self.upstreams)):
            raise ValueError("api_keys_vault and api_key_vault name secrets in the store of [vault], which is not set")
        return self

    @model_validator(mode="after")
    def _has_a_queue(self) -> "Settings":
        if self.nats_work and not self.nats_url:
            raise ValueError("nats_work wants nats_url")
        if self.nats_work and self.nats_work.subject == self.nats_subject:
            raise ValueError("nats_work.subject and nats_subject must differ: a stream answers what is asked of it")
        return self

    @model_validator(mode="after")
    def _has_keys_to_ask_for(self) -> "Settings":
        keys = self.api_keys_file or self.api_keys_dir or self.api_keys_vault or self.api_keys_env
        if (self.health_needs_key or self.metrics_need_key) and not keys:
            raise ValueError(
                "health_needs_key and metrics_need_key want api_keys_file, api_keys_dir, api_keys_vault or api_keys_env"
            )
        return self


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Settings from a TOML file, the environment (READINESS_GATEWAY_<KEY>) and overrides that are not None.

    Raises UsageError for a file that cannot be read, an unknown key and a wrong value.
    """
    _refuse_unknown((name.removeprefix(PREFIX).lower() for name in os.environ if name.startswith(PREFIX)), PREFIX)
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**{**_from_file(config), **EnvSettingsSource(Settings)(), **given})
    except ValidationError as error:
        raise _refusal(error) from None
    except SettingsError as error:
        raise UsageError(f"{error}: write lists and tables in the environment as JSON.") from None


def _from_file(config: Path | None) -> Mapping[str, Any]:
    if config is None:
        return {}
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{config} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"{config} is not TOML: {error}.") from None


def _refuse_unknown(keys: Iterable[str], prefix: str) -> None:
    for key in keys:
        if key not in Settings.model_fields:
            raise UsageError(f"Unknown setting {prefix}{key.upper()}.{_nearest(key, Settings)}")


def _refusal(error: ValidationError) -> UsageError:
    # Without the input: it may be a secret.
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        model = TABLES[str(first["loc"][0])] if len(first["loc"]) > 1 else Settings
        return UsageError(f"Unknown setting {where}.{_nearest(str(first['loc'][-1]), model)}")
    return UsageError(f"Setting{'s' if not where else ' ' + where}: {first['msg'].removeprefix('Value error, ')}.")


def _nearest(key: str, model: type[BaseModel]) -> str:
    close = get_close_matches(key, model.model_fields, n=1, cutoff=0)
    return f" Did you mean {close[0]}?"

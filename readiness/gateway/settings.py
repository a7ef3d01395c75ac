"""What an operator may set: from a TOML file, the environment and explicit overrides; the later wins."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict, SettingsError

from readiness.errors import UsageError
from readiness.gateway.rate import Rate

PREFIX = "READINESS_GATEWAY_"
WEB_ADDRESS = TypeAdapter(HttpUrl)

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Limit = Annotated[
    Rate, NoDecode, BeforeValidator(lambda value: value if isinstance(value, Rate) else Rate.parse(value))
]


class Upstream(BaseModel):
    """One OpenAI-compatible upstream. Its key comes from a private file or from a variable, never from here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    base_url: str  # up to and with /v1
    models: tuple[str, ...] = ()  # what it serves; if empty, what its own /models lists
    api_key_file: Path | None = None  # mode 0600 or stricter
    api_key_env: str | None = None

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        address = WEB_ADDRESS.validate_python(value)
        if address.username or address.password:
            raise ValueError("give the key as api_key_file or api_key_env, not in the address")
        return value

    @model_validator(mode="after")
    def _has_one_key(self) -> "Upstream":
        if self.api_key_file and self.api_key_env:
            raise ValueError("give api_key_file or api_key_env, not both")
        return self


class Settings(BaseSettings):
    """Durations are seconds, sizes are bytes. With no upstream the gateway answers by itself, as model `echo`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_file=None)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080  # 0 takes a free one
    upstreams: tuple[Upstream, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # whose X-Forwarded-For is believed

    rate_limit: Limit = Rate(300, 60)
    max_body_bytes: Annotated[int, Field(gt=0)] = 1_000_000
    request_timeout_seconds: Seconds = 60  # up to the first byte of the answer
    stream_idle_timeout_seconds: Seconds = 30  # longest pause between two chunks
    connect_timeout_seconds: Seconds = 5  # to an upstream
    upstream_attempts: Annotated[int, Field(ge=1, le=10)] = 3  # how often an upstream is asked for one answer, in all
    retry_first_wait_seconds: Seconds = 0.2  # the longest pause before the second try; it doubles with each one
    retry_longest_wait_seconds: Seconds = 5  # an upstream whose Retry-After is longer is not asked again
    breaker_failures: Annotated[int, Field(ge=1)] = 5  # in a row, then the upstream is left alone
    breaker_rest_seconds: Seconds = 10  # until one call tries it again
    cache_bytes: Annotated[int, Field(ge=0)] = 16_000_000  # of answers to deterministic requests; 0 keeps none
    cache_seconds: Seconds = 300
    keep_alive_seconds: Annotated[int, Field(gt=0, le=3600)] = 30  # until an idle connection is closed

    check_period_seconds: Seconds = 5  # between two looks at an upstream's health and models
    check_timeout_seconds: Seconds = 2

    nats_url: SecretStr | None = None  # may hold a password; None: no NATS
    nats_subject: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")] = "llm.chat"
    nats_queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "gateway"
    nats_max_in_flight: Annotated[int, Field(gt=0)] = 64  # beyond it the answer is `busy`
    nats_tools: tuple[
        str, ...
    ] = ()  # run over NATS when a model calls them, by name or pattern; others are the client's
    nats_tool_timeout_seconds: Seconds = 10  # for one call, within the deadline of its request
    nats_check_period_seconds: Seconds = 1
    nats_check_timeout_seconds: Seconds = 1

    shutdown_notice_seconds: Annotated[float, Field(ge=0, le=600)] = 1  # readiness fails, the port is still open
    shutdown_grace_seconds: Seconds = 20  # for what is in flight
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("upstreams")
    @classmethod
    def _names_differ(cls, value: tuple[Upstream, ...]) -> tuple[Upstream, ...]:
        if len({upstream.name for upstream in value}) != len(value):
            raise ValueError("two upstreams have the same name")
        return value


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
        model = Settings if len(first["loc"]) == 1 else Upstream
        return UsageError(f"Unknown setting {where}.{_nearest(str(first['loc'][-1]), model)}")
    return UsageError(f"Setting {where}: {first['msg'].removeprefix('Value error, ')}.")


def _nearest(key: str, model: type[BaseModel]) -> str:
    close = get_close_matches(key, model.model_fields, n=1, cutoff=0)
    return f" Did you mean {close[0]}?"

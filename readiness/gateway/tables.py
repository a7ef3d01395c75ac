"""The tables of the settings: what stands under a heading of its own."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, field_validator, model_validator

WEB_ADDRESS = TypeAdapter(HttpUrl)

NATS_NAME = r"^[A-Za-z0-9_-]{1,64}$"
NATS_SUBJECT = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


def web_address(value: str, advice: str) -> str:
    """Raise ValueError for what is no http(s) address or holds a password; `advice` says where that belongs."""
    address = WEB_ADDRESS.validate_python(value)
    if address.username or address.password:
        raise ValueError(f"{advice}, not in the address")
    return value


class Table(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Upstream(Table):
    """One OpenAI-compatible upstream. Its key comes from a private file, a store or a variable, never from here."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    base_url: str  # up to and with /v1
    models: tuple[str, ...] = ()  # what it serves; if empty, what its own /models lists
    api_key_file: Path | None = None  # mode 0600 or stricter
    api_key_secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")] | None = None  # in secrets_dir
    api_key_vault: Annotated[str, Field(pattern=r"^[^#?\s]+#[^#\s]+$")] | None = (
        None  # path#field of a secret in [vault]
    )
    api_key_env: str | None = None

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        return web_address(value, "give the key as api_key_file or api_key_env")

    @model_validator(mode="after")
    def _has_one_key(self) -> "Upstream":
        given = (self.api_key_file, self.api_key_secret, self.api_key_vault, self.api_key_env)
        if sum(map(bool, given)) > 1:
            raise ValueError("give one of api_key_file, api_key_secret, api_key_vault and api_key_env, not both")
        return self


class Vault(Table):
    """A Vault-compatible store of secrets, with a KV engine of version 2, for those with a token or an AppRole."""

    address: str
    mount: Annotated[str, Field(pattern=r"^[^?#\s]+$")] = "secret"  # of the KV engine
    namespace: str | None = None
    token_file: Path | None = None  # mode 0600 or stricter; read anew each time, so that an agent may replace it
    token_env: str | None = None  # the name of a variable
    role_id: str | None = None  # with secret_id_file: an AppRole
    secret_id_file: Path | None = None  # mode 0600 or stricter
    ca_file: Path | None = None  # who vouches for its certificate, if not the usual authorities
    timeout_seconds: Seconds = 5  # for each step of a request

    @field_validator("address")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        return web_address(value, "give the token as token_file or token_env")

    @model_validator(mode="after")
    def _has_one_identity(self) -> "Vault":
        if bool(self.role_id) != bool(self.secret_id_file):
            raise ValueError("role_id and secret_id_file belong together")
        if sum(map(bool, (self.token_file, self.token_env, self.role_id))) != 1:
            raise ValueError("give one of token_file, token_env, and role_id with secret_id_file")
        return self


class WorkQueue(Table):
    """A JetStream work queue. A stream that is not there is made; the consumer is made, or set to what stands here."""

    stream: Annotated[str, Field(pattern=NATS_NAME)]
    subject: Annotated[str, Field(pattern=NATS_SUBJECT)]
    durable: Annotated[str, Field(pattern=NATS_NAME)] = "gateway"  # the consumer that all replicas share
    max_ack_pending: Annotated[int, Field(ge=1, le=10_000)] = 64  # worked on at once, over all replicas; the rest waits
    ack_wait_seconds: Seconds = 30  # without a sign of life, then it is given to another
    max_deliver: Annotated[int, Field(ge=1, le=1000)] = 5  # then its sender is told that it was given up

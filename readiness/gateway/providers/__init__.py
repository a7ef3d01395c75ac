"""Who answers a chat: one file a kind of provider."""

from collections.abc import AsyncGenerator
from typing import Protocol

from readiness.gateway.schema import ChatRequest


class Provider(Protocol):
    """One source of completions. Whatever fails is raised as a GatewayError."""

    name: str  # the operator's label; shown in health and model lists
    fixed: tuple[str, ...]  # models it serves whatever its own list says; may be empty

    async def open(self) -> None:
        """Called once, in the running loop, before anything else."""

    async def close(self) -> None:
        """Called once, when nothing is in flight any more."""

    async def models(self) -> tuple[str, ...]:
        """The models it serves now, never empty; must cost nothing."""

    async def complete(self, request: ChatRequest) -> bytes:
        """A whole completion as JSON."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[bytes, None]:
        """The JSON chunks as they are made; it ends only when the answer is complete."""

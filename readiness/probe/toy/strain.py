"""How a toy bears many chats at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from readiness.probe.toy.refusal import error

FEW = 2
"""Chats at a time that every toy bears."""
KEPT = 1_000_000
"""Bytes that one which leaks keeps of each chat."""


class Strain:
    """What happens to a chat because of the others."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._open = self._number = 0
        self._line = asyncio.Lock()
        self._kept: list[bytes] = []

    @asynccontextmanager
    async def borne(self) -> AsyncIterator[None]:
        """Round one chat. Raises Refused where that is the fault."""
        self._open += 1
        self._number += 1
        try:
            if self._kind == "leaks":
                self._kept.append(b"x" * KEPT)
            if self._kind == "fails" and self._open > FEW and self._number % 3 == 0:
                raise error(500, "internal error")
            if self._kind == "one-by-one":
                async with self._line:
                    yield
            else:
                yield
        finally:
            self._open -= 1

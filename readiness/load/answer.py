"""What is read of one answer while it comes: when its first token came, how many there were, whether it is whole."""

from __future__ import annotations

import json
from typing import Any

MOST = 2_000_000
"""Bytes that are read of one answer."""
EXCERPT = 2000
"""Bytes of it that are kept."""
SAID = ("content", "reasoning_content", "reasoning", "tool_calls", "refusal")
"""Where a piece of a stream holds what the model said."""
TELLING = 2
"""Tokens by which a speed can be told."""


class Answer:
    """One answer. Times are those of the caller's clock, in seconds."""

    def __init__(self, *, stream: bool) -> None:
        self.stream = stream
        self.first: float | None = None
        """When the first content came."""
        self.last = 0.0
        self.size = 0
        self.start = b""
        """How the body begins, for whoever has to see it."""
        self._pieces = 0
        self._tokens: int | None = None
        self._ended = False
        self._error = False
        self._rest = b""

    def feed(self, piece: bytes, at: float) -> None:
        """Take what just came."""
        self.size += len(piece)
        if len(self.start) < EXCERPT:
            self.start = (self.start + piece)[:EXCERPT]
        self.last = self.last if self.stream else at
        lines = (self._rest + piece).split(b"\n") if self.stream else [self._rest + piece]
        self._rest = lines.pop()
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:].strip(), at)

    def wrong(self) -> str | None:
        """What is the matter with the whole answer, if anything."""
        if not self.stream:
            return self._plain()
        if self._error:
            return "an error in the stream"
        if not self._pieces:
            return "a stream without content"
        return None if self._ended else "a stream without an end"

    def speed(self, began: float) -> float | None:
        """Tokens a second: of a stream after its first token, else from when the request was sent.

        As the answer counts them itself, else its pieces. None where that cannot be told.
        """
        tokens = self._tokens or self._pieces
        if not self.stream:
            return tokens / (self.last - began) if self._tokens and self.last > began else None
        if self.first is None or tokens < TELLING or self.last <= self.first:
            return None
        return (tokens - 1) / (self.last - self.first)

    def _event(self, data: bytes, at: float) -> None:
        if data == b"[DONE]":
            self._ended = True
            return
        table = _object(data)
        self._error = self._error or bool(table.get("error"))
        self._count(table)
        for choice in _list(table.get("choices")):
            delta = choice.get("delta")
            self._ended = self._ended or bool(choice.get("finish_reason"))
            if isinstance(delta, dict) and any(delta.get(name) for name in SAID):
                self.first = at if self.first is None else self.first
                self.last = at
                self._pieces += 1

    def _plain(self) -> str | None:
        table = _object(self._rest)
        self._count(table)
        messages = [choice.get("message") for choice in _list(table.get("choices"))]
        said = any(isinstance(each, dict) and any(each.get(name) for name in SAID) for each in messages)
        return None if said else "an answer without content"

    def _count(self, table: dict[str, Any]) -> None:
        usage = table.get("usage")
        tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
        if isinstance(tokens, int) and tokens > 0:
            self._tokens = tokens


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []

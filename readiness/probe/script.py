"""What the scripted upstream can do, what it remembers, and how OpenAI's answers look."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SWITCH = re.compile(r"\[\[upstream:([a-z-]+)\]\]")
ONCE = "once-"
"""Before a behaviour in a switch: the first request of a text gets it, the same text again is answered."""
WORDS = ("Four", " score", " and", " seven", " years", " ago")
PACE = 0.3
"""Seconds between the chunks of a paced stream; facts of gateways were measured with the same."""
SLOW = 1.5
"""Seconds that a slow answer takes."""


HELD = 3.0
"""Seconds after which work that is held is answered all the same: less than gateways allow their upstreams."""


class Behaviour(StrEnum):
    """What the upstream does with a chat, or with its list of models."""

    ANSWER = "answer"
    HANG = "hang"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    """503 with Retry-After: 1."""
    TOO_MANY = "too-many"
    REFUSE = "refuse"
    """400, as for a request that the upstream finds wrong."""
    UNAUTHORIZED = "unauthorized"
    """401 that repeats the key it was sent, as real ones do."""
    GARBAGE = "garbage"
    HTML = "html"
    EMPTY = "empty"
    RESET = "reset"
    """The connection is closed before a byte of an answer."""
    CUT = "cut"
    SILENT = "silent"
    """Two chunks of a stream, then nothing; a plain answer hangs."""
    SLOW = "slow"
    PACED = "paced"
    """A stream with PACE between its chunks."""
    HELD = "held"
    """Answers, or ends a paced stream, once what holds it lets go (`Upstream.holding`), or after HELD seconds."""
    ECHO = "echo"
    """Answers with the text of the request, after SLOW seconds."""
    TOOL = "tool"
    """Calls the first tool of the request; answers once it has a result."""
    NO_MODELS = "no-models"
    """The list of models is empty."""
    STRANGE = "strange"
    """JSON of another shape than expected."""

    @property
    def switch(self) -> str:
        """What to write into a message."""
        return f"[[upstream:{self.value}]]"

    @property
    def once(self) -> str:
        """What to write into a message that is to fail the first time alone."""
        return f"[[upstream:{ONCE}{self.value}]]"


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer that is always the same."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def error(message: str, kind: str) -> bytes:
    """The body of an error in OpenAI's shape."""
    return json.dumps({"error": {"message": message, "type": kind}}).encode()


CANNED = {
    Behaviour.ERROR: Canned(500, error("scripted failure", "server_error")),
    Behaviour.UNAVAILABLE: Canned(503, error("scripted overload", "server_error"), headers={"Retry-After": "1"}),
    Behaviour.TOO_MANY: Canned(429, error("scripted refusal", "rate_limit_error"), headers={"Retry-After": "1"}),
    Behaviour.REFUSE: Canned(400, error("scripted complaint", "invalid_request_error")),
    Behaviour.GARBAGE: Canned(200, b'{"choices": [{"mess'),
    Behaviour.HTML: Canned(200, b"<html><body>scripted page</body></html>", "text/html"),
    Behaviour.EMPTY: Canned(200, b""),
    Behaviour.NO_MODELS: Canned(200, b'{"object": "list", "data": []}'),
    Behaviour.STRANGE: Canned(200, b'{"object": "list", "data": null}'),
}


@dataclass
class Asked:
    """One chat that reached the upstream. Times are of the monotonic clock, in seconds."""

    text: str
    stream: bool
    behaviour: Behaviour
    began: float
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case. They hold the upstream's key."""
    body: str = ""
    """How the request began, as it came: a mark is found there also where it is in no message."""
    ended: float | None = None
    left: bool = False
    """The gateway closed the connection before the answer was whole."""


def completion(body: dict[str, Any], text: str) -> dict[str, Any]:
    """A whole answer in OpenAI's shape."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {**_frame(body, "chat.completion"), "choices": [choice], "usage": usage()}


def tool_call(body: dict[str, Any]) -> dict[str, Any]:
    """An answer that calls the first tool of the request."""
    function = {"name": body["tools"][0]["function"]["name"], "arguments": "{}"}
    calls = [{"id": "call_scripted", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return {**_frame(body, "chat.completion"), "choices": [choice], "usage": usage()}


def chunk(body: dict[str, Any], delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    """One event of a streamed answer in OpenAI's shape."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_frame(body, "chat.completion.chunk"), "choices": [choice]}


def last_chunk(body: dict[str, Any]) -> dict[str, Any]:
    """The event behind the last word, with the usage that the client asked for."""
    return {**_frame(body, "chat.completion.chunk"), "choices": [], "usage": usage()}


def usage() -> dict[str, int]:
    return {"prompt_tokens": 1, "completion_tokens": len(WORDS), "total_tokens": 1 + len(WORDS)}


def _frame(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-scripted", "object": kind, "created": 0, "model": str(body.get("model", ""))}


def event(data: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def text_of(body: dict[str, Any]) -> str:
    """All text of all messages, whether content is a string or a list of parts."""
    parts = []
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        pieces = content if isinstance(content, list) else [content]
        parts += [str(piece.get("text", "")) if isinstance(piece, dict) else str(piece or "") for piece in pieces]
    return "\n".join(parts)

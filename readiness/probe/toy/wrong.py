"""What is wrong with a chat request, field by field, as a toy checks it."""

from collections.abc import Callable
from typing import Any


def is_a(kind: Any) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)


def optional(name: str, right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda body: body.get(name) is not None and not right(body[name])


def _message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str)


def _content(value: Any) -> bool:
    return isinstance(value.get("content"), str | list)


def _listed(body: Any) -> bool:
    messages = body.get("messages")
    return isinstance(messages, list) and bool(messages) and all(isinstance(each, dict) for each in messages)


WRONG: dict[str, Callable[[Any], bool]] = {
    "body": lambda body: not isinstance(body, dict),
    "model": lambda body: not isinstance(body.get("model"), str) or not body["model"],
    "messages": lambda body: not _listed(body),
    "role": lambda body: not all(map(_message, body["messages"])),
    "content": lambda body: not all(map(_content, body["messages"])),
    "temperature": optional("temperature", is_a((int, float))),
    "max_tokens": optional("max_tokens", lambda value: is_a(int)(value) and value > 0),
    "stream": optional("stream", is_a(bool)),
    "n": optional("n", is_a(int)),
    "stop": optional("stop", is_a((str, list))),
    "tools": optional("tools", is_a(list)),
}
"""By field: whether it is wrong, looked at in this order."""

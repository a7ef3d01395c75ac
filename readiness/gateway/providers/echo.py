"""The embedded provider: says the last user message back, so that a gateway runs with nothing else."""

import json
import re
import time
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from readiness.gateway.call import JsonObject
from readiness.gateway.schema import ChatRequest

MODEL = "echo"


class Echo:
    """Tokens are words here: what is counted in `usage`, and what a stream is cut into."""

    name = "echo"
    fixed: tuple[str, ...] = (MODEL,)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def models(self) -> tuple[str, ...]:
        return self.fixed

    async def complete(self, request: ChatRequest) -> bytes:
        text = _last_user_text(request.document)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = _usage(request.document, text)
        return _dump({**_head("chat.completion"), "choices": [choice], "usage": usage})

    async def stream(self, request: ChatRequest) -> AsyncGenerator[bytes, None]:
        head = _head("chat.completion.chunk")
        text = _last_user_text(request.document)
        yield _dump({**head, "choices": [_delta({"role": "assistant", "content": ""})]})
        for word in re.findall(r"\s*\S+|\s+$", text):
            yield _dump({**head, "choices": [_delta({"content": word})]})
        yield _dump({**head, "choices": [_delta({}, "stop")]})
        if request.include_usage:
            yield _dump({**head, "choices": [], "usage": _usage(request.document, text)})


def _head(kind: str) -> JsonObject:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": MODEL}


def _delta(delta: JsonObject, finish: str | None = None) -> JsonObject:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _usage(document: JsonObject, answer: str) -> JsonObject:
    prompt = sum(len(_text(message.get("content")).split()) for message in document["messages"])
    completion = len(answer.split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _last_user_text(document: JsonObject) -> str:
    said = [message for message in document["messages"] if message["role"] == "user"]
    return _text(said[-1].get("content")) if said else ""


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part.get("text"), str))
    return content or ""


def _dump(value: JsonObject) -> bytes:
    return json.dumps(value).encode("ascii")

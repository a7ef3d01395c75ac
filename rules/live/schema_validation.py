"""A request of the wrong shape travels to the upstream, or crashes on its way.

Each of these bodies is JSON, or nearly, and no chat request. The right answer is a 400 or 422 that names the field, and
nothing is sent upstream, where it would be paid for and come back as somebody else's error.
"""

import json
from collections import defaultdict
from typing import Any

from readiness.probe import Probe, Reply, Target, toy, unique

DEEP = 5_000
"""Levels of nesting, which no request needs and a recursive parser does not survive."""
SHOWN = 3
"""Names that a finding lists."""


class Rule(Probe):
    item = "schema-validation"
    needs = {"http"}
    risk = "write"
    requests = 130
    asks = {"chat": 130}
    good = [toy.Toy()]
    bad = [
        toy.Toy(schema="forward"),
        toy.Toy(schema="crash"),
        toy.Toy(schema="vague"),
        toy.Toy(schema="last-wins"),
    ]

    async def look(self, target: Target) -> None:
        if await self.served(target) is None:
            return
        wrong: dict[str, list[tuple[str, Reply]]] = defaultdict(list)
        every = cases(target.settings.model)
        for name, (field, body) in every.items():
            mark = unique("shape")
            reply = await self.send(target, name, body.replace(b"MARK", mark.encode()))
            if reply.status in {401, 403, 429}:
                self.leave(f"{reply.request} was answered {reply}, so the request was never looked at")
                return
            forwarded = target.parts.upstream is not None and bool(target.parts.upstream.asked_for(mark))
            fault = self.fault(reply, field, forwarded=forwarded)
            if fault:
                wrong[fault].append((name, reply))
            else:
                self.clear(reply)
        for fault, some in wrong.items():
            names = ", ".join(name for name, _ in some[:SHOWN]) + (", ..." if len(some) > SHOWN else "")
            self.flag(some[0][1], f"{len(some)} of {len(every)} wrong requests were {fault}: {names}")
        await self.goes_on(target, f"{len(every)} requests of the wrong shape")

    async def send(self, target: Target, name: str, body: bytes) -> Reply:
        headers, path = {"content-type": "application/json"}, target.settings.paths.chat
        return await target.patiently(
            lambda: target.send("POST", path, body, headers, label=f"POST {path} with {name}")
        )

    def fault(self, reply: Reply, field: str | None, *, forwarded: bool) -> str | None:
        """What is wrong with an answer; None where nothing is."""
        if forwarded:
            return "sent on to the upstream"
        if reply.status is None or not 400 <= reply.status < 500:
            return f"answered {reply.status or 'with no status'}, not 4xx"
        if field is not None and field not in reply.text:
            return "refused without naming the field"
        return None


def cases(model: str) -> dict[str, tuple[str | None, bytes]]:
    """Bodies by what is wrong with them: the field that the answer must name, None where there is none, and the body.

    `MARK` stands in each for a text of its own, by which it is known upstream.
    """
    message = {"role": "user", "content": "MARK"}
    valid: dict[str, Any] = {"model": model, "messages": [message]}

    def field(name: str, value: object) -> tuple[str, bytes]:
        return name, json.dumps({**valid, name: value}).encode()

    def in_message(name: str, value: object) -> tuple[str, bytes]:
        messages = [message, {**message, name: value}]
        return name, json.dumps({**valid, "messages": messages}).encode()

    text = json.dumps(valid)[1:]
    return {
        "a list": (None, json.dumps([valid]).encode()),
        "a string": (None, b'"MARK"'),
        "a number": (None, b"7"),
        "null": (None, b"null"),
        "no messages": ("messages", json.dumps({"model": model, "user": "MARK"}).encode()),
        "messages that are a text": field("messages", "MARK"),
        "messages that are an object": field("messages", message),
        "empty messages": ("messages", json.dumps({"model": model, "messages": [], "user": "MARK"}).encode()),
        "a message that is a text": ("messages", json.dumps({"model": model, "messages": [message, "x"]}).encode()),
        "a message without a role": ("role", json.dumps({**valid, "messages": [message, {"content": "x"}]}).encode()),
        "a role that is a number": in_message("role", 7),
        "content that is a number": in_message("content", 7),
        "content that is an object": in_message("content", {"text": "x"}),
        "no model": ("model", json.dumps({"messages": [message]}).encode()),
        "a model that is a number": field("model", 7),
        "a model that is null": field("model", None),
        "a temperature that is a text": field("temperature", "hot"),
        "max_tokens below zero": field("max_tokens", -1),
        "max_tokens that is a text": field("max_tokens", "ten"),
        "stream that is a text": field("stream", "maybe"),
        "n that is a text": field("n", "two"),
        "stop that is an object": field("stop", {"at": "x"}),
        "tools that are a text": field("tools", "none"),
        "NaN": (None, f'{{"metadata": {{"x": NaN}}, {text}'.encode()),
        "Infinity": (None, f'{{"metadata": {{"x": Infinity}}, {text}'.encode()),
        "the model twice": (None, f'{{"model": "another", {text}'.encode()),
        f"{DEEP} levels of lists": (None, f'{{"metadata": {"[" * DEEP}{"]" * DEEP}, {text}'.encode()),
    }

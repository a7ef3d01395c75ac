"""What each part of the gateway costs one request: the gateway less the gateway without that part.

In one process, without sockets, answered by the embedded provider; in short batches that take turns. The quickest
batch of each is what it takes when nobody else wants the processor, so that a busy machine shows much the same table.
What no request passes here (health, NATS, keys that are not configured) shows how exact it is.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path

import uvloop
from starlette.types import ASGIApp, Message

from readiness.gateway import PARTS, Gateway, build, far_end, load_settings, logs

ROUNDS = 500
BATCH = 10  # requests
WHOLE = "all, between the connection and the provider"
BODY = b'{"model": "echo", "messages": [{"role": "user", "content": "hello"}]}'
FIELDS = [(b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]


def main() -> int:
    """Measure, and print the table."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
        logs.configure("info")  # its line belongs to a request
        took = uvloop.run(quickest([WHOLE, *sorted(PARTS)]))
    costs = {item: took[WHOLE] - seconds for item, seconds in took.items()} | {WHOLE: took[WHOLE]}
    lines = ["| part | processor time, µs a request |", "|---|--:|"]
    lines += [f"| {item} | {cost * 1e6:.1f} |" for item, cost in sorted(costs.items(), key=lambda each: -each[1])]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


async def quickest(items: Sequence[str]) -> dict[str, float]:
    """Seconds a request of the quickest batch of each gateway, by what it is without."""
    took = dict.fromkeys(items, float("inf"))
    gateways = {item: _gateway(item) for item in items}
    for gateway in gateways.values():
        await gateway._start()
    try:
        for _ in range(ROUNDS):
            for item, gateway in gateways.items():
                took[item] = min(took[item], await _batch(gateway.app))
    finally:
        for gateway in gateways.values():
            await gateway._stop()
    return took


def _gateway(item: str) -> Gateway:
    return build(load_settings(None, rate_limit="999999999/min"), frozenset({item} - {WHOLE}))


async def _batch(app: ASGIApp) -> float:
    begun = time.process_time()
    for _ in range(BATCH):
        await asyncio.create_task(_ask(app))  # as a server does: each request has a context of its own
    return (time.process_time() - begun) / BATCH


async def _ask(app: ASGIApp) -> None:
    scope: dict[str, object] = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "client": ("127.0.0.1", 1),
    }
    scope |= {"headers": FIELDS, "query_string": b""}
    far_end.watch(scope)
    far_end.of(scope).sent_all = True
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["status"] != 200:
        raise AssertionError(sent)


if __name__ == "__main__":
    sys.exit(main())

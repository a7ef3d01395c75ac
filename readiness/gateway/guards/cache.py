"""The same deterministic request has the same answer: it is kept for a while, for the client that asked."""

import hashlib
import json
import time
from collections.abc import Callable

from cachetools import TTLCache

from readiness.gateway.call import Call, Guard, Handler, JsonObject, Reply

ITEM = "caching"
NAME = "readiness"  # in Cache-Status, RFC 9211
OVERHEAD = 1_000  # bytes that an entry takes beside its answer
OK = 200


def guard(max_bytes: int, seconds: float, looked_up: Callable[[bool], None]) -> Guard:
    """Keep at most `max_bytes` of answers, each for so many seconds; what was used longest ago goes first.

    `looked_up` is told of each lookup whether it found an answer.

    Deterministic is what asks for temperature 0, in one piece and without tools. `Cache-Control: no-store` keeps a
    request out of this altogether; with `no-cache` the upstream is asked, and its answer kept.
    """
    answers: TTLCache[str, Reply] = TTLCache(max_bytes, seconds, time.monotonic, _size)

    async def cache(call: Call, proceed: Handler) -> Reply:
        wishes = _directives(call)
        if call.document is None or not _is_deterministic(call.document) or "no-store" in wishes:
            return await proceed(call)
        key = _key(call, call.document)
        known = answers.get(key) if "no-cache" not in wishes else None
        looked_up(known is not None)
        if known is not None:
            return known.with_headers({"cache-status": f"{NAME}; hit"})
        reply = await proceed(call)
        kept = reply.status == OK and reply.stream is None and _size(reply) <= max_bytes
        if kept:
            answers[key] = reply
        return reply.with_headers({"cache-status": f"{NAME}; fwd=miss" + ("; stored" if kept else "")})

    return cache


def _is_deterministic(document: JsonObject) -> bool:
    temperature = document.get("temperature")
    is_zero = isinstance(temperature, int | float) and not isinstance(temperature, bool) and temperature == 0
    return is_zero and not document.get("stream") and not document.get("tools")


def _key(call: Call, document: JsonObject) -> str:
    # Whose key it is counts as well, for callers who share an address.
    asked = [call.route, call.client, call.headers.get("authorization"), document]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _directives(call: Call) -> set[str]:
    return {each.strip().lower() for each in call.headers.get("cache-control", "").split(",")}


def _size(reply: Reply) -> int:
    return len(reply.body) + OVERHEAD

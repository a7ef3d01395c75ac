"""One user of a load test: takes the next request, waits until it is due, asks, reads the answer to its end."""

from __future__ import annotations

import json
import ssl
import time
from typing import Any, ClassVar

import gevent
import urllib3
from locust import User, task
from locust.exception import StopUser

from readiness.load.answer import MOST, Answer
from readiness.load.order import Order
from readiness.load.schedule import Schedule, Slot

IDLE = 1.0
"""Seconds after which a connection is not used again: the server may be closing it just then."""
PLAIN = {"content-type", "accept-encoding"}
SHORTEST = 4
"""Characters of a header that is hidden in an excerpt; a shorter one would blacken half of it."""
CLOCK = time.monotonic


class Client(User):
    """A user with a connection, an address and a key of its own."""

    order: ClassVar[Order]
    schedule: ClassVar[Schedule]
    index: ClassVar[int] = 0
    """Which worker this is, and of how many: so that the users of two workers are not one client."""
    of: ClassVar[int] = 1
    number: ClassVar[int] = 0

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        order, me = self.order, type(self).number * self.of + self.index
        type(self).number += 1
        address = (order.addresses[me % len(order.addresses)], 0) if order.addresses else None
        self._headers = {"content-type": "application/json", "accept-encoding": "identity", **order.headers}
        if order.keys:
            self._show(order.keys[me % len(order.keys)])
        self._pool = urllib3.PoolManager(1, source_address=address, retries=False, ssl_context=_trust(order.plan.url))
        self._used = 0.0

    def _show(self, key: str) -> None:
        name = self.order.key_header
        kept = {other: value for other, value in self._headers.items() if other.lower() != name.lower()}
        self._headers = {**kept, name: f"Bearer {key}" if name.lower() == "authorization" else key}

    def _clean(self, body: bytes) -> str:
        """Without what this user was given to show: its excerpts go to a master that does not know it."""
        text = body.decode("utf-8", "replace")
        for name, value in self._headers.items():
            secret = value.rpartition(" ")[2]
            if name not in PLAIN and len(secret) >= SHORTEST:
                text = text.replace(secret, f"<{name.lower()}>")
        return text

    @task
    def ask(self) -> None:
        slot = self.schedule.take()
        if slot is None:
            raise StopUser
        wait = slot.due - CLOCK()
        if wait > 0:
            gevent.sleep(wait)
        self.schedule.begun(slot, CLOCK() - slot.due if wait > 0 else None)
        self._request(slot)

    def _request(self, slot: Slot) -> None:
        if CLOCK() - self._used > IDLE:
            self._pool.clear()
        sent, answer, status, reason = CLOCK(), Answer(stream=self.order.plan.stream), None, ""
        bound = gevent.Timeout(self.order.plan.deadline)
        bound.start()
        try:
            response = self._send(slot)
            status = response.status
            while (piece := response.read1()) and answer.size < MOST:
                answer.feed(piece, CLOCK())
            reason = _wrong(status, answer)
            if answer.size < MOST:
                response.release_conn()
        except gevent.Timeout:
            reason = f"no whole answer within {self.order.plan.deadline:g} s"
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            reason = f"no whole answer: {type(problem).__name__}"
        finally:
            bound.close()
        self._used = CLOCK()
        if status == 429:
            self.schedule.refused(slot)
        elif reason:
            self._pool.clear()
            self.schedule.tally.sample(reason, status, self._clean(answer.start), round(self._used - sent, 3))
            self.schedule.failed(slot, reason, timeout=reason.startswith("no whole answer within"))
        else:
            self.schedule.answered(slot, sent, answer.first, self._used, answer.speed(sent))

    def _send(self, slot: Slot) -> urllib3.BaseHTTPResponse:
        plan = self.order.plan
        text = f"{plan.mark} {slot.number}"
        message = {"role": "user", "content": text}
        body: dict[str, Any] = {"model": self.schedule.model(slot), "messages": [message]}
        body |= {"stream": True} if plan.stream else {}
        body |= {"stream_options": {"include_usage": True}} if plan.usage else {}
        return self._pool.request(
            "POST",
            plan.url + plan.path,
            body=json.dumps(body).encode(),
            headers=self._headers,
            redirect=False,
            preload_content=False,
            decode_content=False,
            timeout=None,
        )


def _wrong(status: int, answer: Answer) -> str:
    if answer.size >= MOST:
        return f"an answer of more than {MOST // 1_000_000} MB"
    if not 200 <= status < 300:
        return f"status {status}"
    return answer.wrong() or ""


def _trust(url: str) -> ssl.SSLContext | None:
    return ssl.create_default_context() if url.startswith("https:") else None

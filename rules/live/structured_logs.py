"""Log lines are prose, or cannot be found by the request they belong to.

Each line is one JSON object with time, level and message, and the lines of a request carry the id that its client was
given: without it nobody finds, among thousands, the one that a user complains about.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from readiness.probe import Probe, Reply, Target, happens, toy, unique

TIMES = {"time", "timestamp", "ts", "@timestamp", "asctime", "datetime", "date", "t"}
LEVELS = {"level", "severity", "levelname", "lvl", "loglevel", "log.level", "levelno"}
MESSAGES = {"message", "msg", "event", "text"}
ID = "x-request-id"
"""Where most give the id of a request."""
IDS = re.compile(r"(request|req|correlation|trace|call|transaction)[-_]?id$", re.IGNORECASE)
"""Where others do, whatever stands before it."""
WRITTEN = 3.0
"""Seconds within which a line must have been written."""

NOT_OURS = "the process is not ours"


class Rule(Probe):
    item = "structured-logging"
    needs = {"http", "logs"}
    risk = "write"
    requests = 60
    asks = {"chat": 50, "GET": 10}
    good = [toy.Toy(), toy.Toy(logs="named")]
    bad = [
        toy.Toy(logs="text"),
        toy.Toy(logs="no-id"),
        toy.Toy(logs="other-id"),
        toy.Toy(logs="same-id"),
        toy.Toy(logs="bare"),
        toy.Toy(logs="one-of-ten"),
    ]

    async def look(self, target: Target) -> None:
        process = target.parts.process
        if process is None:
            self.leave(NOT_OURS)
            return
        replies = [await target.patiently(lambda: target.chat(unique("logs"))) for _ in range(8)]
        replies += [await target.get(unique("/readiness").replace(" ", "-"))]
        headers = {"content-type": "application/json"}
        replies += [await target.send("POST", target.settings.paths.chat, b"{", headers, label="POST half a body")]
        if target.parts.upstream is not None:
            replies += [await target.chat(unique("logs [[upstream:error]]"))]
        ids = [given_id(reply) for reply in replies if reply.status is not None]
        await happens(lambda: all(each and each in process.written() for each in ids), WRITTEN)
        lines = [line for line in process.written().splitlines() if line.strip()]
        if not lines:
            self.leave("nothing was logged to standard output or standard error")
            return
        self.judge_lines(lines, replies[0])
        self.judge_ids(replies, process.written())

    def judge_lines(self, lines: list[str], reply: Reply) -> None:
        parsed = [json_object(line) for line in lines]
        prose = [line for line, value in zip(lines, parsed, strict=True) if value is None]
        if prose:
            self.flag(reply, f"{len(prose)} of {len(lines)} log lines are no JSON object, first {prose[0][:100]!r}")
        else:
            self.clear(reply, f"{len(lines)} log lines, each a JSON object")
        for what, names in (("time", TIMES), ("level", LEVELS), ("message", MESSAGES)):
            without = [value for value in parsed if value is not None and not names & {key.lower() for key in value}]
            if without:
                self.flag(
                    reply, f"{len(without)} of {len(lines)} log lines have no {what}: keys {sorted(without[0])[:8]}"
                )

    def judge_ids(self, replies: list[Reply], written: str) -> None:
        nameless = [reply for reply in replies if reply.status is not None and given_id(reply) is None]
        unknown = [reply for reply in replies if (given := given_id(reply)) is not None and given not in written]
        if nameless:
            self.flag(nameless[0], f"{len(nameless)} of {len(replies)} answers give the client no request id ({ID})")
        ids = [found for reply in replies if (found := given_id(reply)) is not None]
        if len(set(ids)) < len(ids):
            self.flag(replies[-1], f"{len(ids)} answers have only {len(set(ids))} request ids: they name no request")
        if unknown:
            self.flag(
                unknown[0], f"{len(unknown)} of {len(replies)} request ids that clients were given are in no log line"
            )
        if not nameless and not unknown and len(set(ids)) == len(ids):
            self.clear(replies[0], f"{len(replies)} request ids that clients were given are in the log")


def given_id(reply: Reply) -> str | None:
    named = [value for name, value in reply.headers.items() if IDS.search(name) and value]
    return reply.headers.get(ID) or next(iter(named), None)


def json_object(line: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None

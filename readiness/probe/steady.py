"""What health says when all is well, to see when it says something else."""

import asyncio
import re
import time

from readiness.probe.reply import Reply
from readiness.probe.target import Target

STARTS = 5.0
"""Seconds in which readiness may come true."""
SAMPLES = 5
"""Answers by which it is seen what of health changes by itself."""
READY = ("/readyz", "/health/readiness", "/health/ready", "/ready", "/readiness", "/-/ready", "/health")


class Steady:
    """What health says when all is well, without what changes from one answer to the next: times, counters, ids."""

    def __init__(self, path: str, samples: list[Reply]) -> None:
        self.path = path
        seen = [said_in(reply) for reply in samples]
        self.said = {key: value for key, value in seen[0].items() if all(each.get(key) == value for each in seen)}

    def differs(self, reply: Reply) -> bool:
        """Another status, or another word where there was always the same."""
        said = said_in(reply)
        return not reply.ok or any(said.get(key) != value for key, value in self.said.items())


async def readiness(target: Target) -> Steady | None:
    """What readiness says now, from the declared path or a usual one; None where nobody answers well on them.

    One that answers 503 may only have started: it is asked again for a while.
    """
    declared, until = target.settings.paths.ready, time.monotonic() + STARTS
    while True:
        starting = False
        for path in (declared,) if declared else READY:
            reply = await target.get(path, anonymous=True)
            starting = starting or reply.status == 503
            if reply.ok:
                samples = [reply]
                for _ in range(SAMPLES):
                    await asyncio.sleep(0.2)
                    samples.append(await target.get(path, anonymous=True))
                return Steady(path, samples)
        if not starting or time.monotonic() > until:
            return None
        await asyncio.sleep(0.5)


def said_in(reply: Reply) -> dict[str, object]:
    """The words of an answer by where they stand, of one without JSON all of them."""
    body = reply.json()
    return {"": re.sub(r"\d+", "", reply.text)} if body is None else leaves(body)


def leaves(value: object, path: str = "") -> dict[str, object]:
    """The words of an answer by where they stand; figures tell nothing."""
    if isinstance(value, dict):
        return {key: leaf for name, each in value.items() for key, leaf in leaves(each, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {
            key: leaf for number, each in enumerate(value) for key, leaf in leaves(each, f"{path}/{number}").items()
        }
    return {} if isinstance(value, int | float) and not isinstance(value, bool) else {path: value}

"""A single failure upstream reaches the client, or is answered with a storm of retries.

One 500, 503 or reset is mended by a second try. Tries are bounded, wait as Retry-After asks, back off, and never happen
after bytes of a stream went out.
"""

from itertools import pairwise

from readiness.probe import Probe, Target, toy, unique
from readiness.probe.script import WORDS, Asked

MOST = 6
"""Tries of one request, all told; more is a storm."""
AT_ONCE = 0.01
"""Seconds between tries that are no back-off at all."""
ASKED_FOR = 0.9
"""Seconds that a try must wait where Retry-After asked for one; the rest is for the clock."""
ONCE = ("error", "unavailable", "reset")


class Rule(Probe):
    item = "connection-retry"
    needs = {"http", "upstream"}
    risk = "write"
    stains = True
    requests = 40
    asks = {"chat": 40}
    good = [toy.Toy()]
    bad = [
        toy.Toy(retry="none"),
        toy.Toy(retry="storm", breaker="none"),
        toy.Toy(retry="hasty"),
        toy.Toy(retry="again"),
    ]

    async def look(self, target: Target) -> None:
        for what in ONCE:
            await self.once(target, what)
        await self.bounded(target)
        await self.streamed(target)

    async def once(self, target: Target, what: str) -> None:
        """One failure, then good answers: the client sees only those."""
        mark = unique("retry")
        reply = await target.chat(f"{mark} [[upstream:once-{what}]]", seconds=60)
        tries = self.tries(target, mark)
        if not tries:
            self.leave(f"one {what} was not provoked: the upstream was never asked, the answer was {reply}")
        elif reply.ok and not reply.answered:
            self.flag(reply, f"one {what} of the upstream reaches the client as {reply} with nothing in it")
        elif reply.ok and len(tries) == 1:
            self.leave(f"one {what} was answered {reply} from elsewhere: whether it is tried again was not seen")
        elif not reply.ok:
            self.flag(reply, f"one {what} of the upstream reaches the client as {reply}, after {counted(tries)}")
        elif what == "unavailable" and gaps(tries)[0] < ASKED_FOR:
            self.flag(
                reply, f"the upstream asked to come back after 1 s, and was asked again after {gaps(tries)[0]:.2f} s"
            )
        else:
            self.clear(reply, f"one {what} was mended by {counted(tries)}, {gaps(tries)[0]:.2f} s apart")

    async def bounded(self, target: Target) -> None:
        """A failure that lasts is given up, with time between the tries."""
        mark = unique("retry")
        reply = await target.chat(f"{mark} [[upstream:error]]", seconds=60)
        tries = self.tries(target, mark)
        if len(tries) > MOST:
            self.flag(reply, f"one request became {counted(tries)}, allowed {MOST}")
        elif len(tries) > 2 and max(gaps(tries)) < AT_ONCE:
            self.flag(
                reply, f"{counted(tries)} came within {tries[-1].began - tries[0].began:.3f} s: there is no back-off"
            )
        elif tries:
            self.clear(reply, f"a failure that lasts was given up after {counted(tries)}, allowed {MOST}")

    async def streamed(self, target: Target) -> None:
        """A stream that broke off after its first chunks cannot be begun again unseen."""
        mark = unique("retry")
        reply = await target.chat(f"{mark} [[upstream:cut]]", stream=True, seconds=60)
        if not self.tries(target, mark):
            self.leave(f"a stream that breaks off was not provoked: it was answered {reply}")
        elif reply.text.count(WORDS[0]) > 1:
            self.flag(reply, "a stream that broke off was begun again: the client got its first words twice")
        else:
            self.clear(reply)

    def tries(self, target: Target, mark: str) -> list[Asked]:
        return target.parts.upstream.asked_for(mark) if target.parts.upstream is not None else []


def gaps(tries: list[Asked]) -> list[float]:
    """Seconds from the end of each try to the beginning of the next."""
    return [later.began - (earlier.ended or earlier.began) for earlier, later in pairwise(tries)]


def counted(tries: list[Asked]) -> str:
    return f"{len(tries)} tr{'y' if len(tries) == 1 else 'ies'}"

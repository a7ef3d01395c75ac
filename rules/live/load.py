"""Under the load that is asked of it the service is slow, fails, or grows without end.

What works for one client may fail for a hundred: calls that wait for each other, a pool that is too small, memory that
each request leaves behind. Requests begin at a fixed rate, also while others wait, and times count from when each was
due, so that a stall is not hidden by clients that wait for it. Who takes less than was asked, meets only a limit, or
was asked by a machine that could not keep up, has passed nothing.
"""

from functools import partial
from typing import Any

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.load import Load, Loaded, Plan, asked, bounds, installed, planned, run
from readiness.probe.load_tables import SHARES, tables
from readiness.settings import TargetSettings

DELIVERED = 0.95
"""Share of the asked requests that must have been sent, and not refused, for a pass."""
BEFORE = 150
"""Requests, and seconds, before the first run: waiting for the steady state, and a chat to see how it is answered."""
AGAIN = 2
"""A run that fails, or is in doubt, is made again: a fault is what both show."""
ROUNDS = 4
"""Runs in which memory may become level: that of a healthy runtime grows for hundreds of requests and then stays."""
BLAME = 0.1
"""Part of a limit by which requests may begin late before it is the machine's fault and not the target's."""
Faults = dict[str, str]
"""What is wrong, by kind and model."""


class Rule(Probe):
    item = "load-stable"
    needs = {"http"}
    risk = "load"
    stains = True
    asks = {"chat": BEFORE}  # beside those of the load itself
    good = [toy.Toy()]
    bad = [toy.Toy(load="fails"), toy.Toy(load="one-by-one")]

    @classmethod
    def bounds(cls, settings: TargetSettings) -> tuple[int, float]:
        load = asked(settings)
        if load is None:
            return BEFORE, BEFORE
        requests, seconds = bounds(load, ROUNDS + 1 if settings.launch else AGAIN)
        return BEFORE + requests, BEFORE + seconds

    async def look(self, target: Target) -> None:
        load = asked(target.settings)
        if load is None:
            self.leave("each chat may cost money here: run `readiness load URL`, or declare target.load")
            return
        if not installed():
            self.leave("needs an extra that is not installed: pip install 'readiness[load]'")
            return
        reply, plan = await self.prepared(target, load)
        if not reply.ok:
            self.leave(f"no load was put on what does not answer one chat: {reply.request} answered {reply}")
            return
        limits = load.limits(scripted=target.parts.upstream is not None)
        ran = await run(target, plan, load)
        wrong = again = self.faults(ran, load, limits)
        doubtful = self.doubts(ran, load, limits) and not (ran.lost or limited(ran))
        if (wrong or doubtful) and not load.bind:  # workers from elsewhere come once
            ran = await run(target, plan, load)
            again = self.faults(ran, load, limits)
        if wrong or again:
            self.judge(reply, ran, wrong, again)
        doubt = self.doubts(ran, load, limits)
        target.measured.extend(tables(ran, limits, self.verdicts(ran, load, limits, doubt)))
        if doubt:
            self.leave(doubt)
        elif target.parts.upstream is not None and not target.parts.upstream.asked_for(plan.mark):
            self.leave(
                "no request of the load reached the upstream: what answers is something else than the gateway's work"
            )
        elif not wrong and not again:
            self.clear(reply, passed(ran, load, limits))
            await self.level(target, reply, ran, load)

    def judge(self, reply: Reply, ran: Loaded, wrong: Faults, again: Faults) -> None:
        """Flag what two runs showed, with an answer that shows it where one was kept."""
        both = [kind for kind in again if kind in wrong]
        for kind in both:
            shown = next(iter(ran.tally.samples.items()), None) if kind.startswith("errors") else None
            self.flag(answer(reply, *shown) if shown else reply, again[kind])
        if not both:
            said = "; ".join([*wrong.values(), *again.values()])
            self.leave(f"one run showed what another did not ({said}): run it again")

    async def prepared(self, target: Target, load: Load) -> tuple[Reply, Plan]:
        """One chat as the load will ask it: as a stream with token counts, as a stream, or in one piece."""
        mark = unique("load")
        ways: list[dict[str, Any]] = [{"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}, {}]
        models = load.models or (target.settings.model,)
        for way in ways:
            ask = partial(target.chat, unique(mark), seconds=load.deadline, **{**way, "model": models[0]})
            reply = await target.patiently(ask)
            streams = reply.headers.get("content-type", "").startswith("text/event-stream")
            if reply.ok and streams is bool(way):
                break
        plan = planned(load, target.settings, target.url, mark, stream=streams, usage="stream_options" in way)
        return reply, plan

    async def level(self, target: Target, reply: Reply, ran: Loaded, load: Load) -> None:
        """Whether the memory of a launched target stays where it is; while it still grows, more is asked."""
        if target.parts.process is None:
            return
        grown, level = [ran.growth or 0], load.growth
        while ran.growth is not None and grown[-1] > level and len(grown) < ROUNDS:
            level = load.growth // 2  # what grew before must be clearly level now: growth at the edge is growth
            ran = await run(target, ran.plan, load)
            grown.append(ran.growth or 0)
        if ran.growth is None:
            self.leave("the memory was not seen often enough to judge it: ask for longer (target.load.duration)")
            return
        each = ", ".join(f"{size / 1e6:.1f}" for size in grown)
        said = (
            f"memory grew by {each} MB in the second half of a run, up to {ran.memory[-1][1] / 1e6:.0f} MB "
            f"(level: {level / 1e6:g})"
        )
        if grown[-1] <= level:
            self.clear(reply, said)
        elif grown[-1] > grown[0] / 2:
            self.flag(reply, f"{said}, and does not stop growing")
        else:
            self.leave(f"{said}: whether it stops was not seen; ask for longer (target.load.duration)")

    @staticmethod
    def faults(ran: Loaded, load: Load, limits: dict[str, float]) -> Faults:
        """What a run shows against the target, model by model: errors, and times that nothing else is to blame for."""
        found = {}
        crowded = ran.wanted > ran.plan.users
        for model in ran.tally.models:
            cell = ran.cell(model)
            judged = cell.begun - cell.refused
            if judged and cell.errors / judged > load.errors:
                worst, count = cell.failed.most_common(1)[0]
                early = ", and the run was ended early" if ran.tally.stopped else ""
                found[f"errors of {model}"] = (
                    f"{cell.errors} of {judged} requests for {model} failed at {load.rate:g} a second, "
                    f"allowed {load.errors:.2%}; most often ({count}): {worst}{early}"
                )
            for name, limit in limits.items():
                total, own = ran.total(SHARES[name], model), ran.served(SHARES[name], model) > limit
                if total > limit and (own or not crowded) and ran.lag < limit * BLAME:
                    found[f"times of {model}"] = (
                        f"{name} of the total time for {model} is {total:.2f} s at {load.rate:g} a second, "
                        f"allowed {limit:g} s"
                    )
                    break
        return found

    @staticmethod
    def doubts(ran: Loaded, load: Load, limits: dict[str, float]) -> str | None:
        """Why the load that was asked for was not the load that was put on the target, or its times are not the target's."""
        whole, count = ran.tally.whole, ran.plan.count
        sent = whole.begun - whole.refused
        if ran.lost:
            return (
                f"{ran.lost} of {load.workers} workers did not come or were lost: what they asked and saw is not known"
            )
        if limited(ran):
            return (
                f"{whole.refused} of {count} requests met a rate limit (429), so the load was not put on what is behind it: "
                "give the users keys of their own (target.load.keys), take more users, or ask for less (--rate)"
            )
        slow = any(
            ran.total(SHARES[name], model) > limit for name, limit in limits.items() for model in ran.tally.models
        )
        if ran.tally.stopped or (sent >= count * DELIVERED and not slow):
            return None
        reached = f"{sent} of {count} requests were sent in time"
        if ran.wanted > ran.plan.users:
            return (
                f"{reached}: {ran.plan.users} users are too few for {ran.plan.rate:g} a second at {ran.served(0.5):.1f} s "
                f"each; ask with {round(ran.wanted * 1.5)} (--users), or for less (--rate)"
            )
        return (
            f"{reached}, and 5% of them more than {ran.lag:.2f} s late: this machine could not deliver the load; share it "
            "(--workers, --master), or ask for less (--rate)"
        )

    @classmethod
    def verdicts(cls, ran: Loaded, load: Load, limits: dict[str, float], doubt: str | None) -> dict[str, str]:
        """What this run alone says of each model."""
        found = cls.faults(ran, load, limits)
        held = "unknown" if doubt else "within its limits"
        return {
            model: ", ".join(kind for kind in ("errors", "times") if f"{kind} of {model}" in found) or held
            for model in ran.tally.models
        }


def limited(ran: Loaded) -> bool:
    """Whether so many requests were refused that the load was not put on what is behind the limit."""
    return ran.cell().refused > ran.plan.count * (1 - DELIVERED)


def passed(ran: Loaded, load: Load, limits: dict[str, float]) -> str:
    """What was seen, beside what was allowed."""
    whole = ran.tally.whole
    times = ", ".join(f"{name} {ran.total(SHARES[name]):.2f} s (allowed {limit:g})" for name, limit in limits.items())
    tokens = f", first token after {ran.first:.2f} s, {ran.speed} tokens a second" if ran.first and ran.speed else ""
    return (
        f"{whole.begun} of {ran.plan.count} requests were sent at {load.rate:g} a second by {load.users} users, "
        f"{whole.errors} failed (allowed {load.errors:.2%}), {times}{tokens}"
    )


def answer(usual: Reply, reason: str, seen: tuple[int | None, str, float]) -> Reply:
    """A failed answer as the generator kept it."""
    status, excerpt, took = seen
    return Reply(usual.request, status, {}, excerpt.encode(), took, None if status else reason)

"""Metrics are missing, stand still, or grow without bound.

Numbers by route are what an outage shows in first: requests, errors and latency, in a form that Prometheus reads. A label
that a client can make up grows the memory of both sides with every request.
"""

from urllib.parse import urlsplit

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.exposition import Samples, samples

PATHS = ("/metrics", "/metrics/", "/-/metrics", "/actuator/prometheus", "/prometheus", "/prometheus/metrics")
COUNT = 7
"""Requests of a kind by which a counter must rise: no other number is likely to."""
LATENCY = ("second", "duration", "latency", "_ms", "millis")


class Rule(Probe):
    item = "metrics"
    needs = {"http"}
    risk = "write"
    requests = 160
    asks = {"GET": 60, "chat": 28}
    good = [toy.Toy()]
    bad = [
        toy.Toy(metrics="none"),
        toy.Toy(metrics="still"),
        toy.Toy(metrics="paths"),
        toy.Toy(metrics="garbage"),
        toy.Toy(metrics="no-errors"),
        toy.Toy(metrics="no-latency"),
    ]

    async def look(self, target: Target) -> None:
        declared = target.settings.paths.metrics
        shows: Target | None = target
        if declared and "://" in declared:
            shows, declared = target.at(declared), urlsplit(declared).path or "/"
        if shows is None:
            self.leave("target.paths.metrics names another host than the target: nothing is asked there")
            return
        found = await self.find(shows, declared)
        if found is None:
            return
        path = found.request.removeprefix("GET ")
        idle = await self.scrape(shows, path)
        served = [await target.patiently(lambda: target.chat(unique("metrics"))) for _ in range(COUNT)]
        busy = await self.scrape(shows, path)
        made_up = unique("/readiness").replace(" ", "-")
        refused = [await target.patiently(lambda: target.get(unique(made_up).replace(" ", "-"))) for _ in range(COUNT)]
        after = await self.scrape(shows, path)
        if idle is None or busy is None or after is None:
            self.leave(f"{path} answered once, and then no more")
            return
        if sum(reply.ok for reply in served) < COUNT:
            self.leave(
                f"only {sum(reply.ok for reply in served)} of {COUNT} chats were served: counters were not moved"
            )
            return
        self.moved(found, idle, busy)
        self.errors(found, refused, idle, busy, after)
        self.bounded(found, made_up, after)

    async def find(self, target: Target, declared: str | None) -> Reply | None:
        """The first path that answers with metrics. Flags where there is none, or none that can be read."""
        unread = None
        for path in (declared,) if declared else PATHS:
            reply = await target.get(path)
            if reply.ok and samples(reply.text):
                return reply
            unread = unread or (reply if reply.ok else None)
        last = unread or reply
        if last.status is None or last.status in {401, 403, 429}:
            self.leave(f"{last.request} is answered {last}: whether there are metrics was not seen")
        elif unread is not None:
            self.flag(unread, f"{unread.request} is answered {unread}, and not in the form that Prometheus reads")
        elif declared is None and target.parts.process is None:
            self.leave(
                f"no metrics on {', '.join(PATHS)}; they may stand on another port (target.paths.metrics names it)"
            )
        elif elsewhere := other_ports(target):
            self.leave(f"no metrics here, but the process also listens on port {elsewhere[0]}: it may show them there")
        else:
            self.flag(last, f"no metrics on {', '.join((declared,) if declared else PATHS)} (target.paths.metrics)")
        return None

    async def scrape(self, target: Target, path: str) -> Samples | None:
        """Twice, so that what counts scrapes is not taken for what counts requests."""
        reply = await target.get(path)
        return samples(reply.text) if reply.ok else None

    def moved(self, found: Reply, idle: Samples, busy: Samples) -> None:
        rose = risen(idle, busy)
        if not any(growth >= COUNT for growth in rose.values()):
            self.flag(found, f"{COUNT} chats were served, and no metric rose by as many")
        else:
            self.clear(found, f"{COUNT} chats moved {sum(growth >= COUNT for growth in rose.values())} metrics")
        if not any(growth > 0 and any(word in name.lower() for word in LATENCY) for name, growth in rose.items()):
            self.flag(found, f"{COUNT} chats were served, and no metric of time moved: latency is not measured")
        else:
            self.clear(found)

    def errors(self, found: Reply, refused: list[Reply], idle: Samples, busy: Samples, after: Samples) -> None:
        """Refusals must move something that good answers do not move."""
        if not all(reply.status is not None and reply.status >= 400 for reply in refused):
            self.leave(f"a path that is not there is answered {refused[0]}: errors were not provoked")
            return
        by_chats, by_errors = risen(idle, busy), risen(busy, after)
        if any(growth >= COUNT and by_chats.get(name, 0) < COUNT for name, growth in by_errors.items()):
            self.clear(found)
        else:
            self.flag(
                found, f"{COUNT} errors moved nothing that {COUNT} good answers do not move: they cannot be told apart"
            )

    def bounded(self, found: Reply, made_up: str, after: Samples) -> None:
        labels = [name for name in after if made_up in name]
        if labels:
            self.flag(found, f"a path that a client made up is a label: {labels[0][:120]}")
        else:
            self.clear(found)


def other_ports(target: Target) -> list[int]:
    """The ports besides its own on which a gateway of ours listens; of another's nobody knows."""
    process = target.parts.process
    return sorted(process.ports() - {urlsplit(target.url).port}) if process is not None else []


def risen(before: Samples, after: Samples) -> dict[str, float]:
    """By how much each sample grew; one that was not there began at zero."""
    return {name: value - before.get(name, 0.0) for name, value in after.items() if value > before.get(name, 0.0)}

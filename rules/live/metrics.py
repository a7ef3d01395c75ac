"""Metrics are missing, stand still, or grow without bound.

Numbers by route are what an outage shows in first: requests, errors and latency, in a form that Prometheus reads. A label
that a client can make up grows the memory of both sides with every request.
"""

import re
from collections import defaultdict
from urllib.parse import urlsplit

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.exposition import Samples, samples

PATHS = ("/metrics", "/metrics/", "/-/metrics", "/actuator/prometheus", "/prometheus", "/prometheus/metrics")
COUNT = 7
"""Requests of a kind by which a counter must rise: no other number is likely to."""
RUNTIME = re.compile(
    r"^(process|python|nodejs|go|jvm|dotnet|ruby|rust|runtime|promhttp|tokio|libuv|gc)_"
    r"|bytes|memory|heap|cpu|(_created|timestamp|timestamp_seconds)$"
)
"""What moves by itself: these tell how the process fares and what time it is, not what was asked."""
PARTS = re.compile(r"_(bucket|sum)$")
LATENCY = ("second", "duration", "latency", "_ms", "millis")


class Rule(Probe):
    item = "metrics"
    needs = {"http"}
    risk = "write"
    requests = 160
    asks = {"GET": 120, "chat": 80}
    good = [
        toy.Toy(),
        toy.Toy(metrics="404s"),
        toy.Toy(metrics="400s"),
        toy.Toy(metrics="502s", breaker="none"),
    ]
    bad = [
        toy.Toy(metrics="none"),
        toy.Toy(metrics="still"),
        toy.Toy(metrics="runtime"),
        toy.Toy(metrics="paths"),
        toy.Toy(metrics="garbage"),
        toy.Toy(metrics="no-errors"),
        toy.Toy(metrics="no-latency"),
    ]

    async def look(self, target: Target) -> None:
        found, page = await self.find(target)
        if found is None:
            return
        path = found.request.removeprefix("GET ")
        idle = await self.scrape(page, path)
        served = [await target.patiently(lambda: target.chat(unique("metrics"))) for _ in range(COUNT)]
        busy = await self.scrape(page, path)
        made_up = unique("/readiness").replace(" ", "-")
        refused = [reply for _ in range(COUNT) for reply in await self.mistakes(target, made_up)]
        after = await self.scrape(page, path)
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

    async def mistakes(self, target: Target, made_up: str) -> list[Reply]:
        """Errors of several kinds: which of them are counted, and by what, is the gateway's own business."""
        path, headers = target.settings.paths.chat, {"content-type": "application/json"}
        nowhere = unique(made_up).replace(" ", "-")
        replies = [await target.patiently(lambda: target.get(nowhere))]
        replies.append(await target.patiently(lambda: target.send("POST", path, b"{", headers, label="half a body")))
        if target.parts.upstream is not None:
            text = unique("metrics [[upstream:refuse]]")
            replies.append(await target.patiently(lambda: target.chat(text)))
        return replies

    async def find(self, target: Target) -> tuple[Reply | None, Target]:
        """The first path that answers with metrics, and where. Flags where there is none, or none that can be read."""
        declared = target.settings.paths.metrics
        ports = other_ports(target)
        pages = [target, *(at_port(target, port) for port in ports)]
        if declared and "://" in declared:
            named, declared = target.at(declared), urlsplit(declared).path or "/"
            if named is None:
                self.leave("target.paths.metrics names another host than the target: nothing is asked there")
                return None, target
            pages = [named]
        paths = (declared,) if declared else PATHS
        seen = []
        for page in pages:
            for path in paths:
                reply = await page.get(path, anonymous=page is not target)
                if reply.ok and samples(reply.text):
                    return reply, page
                seen.append(reply)
        unread = [reply for reply in seen if reply.ok]
        closed = [reply for reply in seen[: len(paths)] if reply.status is None or reply.status in {401, 403, 429}]
        if unread:
            self.flag(
                unread[0], f"{unread[0].request} is answered {unread[0]}, and not in the form that Prometheus reads"
            )
        elif closed:
            self.leave(f"{closed[0].request} is answered {closed[0]}: whether there are metrics was not seen")
        elif declared is None and target.parts.process is None:
            self.leave(
                f"no metrics on {', '.join(paths)}; they may stand on another port (target.paths.metrics names it)"
            )
        else:
            more = f", nor on port {', '.join(map(str, ports))}" if ports else ""
            self.flag(reply, f"no metrics on {', '.join(paths)}{more} (target.paths.metrics)")
        return None, target

    async def scrape(self, target: Target, path: str) -> Samples | None:
        """Twice, so that what counts scrapes is not taken for what counts requests."""
        reply = await target.get(path)
        return samples(reply.text) if reply.ok else None

    def moved(self, found: Reply, idle: Samples, busy: Samples) -> None:
        rose = risen(idle, busy)
        counted = sum(growth >= COUNT for growth in by_name(rose).values())
        if not counted:
            self.flag(found, f"{COUNT} chats were served, and no metric rose by as many")
        else:
            self.clear(found, f"{COUNT} chats moved {counted} metrics")
        if not any(growth > 0 and any(word in name.lower() for word in LATENCY) for name, growth in rose.items()):
            self.flag(found, f"{COUNT} chats were served, and no metric of time moved: latency is not measured")
        else:
            self.clear(found)

    def errors(self, found: Reply, refused: list[Reply], idle: Samples, busy: Samples, after: Samples) -> None:
        """Refusals must move something that good answers do not move."""
        if sum(reply.status is not None and reply.status >= 400 for reply in refused) < COUNT:
            self.leave(f"a path that is not there is answered {refused[0]}: errors were not provoked")
            return
        by_chats, by_errors = risen(idle, busy), risen(busy, after)
        told = {name: growth for name, growth in by_errors.items() if name not in by_chats}
        rising = any(growth >= COUNT and by_chats.get(name, 0) < COUNT for name, growth in by_errors.items())
        if rising or any(growth >= COUNT for growth in by_name(told).values()):
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


def at_port(target: Target, port: int) -> Target:
    """What else the process of a gateway of ours serves."""
    view = target.as_client(9001)
    view.url = f"http://127.0.0.1:{port}"
    return view


def by_name(rose: dict[str, float]) -> dict[str, float]:
    """The same summed over labels, which may split what is counted; parts of a histogram are no count of their own."""
    total: dict[str, float] = defaultdict(float)
    for name, growth in rose.items():
        metric, _, labels = name.partition("{")
        if not PARTS.search(metric) and "le=" not in labels and "quantile=" not in labels:
            total[metric] += growth
    return total


def risen(before: Samples, after: Samples) -> dict[str, float]:
    """By how much each sample grew that tells of requests; one that was not there began at zero."""
    rose = {name: value - before.get(name, 0.0) for name, value in after.items() if value > before.get(name, 0.0)}
    return {name: growth for name, growth in rose.items() if not RUNTIME.search(name.partition("{")[0].lower())}

"""Toy gateways: tiny services, right in everything unless told to be wrong in one thing.

They are the good and bad examples of probes: `good = [toy.Toy()]`, `bad = [toy.Toy(rate=None)]`. A toy is a value; what
serves it is built only when it is served, so naming one imports nothing heavy. `python -m readiness.probe.toy` serves
one as a process of its own, for what is seen of a process alone.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

from readiness.load.asked import Load
from readiness.settings import USUAL_MODEL, Limits, Nats, Paths, TargetSettings
from readiness.units import Rate

if TYPE_CHECKING:
    from readiness.probe.target import Parts

DECLARED = Rate(60, 3)
KEY = "toy-client-key-2f6d8a"
"""What clients of a toy carry that asks for a key."""
ASKED = Load(users=20, rate=30.0, duration=1.0, p50=1.2, p95=3.0, p99=5.0)


@dataclass(frozen=True)
class Toy:
    """What a toy gateway does. The defaults are right; each field says how it can be wrong."""

    health: str = "split"
    """split, none, one (a single /health), everything (200 to every path), everything-anew (with an id in it), blind
    (ready whatever happens), fragile (liveness asks the upstream), flush (asks NATS by a flush, which breaks the
    connection it tests)."""
    malformed: str = "refuse"
    """refuse, crash (500), accept (200), text (a 400 that is no JSON), two-shapes, drop (closes the connection)."""
    body_limit: int | None = 1_000_000
    """Bytes."""
    body_check: str = "both"
    """both, declared (Content-Length only), count (while reading), afterwards (once all was read)."""
    rate: Rate | None = DECLARED
    rate_fault: str = ""
    """no-retry-after, everybody (one count for all), trusts-forwarded, trusts-names (that a client makes up),
    check-then-act, never-recovers, always (429 to every chat), cooldown (429 to all for a while after the upstream
    failed; no limit of its own), headers (which tell of a limit that is not there)."""
    timeout: float | str | None = 2.0
    """Seconds; None waits for ever; "hides" answers 200 when the upstream did not."""
    stream_timeout: float | None = 1.0
    """Seconds between chunks."""
    client_timeout: float | None = 2.5
    """Seconds for the head, and again for the body, of a request."""
    leaving: str = "cancels"
    """cancels (a client that leaves ends the call upstream), goes-on."""
    schema: str = "refuse"
    """refuse, forward (asks the upstream), crash (500), vague (names no field), last-wins (duplicate keys)."""
    errors: str = "one"
    """one, two-shapes, trace (a stack trace), text (404 as plain text), tenth (plain text in one of ten), masked (every
    error is a 500), relays (the upstream's own words), hollow (an upstream's failure is an empty 200)."""
    models: str = "refuse"
    """refuse, forward (whatever it is called), crash (500)."""
    streams: str = "through"
    """through, refused (400 says so), broken (500 for each), ignored (a whole answer), buffered, opens-early (and holds
    back the words), pretends (has the whole answer, and hands it out bit by bit), endless (no end marker), hangs (when
    the upstream breaks), swallows (an upstream that breaks looks like the end), hides (an upstream's error before the
    first chunk is an empty stream), miscounts."""
    retry: str = "once"
    """once, none, storm (ten times at once), hasty (does not wait as asked), again (also after bytes were streamed)."""
    breaker: str = "half-open"
    """half-open, none, stuck (never closes), limit (refuses whatever comes often, with 503)."""
    cache: str = "per-client"
    """per-client, none, shared, ignores-no-store, mixes-streams."""
    tracing: str = "continues"
    """continues, none, echoes (to the client alone), same-span, trusts (whatever it is sent)."""
    metrics: str = "counts"
    """counts, none, still (they never move), runtime (of the process alone), paths (any path is a label), garbage,
    no-errors, no-latency; 404s, 400s, 502s count errors of one kind alone, which is enough."""
    secrets: str = "hidden"
    """hidden, health (shows its key), echo (repeats the client's key), logs (writes its key)."""
    logs: str = "json"
    """json, named (clients get the id under another name), text, no-id, other-id (not the one the client was given),
    same-id (for all), bare (neither time nor level), one-of-ten."""
    shutdown: str = "graceful"
    """graceful, cuts, deaf (never ends), lies (ready to the end), fails (exit code 3)."""
    key_file: str | None = None
    """None: it has none; checked, any-mode, silent (refuses, and does not say why)."""
    catalog: str = "keeps"
    """keeps, live (asks on every request), clears (before it loads), dies (its loop does), stuck (after a failure),
    fixed (never asks)."""
    burst: str = "apart"
    """apart, mixes (answers of one for another), breaks (500), one-by-one."""
    load: str = "holds"
    """holds, fails (500 where more than two chats are open), one-by-one, leaks (memory, with each chat)."""
    inputs: str = "text"
    """text, header (a line break splits a header), log (writes what it got as it is), quotes (writes what the upstream
    answered), markup (HTML as it came), files (any path is a file)."""
    auth: str = ""
    """"" (no key is asked for), checked, ignored, any (whatever it is), crash (500), passes (it goes on upstream)."""
    methods: str = "refused"
    """refused, nameless (405 without Allow), missing (404), any (answers them)."""
    headers: str = "safe"
    """safe, plain (nothing about HTTPS), good-only (not on errors), bare."""
    origins: str = "none"
    """none, any (every site may read the answers), echoes (with credentials)."""
    head: str = "bounded"
    """bounded, long (fields of any size), many (any number of them)."""
    framing: str = "strict"
    """strict, chunks-win (a length beside chunks is dropped), first-length (of two that differ)."""
    tls: str = ""
    """"" (plain HTTP), current, outdated (speaks TLS 1.1 too), ending (its certificate does, within days)."""
    leaks: str = ""
    """clients (a descriptor for every client that left), subscriptions (one more for every reconnect)."""
    nats: str | None = None
    """None, recovers, gives-up (never reconnects), lies (health does not look at NATS)."""
    nats_fault: str = ""
    """silent (no answer to what is malformed), nak (-NAK), any-size, drops, unbounded, one-by-one, arity (a callback of
    the wrong arity), stuck-tool (waits for ever), dies (its loop ends with the first malformed message), close (at the
    end, without a drain); waking is none: it refuses its first message, as if it had only just started."""

    def settings(self) -> TargetSettings:
        """What a team would declare of such a gateway."""
        limits = Limits(body=1_000_000, rate=DECLARED, timeout=3.0, recovery=4.0, client=6.0, shutdown=5.0)
        nats = Nats(subject="toy.chat", tools="toy.tools") if self.nats else Nats()
        headers = {"Authorization": f"Bearer {KEY}"} if self.auth else {}
        metrics = Paths(metrics="/metrics")
        return TargetSettings(model=USUAL_MODEL, limits=limits, nats=nats, paths=metrics, headers=headers, load=ASKED)

    def launched(self) -> TargetSettings:
        """The same, started as a process by the sandbox."""
        words = [sys.executable, "-m", "readiness.probe.toy", self.dumped(), "{port}", "{upstream}"]
        words += ["{nats}"] if self.nats else []
        files, env = {}, {"TOY_KEY": "{canary}"}
        if self.key_file:
            files, env = {"toy.key": "toy.key.in"}, {"TOY_KEY_FILE": "{work}/toy.key"}
        launch = shlex.join(words)
        return replace(self.settings(), launch=launch, env=env, files=files, started_when="/v1/models")

    def dumped(self) -> str:
        """As text that `loaded` reads."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        rate = asdict(self.rate) if self.rate else None
        changed = {name: value for name, value in own.items() if value != getattr(Toy(), name)}
        return json.dumps({**changed, **({"rate": rate} if "rate" in changed else {})})

    @asynccontextmanager
    async def serving(self, parts: Parts) -> AsyncIterator[str]:
        """Serve the toy on loopback before the scripted upstream; hands out its URL."""
        from readiness.probe.toy.gateway import serving

        tls = None
        if self.tls:
            from readiness.probe.toy.certificates import contexts

            tls, parts.trust = contexts(self.tls)
        upstream = parts.upstream.url if parts.upstream else "http://127.0.0.1:9"
        nats = parts.nats.url if parts.nats and self.nats else None
        async with serving(self, upstream, nats, 0, "toy-upstream-key", tls) as (port, _):
            yield f"http{'s' if tls else ''}://127.0.0.1:{port}"


def loaded(text: str) -> Toy:
    """A toy from what `dumped` wrote."""
    table = json.loads(text)
    if table.get("rate"):
        table["rate"] = Rate(**table["rate"])
    return Toy(**table)

"""`make bench-gateway`: the reference gateway beside a bare pass-through made of the same libraries, in turns.

All guards are on, with the rate limit out of reach; any answer that is an error voids the run. The servers have one
core, the upstream and wrk the other. `--peers` adds LiteLLM and Portkey, fetched once at pinned versions; `--parts`
says what each part costs (`parts.py`).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.failure import Failure
from tests.bench.gateway.servers import (
    BARE,
    DIRECT,
    HERE,
    LITELLM,
    OTHERS,
    PEERS,
    PORTKEY,
    SERVERS,
    WHOLE,
    Server,
    server,
    upstream,
)
from tests.bench.peers import ROOT

CONNECTIONS = (16, 64, 1)
PATIENCE = "60s"  # for one answer
WARM = 5  # seconds of each server that are not counted


@dataclass(frozen=True, slots=True)
class Figures:
    """One turn of one server at one number of connections."""

    rate: float  # requests a second
    median: float  # milliseconds
    cost: float  # processor time of the server for one request, microseconds
    memory: float  # MB after the turn


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="make bench-gateway", description="the gateway beside a bare pass-through")
    parser.add_argument("--seconds", type=int, default=5, help="of each turn")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--parts", action="store_true", help="what each part costs, too")
    parser.add_argument("--peers", action="store_true", help="beside other gateways, too")
    asked = parser.parse_args()
    if not shutil.which("wrk"):
        sys.stderr.write("bench: wrk is not installed (apt install wrk)\n")
        return 1
    peers = PEERS if asked.peers else ()
    try:
        measured = measure([DIRECT, BARE, WHOLE, *peers], asked.seconds, asked.repeat)
        of_parts = [parts()] if asked.parts else []
    except Failure as problem:
        sys.stderr.write(f"bench: {problem}\n")
        return 1
    shown = [table(measured), *of_parts, targets(measured, peers)]
    sys.stdout.write("\n\n".join(shown) + "\n")
    return 0


Measured = dict[tuple[str, int], list[Figures]]


def measure(names: Sequence[str], seconds: int, repeat: int) -> Measured:
    """Every server at every number of connections, one after the other, so many times."""
    cache = Path(os.environ.get("READINESS_BENCH") or ROOT / ".bench").resolve()
    found: Measured = {}
    with ExitStack() as stack:
        asked = stack.enter_context(upstream())
        others = [name for name in names if name != DIRECT]
        servers = {DIRECT: asked} | {name: stack.enter_context(server(name, asked.port, cache)) for name in others}
        for name in names:
            wrk(servers[name], 1, WARM)  # some load what they need when they are first asked
        for _ in range(repeat):
            for connections in CONNECTIONS:
                for name in names:
                    figures = turn(name, servers[name], connections, seconds)
                    found.setdefault((name, connections), []).append(figures)
    return found


def turn(name: str, server: Server, connections: int, seconds: int) -> Figures:
    """Raises Failure if any answer was an error, or did not come."""
    before = server.spent()
    bad, lost, rate, median = wrk(server, connections, seconds)
    if bad or lost or not rate:
        raise Failure(f"{name} at {connections} connections: {bad:.0f} errors, {lost:.0f} lost, {rate:.0f} a second")
    cost = (server.spent() - before) / (rate * seconds)
    return Figures(rate, median / 1000, cost * 1e6, server.memory() / 1e6)


def wrk(server: Server, connections: int, seconds: int) -> tuple[float, ...]:
    """Answers that were errors, requests that got none, requests a second, and the median in microseconds."""
    headers = [word for header in server.headers for word in ("-H", header)]
    asked = [*headers, "-s", str(HERE / "ask.lua"), f"http://127.0.0.1:{server.port}"]
    command = ["taskset", "-c", OTHERS, "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", PATIENCE]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, check=False)
    line = next((each for each in done.stdout.splitlines() if each.startswith("bench ")), None)
    if line is None:
        raise Failure(f"wrk said nothing: {done.stderr.strip()[-300:]}")
    return tuple(map(float, line.split()[1:]))


def table(measured: Measured) -> str:
    """The medians of all turns, as Markdown."""
    lines = ["| server | connections | requests/s | p50, ms | processor time, µs a request | memory, MB |"]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for (name, connections), turns in measured.items():
        rate, median, cost, memory = (middle(turns, field) for field in ("rate", "median", "cost", "memory"))
        lines.append(f"| {name} | {connections} | {rate:,.0f} | {median:.2f} | {cost:.0f} | {memory:.0f} |")
    return "\n".join(lines)


def parts() -> str:
    """What each part costs, as Markdown; on the core of the servers."""
    command = ["taskset", "-c", SERVERS, sys.executable, "-m", "tests.bench.gateway.parts"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"the parts were not measured: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


def targets(measured: Measured, peers: Sequence[str]) -> str:
    """What was aimed at, and what was reached in this run."""
    rows = [
        (f"throughput over the bare one's, {each} connections", ratio(measured, BARE, each), 0.6) for each in (16, 64)
    ]
    wanted = {LITELLM: 50.0, PORTKEY: 5.0}
    rows += [
        (f"throughput over {peer}'s, {each} connections", ratio(measured, peer, each), wanted[peer])
        for peer in peers
        for each in (16, 64)
    ]
    lines = ["| figure | reached | target |", "|---|--:|--:|"]
    # Turns lie seconds apart: on a machine that does other work their processor times compare better than their rates.
    for other in (BARE, *peers):
        costs = [middle(measured[name, 16], "cost") for name in (other, WHOLE)]
        lines.append(f"| processor time of {other} over the gateway's, 16 connections | {costs[0] / costs[1]:.2f} | |")
    lines += [f"| {what} | {reached:.2f} | at least {target:g} |" for what, reached, target in rows]
    direct, bare, ours = (middle(measured[name, 1], "median") for name in (DIRECT, BARE, WHOLE))
    lines.append(
        f"| added p50 at one connection, over the bare one's | {(ours - direct) / (bare - direct):.2f} | at most 2 |"
    )
    memory = max(each.memory for (name, _), turns in measured.items() if name == WHOLE for each in turns)
    lines.append(f"| memory under load, MB | {memory:.0f} | at most 90 |")
    return "\n".join(lines)


def ratio(measured: Measured, other: str, connections: int) -> float:
    """The gateway's throughput over another's: the median of the turns, each beside its neighbour in time."""
    pairs = zip(measured[WHOLE, connections], measured[other, connections], strict=True)
    return statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)


def middle(turns: Sequence[Figures], field: str) -> float:
    """The median of one figure."""
    figures: list[float] = [getattr(each, field) for each in turns]
    return statistics.median(figures)


if __name__ == "__main__":
    sys.exit(main())

"""`make bench-gateway`: the reference gateway beside a bare pass-through made of the same libraries, in turns.

All guards are on, with the rate limit out of reach; any answer but 200 voids the run. The servers have one core, the
upstream and wrk the other. `--parts` also leaves each part out in turn: what it costs is the difference.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from readiness.gateway import PARTS
from readiness.probe.sockets import free_port
from tests.bench.failure import Failure
from tests.gateway.harness import wait_for

HERE = Path(__file__).parent
WITHOUT = HERE.parents[1] / "gateway_without.py"
SERVERS, OTHERS = "0", "1"  # cores
CONNECTIONS = (16, 64, 1)
BARE, WHOLE = "bare", "gateway"


@dataclass(frozen=True, slots=True)
class Figures:
    """One turn of one server at one number of connections."""

    rate: float  # requests a second
    median: float  # milliseconds
    cost: float  # processor time of the server for one request, microseconds
    memory: float  # MB after the turn


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench-gateway", description="the gateway beside a bare pass-through")
    parser.add_argument("--seconds", type=int, default=5, help="of each turn")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--parts", action="store_true", help="leave each part out in turn")
    asked = parser.parse_args()
    if not shutil.which("wrk"):
        sys.stderr.write("bench: wrk is not installed (apt install wrk)\n")
        return 1
    left_out = sorted(PARTS) if asked.parts else []
    try:
        measured = measure([BARE, WHOLE, *left_out], asked.seconds, asked.repeat)
    except Failure as problem:
        sys.stderr.write(f"bench: {problem}\n")
        return 1
    sys.stdout.write(f"{table(measured)}\n\n{ratios(measured)}\n")
    return 0


Measured = dict[tuple[str, int], list[Figures]]


def measure(names: Sequence[str], seconds: int, repeat: int) -> Measured:
    """Every server at every number of connections, one after the other, so many times."""
    found: Measured = {}
    with ExitStack() as stack:
        upstream = free_port()
        stack.enter_context(running([str(HERE / "upstream.py"), str(upstream)], upstream, OTHERS))
        servers = {name: stack.enter_context(server(name, upstream)) for name in names}
        for _ in range(repeat):
            for connections in CONNECTIONS:
                for name, (port, process) in servers.items():
                    found.setdefault((name, connections), []).append(turn(port, process, connections, seconds))
    return found


@contextmanager
def server(name: str, upstream: int) -> Iterator[tuple[int, psutil.Process]]:
    """A server by its name: the bare one, the whole gateway, or the gateway without a part."""
    port, address = free_port(), f"http://127.0.0.1:{upstream}"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "gateway.toml"
        config.write_text(
            f'rate_limit = "999999999/min"\n[[upstreams]]\nname = "up"\nbase_url = "{address}/v1"\n', encoding="utf-8"
        )
        item = "nothing" if name == WHOLE else name
        words = (
            [str(HERE / "bare.py"), str(port), address]
            if name == BARE
            else [str(WITHOUT), item, str(port), str(config)]
        )
        with running(words, port, SERVERS) as process:
            yield port, process


@contextmanager
def running(words: Sequence[str], port: int, core: str) -> Iterator[psutil.Process]:
    """A Python program on one core, from when it listens."""
    path = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    child = subprocess.Popen(["taskset", "-c", core, sys.executable, *words], env=path, stderr=subprocess.DEVNULL)
    process = psutil.Process(child.pid)
    try:
        wait_for(lambda: any(each.laddr.port == port for each in process.net_connections()), words[0])
        yield process
    finally:
        child.kill()
        child.wait()


def turn(port: int, process: psutil.Process, connections: int, seconds: int) -> Figures:
    """Raises Failure if any answer was not 200."""
    before = sum(process.cpu_times()[:2])
    command = ["taskset", "-c", OTHERS, "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(HERE / "ask.lua")]
    done = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=False)
    line = next((each for each in done.stdout.splitlines() if each.startswith("bench ")), None)
    if line is None:
        raise Failure(f"wrk said nothing: {done.stderr.strip()[-300:]}")
    bad, rate, median = map(float, line.split()[1:])
    if bad:
        raise Failure(f"{bad:.0f} answers of port {port} were not 200")
    spent = sum(process.cpu_times()[:2]) - before
    return Figures(rate, median / 1000, spent / (rate * seconds) * 1e6, process.memory_info().rss / 1e6)


def table(measured: Measured) -> str:
    """The medians of all turns, as Markdown."""
    lines = ["| server | connections | requests/s | p50, ms | processor time, µs a request | memory, MB |"]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for (name, connections), turns in sorted(measured.items(), key=lambda each: (each[0][1], each[0][0])):
        what = name if name in {BARE, WHOLE} else f"gateway without {name}"
        cells = [middle(turns, field) for field in ("rate", "median", "cost", "memory")]
        rate, median, cost, memory = cells
        lines.append(f"| {what} | {connections} | {rate:,.0f} | {median:.2f} | {cost:.0f} | {memory:.0f} |")
    return "\n".join(lines)


def ratios(measured: Measured) -> str:
    """The targets, and what was reached."""

    def ratio(connections: int, field: str) -> float:
        return middle(measured[WHOLE, connections], field) / middle(measured[BARE, connections], field)

    memory = max(each.memory for (name, _), turns in measured.items() if name == WHOLE for each in turns)
    rates = " and ".join(f"{ratio(each, 'rate'):.2f}" for each in (16, 64))
    told = {
        "throughput over the bare one's at 16 and 64 connections": f"{rates} (at least 0.6)",
        "p50 at one connection over the bare one's": f"{ratio(1, 'median'):.2f} (at most 2)",
        "memory under load": f"{memory:.0f} MB (at most 90)",
    }
    return json.dumps(told, indent=2)


def middle(turns: Sequence[Figures], field: str) -> float:
    """The median of one figure."""
    figures: list[float] = [getattr(each, field) for each in turns]
    return statistics.median(figures)


if __name__ == "__main__":
    sys.exit(main())

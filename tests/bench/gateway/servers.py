"""What is measured, each started from its own command line: the gateway, the bare pass-through, and other gateways."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from readiness.probe.sockets import free_port
from tests.bench.failure import Failure
from tests.bench.peers import LOCKS, Environments

HERE = Path(__file__).parent
WITHOUT = HERE.parents[1] / "gateway_without.py"
SERVERS, OTHERS = "0", "1"  # cores
PATIENCE = 180  # seconds: some take long to load

DIRECT, BARE, WHOLE = "upstream", "bare", "gateway"
LITELLM, PORTKEY = "litellm", "portkey"
PEERS = (LITELLM, PORTKEY)

OURS = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
THEIRS = {
    "PATH": os.environ["PATH"],
    "HOME": tempfile.gettempdir(),
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks another host for its prices
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # none of those measured asks for a key
}


@dataclass(frozen=True, slots=True)
class Server:
    """One server that runs, and how it wants to be asked."""

    port: int
    process: psutil.Process
    headers: tuple[str, ...] = ()

    def spent(self) -> float:
        """Seconds of processor time, of it and of what it started."""
        return sum(sum(each.cpu_times()[:2]) for each in self._family())

    def memory(self) -> int:
        """Bytes of it, and of what it started, that are in memory."""
        return sum(each.memory_info().rss for each in self._family())

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a server is started."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: OURS)
    headers: tuple[str, ...] = ()


@contextmanager
def upstream() -> Iterator[Server]:
    """What all the others ask, on the core that they do not have."""
    port = free_port()
    with running(Plan([sys.executable, str(HERE / "upstream.py"), str(port)]), port, OTHERS) as process:
        yield Server(port, process)


@contextmanager
def server(name: str, upstream: int, cache: Path) -> Iterator[Server]:
    """A server by its name. Raises Failure if it does not start."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        plan = _plan(name, port, f"http://127.0.0.1:{upstream}", Path(folder), cache)
        with running(plan, port, SERVERS) as process:
            yield Server(port, process, plan.headers)


@contextmanager
def running(plan: Plan, port: int, core: str) -> Iterator[psutil.Process]:
    """A program on one core, from when it listens."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(["taskset", "-c", core, *plan.command], env=plan.environment, stdout=log, stderr=log)
        process = psutil.Process(child.pid)
        try:
            if fault := _fault_of(process, port):
                log.seek(0)
                raise Failure(f"{Path(plan.command[0]).name} {fault}: {log.read().decode('utf-8', 'replace')[-500:]}")
            yield process
        finally:
            for each in [*process.children(recursive=True), process]:
                each.kill()
            child.wait()


def _fault_of(process: psutil.Process, port: int) -> str | None:
    """Why it does not listen; None as soon as it does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.status() == psutil.STATUS_ZOMBIE:
            return "ended before it listened"
        if any(each.laddr.port == port for each in process.net_connections()):
            return None
        time.sleep(0.1)
    return f"did not listen within {PATIENCE} seconds"


def _plan(name: str, port: int, upstream: str, folder: Path, cache: Path) -> Plan:
    if name == BARE:
        return Plan([sys.executable, str(HERE / "bare.py"), str(port), upstream])
    if name == LITELLM:
        return _litellm(port, upstream, folder, cache)
    if name == PORTKEY:
        return _portkey(port, upstream, cache)
    config = folder / "gateway.toml"
    config.write_text(
        f'rate_limit = "999999999/min"\n[[upstreams]]\nname = "up"\nbase_url = "{upstream}/v1"\n', encoding="utf-8"
    )
    return Plan([sys.executable, str(WITHOUT), "nothing", str(port), str(config)])


def _litellm(port: int, upstream: str, folder: Path, cache: Path) -> Plan:
    program = Environments(cache).program(LITELLM)
    model = {"model": "openai/m1", "api_base": f"{upstream}/v1", "api_key": "none"}
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": "m1", "litellm_params": model}]}), encoding="utf-8")
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    return Plan([*command, "--num_workers", "1", "--telemetry", "False"], THEIRS)


def _portkey(port: int, upstream: str, cache: Path) -> Plan:
    """Portkey listens on all addresses and cannot be told otherwise; it is asked over loopback."""
    folder = cache / "environments" / PORTKEY
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            raise Failure(f"{tool} is not installed; Portkey runs on it")
    program = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for file in (LOCKS / PORTKEY).iterdir():
            shutil.copy(file, folder)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failure(f"npm ci ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: {upstream}/v1", "authorization: Bearer none")
    return Plan(["node", str(program), f"--port={port}", "--headless"], THEIRS, headers)

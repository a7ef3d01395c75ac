"""The code that is scanned: packages at pinned versions, fetched once from the package index and unpacked.

Nothing of them is installed, imported or run. Only wheels: to read the metadata of a source distribution, pip would
run its author's code.
"""

import logging
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.failure import Failure

LOG = logging.getLogger(__name__)

LARGE = (
    "aiohttp==3.14.5",
    "celery==5.7.0",
    "distributed==2026.8.0",
    "fastapi==0.165.0",
    "faststream==0.7.8",
    "langchain-core==1.8.2",
    "llama-index-core==0.14.25",
    "nats-py==2.16.0",
    "open-webui==0.12.4",
    "starlette==1.10.0",
)
"""L: 1,974 files, 515,632 lines."""

SERVICES = (
    # gateways and proxies
    "aegis-gateway-server==2.0.0a6",
    "agentbreak==0.4.6",
    "agentic-ai-gateway==0.6.0",
    "ant2oai==0.1.6",
    "llm-proxy-server==3.3.2",
    "mcp-proxy==0.13.0",
    "mcpo==0.0.20",
    # services on NATS
    "device-connect-server==0.2.5",
    "kryten-llm==0.11.1",
    "kryten-playlist==0.3.2",
    "kryten-robot==1.12.6",
    "nats-sinks==0.4.3",
    "pyoco-server==0.5.1",
    "spark-advisor-analyzer==0.1.21",
    "spark-advisor-hs-connector==0.1.21",
    # bots, bridges, automation of homes
    "appdaemon==4.5.13",
    "heisenbridge==1.15.4",
    "maubot==0.6.0",
    "mautrix-telegram==0.15.3",
    "python-matter-server==7.0.1",
)
"""Smaller services on which the precision of the rules is counted by hand. No figure of speed is taken of them."""

EVERYTHING = "examine_tests = true\n"
"""The other tools look at test code too."""


class Corpora:
    """The folders below `cache`; what is missing is fetched when it is asked for."""

    def __init__(self, cache: Path) -> None:
        self.wheels = cache / "wheels"
        self.top = cache / "corpus"
        self.folders: dict[str, Path] = {}

    def folder(self, name: str) -> Path:
        """L: all packages. M: the largest of them. S: 35 files of two. nothing, busy: one file each."""
        makers = {"L": self._large, "M": self._medium, "S": self._small, "nothing": self._nothing, "busy": self._busy}
        if name not in self.folders:
            self.folders[name] = makers[name]()
        return self.folders[name]

    def services(self) -> Iterator[Path]:
        """Each service in a folder of its own, which is a project of its own."""
        for package in SERVICES:
            yield self._unpacked(package, self.top / "services", "")

    def _large(self) -> Path:
        for package in LARGE:
            self._unpacked(package, self.top / "L", EVERYTHING)
        return _project(self.top / "L", EVERYTHING)

    def _medium(self) -> Path:
        return self._of_large("open-webui")

    def _small(self) -> Path:
        parts = {"nats": "nats-py", "starlette/middleware": "starlette"}
        return self._copied("S", {part: self._of_large(package) / part for part, package in parts.items()})

    def _nothing(self) -> Path:
        """Only comments: start-up is all that is measured."""
        return self._copied("nothing", {"nothing.py": self._of_large("nats-py") / "nats/protocol/__init__.py"})

    def _busy(self) -> Path:
        """569 lines of coroutines."""
        return self._copied("busy", {"busy.py": self._of_large("nats-py") / "nats/js/object_store.py"})

    def _of_large(self, name: str) -> Path:
        (package,) = (each for each in LARGE if each.startswith(f"{name}=="))
        return self._unpacked(package, self.top / "L", EVERYTHING)

    def _copied(self, name: str, parts: dict[str, Path]) -> Path:
        folder = self.top / name
        for part, source in parts.items():
            target = folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)
        return _project(folder, EVERYTHING)

    def _unpacked(self, package: str, top: Path, settings: str) -> Path:
        folder = top / package.replace("==", "-")
        if folder.is_dir():
            return folder
        half = folder.with_name(f"{folder.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        with zipfile.ZipFile(self._wheel(package)) as wheel:
            wheel.extractall(half)
        _project(half, settings)
        return half.replace(folder)

    def _wheel(self, package: str) -> Path:
        folder = self.wheels / package
        if not list(folder.glob("*.whl")):
            LOG.info("fetching %s", package)
            options = ("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--disable-pip-version-check")
            command = [sys.executable, "-m", "pip", "download", "--quiet", *options, "--dest", str(folder), package]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Failure(f"{package} cannot be fetched from the package index: {done.stderr.strip()[-500:]}")
        return next(folder.glob("*.whl"))


def size(folder: Path) -> tuple[int, int]:
    """Python files and their lines. Reading them also brings them into memory before anything is timed."""
    contents = [path.read_bytes() for path in folder.rglob("*.py")]
    return len(contents), sum(content.count(b"\n") for content in contents)


def _project(folder: Path, settings: str) -> Path:
    """Settings of its own make a folder a project, whatever project the cache lies in."""
    (folder / "readiness.toml").write_text(settings, "utf-8")
    return folder

"""Where this installation came from, so that what is written for others names a revision that exists."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from readiness import HOME, __version__

MAIN = "main"
"""What is named where the installation does not tell: a wheel that somebody built."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A repository and a revision of it, as git, pip and CI systems are told them."""

    repo: str
    rev: str

    @property
    def action(self) -> str:
        """As a workflow of GitHub names it; ours for a repository that GitHub does not have."""
        host, _, path = self.repo.removeprefix("https://").removesuffix(".git").partition("/")
        return f"{path if host == 'github.com' else HOME.removeprefix('https://github.com/')}@{self.rev}"


def find() -> Origin:
    """The origin of what is installed here: what pip noted of it (PEP 610), or the release of an index."""
    try:
        noted = distribution("readiness").read_text("direct_url.json")
    except PackageNotFoundError:
        noted = None
    return told(noted) if noted else Origin(HOME, f"v{__version__}")


def told(noted: str) -> Origin:
    """The origin of what pip installed from a URL, by the note that it leaves."""
    note = json.loads(noted)
    address = urlsplit(note["url"])
    if commit := note.get("vcs_info", {}).get("commit_id"):
        host = address.netloc.rpartition("@")[2]  # never a password
        public = address.scheme == "https"
        return Origin(f"https://{host}{address.path}" if public else HOME, commit)
    folder = Path(unquote(address.path))
    return Origin(HOME, (_head(folder) if folder.is_dir() else None) or MAIN)


def _head(folder: Path) -> str | None:
    if not (folder / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", folder, "rev-parse", "HEAD"],  # noqa: S607  the user's own git
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None

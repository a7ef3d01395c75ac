"""Where a project begins, and where the repository that holds it."""

import os
from pathlib import Path

from readiness.looks import asked_for

MARKERS = (".git", "pyproject.toml", "readiness.toml")
"""What stands in the root of a project."""


def project_root(path: Path) -> Path:
    """The nearest folder from `path` upwards that holds one of MARKERS; else `path` itself (a file: its folder)."""
    start = Path(os.path.realpath(path))
    start = start if start.is_dir() else start.parent
    return _holding(start, MARKERS) or start


def repository_root(root: Path) -> Path | None:
    """The root of the repository that holds a folder, if any does."""
    return _holding(root, (".git",))


def within_repository(root: Path) -> str:
    """The path of a project from the root of its repository, as in `services/gateway`; empty where they are one."""
    top = repository_root(root)
    path = root.relative_to(top).as_posix() if top else "."
    return "" if path == "." else path


def _holding(start: Path, names: tuple[str, ...]) -> Path | None:
    for folder in (start, *start.parents):
        for name in names:
            asked_for(folder / name)
        if any((folder / name).exists() for name in names):
            return folder
    return None

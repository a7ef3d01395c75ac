"""Exceptions that an application answers wherever they come from: handlers that are registered for their class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from readiness.scan.code.caught import DECORATORS, REGISTERING, classes, registered
from readiness.scan.code.exceptions import family
from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project

BROAD = {"Exception", "BaseException"}
"""A handler for these answers 500 to what the client did wrong."""


def is_answered_by_app(file: PythonFile, raises: Iterable[str]) -> bool:
    """Whether the project registers a handler for each of the exceptions by its class, or one that it inherits from."""
    kinds: set[str] = set()
    for each in _files(file):
        for _, kind in registered(each.names, each.calls):
            kinds |= classes(each.names, kind) - BROAD
    return bool(kinds) and all(family(each) & kinds for each in raises)


def _files(file: PythonFile) -> Iterator[PythonFile]:
    words = sorted(DECORATORS | REGISTERING)
    if not isinstance(file.finder, Project):
        yield file
        return
    paths = {path for word in words for path in file.finder.naming(word)}
    for path in sorted(paths):
        found = file.finder.file(path)
        if found is not None:
            yield found

"""The programs of a project, and the files that one of them may get to, as far as the names of modules tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from readiness.scan.service.resolving import STARTED

if TYPE_CHECKING:
    from readiness.scan.code.project import Project

COMMON = 20
"""Files: what stands in more of them leads anywhere."""
BEGINNING = re.compile(
    rb"\b__main__\b|\b(?:click|typer|argparse|fire)\b|^(?:async )?def (?:"
    + "|".join(sorted(STARTED)).encode()
    + rb")\(|^\w*(?:app|application|asgi|wsgi|server)\b[^=\n(]*=[^=]",
    re.MULTILINE,
)
"""What stands in a file that is run: by its name, as a command, or by a server that is told of its application."""
BESIDE = {
    "test", "tests", "testing", "example", "examples", "sample", "samples", "demo", "demos", "doc", "docs",
    "benchmark", "benchmarks",
}  # fmt: skip
"""Folders of programs that only show or try what the project is."""


class Programs:
    """Answers for one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[str, bool] = {}

    def lead_to(self, path: str) -> bool:
        """Whether a program may get to a file: it is one, or a file that names its module is, and so on.

        Names of modules are looked for in the text, so that more is found than there is, never less.
        """
        if path not in self._known:
            self._known[path] = self._lead_to(path)
        return self._known[path]

    def _lead_to(self, path: str) -> bool:
        pending, seen = [path], {path}
        while pending:
            each = pending.pop()
            if self.is_program(each):
                return True
            holding = self._project.naming(_module(each))
            if len(holding) > COMMON:
                return True
            pending += [one for one in holding if one not in seen]
            seen.update(holding)
        return False

    def is_program(self, path: str) -> bool:
        """Whether a file is meant to be run."""
        *folders, name = path.split("/")
        if BESIDE & set(folders) or name.startswith("test_"):
            return False
        return name == "__main__.py" or BEGINNING.search(self._project.text(path)) is not None


def _module(path: str) -> str:
    """The last part of the name under which a file is imported."""
    *folders, name = path.split("/")
    return folders[-1] if name == "__init__.py" and folders else name.removesuffix(".py")

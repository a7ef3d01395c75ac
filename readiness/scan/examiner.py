"""All that is learnt from one file, in one go: one syntax tree for bandit and for the filters, then the rules."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from readiness.model import Finding
from readiness.pack import RuleFile
from readiness.scan import python
from readiness.scan.bandit import Bandit
from readiness.scan.files import Source
from readiness.scan.project import Project
from readiness.scan.rule import PythonRule


@dataclass(frozen=True, slots=True)
class Examined:
    """What came out of one file. With a problem nothing else is known of it."""

    name: str
    problem: str | None = None
    code: bool = True
    """False: only comments, docstrings, `pass` and `...`."""
    outcomes: tuple[python.Outcome, ...] = ()
    bandit: tuple[Finding, ...] = ()


class Examiner:
    """The rules and bandit, loaded once for a run."""

    def __init__(self, rules: Sequence[RuleFile], project: Project) -> None:
        self.project = project
        self.rules: list[type[PythonRule]] = [rule.load() for rule in rules]
        self.bandit = Bandit()

    def examine(self, source: Source) -> Examined:
        """Parse a file and let everything look at it. Nothing in a file ends the run."""
        module = python.parse(source)
        if not isinstance(module, ast.Module):
            return Examined(source.name, problem=module)
        if not python.holds_code(module):
            return Examined(source.name, code=False)
        wanted = python.wanted(source, self.rules)
        try:
            outcomes = python.examine(self.project.add(source, module), wanted) if wanted else []
            found = self.bandit.examine(source, module)
        except Exception as problem:  # noqa: BLE001  one file that breaks a parser never costs another's findings
            return Examined(source.name, problem=f"cannot be parsed: {type(problem).__name__}: {problem}")
        return Examined(source.name, outcomes=tuple(outcomes), bandit=found)

"""All that is learnt from one file, in one go: one syntax tree for bandit and for the filters, then the rules."""

import ast
from collections.abc import Sequence

from readiness.pack import RuleFile
from readiness.scan import python
from readiness.scan.bandit import Bandit
from readiness.scan.files import Source
from readiness.scan.outcomes import Examined
from readiness.scan.project import Project
from readiness.scan.rule import PythonRule


class Examiner:
    """The rules and bandit, loaded once for a run. bandit may be left out."""

    def __init__(self, rules: Sequence[RuleFile], project: Project, bandit: Bandit | None) -> None:
        self.project = project
        self.rules: list[type[PythonRule]] = [rule.load() for rule in rules]
        self.bandit = bandit

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
            found = self.bandit.examine(source, module) if self.bandit else ()
        except Exception as problem:  # noqa: BLE001  one file that breaks a parser never costs another's findings
            return Examined(source.name, problem=f"cannot be parsed: {type(problem).__name__}: {problem}")
        project, name = self.project, source.name
        needs = project.needs(name)
        metadata = not project.asked_metadata.isdisjoint({name, *needs})
        return Examined(name, None, True, tuple(outcomes), found, needs, project.follows(name), metadata)

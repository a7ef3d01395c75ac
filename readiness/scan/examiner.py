"""All that is learnt from one file, in one go: one syntax tree for bandit and for the filters, then the rules."""

import ast
from collections.abc import Sequence

from readiness.pack import RuleFile
from readiness.scan import python
from readiness.scan.bandit import Bandit
from readiness.scan.code.project import Project
from readiness.scan.files import Source
from readiness.scan.outcomes import Examined, Outcome
from readiness.scan.parsing import holds_code, parse
from readiness.scan.rule import PythonRule
from readiness.scan.service.assembly import broken
from readiness.scan.service.collect import collect, is_wanted
from readiness.scan.service.facts import Fact, Packed
from readiness.scan.service_rule import ServiceRule


class Examiner:
    """The rules and bandit, loaded once for a run. bandit may be left out."""

    def __init__(
        self, rules: Sequence[RuleFile], project: Project, bandit: Bandit | None, *, whole: bool = False
    ) -> None:
        """`whole`: a whole project was given, so that what is missing in it can be seen."""
        self.project = project
        loaded = [rule.load() for rule in rules]
        self.rules: list[type[PythonRule]] = [each for each in loaded if not issubclass(each, ServiceRule)]
        self.bandit = bandit
        self.gathers = whole and len(self.rules) < len(loaded)

    def prepare(self) -> None:
        """Work out what all files need."""
        self.project.prepare()

    def examine(self, source: Source) -> Examined:
        """Parse a file and let everything look at it. Nothing in a file ends the run."""
        module = self.project.module(source.name) or parse(source)
        if not isinstance(module, ast.Module):
            return Examined(source.name, problem=module)
        if not holds_code(module):
            return Examined(source.name, code=False)
        self.project.begin(source.name)
        try:
            outcomes = self.apply(source, module)
            found = self.bandit.examine(source, module) if self.bandit else ()
            facts = Packed(self.gather(source, module)) if self.gathers else None
            hangs = self.project.hangs(source.name)
            return Examined(source.name, outcomes=tuple(outcomes), bandit=found, hangs=hangs, facts=facts)
        except Exception as problem:  # noqa: BLE001  one file that breaks a parser never costs another's findings
            return Examined(source.name, problem=f"cannot be parsed: {type(problem).__name__}: {problem}")
        finally:
            self.project.end()

    def apply(self, source: Source, module: ast.Module) -> list[Outcome]:
        """What the rules say of a file."""
        outcomes: list[Outcome] = []
        for rule in python.wanted(source, self.rules):
            outcomes.append(python.examine(self.project.add(source, module), rule))
            self.project.rest()
        return outcomes

    def gather(self, source: Source, module: ast.Module) -> tuple[Fact, ...]:
        """What a file tells of its service. What breaks here breaks the rules about the service, nothing else."""
        if not is_wanted(source.data):
            return ()
        file = self.project.add(source, module)
        try:
            return collect(file)
        except Exception as problem:  # noqa: BLE001  becomes the error of every rule about the service
            return (broken(file, problem),)


class Gatherer:
    """Looks at files that were not asked for, but belong to the service: at their facts alone."""

    gathers = True

    def __init__(self, examiner: Examiner) -> None:
        self.examiner = examiner

    def prepare(self) -> None:
        """Nothing is needed that is not known by now."""

    def examine(self, source: Source) -> Examined:
        """The facts of a file."""
        module = parse(source) if is_wanted(source.data) else None
        if not isinstance(module, ast.Module):
            return Examined(source.name, facts=())
        project = self.examiner.project
        project.begin(source.name)
        try:
            facts = Packed(self.examiner.gather(source, module))
            return Examined(source.name, hangs=project.hangs(source.name), facts=facts)
        finally:
            project.end()

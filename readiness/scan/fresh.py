"""A scan in which the files themselves are looked at: what nothing is remembered of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from readiness.errors import NothingExamined
from readiness.identity import identify
from readiness.model import Evidence, Finding, Handler, Kind, Location, Run, Skipped
from readiness.pack import RuleFile
from readiness.scan import bandit, suppress
from readiness.scan.code.project import Project
from readiness.scan.examiner import Examiner, Gatherer
from readiness.scan.files import Found, Source
from readiness.scan.fixing.mend import Mended, mend
from readiness.scan.memory import Memory
from readiness.scan.outcomes import Examined, Outcome
from readiness.scan.parallel import examine_all
from readiness.scan.service.service import Service
from readiness.scan.service_rule import ServiceRule, judged

Progress = Callable[[str, int, int], None]


class Scan:
    """One look at the files of a run."""

    def __init__(
        self, found: Found, others: Callable[[], Sequence[Source]], rules: Sequence[RuleFile], packs: Sequence[Path],
        *, with_bandit: bool = True,
    ) -> None:  # fmt: skip
        self.found = found
        self.others = others
        self.rules = [rule for rule in rules if rule.language == "python"]
        self.packs = packs
        self.bandit = bandit.Bandit() if with_bandit else None

    def run(self, subject: str, named: str, memory: Memory, progress: Progress) -> tuple[Run, tuple[Examined, ...]]:
        """The evidence of all files, and what came out of each. Raises NothingExamined of the paths as `named`."""
        project = Project(self.found.sources, self.others)
        examined = self._examine(project, memory, progress)
        broken = [Skipped(each.name, each.problem, blind=True) for each in examined if each.problem]
        skipped = tuple(sorted([*self.found.skipped, *broken], key=lambda each: each.what))
        known = [each for each in examined if each.code and not each.problem]
        if not known and not self.found.all_named:
            raise NothingExamined(_nothing(named, skipped, len(examined) - len(broken)))
        outcomes: dict[str, list[Outcome]] = defaultdict(list)
        for each in known:
            for outcome in each.outcomes:
                outcomes[outcome.rule].append(settled(outcome, project))
        summed = [_sum(rule, outcomes[rule.info.id], skipped) for rule in self.rules]
        service = self._service(project, known, memory, progress)
        about = self._about_services()
        evidence = [judged(about[each.rule], each, service) if each.rule in about else each for each in summed]
        evidence += self._of_bandit(known)
        evidence = suppress.silence(evidence, self.found.sources, skipped, self.rules)
        run = Run(Kind.STATIC, subject, tuple(evidence), skipped, handlers=_handlers(service))
        return run, tuple(examined)

    def fixes(self, run: Run) -> list[Mended]:
        """What the fixes of a run's findings make of the files. Nothing is written."""
        fixable = [finding.where for each in run.evidence for finding in each.findings if finding.fix]
        wanted = {where.path for where in fixable if isinstance(where, Location)}
        everything = [*self.others(), *self.found.sources]
        obeyed = any(finding.ignored for each in run.evidence for finding in each.findings)

        def look(source: Source) -> Sequence[Finding] | None:
            project = Project([*(each for each in everything if each.name != source.name), source])
            examined = Examiner(self.rules, project, self.bandit).examine(source)
            if examined.problem:
                return None
            outcomes = [settled(outcome, project) for outcome in examined.outcomes]
            found = [finding for outcome in outcomes for finding in outcome.findings] + list(examined.bandit)
            return suppress.unsilenced(found, source) if obeyed else found

        return [mend(source, look) for source in self.found.sources if source.name in wanted]

    def _about_services(self) -> dict[str, type[ServiceRule]]:
        """The rules that judge the service as a whole."""
        loaded = {rule.info.id: rule.load() for rule in self.rules}
        return {name: each for name, each in loaded.items() if issubclass(each, ServiceRule)}

    def _service(
        self, project: Project, known: Sequence[Examined], memory: Memory, progress: Progress
    ) -> Service | None:
        """What all files tell, those included that were not asked for; None where single files were given."""
        if self.found.all_named or not self._about_services():
            return None
        examiner = Examiner(self.rules, project, None, whole=True)
        asked = {source.name for source in self.found.sources}
        # what was examined is not gathered again: that would be remembered in the place of what was found in it
        left = [source for source in self.others() if source.name not in asked]
        others = self._look(left, Gatherer(examiner), memory, progress)
        project.clear()  # few trees are asked for now, and all facts are in memory from here on
        return Service((fact for each in [*known, *others] for fact in each.facts or ()), asked, project)

    def _examine(self, project: Project, memory: Memory, progress: Progress) -> list[Examined]:
        """Every file, remembered or looked at now, in the order of the files."""
        examiner = Examiner(self.rules, project, self.bandit, whole=not self.found.all_named)
        return self._look(self.found.sources, examiner, memory, progress)

    def _look(
        self, sources: Sequence[Source], examiner: Examiner | Gatherer, memory: Memory, progress: Progress
    ) -> list[Examined]:
        known = memory.examined(sources, facts=examiner.gathers)
        missing = [source for source in sources if source.name not in known]
        if missing:
            for each in examine_all(missing, examiner, progress):
                memory.keep(each)
                known[each.name] = each
        return [known[source.name] for source in sources]

    def _of_bandit(self, known: Sequence[Examined]) -> Iterable[Evidence]:
        if self.bandit is None:
            return ()
        issues = [finding for each in known for finding in each.bandit]
        return bandit.evidence(issues, len(known), self.bandit.version, bandit.table(self.packs))


def _handlers(service: Service | None) -> tuple[Handler, ...]:
    """Where the service answers: its routes, then its subscriptions."""
    if service is None:
        return ()
    routes = [Handler(each.route.methods, each.path, each.route.at) for each in service.endpoints]
    return (*routes, *(Handler(("NATS",), "*", each.at) for each in service.messages if each.library == "nats"))


def settled(outcome: Outcome, project: Project) -> Outcome:
    """An outcome in which the callers in other files have decided what was left to them."""
    decided = project.settle(outcome.deferred)
    flagged = [each.deferred.finding for each in decided if each.guarded is False]
    judged = sum(each.guarded or (each.guarded is False and not each.deferred.finding.advisory) for each in decided)
    findings = identify([*outcome.findings, *flagged])
    return replace(outcome, examined=outcome.examined + judged, findings=findings, deferred=())


def _sum(rule: RuleFile, outcomes: Sequence[Outcome], skipped: Sequence[Skipped]) -> Evidence:
    """All files of one rule as one Evidence. A file that could not be read leaves the rule without a verdict."""
    blind = [each for each in skipped if each.blind]
    errors = [each.error for each in outcomes if each.error]
    missed = f"{len(blind)} of the files could not be read, {blind[0].what} first: {blind[0].why}" if blind else None
    return Evidence(
        rule=rule.info.id,
        item=rule.info.item,
        kind=Kind.STATIC,
        examined=sum(each.examined for each in outcomes),
        findings=tuple(finding for each in outcomes for finding in each.findings),
        left_out=missed,
        error="; ".join(errors) or None,
    )


def _nothing(what: str, skipped: Sequence[Skipped], empty: int) -> str:
    if skipped:
        left = "1 entry was" if len(skipped) == 1 else f"{len(skipped)} entries were"
        why = f"{left} left out, {skipped[0].what} first: {skipped[0].why}"
    elif empty:
        hold = "1 Python file holds" if empty == 1 else f"{empty} Python files hold"
        why = f"{hold} only comments, docstrings or pass"
    else:
        why = "there is no Python file"
    return f"nothing to examine in {what}: {why}. Name the folder that holds the service's code."

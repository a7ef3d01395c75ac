"""What is generated and committed: `make reports` writes it, `make check` says when it is out of date.

The catalogue and the schema follow from the code alone. The reports of the reference gateway and of the flawed service
follow from audits, of which the figures that differ from run to run are taken out.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from readiness import audit, catalogue, settings
from readiness.contract import ReportJson
from readiness.evidence import from_json, to_json
from readiness.gate import FailOn
from readiness.model import Evidence, Exchange, Finding, Report
from readiness.report import html, markdown
from tests.precision import recall
from tests.precision import table as precision

ROOT = Path(__file__).parents[1]
SEED = ROOT / "tests" / "seed"
SAVED = ROOT / ".audit"
NEVER = "1970-01-01T00:00:00+00:00"


def of_the_code() -> Mapping[Path, str]:
    """Path -> content of what no run is needed for."""
    chosen = settings.Settings(ROOT, ROOT)
    known = audit.knowledge(chosen)
    listing = catalogue.markdown(known.items, known.rules)
    schema = TypeAdapter(ReportJson).json_schema(mode="serialization")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return {
        ROOT / "rules" / "README.md": f"{listing}\n{precision.markdown()}\n{recall.markdown()}",
        ROOT / "reports" / "schema.json": json.dumps(schema, indent=2) + "\n",
    }


MADE_UP = r"\breadiness_[0-9a-f]{8}\b"
"""A name that a probe made up for one run."""
OF_ONE_RUN = {
    MADE_UP: "readiness_X",
    r"\b(?=[a-f]*\d)[0-9a-f]{12}\b": "X",  # what makes the text of a request its own
    r"\b\d{4}-\d\d-\d\d[T ][\d:,.]+": "TIME",
    r"\[\d+\]": "[N]",  # the number of a process
    r"\d[\d,.]* s\b": "N s",
}
"""Pattern -> what stands for it in a committed report."""


def of_the_gateway(saved: Path) -> Mapping[Path, str]:
    """Path -> content of the committed reports of the reference gateway, from a saved audit."""
    report = _untimed(committed(saved, ROOT))
    folder = ROOT / "reports"
    return {folder / "gateway.json": to_json(report), folder / "gateway.md": markdown.render(report)}


def of_the_seed(saved: Path) -> Mapping[Path, str]:
    """Path -> content of the committed reports of the flawed service in tests/seed, from a saved audit or from them."""
    report = committed(saved, SEED)
    folder = ROOT / "reports"
    return {
        folder / "seed.json": to_json(report),
        folder / "seed.md": markdown.render(report),
        folder / "seed.html": html.render(report),
    }


def committed(saved: Path, project: Path) -> Report:
    """A saved audit of a project as it is committed, under the rules and settings of today."""
    runs, _ = from_json(saved.read_text("utf-8"), str(saved))
    chosen = settings.load(project)
    return normalised(audit.assemble(runs, chosen, audit.knowledge(chosen), FailOn.MUST.tiers, NEVER))


def normalised(report: Report) -> Report:
    """The report without what differs from run to run, or with any line of the code: figures, routes, digests."""
    verdicts = tuple(
        replace(each, evidence=tuple(_steady(evidence) for evidence in each.evidence)) for each in report.verdicts
    )
    return replace(report, verdicts=verdicts, started=NEVER, measurements=(), handlers=(), within="", content="")


def _untimed(report: Report) -> Report:
    """The report without its timelines, of which no two runs have the same."""
    verdicts = tuple(
        replace(each, evidence=tuple(replace(evidence, timeline=()) for evidence in each.evidence))
        for each in report.verdicts
    )
    return replace(report, verdicts=verdicts)


def _steady(evidence: Evidence) -> Evidence:
    note = evidence.note
    if note and evidence.rule.startswith("live/"):
        note = re.sub(r"\d[\d,.]*", "N", re.sub(MADE_UP, "readiness_X", note))
    return replace(evidence, note=note, findings=tuple(_timeless(each) for each in evidence.findings))


def _timeless(finding: Finding) -> Finding:
    if not isinstance(finding.where, Exchange):
        return finding
    excerpt = re.sub(r"\d+", "N", finding.where.excerpt)
    where = replace(finding.where, request=_lasting(finding.where.request), took=0.0, excerpt=excerpt)
    return replace(finding, where=where, message=_lasting(finding.message))


def _lasting(text: str) -> str:
    for pattern, stand_in in OF_ONE_RUN.items():
        text = re.sub(pattern, stand_in, text)
    return text


def main(words: Sequence[str]) -> int:
    """Write everything, or with --check say what is out of date of what follows from the code."""
    if words == ["--check"]:
        stale = [path for path, text in of_the_code().items() if not path.is_file() or path.read_text("utf-8") != text]
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run make reports", file=sys.stderr)
        return 1 if stale else 0
    everything: dict[Path, Any] = {
        **of_the_code(),
        **of_the_gateway(SAVED / "gateway.json"),
        **of_the_seed(SAVED / "seed.json"),
    }
    for path, text in everything.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

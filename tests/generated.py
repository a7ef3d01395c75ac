"""What is generated and committed: `make reports` writes it, `make check` says when it is out of date.

The catalogue and the schema follow from the code alone. The reports of the reference gateway follow from an audit, of
which the figures that differ from run to run are taken out.
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
from readiness.report.markdown import render
from tests.precision import table as precision

ROOT = Path(__file__).parents[1]
NEVER = "1970-01-01T00:00:00+00:00"


def of_the_code() -> Mapping[Path, str]:
    """Path -> content of what no run is needed for."""
    chosen = settings.Settings(ROOT, ROOT)
    known = audit.knowledge(chosen)
    listing = catalogue.markdown(known.items, known.rules)
    schema = TypeAdapter(ReportJson).json_schema(mode="serialization")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return {
        ROOT / "rules" / "README.md": f"{listing}\n{precision.markdown()}",
        ROOT / "reports" / "schema.json": json.dumps(schema, indent=2) + "\n",
    }


MADE_UP = r"\breadiness_[0-9a-f]{8}\b"
"""A name that a probe made up for one run."""


def of_the_gateway(saved: Path) -> Mapping[Path, str]:
    """Path -> content of the committed reports, from a saved audit."""
    runs, _ = from_json(saved.read_text("utf-8"), str(saved))
    chosen = settings.load(ROOT)
    report = normalised(audit.assemble(runs, chosen, audit.knowledge(chosen), FailOn.MUST.tiers, NEVER))
    folder = ROOT / "reports"
    return {folder / "gateway.json": to_json(report), folder / "gateway.md": render(report)}


def normalised(report: Report) -> Report:
    """The report without what differs from run to run, or with any line of the code: figures, routes, digests."""
    verdicts = tuple(
        replace(each, evidence=tuple(_steady(evidence) for evidence in each.evidence)) for each in report.verdicts
    )
    return replace(report, verdicts=verdicts, started=NEVER, measurements=(), handlers=(), content="")


def _steady(evidence: Evidence) -> Evidence:
    note = evidence.note
    if note and evidence.rule.startswith("live/"):
        note = re.sub(r"\d[\d,.]*", "N", re.sub(MADE_UP, "readiness_X", note))
    return replace(evidence, note=note, findings=tuple(_timeless(each) for each in evidence.findings))


def _timeless(finding: Finding) -> Finding:
    if not isinstance(finding.where, Exchange):
        return finding
    where = replace(finding.where, took=0.0, excerpt=re.sub(r"\d+", "N", finding.where.excerpt))
    return replace(finding, where=where, message=re.sub(r"\d[\d,.]* s\b", "N s", finding.message))


def main(words: Sequence[str]) -> int:
    """Write everything, or with --check say what is out of date of what follows from the code."""
    if words == ["--check"]:
        stale = [path for path, text in of_the_code().items() if not path.is_file() or path.read_text("utf-8") != text]
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run make reports", file=sys.stderr)
        return 1 if stale else 0
    everything: dict[Path, Any] = {**of_the_code(), **of_the_gateway(ROOT / ".audit" / "gateway.json")}
    for path, text in everything.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

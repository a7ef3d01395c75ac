"""What tests of the static side share: a folder of files, and what a scan of it says."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from readiness import pack, scan
from readiness.model import Evidence, Location, Run
from readiness.pack import RuleFile
from readiness.scan import PythonFile
from readiness.scan.code.guards import Guard
from readiness.settings import Settings

BUILTIN = pack.builtin()
RULES = pack.rule_files([BUILTIN])
JSON = "python/unguarded-json"
JSON_ERROR = "json.JSONDecodeError"

FLAGGED = "import json\njson.loads(body)\n"
"""A file with one finding of JSON."""
CLEAR = "import json\ntry:\n    json.loads(body)\nexcept ValueError: ...\n"


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The folder, with the files in it. `0600 name` is a file with a mode."""
    for label, content in files.items():
        moded = re.fullmatch(r"(0[0-7]{3}) (.+)", label, re.DOTALL)
        path = folder / (moded[2] if moded else label)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if moded:
            path.chmod(int(moded[1], 8))
    return folder


def settings(folder: Path, **given: Any) -> Settings:
    """Those of a project in the folder."""
    return Settings(root=folder, base=folder, **given)


def scanned(
    folder: Path,
    files: Mapping[str, str | bytes],
    *names: str,
    pack: Path = BUILTIN,
    rules: Sequence[RuleFile] = RULES,
    **given: Any,
) -> Run:
    """What a scan says of the files, or of those that are named; the folder is the root of the project."""
    write(folder, files)
    paths = [folder / name for name in names] or [folder]
    return scan.run(paths, rules, settings(folder, **given), [pack])


def of(run: Run, rule: str = JSON) -> Evidence:
    """What one rule said."""
    return next(each for each in run.evidence if each.rule == rule)


def places(evidence: Evidence) -> list[str]:
    """`path:line` of each finding."""
    found = [each.where for each in evidence.findings]
    return [f"{where.path}:{where.line}" for where in found if isinstance(where, Location)]


def judged(code: str, raises: Iterable[str] = (JSON_ERROR,)) -> Guard:
    """What a file says of the one call of `risky()` in it, should that raise."""
    text = f"import json, asyncio\n{code}\n"
    file = PythonFile("service.py", ast.parse(text), text.encode())
    call = file.calls.named("risky")[0]
    return file.guards.judge(call, raises).guard

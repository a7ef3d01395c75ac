"""Whatever becomes of a file: it is examined or named, nothing breaks on it, and no other file loses its findings."""

import ast
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import readiness
from readiness.scan import PythonRule
from readiness.scan.bandit import Bandit
from readiness.scan.code.project import Project
from readiness.scan.examiner import Examiner
from readiness.scan.files import Source
from readiness.scan.outcomes import Examined
from readiness.scan.service.facts import Doubt
from tests.report.values import laws
from tests.scan.harness import BUILTIN, FLAGGED, JSON, RULES, of, places, scanned

OWN = [path for folder in (Path(readiness.__file__).parent, BUILTIN) for path in sorted(folder.rglob("*.py"))]
PYTHON = [rule for rule in RULES if rule.language == "python"]
EXAMPLES = [
    text
    for rule in PYTHON
    for kind in ("bad", "good")
    for example in rule.constants[kind]
    for text in ([example] if isinstance(example, str) else example.values())
]
EXAMINER = Examiner(PYTHON, Project([]), Bandit(), whole=True)
SEEDS = range(4)
MUTANTS = 100
"""Of one seed."""

Mutation = Callable[[random.Random, bytes], bytes]


def flip(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(1, len(data) + 1)]


def insert(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    what = chance.choice(
        [b"\0", b"\r", b"\x0c", b"\xff", b"\xef\xbb\xbf", b"(", b"'''", b"\\\n", b"# coding: hex\n", b"# nosec\n"]
    )
    return data[:at] + what + data[at:]


def double(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[:at], lines[at], *lines[at:]])


def drop(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[:at], *lines[at + 1 :]]) or data


def swap(chance: random.Random, data: bytes) -> bytes:
    """Two words, which often is a program still."""
    words = data.split(b" ")
    one, other = chance.randrange(len(words)), chance.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return b" ".join(words)


def indent(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    lines[at] = b"    " * chance.randrange(4) + lines[at].lstrip(b" ")
    return b"".join(lines) or data


MUTATIONS: list[Mutation] = [flip, cut, insert, double, drop, swap, indent]


def mutant(chance: random.Random) -> bytes:
    """One of the project's own files, or an example of a rule, with a few accidents."""
    own = chance.randrange(2)
    data = chance.choice(OWN).read_bytes() if own else chance.choice(EXAMPLES).encode()
    data = data or FLAGGED.encode()
    for mutation in chance.choices(MUTATIONS, k=chance.randrange(1, 4)):
        data = mutation(chance, data)
    return data


def examined(*files: bytes) -> list[Examined]:
    sources = [Source(Path(f"/m{number}.py"), f"m{number}.py", data) for number, data in enumerate(files)]
    EXAMINER.project = Project(sources)
    return [EXAMINER.examine(source) for source in sources]


def is_reason(why: str) -> bool:
    """What Python says of a file, and no exception of ours."""
    return re.match(r"cannot be parsed: (?!\w+: )", why) is not None


def is_in_order(result: Examined) -> bool:
    """Named with a reason, or examined by every rule without an error."""
    if result.problem is not None:
        return is_reason(result.problem)
    broken = [each for each in result.facts or () if isinstance(each, Doubt) and each.about == "broken"]
    return not broken and not [each.error for each in result.outcomes if each.error]


@pytest.mark.parametrize("seed", SEEDS)
def test_files_of_our_own_after_an_accident(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    run = scanned(tmp_path, {f"m{number:02}.py": mutant(chance) for number in range(MUTANTS)})
    assert [(each.rule, each.error) for each in run.evidence if each.error] == []
    assert [each for each in run.skipped if not is_reason(each.why)] == []
    assert 0 < len(run.skipped) < MUTANTS


class Breaking(PythonRule):
    """Breaks on something that stands in few files."""

    item = "json-guarded"

    def end(self) -> None:
        for each in self.tree.all(ast.Raise):
            raise KeyError(each.lineno)


def test_a_rule_that_breaks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests here are worth: a fault that only some files bring out comes out among these."""
    monkeypatch.setattr(EXAMINER, "rules", [Breaking])
    chance = random.Random(0)
    results = examined(*(mutant(chance) for _ in range(MUTANTS)))
    assert 0 < sum(not is_in_order(each) for each in results) < MUTANTS // 2


def test_among_broken_files_every_finding_is_where_it_was(tmp_path: Path) -> None:
    chance = random.Random(len(SEEDS))
    broken = {f"b{number:02}.py": mutant(chance) + b"\n(\n" for number in range(MUTANTS)}
    sound = {f"c{number}.py": FLAGGED + "x = 1\n" * number for number in range(5)}
    run = scanned(tmp_path, {**broken, **sound})
    assert [each.what for each in run.skipped] == sorted(broken)
    assert places(of(run, JSON)) == [f"{path}:2" for path in sound]


LINES = sorted({line for each in EXAMPLES for line in each.splitlines() if line})
repeatable = settings(laws, derandomize=True)


@repeatable
@given(st.binary(max_size=200))
@example(b"\0")
@example(b"\xef\xbb\xbf")
@example(b"# coding: \xe9\nimport json\njson.loads(x)\n")
@example(b"# \x80\nimport json\njson.loads(x)\n")
@example(b"\\")
@example(b"\x1a")
def test_any_bytes(data: bytes) -> None:
    assert is_in_order(examined(data)[0])


@repeatable
@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    assert is_in_order(examined(text.encode("utf-8", "surrogatepass"))[0])


@repeatable
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(LINES)), max_size=12))
def test_any_lines_of_what_rules_look_at(lines: list[tuple[int, str]]) -> None:
    text = "\n".join("    " * depth + line.strip() for depth, line in lines)
    assert is_in_order(examined(text.encode())[0])

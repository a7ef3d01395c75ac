"""A scan that remembers says what one says that looks at all anew."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from readiness import scan
from readiness.model import Run
from readiness.scan import examiner
from readiness.scan.files import Source
from readiness.scan.memory import own_files
from tests.scan.harness import BUILTIN, CLEAR, FLAGGED, RULES, of, places, settings, write

PARSE = "import json\n\ndef parse(msg):\n    return json.loads(msg.data)\n"
CALLER = "from wire import parse\n\nasync def handler(msg):\n    {}\n"
GUARDED = CALLER.format("try:\n        parse(msg)\n    except ValueError: ...")
UNGUARDED = CALLER.format("parse(msg)")


def scanned(folder: Path, *names: str, remember: bool = True, **choices: object) -> Run:
    cache = folder.parent / "cache" if remember else None
    chosen = replace(settings(folder, cache=cache), **choices)  # type: ignore[arg-type]
    return scan.run([folder / name for name in names] or [folder], RULES, chosen, [BUILTIN])


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write(tmp_path / "app", {"wire.py": PARSE, "main.py": GUARDED, "other.py": CLEAR})


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """From now on only these files may be looked at."""
    look = examiner.Examiner.examine

    def examine(self: examiner.Examiner, source: Source) -> object:
        assert source.name in names, f"{source.name} is looked at again"
        return look(self, source)

    monkeypatch.setattr(examiner.Examiner, "examine", examine)


def test_nothing_is_looked_at_twice(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scanned(app)
    forbid(monkeypatch)
    assert scanned(app) == first


def test_only_a_changed_file_and_those_that_asked_who_calls_them_are_looked_at_again(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(app, {"alone.py": FLAGGED})
    scanned(app)
    write(app, {"other.py": FLAGGED, "alone.py": FLAGGED})
    forbid(monkeypatch, "other.py", "wire.py")
    assert places(of(scanned(app))) == ["alone.py:2", "other.py:2"]


def test_a_changed_caller_changes_the_verdict_of_a_file_that_did_not_change(app: Path) -> None:
    assert not of(scanned(app)).findings
    write(app, {"main.py": UNGUARDED})
    assert places(of(scanned(app))) == ["wire.py:4"]


def test_a_caller_outside_of_what_was_asked_for_counts(app: Path) -> None:
    assert not of(scanned(app, "wire.py")).findings
    write(app, {"main.py": UNGUARDED})
    assert places(of(scanned(app, "wire.py"))) == ["wire.py:4"]


def test_what_an_import_leads_to_counts(tmp_path: Path) -> None:
    main = "from own import fetch\n\nasync def handler(url):\n    return fetch(url).json()\n"
    own = "import requests\n\ndef fetch(url):\n    return {}\n"
    app = write(tmp_path / "app", {"main.py": main, "own.py": own.format("url")})
    assert not of(scanned(app)).findings
    write(app, {"own.py": own.format("requests.get(url, timeout=3)")})
    assert places(of(scanned(app))) == ["main.py:4"]


def test_a_new_file_that_an_import_means_now_counts(tmp_path: Path) -> None:
    app = write(tmp_path / "app", {"main.py": "from own import fetch\n\ndef f(url):\n    return fetch(url).json()\n"})
    assert not of(scanned(app)).findings
    write(app, {"own.py": "import requests\n\ndef fetch(url):\n    return requests.get(url, timeout=3)\n"})
    assert places(of(scanned(app))) == ["main.py:4"]


def test_a_file_of_a_folder_that_was_scanned_is_remembered_with_its_findings(tmp_path: Path) -> None:
    write(tmp_path / "app", {"src/wrong.py": FLAGGED, "other.py": CLEAR})

    def scan_of(name: str) -> Run:
        chosen = settings(tmp_path / "app", cache=tmp_path / "cache")
        return scan.run([tmp_path / "app" / name], RULES, chosen, [BUILTIN])

    assert places(of(scan_of("src"))) == ["src/wrong.py:2"]
    assert places(of(scan_of("src/wrong.py"))) == ["src/wrong.py:2"]


def test_a_run_without_bandit_is_another(app: Path) -> None:
    whole = scanned(app)
    assert not [each for each in scanned(app, bandit=False).evidence if each.rule.startswith("bandit")]
    assert scanned(app) == whole


def test_a_file_that_cannot_be_parsed_is_remembered_as_one(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(app, {"odd.py": "print 1\n"})
    first = scanned(app)
    forbid(monkeypatch)
    assert scanned(app) == first
    assert [each.what for each in first.skipped] == ["odd.py"]


PIECES = (PARSE, GUARDED, UNGUARDED, CLEAR, FLAGGED, "print 1\n", "", "from main import handler\n", "assert x\n")
NAMES = ("wire.py", "main.py", "other.py", "pkg/__init__.py", "pkg/wire.py")


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_changed_both_say_the_same(seed: int, app: Path) -> None:
    choose = random.Random(seed)
    for _ in range(12):
        name = choose.choice(NAMES)
        if choose.random() < 0.2:
            (app / name).unlink(missing_ok=True)
        else:
            write(app, {name: choose.choice(PIECES)})
        if not any(path.read_text() for path in app.rglob("*.py")):
            continue
        named = [each for each in NAMES if (app / each).exists() and choose.random() < 0.3]
        assert scanned(app, *named) == scanned(app, *named, remember=False)


def test_what_is_remembered_hangs_on_every_file_of_the_tool_that_a_scan_loads(app: Path) -> None:
    scanned(app)
    loaded = {
        name: Path(str(module.__file__))
        for name, module in sys.modules.items()
        if f"{name}.".startswith("readiness.scan.")
    }
    assert {"readiness.scan.code.tree", "readiness.scan.service.facts"} <= loaded.keys()
    assert {*loaded.values()} <= {*own_files()}

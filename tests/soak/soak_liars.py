"""The liars that take long to be found."""

from pathlib import Path

import pytest

from readiness.model import Outcome
from readiness.settings import Settings
from tests.probe.harness import run
from tests.probe.liars import LIARS
from tests.probe.lies import verdicts


@pytest.mark.parametrize("name", [name for name, liar in LIARS.items() if liar.slow])
def test_a_liar_fails_its_item(name: str, tmp_path: Path) -> None:
    outcome, reason = run(verdicts([name], Settings(tmp_path, tmp_path)), 600.0)[name]
    assert outcome is Outcome.FAIL, reason

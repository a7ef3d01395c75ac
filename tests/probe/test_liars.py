"""Planted liars are found, each by its item."""

from pathlib import Path

import pytest

from readiness.model import Outcome
from readiness.settings import Settings
from tests.probe.harness import run
from tests.probe.liars import LIARS
from tests.probe.lies import verdicts

QUICK = [name for name, liar in LIARS.items() if not liar.slow]
SECONDS = 300.0
"""A safety net, no measure."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, tuple[Outcome, str]]:
    folder: Path = tmp_path_factory.mktemp("liars")
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asking = [item for item in items if item.path == request.path]
    wanted = {str(item.callspec.params["name"]) for item in asking if "found" in item.fixturenames}
    return run(verdicts(wanted, Settings(folder, folder)), SECONDS)


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("name", QUICK)
def test_a_liar_fails_its_item(name: str, found: dict[str, tuple[Outcome, str]]) -> None:
    outcome, reason = found[name]
    assert outcome is Outcome.FAIL, reason


def test_there_are_twenty_of_them_and_more() -> None:
    assert len(QUICK) >= 20

"""Where a service answers, for findings of the other side that need a place in the code."""

from pathlib import Path

from readiness import scan
from tests.scan.harness import BUILTIN, RULES, scanned, settings

APP = """
import nats
from fastapi import APIRouter, FastAPI

app = FastAPI()
router = APIRouter(prefix="/v1")

@router.post("/chat/{name}")
async def chat(name: str): ...

app.include_router(router)

async def main():
    nc = await nats.connect()
    await nc.subscribe("llm.chat", cb=chat)
"""


def test_routes_are_told_with_their_prefix_and_subscriptions_after_them(tmp_path: Path) -> None:
    told = scanned(tmp_path, {"app.py": APP}).handlers
    assert [(each.methods, each.path, each.at.path, each.at.line) for each in told] == [
        (("POST",), "/v1/chat/{name}", "app.py", 8),
        (("NATS",), "*", "app.py", 15),
    ]


def test_they_and_the_digest_of_the_code_are_the_same_of_a_scan_that_remembers(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text(APP)
    chosen = settings(tmp_path / "app", cache=tmp_path / "cache")
    first, second = (scan.run([tmp_path / "app"], RULES, chosen, [BUILTIN]) for _ in range(2))
    assert first.handlers
    assert first == second
    (tmp_path / "app" / "app.py").write_text(f"{APP}# more\n")
    assert scan.run([tmp_path / "app"], RULES, chosen, [BUILTIN]).content != first.content


def test_a_single_file_tells_none(tmp_path: Path) -> None:
    assert scanned(tmp_path, {"app.py": APP}, "app.py").handlers == ()

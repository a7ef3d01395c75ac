"""The help of each command beside that of a Typer program of one function, which does nothing else."""

from pathlib import Path
from statistics import median

from readiness.cli import app
from tests.bench import clock, peers
from tests.bench.peers import OURS, Environments
from tests.bench.table import markdown

TURNS = 7
"""In each turn of the bench."""
AT_MOST = 1.3
BARE = """\
import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(path: str) -> None:
    "Does nothing."


app()
"""


def measured(environments: Environments, top: Path, repeat: int) -> str:
    """A table: the median of the processor time of each help, and of the bare program's, in turns."""
    environments.install_checkout()
    ours = environments.program(OURS)
    top.mkdir(parents=True, exist_ok=True)
    bare = top / "bare.py"
    bare.write_text(BARE, "utf-8")
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    told = []
    for words in ([], *([name] for name in names)):
        turns = [
            (_cost([str(ours.with_name("python")), str(bare)], ours, top), _cost([str(ours), *words], ours, top))
            for _ in range(repeat * TURNS + 1)
        ][1:]  # the first one writes what Python compiles
        theirs, own = (median(each) for each in zip(*turns, strict=True))
        told.append(
            [
                " ".join(["readiness", *words]),
                f"{theirs:.3f}",
                f"{own:.3f}",
                f"{own / theirs:.2f}x",
                _said(own / theirs),
            ]
        )
    return markdown(["help of", "bare Typer, CPU s", "ours", "ratio", f"at most {AT_MOST:g}x"], told)


def _cost(words: list[str], program: Path, top: Path) -> float:
    command = clock.Command([*words, "--help"], top, peers.environment(program, top), top / "help.log")
    return clock.run(command, 1).cpu


def _said(ratio: float) -> str:
    return "yes" if ratio <= AT_MOST else "NO"

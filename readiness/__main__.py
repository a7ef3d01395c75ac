"""`readiness` and `python -m readiness`."""

import atexit
import gc
import os
import sys
from typing import Any


def main() -> None:
    """Run the command line. A plain `scan` starts without the library that parses everything else."""
    gc.set_threshold(2_000_000, 50, 50)  # a command lives for seconds, and its millions of nodes are no garbage
    atexit.register(gc.freeze)  # nor need they be looked through when it ends
    words = sys.argv[1:]
    from readiness import quick

    given = quick.parse(words)
    if given is not None:
        _scan(given)
        return
    from readiness import cli

    if words[:1] in (["--show-completion"], ["--install-completion"]) and len(words) > 1:
        os.environ["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = (
            "1"  # the one way to tell Typer which shell is meant
        )
    cli.main()


def _scan(given: dict[str, Any]) -> None:
    from readiness import answers, console

    known = answers.of(given)
    answer = known.find() if known is not None else None
    if answer is not None:
        console.guarded(lambda: console.give(answer.text, given.get("output"), ready=answer.ready))
        sys.exit(answer.code)
    from readiness import commands

    if known is not None:
        known.begin()
    console.guarded(lambda: commands.scan(**given, answers=known))


if __name__ == "__main__":
    main()

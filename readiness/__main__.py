"""`readiness` and `python -m readiness`."""

import atexit
import gc
import os
import sys


def main() -> None:
    """Run the command line. A plain `scan` starts without the library that parses everything else."""
    gc.set_threshold(2_000_000, 50, 50)  # a command lives for seconds, and its millions of nodes are no garbage
    atexit.register(gc.freeze)  # nor need they be looked through when it ends
    words = sys.argv[1:]
    from readiness import answers, console, quick

    given = quick.parse(words)
    known = answers.of(given)
    answer = known.find() if known is not None else None
    if given is not None and answer is not None:
        console.guarded(lambda: console.give(answer.text, given.get("output"), ready=answer.ready))
        sys.exit(answer.code)
    if given is not None:
        from readiness import commands

        if known is not None:
            known.begin()
        console.guarded(lambda: commands.scan(**given, answers=known))
        return
    from readiness.cli import app

    if words[:1] in (["--show-completion"], ["--install-completion"]) and len(words) > 1:
        os.environ["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = (
            "1"  # the one way to tell Typer which shell is meant
        )
    console.guarded(app)


if __name__ == "__main__":
    main()

"""`readiness` and `python -m readiness`."""

import atexit
import gc
import sys


def main() -> None:
    """Run the command line. A plain `scan` starts without the library that parses everything else."""
    gc.set_threshold(2_000_000, 50, 50)  # a command lives for seconds, and its millions of nodes are no garbage
    atexit.register(gc.freeze)  # nor need they be looked through when it ends
    from readiness import console, quick

    given = quick.parse(sys.argv[1:])
    if given is not None:
        from readiness import commands

        console.guarded(lambda: commands.scan(**given))
        return
    from readiness.cli import app

    console.guarded(app)


if __name__ == "__main__":
    main()

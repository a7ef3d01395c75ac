"""`readiness` and `python -m readiness`."""

import sys


def main() -> None:
    """Run the command line. A plain `scan` starts without the library that parses everything else."""
    from readiness import commands, quick

    given = quick.parse(sys.argv[1:])
    if given is not None:
        commands.guarded(lambda: commands.scan(**given))
        return
    from readiness.cli import app

    commands.guarded(app)


if __name__ == "__main__":
    main()

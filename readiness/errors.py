"""What the tool says when it cannot go on.

ReadinessError              the audit itself could not finish: exit code 3
├── UsageError              a flag, a setting or a path is wrong: exit code 2
│   ├── MissingExtra        the command needs an extra that is not installed
│   └── NoSuchTarget        nobody answers at the address
└── NothingExamined         there was nothing that could be examined: exit code 3
"""


class ReadinessError(Exception):
    """What happened, and what to do about it, in one or two sentences."""

    exit_code = 3


class UsageError(ReadinessError):
    """The call or the configuration is wrong; the user can mend it."""

    exit_code = 2


class MissingExtra(UsageError):
    """An optional dependency of this command is not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} needs an extra that is not installed: pip install 'readiness[{extra}]'")
        self.extra = extra


class NoSuchTarget(UsageError):
    """Nobody answers where the target should be."""


class NothingExamined(ReadinessError):
    """An audit of nothing is not green."""


def in_words(problem: Exception) -> str:
    """What is wrong with a file of JSON that could not be read, as its reader would say it."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    if isinstance(problem, UnicodeDecodeError):
        return "it is no text in UTF-8"
    import json  # most runs read none

    if isinstance(problem, json.JSONDecodeError):
        where = f"line {problem.lineno}, column {problem.colno}"
        return f"it is no JSON: {problem.msg}, {where}" if problem.doc.strip() else "it is empty"
    if isinstance(problem, KeyError):
        return f"it has no {problem.args[0]!r}"
    return "it is nested too deep" if isinstance(problem, RecursionError) else str(problem)

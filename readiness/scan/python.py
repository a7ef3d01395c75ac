"""The rules on one file: cheap filters first, and a rule that breaks never takes another with it."""

from collections.abc import Sequence

from readiness.scan.code.file import PythonFile
from readiness.scan.files import Source
from readiness.scan.outcomes import Outcome
from readiness.scan.rule import PythonRule


def wanted(source: Source, rules: Sequence[type[PythonRule]]) -> list[type[PythonRule]]:
    """The rules that may have a place in this file: those of whose tokens at least one stands in it."""
    stands: dict[str, bool] = {}  # rules share many tokens, and to search a file takes longer than to look here

    def has(token: str) -> bool:
        if token not in stands:
            stands[token] = token.encode() in source.data
        return stands[token]

    return [rule for rule in rules if not rule.tokens or any(map(has, rule.tokens))]


def examine(file: PythonFile, rule: type[PythonRule]) -> Outcome:
    """What a rule says of a file. A rule that breaks is an Outcome with an error, and the others go on."""
    try:
        instance = rule(file)
        instance.run()
        said = Outcome(rule.id, instance.examined, instance.findings(), instance.deferred())
        instance.__dict__.clear()  # what it worked out may refer to it, and holds on to nodes
    except Exception as problem:  # noqa: BLE001  a broken rule is evidence, never the end of the run
        return Outcome(rule.id, error=f"{file.name}: {type(problem).__name__}: {problem}")
    return said

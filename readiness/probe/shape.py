"""The shape of a JSON error: which keys there are and what each holds."""

import json
import re

Shape = tuple[tuple[str, str | frozenset[str]], ...]
"""The keys of an answer, and what each holds: `list`, `plain`, or the keys of an object."""

INSIDE = re.compile(
    r"Traceback \(most recent call last\)"
    r"|File \"[^\"]+\", line \d+"
    r"|^\s+at .+\(.+:\d+(:\d+)?\)"
    r"|goroutine \d+ \["
    r"|(/[\w.@-]+){2,}\.(py|js|ts|go|rs|rb|java|php)\b"
    r"|\bsite-packages\b|\bnode_modules/",
    re.MULTILINE,
)
"""A stack trace or a path of source code, in the manner of any usual runtime."""


def shape(value: dict[str, object]) -> Shape:
    """What a JSON object is made of, without its values."""
    return tuple(
        (key, frozenset(each) if isinstance(each, dict) else kind(each)) for key, each in sorted(value.items())
    )


def kind(value: object) -> str:
    """null stands for whatever may be absent, so it is no kind of its own."""
    return "list" if isinstance(value, list) else "plain"


def alike(one: Shape, other: Shape) -> bool:
    """The same keys with the same kinds; an object may leave out keys that do not apply."""
    if [key for key, _ in one] != [key for key, _ in other]:
        return False
    return all(
        a <= b or b <= a if isinstance(a, frozenset) and isinstance(b, frozenset) else a == b
        for (_, a), (_, b) in zip(one, other, strict=True)
    )


def shown(value: Shape) -> str:
    return json.dumps({key: each if isinstance(each, str) else sorted(each) for key, each in value})

"""Headers that the command line gives to a target, and which of them hold a secret."""

import re

from readiness.errors import UsageError

SECRET_HEADER = re.compile(
    r"authorization|cookie|token|secret|password|credential|signature|keys?([-_]?(id|value|\d+))?$", re.IGNORECASE
)
"""Names of headers whose value is a secret; `key` stands at their end, for elsewhere it is a part of other words."""


def header(text: str) -> tuple[str, str]:
    """Name and value of "Name: value" from the command line. Raises UsageError.

    A value that is a secret is not written there, where every process can read it: its place is {env:NAME}.
    """
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not name or not value:
        raise UsageError('--header is written like "X-Team: payments" or "Authorization: Bearer {env:GATEWAY_KEY}"')
    if SECRET_HEADER.search(name) and "{env:" not in value and "{file:" not in value:
        raise UsageError(
            f"--header {name}: every process can read a command line. Write {{env:NAME}} or {{file:PATH}} in place of "
            "the secret"
        )
    return name, value

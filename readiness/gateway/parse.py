"""Strict JSON: what two parsers could read in two ways is refused."""

import json
import math
from typing import Any

MAX_DEPTH = 64  # levels of nesting


class Malformed(ValueError):
    """The bytes are not one unambiguous JSON value; the message says why and quotes nothing of them."""


def parse(data: bytes) -> Any:
    """Parse UTF-8 JSON.

    Raises Malformed for bad UTF-8, bad syntax, trailing data, NaN and infinities, numbers beyond the range of a
    double, duplicate keys, and more than MAX_DEPTH levels of nesting.
    """
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise Malformed(f"it is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"{error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise Malformed(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except Malformed:
        raise
    except ValueError:
        raise Malformed("it holds a number with too many digits") from None
    if _could_be_deep(data) and _depth(value) > MAX_DEPTH:
        raise Malformed(f"it is nested deeper than {MAX_DEPTH} levels")
    return value


def _constant(name: str) -> float:
    raise Malformed(f"{name} is not a JSON number")


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Malformed("it holds a number beyond the range of a double")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("an object has the same key twice")
    return value


def _could_be_deep(data: bytes) -> bool:
    return data.count(b"[") + data.count(b"{") > MAX_DEPTH


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
    return depth


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_number, object_pairs_hook=_unique)

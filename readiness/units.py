"""Sizes, times and rates as people write them."""

import math
import re
from dataclasses import dataclass

SIZES = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
SPANS = {"ms": 0.001, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests in `seconds`."""

    count: int
    seconds: float


def size(text: str) -> int:
    """Bytes in "1 MB", "64 KiB", "1000". Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if not match or match[2] not in SIZES:
        raise ValueError('a size is written like "1 MB" or "64 KiB"')
    try:
        return int(float(match[1]) * SIZES[match[2]])
    except OverflowError as problem:
        raise ValueError("a size is smaller than that") from problem


def rate(text: str) -> Rate:
    """The rate in "60/min", "5/s", "30/10s". Raises ValueError."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{0,9})\s*([a-z]+)\s*", text.lower())
    unit = match[3] if match and match[3] in SPANS else match[3].removesuffix("s") if match else ""
    if not match or unit not in SPANS or int(match[1]) < 1:
        raise ValueError('a rate is written like "60/min" or "30/10s"')
    seconds = int(match[2] or 1) * SPANS[unit]
    if not seconds:
        raise ValueError('a rate is written like "60/min" or "30/10s"')
    return Rate(int(match[1]), seconds)


def per_second(text: str) -> float:
    """Requests a second in "40/s", "600/min". Raises ValueError."""
    given = rate(text)
    return given.count / given.seconds


def share(text: str) -> float:
    """The share in "1%", "0.5 %", "0". Raises ValueError."""
    match = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,9})?)\s*%\s*", text) or re.fullmatch(r"\s*(0)\s*", text)
    if not match or not float(match[1]) <= 100:
        raise ValueError('a share is written like "1%"')
    return float(match[1]) / 100


def span(text: str) -> float:
    """Seconds in "30 s", "500 ms", "2 min". Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if not match or (match[2] or "s") not in SPANS:
        raise ValueError('a time is written like "30 s" or "2 min"')
    seconds = float(match[1]) * SPANS[match[2] or "s"]
    if not math.isfinite(seconds):
        raise ValueError("a time is shorter than that")
    return seconds

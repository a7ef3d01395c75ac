"""A rate as the settings write it: `60/min`, `30/5s`."""

import re
from dataclasses import dataclass

UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls within so many seconds."""

    calls: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Raise ValueError for what is not `<calls>/<unit>` or `<calls>/<number><unit>`."""
        match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,6}(?:\.\d+)?)?\s*([a-z]+)\s*", text)
        unit = UNITS.get(match[3].removesuffix("s") or "s") if match else None
        if not match or unit is None:
            raise ValueError("write a rate as 60/min, 10/s or 30/5s")
        rate = cls(int(match[1]), float(match[2] or 1) * unit)
        if not rate.calls or not rate.seconds:
            raise ValueError("a rate needs at least one call and some time")
        return rate

    def __str__(self) -> str:
        return f"{self.calls} calls in {self.seconds:g} s"

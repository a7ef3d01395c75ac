"""Health: alive as long as the process runs, ready as long as it can do its work."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ITEM = "health-endpoint"
UPSTREAM = "upstream:"
LIVE, READY, HEALTH = "/livez", "/readyz", "/health"
PATHS = frozenset({LIVE, READY, HEALTH})


class Status(StrEnum):
    PASS = "pass"  # noqa: S105  a health status, no password
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the gateway depends on; `detail` is in our own words and names no address."""

    status: Status
    detail: str

    @classmethod
    def of(cls, fault: str | None) -> "Check":
        return cls(Status.FAIL, fault) if fault else cls(Status.PASS, "ok")


Checks = Callable[[], Mapping[str, Check]]


def routes(checks: Checks) -> list[Route]:
    """The health endpoints; they answer from what background checks last saw."""

    async def alive(_: Request) -> JSONResponse:
        return JSONResponse({"status": Status.PASS})

    async def ready(_: Request) -> JSONResponse:
        seen = checks()
        status = overall(seen)
        body = {"status": status, "checks": {name: asdict(check) for name, check in seen.items()}}
        return JSONResponse(body, 200 if status is Status.PASS else 503)

    return [Route(LIVE, alive), Route(READY, ready), Route(HEALTH, ready)]


def overall(checks: Mapping[str, Check]) -> Status:
    """Ready while one upstream answers and everything else passes: one dead provider must not stop the others."""
    upstreams = [check for name, check in checks.items() if name.startswith(UPSTREAM)]
    others = [check for name, check in checks.items() if not name.startswith(UPSTREAM)]
    good = any(map(_passes, upstreams)) and all(map(_passes, others))
    return Status.PASS if good else Status.FAIL


def _passes(check: Check) -> bool:
    return check.status is Status.PASS

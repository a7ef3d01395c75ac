"""What load a team asks of its gateway, and what it must hold under it."""

from dataclasses import dataclass

MOST_USERS = 40_000
MOST_RATE = 100_000
MOST_WORKERS = 1000
LONGEST = 86_400.0


@dataclass(frozen=True, slots=True)
class Load:
    """The load of `target.load`, and its thresholds. Times are in seconds."""

    users: int = 20
    """Requests that are open at the same time, at most; each user is a client of its own."""
    rate: float = 20.0
    """Requests that begin in a second, of all users together, whether or not earlier ones are answered."""
    duration: float = 12.0
    deadline: float = 30.0
    """For one request; what takes longer is a timeout."""
    errors: float = 0.01
    """Share of requests that may fail."""
    p50: float | None = None
    """Total time of a request. None: see `Load.limits`."""
    p95: float | None = None
    p99: float | None = None
    growth: int = 4_000_000
    """Bytes by which the memory of a launched gateway may grow in the second half of a run and count as level."""
    models: tuple[str, ...] = ()
    """Asked in turns. None: the model of the target."""
    keys: str | None = None
    """A file with one key a line: users carry them in turns."""
    key_header: str = "authorization"
    """Where a key is sent: as a bearer token in `authorization`, as it is in any other."""
    workers: int = 0
    """Processes that ask; 0: one, without a master."""
    bind: str | None = None
    """Where a master waits for workers from elsewhere. None: the workers are started here."""
    patience: float = 30.0
    """In which they must have come."""

    @property
    def count(self) -> int:
        """Requests of one run."""
        return max(1, round(self.rate * self.duration))

    @property
    def problem(self) -> str | None:
        """What is wrong with it, if anything."""
        if not 1 <= self.users <= MOST_USERS:
            return f"users is a number from 1 to {MOST_USERS:,}"
        if not 0 <= self.workers <= MOST_WORKERS or (self.bind and not self.workers):
            return f"workers is a number up to {MOST_WORKERS}, and at least 1 with bind"
        if self.rate <= 0 or self.rate > MOST_RATE:
            return f"rate is more than 0 and at most {MOST_RATE:,} a second"
        if not 0 < self.duration <= LONGEST:
            return "duration is more than 0, and a day at most"
        if not 0 < self.deadline <= LONGEST:
            return "deadline is more than 0, and a day at most"
        if any(limit is not None and limit <= 0 for limit in (self.p50, self.p95, self.p99)):
            return "p50, p95 and p99 are more than 0"
        return None

    def limits(self, *, scripted: bool) -> dict[str, float]:
        """Total times in seconds by percentile.

        Where none is declared: 1, 2 and 5 s before the scripted upstream, which itself takes 0.2 s; 10, 20 and 30 s
        before a real model, which is as long as usual clients wait.
        """
        p50, p95, p99 = (1.0, 2.0, 5.0) if scripted else (10.0, 20.0, 30.0)
        chosen = {"p50": self.p50 or p50, "p95": self.p95 or p95, "p99": self.p99 or p99}
        return {name: min(limit, self.deadline) for name, limit in chosen.items()}

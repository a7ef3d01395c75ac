"""How many connections each client holds open: one of them must not take the places of all others."""

from collections import Counter
from collections.abc import Sequence

from readiness.gateway.clients import Network, visitor_of


class Visitors:
    """Counts connections by address, of IPv6 by site; trusted proxies are not counted, for they bring many clients."""

    def __init__(self, limit: int, proxies: Sequence[Network] = ()) -> None:
        """`limit` is the most connections of one client."""
        self._limit = limit
        self._proxies = proxies
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, peer: str) -> bool:
        """Count a connection; False if it is one too many. It is counted until it leaves, also then."""
        visitor = visitor_of(peer, self._proxies)
        if visitor is None:
            return True
        self._open[visitor] += 1
        return self._open[visitor] <= self._limit

    def leave(self, peer: str) -> None:
        """Count a connection that entered no longer."""
        visitor = visitor_of(peer, self._proxies)
        if visitor is None:
            return
        self._open[visitor] -= 1
        if not self._open[visitor]:
            del self._open[visitor]

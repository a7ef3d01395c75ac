"""Looks on while probes run at a target that is not ours, and ends the run when the target falls ill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from readiness.probe.budget import Beside, BudgetSpent
from readiness.probe.reply import Reply
from readiness.probe.target import Target

MOST = 900
"""Questions of a run at most; `--plan` prints it."""
OFTEN = 1.0
"""Seconds between two questions."""
TIMES = 5
"""Failures in a row that are no chance."""
PATIENCE = 5.0
"""Seconds in which an answer must come."""
PLACE = 250 * 250
"""The number of the client that asks: no probe has it."""


class Watch:
    """Asks for the list of models, which costs nothing, once a second. Errors in a row end the run."""

    def __init__(self, often: float = OFTEN, times: int = TIMES) -> None:
        self._often = often
        self._times = times
        self._target: Target | None = None
        self._failed = 0
        self.ill: str | None = None
        """What ended the run."""

    async def begin(self, target: Target) -> None:
        """Look at the target before anything is probed. One that fails then already is not watched."""
        view = target.as_client(PLACE)
        view.budget = Beside(target.budget)
        reply = await self._ask(view)
        if reply is not None and not failing(reply):
            self._often = max(self._often, target.budget.seconds / MOST)
            self._target = view

    @asynccontextmanager
    async def over(self, probe: str, bound: asyncio.Timeout) -> AsyncIterator[None]:
        """Ends the block by its timeout when the target falls ill meanwhile."""
        if self._target is None:
            yield
            return
        looking = asyncio.ensure_future(self._look(self._target, probe, bound))
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])  # that a run is cancelled meanwhile is not lost here
            if not looking.cancelled():
                looking.result()

    async def after(self, probe: str) -> None:
        """Where the last answer was none, ask until it is known whether the target stays so."""
        while self._target is not None and self._failed and self.ill is None:
            await asyncio.sleep(self._often)
            await self._sample(self._target, probe)

    async def _look(self, target: Target, probe: str, bound: asyncio.Timeout) -> None:
        while self.ill is None:
            await asyncio.sleep(self._often)
            await self._sample(target, probe)
        bound.reschedule(asyncio.get_running_loop().time())

    async def _sample(self, target: Target, probe: str) -> None:
        reply = await self._ask(target)
        if reply is None:
            self._target = None
            self._failed = 0
            return
        self._failed = self._failed + 1 if failing(reply) else 0
        if self._failed >= self._times:
            self.ill = (
                f"the run was ended while {probe} ran: {reply.request} failed {self._failed} times in a row, "
                f"the last time with {reply}"
            )

    async def _ask(self, target: Target) -> Reply | None:
        """None once the budget is spent."""
        try:
            return await target.get(target.settings.paths.models, seconds=PATIENCE)
        except BudgetSpent:
            return None


def failing(reply: Reply) -> bool:
    """An error of the target's own. That it refuses is none."""
    return reply.status is None or reply.status >= 500

"""Which provider serves which model, and which provider answers: kept fresh in the background."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from readiness.gateway.errors import GatewayError, Unavailable, UnknownModel
from readiness.gateway.health import UPSTREAM, Check
from readiness.gateway.providers import Provider

log = logging.getLogger(__name__)
NAMED_MODELS = 20  # how many an error message lists


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of one provider: its last good list, and what went wrong since."""

    models: tuple[str, ...]
    fault: str | None = "not asked yet"


class Catalog:
    """The last good model list of every provider; a refresh that fails never empties it."""

    def __init__(self, providers: Sequence[Provider], *, timeout: float) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._listings = {provider.name: Listing(provider.fixed) for provider in providers}
        self._timeout = timeout
        self._unasked = set(self._providers)
        self._asked = asyncio.Event()

    async def refresh(self, name: str) -> None:
        """Ask one provider for its models; a failure is kept as its fault and raises nothing."""
        before = self._listings[name]
        try:
            async with asyncio.timeout(self._timeout):
                after = Listing(await self._providers[name].models(), None)
        except TimeoutError:
            after = replace(before, fault="no answer in time")
        except GatewayError as error:
            after = replace(before, fault=error.message)
        self._listings[name] = after
        self._note(name, before, after)

    async def first_answers(self, timeout: float) -> None:  # noqa: ASYNC109  the caller goes on, nothing is cancelled
        """Wait until every provider was asked once, at most `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._asked.wait()

    def owners(self) -> dict[str, str]:
        """Every model and the provider that serves it; the first provider that lists a model owns it."""
        owners: dict[str, str] = {}
        for name, listing in self._listings.items():
            for model in listing.models:
                owners.setdefault(model, name)
        return owners

    def upstreams_of(self, model: str) -> list[str]:
        """The names of all that serve the model, at least one, as they are to be asked.

        Raises UnknownModel, or Unavailable while some list was never loaded and may hold the model.
        """
        serving = [name for name, listing in self._listings.items() if model in listing.models]
        if serving:
            return serving
        if not all(listing.models for listing in self._listings.values()):
            raise Unavailable("The model list of an upstream is not loaded yet.", headers={"retry-after": "5"})
        raise UnknownModel(f"The model {model[:100]!r} does not exist. Known: {_named(self.owners())}.", param="model")

    def checks(self) -> dict[str, Check]:
        """Health of every provider, as of its last refresh."""
        return {UPSTREAM + name: Check.of(listing.fault) for name, listing in self._listings.items()}

    def _note(self, name: str, before: Listing, after: Listing) -> None:
        if before.fault != after.fault:
            log.log(
                logging.WARNING if after.fault else logging.INFO,
                "upstream health changed",
                extra={"upstream": name, "fault": after.fault, "models": len(after.models)},
            )
        self._unasked.discard(name)
        if not self._unasked:
            self._asked.set()


def _named(models: dict[str, str]) -> str:
    names = sorted(models)
    more = f" and {len(names) - NAMED_MODELS} more" if len(names) > NAMED_MODELS else ""
    return ", ".join(names[:NAMED_MODELS]) + more

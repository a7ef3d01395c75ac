"""How each upstream is asked: tries before its breaker, the breaker before its numbers, those before the provider."""

from collections.abc import Callable, Iterable, Mapping

from readiness.gateway.health import UPSTREAM, Check
from readiness.gateway.metrics import Metrics
from readiness.gateway.providers import Provider
from readiness.gateway.settings import Settings
from readiness.gateway.upstreams import Ask, asking, breaker, retry
from readiness.gateway.upstreams.breaker import Breaker

LEFT_ALONE = "it kept failing and is left alone for now"


class Dispatch:
    """What asks each upstream, by name; `without` leaves parts out."""

    def __init__(
        self,
        providers: Iterable[Provider],
        settings: Settings,
        metrics: Metrics,
        without: frozenset[str],
        in_spans: Callable[[str, Ask], Ask] | None = None,
    ) -> None:
        """`in_spans` gives each try of an upstream a span of its own."""
        self._settings = settings
        self._metrics = metrics
        self._without = without
        self._in_spans = in_spans
        self._breakers: dict[str, Breaker] = {}
        self.asks: Mapping[str, Ask] = {provider.name: self._ask(provider) for provider in providers}

    def checks(self) -> dict[str, Check]:
        """A failed check for every upstream that is not asked for now."""
        resting = (name for name, each in self._breakers.items() if each.is_resting)
        return {UPSTREAM + name: Check.of(LEFT_ALONE) for name in resting}

    def _ask(self, provider: Provider) -> Ask:
        ask = self._metrics.measured(provider.name, asking(provider))
        if self._in_spans:
            ask = self._in_spans(provider.name, ask)
        if breaker.ITEM not in self._without:
            ask = breaker.broken(ask, self._breaker(provider.name))
        if retry.ITEM not in self._without:
            ask = retry.retried(ask, self._patience())
        return ask

    def _breaker(self, name: str) -> Breaker:
        failures, rest = self._settings.breaker_failures, self._settings.breaker_rest_seconds
        made = self._breakers[name] = Breaker(name, failures=failures, rest=rest)
        self._metrics.watch_breaker(name, made)
        return made

    def _patience(self) -> retry.Patience:
        settings = self._settings
        return retry.Patience(
            settings.upstream_attempts, settings.retry_first_wait_seconds, settings.retry_longest_wait_seconds
        )

"""The whole assembly, from top to bottom: providers, guards from the cheap to the dear, ports."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from difflib import get_close_matches
from functools import partial

from starlette.applications import Starlette

from readiness.errors import UsageError
from readiness.gateway import chat, extras, health, http, locks, logs, metrics, nats, tracing, work
from readiness.gateway.call import Guard, Handler, chain
from readiness.gateway.callers import Callers
from readiness.gateway.catalog import Catalog
from readiness.gateway.credentials import read_keys
from readiness.gateway.deliveries import Deliveries
from readiness.gateway.dispatch import Dispatch
from readiness.gateway.errors import answered
from readiness.gateway.guards import auth, backpressure, body_size, cache, deadline, json, rate_limit, schema, shutdown
from readiness.gateway.health import Check
from readiness.gateway.keyring import Keyring
from readiness.gateway.metrics import Metrics
from readiness.gateway.providers import Provider
from readiness.gateway.providers.echo import Echo
from readiness.gateway.providers.openai import OpenAI
from readiness.gateway.served import Served
from readiness.gateway.settings import Settings
from readiness.gateway.tasks import Tasks
from readiness.gateway.tools import Tools, unspanned
from readiness.gateway.upstreams import breaker, retry

PARTS = frozenset(
    {
        auth.ITEM,
        backpressure.ITEM,
        body_size.ITEM,
        breaker.ITEM,
        cache.ITEM,
        deadline.ITEM,
        health.ITEM,
        json.ITEM,
        metrics.ITEM,
        nats.ITEM,
        rate_limit.ITEM,
        retry.ITEM,
        schema.ITEM,
        shutdown.ITEM,
        tracing.ITEM,
    },
)
"""What can be left out, by the checklist item that then fails; authentication has a name of its own."""


def build(settings: Settings, without: frozenset[str] = frozenset()) -> "Gateway":
    """Assemble a gateway; raises UsageError for a part that does not exist and for a key that is not private."""
    for item in sorted(without - PARTS):
        raise UsageError(f"No part {item!r} can be left out. Did you mean {get_close_matches(item, PARTS, 1, 0)[0]}?")
    return Gateway(settings, without)


class Gateway:
    """The parts of one gateway, and their life."""

    def __init__(self, settings: Settings, without: frozenset[str]) -> None:
        self.settings = settings
        self.graceful = shutdown.ITEM not in without
        self.timed = deadline.ITEM not in without
        self.leaving = False
        self._gone_by: float | None = None  # on the monotonic clock
        self._tasks = Tasks()

        self._metrics = Metrics()
        self._traced = tracing.ITEM not in without

        self._keys = Keyring(partial(read_keys, settings, extras.secret_store(settings)), self._metrics.watch_keys())
        callers = self._keys.callers
        self._providers = _providers(settings, self._keys, timed=self.timed)
        self._catalog = Catalog(self._providers, timeout=settings.check_timeout_seconds)
        self._spans = extras.spans(settings, self._metrics.watch_spans()) if self._traced else None
        in_spans = self._spans.asking if self._spans else None
        self._dispatch = Dispatch(self._providers, settings, self._metrics, without, in_spans)

        self._shared = extras.shared_windows(settings)
        guards: list[tuple[str, Guard]] = [
            (shutdown.ITEM, shutdown.guard(lambda: self.leaving)),
            (deadline.ITEM, deadline.guard(settings.request_timeout_seconds, settings.stream_idle_timeout_seconds)),
            (
                rate_limit.ITEM,
                rate_limit.guard(self._shared or rate_limit.Windows(settings.rate_limit), settings.rate_limit),
            ),
            *([(auth.ITEM, auth.guard)] if len(callers) else []),
            (backpressure.ITEM, backpressure.guard(settings.max_in_flight)),
            (body_size.ITEM, body_size.guard(settings.max_body_bytes)),
            ("", json.unguarded if json.ITEM in without else json.guard),
            (schema.ITEM, schema.guard),
            (cache.ITEM, cache.guard(settings.cache_bytes, settings.cache_seconds, self._metrics.looked_up)),
        ]
        kept = [guard for item, guard in guards if item not in without]
        handler = chat.handler(self._catalog, self._dispatch.asks, self._tools(), settings.upstream_first_byte_seconds)
        answer = chain([answered, callers.introduce, *kept], handler)

        self._nats = self._nats_port(answer, without)
        self._work = self._work_port(answer)
        self.app = http.application(
            answer,
            _http_wiring(settings, callers, timed=self.timed, keyed=auth.guard in kept),
            more=[
                *([] if health.ITEM in without else health.routes(self.checks)),
                *([] if metrics.ITEM in without else [self._metrics.route()]),
            ],
            lifespan=self._lifespan,
            watch=self._watch,
            traced=self._traced,
        )

    def checks(self) -> Mapping[str, Check]:
        """Everything readiness depends on, as it was last seen."""
        return {
            **self._catalog.checks(),
            **self._dispatch.checks(),
            **(self._nats.checks() if self._nats else {}),
            **(self._work.checks() if self._work else {}),
            **({"shutdown": Check.of("shutting down")} if self.leaving else {}),
        }

    def reread(self) -> None:
        """Read all keys again now, not only when it is their time."""
        self._tasks.start("keys at once", self._keys.refresh())

    def leave(self) -> None:
        """Turn readiness to fail and take no new work; what is in flight goes on."""
        self.leaving = True
        self._gone_by = time.monotonic() + self.settings.shutdown_notice_seconds + self.settings.shutdown_grace_seconds
        if self._nats:
            self._tasks.start("nats leaves", self._nats.leave())
        if self._work:
            self._tasks.start("work leaves", self._work.leave())

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self._gone_by = time.monotonic()
        self._tasks.cut()

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self._start()
        try:
            yield
        finally:
            await self._stop()

    async def _start(self) -> None:
        for provider in self._providers:
            await provider.open()
            self._tasks.repeat(provider.name, self._refresher(provider), self.settings.check_period_seconds)
        if self._nats:
            self._nats.start()
        if self._work:
            self._work.start()
        self._tasks.repeat("keys", self._keys.refresh, self.settings.keys_period_seconds)
        await self._catalog.first_answers(self.settings.check_timeout_seconds)

    async def _stop(self) -> None:
        try:
            await self._tasks.finish(self._grace_left())
            # What looks after the connection would open it again while it is being closed.
            await self._tasks.stop()
            if self._nats:
                await self._nats.close(self._grace_left())
        finally:
            await self._tasks.stop()
            for provider in self._providers:
                await provider.close()
            if self._shared:
                await self._shared.close()
            if self._spans:
                await self._spans.close(self._grace_left())

    def _tools(self) -> Tools | None:
        settings = self.settings
        if not settings.nats_tools:
            return None
        return Tools(
            lambda: self._nats.client() if self._nats else None,
            settings.nats_tools,
            self._metrics.tool_ended,
            settings.nats_tool_timeout_seconds,
            self._spans.around if self._spans else unspanned,
        )

    def _nats_port(self, answer: Handler, without: frozenset[str]) -> nats.NatsPort | None:
        settings = self.settings
        if settings.nats_url is None:
            return None
        wiring = nats.Wiring(
            url=settings.nats_url.get_secret_value(),
            subject=settings.nats_subject,
            queue=settings.nats_queue,
            max_in_flight=sys.maxsize if backpressure.ITEM in without else settings.nats_max_in_flight,
            check_period=settings.nats_check_period_seconds,
            check_timeout=settings.nats_check_timeout_seconds,
            looked_after=nats.ITEM not in without,
            traced=self._traced,
        )
        return nats.NatsPort(wiring, answer, self._tasks, self._watch)

    def _work_port(self, answer: Handler) -> work.WorkPort | None:
        settings = self.settings
        if self._nats is None or settings.nats_work is None:
            return None
        deliveries = Deliveries(
            settings.nats_work,
            self._nats,
            answer,
            self._watch,
            self._metrics.watch_work(),
            asyncio.Event(),
            traced=self._traced,
        )
        return work.WorkPort(deliveries, self._tasks, check_period=settings.nats_check_period_seconds)

    def _watch(self, served: Served) -> None:
        logs.served(served)
        if self._spans:
            self._spans.served(served)
        self._metrics.served(served)

    def _grace_left(self) -> float:
        if not self.graceful:
            return 0
        if self._gone_by is None:
            return self.settings.shutdown_grace_seconds
        return max(0.0, self._gone_by - time.monotonic())

    def _refresher(self, provider: Provider) -> Callable[[], Awaitable[None]]:
        return lambda: self._catalog.refresh(provider.name)


def _http_wiring(settings: Settings, callers: Callers, *, timed: bool, keyed: bool) -> http.Wiring:
    health_paths = health.PATHS if settings.health_needs_key else frozenset()
    metrics_paths = locks.METRICS if settings.metrics_need_key else frozenset()
    return http.Wiring(
        proxies=settings.trusted_proxies,
        body_timeout=settings.body_timeout_seconds if timed else None,
        cors_origins=settings.cors_origins,
        callers=callers,
        locked=health_paths | metrics_paths,
        keyed=keyed,
    )


def _providers(settings: Settings, keys: Keyring, *, timed: bool) -> list[Provider]:
    connect_timeout = settings.connect_timeout_seconds if timed else None
    upstreams = settings.upstreams
    return [OpenAI(each, partial(keys.of, each.name), connect_timeout=connect_timeout) for each in upstreams] or [
        Echo()
    ]

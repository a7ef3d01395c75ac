"""The process: one uvicorn server that turns its readiness before it leaves."""

import asyncio
import gc
import math
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn

from readiness.errors import UsageError
from readiness.gateway import logs
from readiness.gateway.app import Gateway, build
from readiness.gateway.protocol import Bounds, Protocol
from readiness.gateway.settings import Settings
from readiness.gateway.visitors import Visitors

BACKLOG = 2048
YOUNG = 5_000  # objects; those of the requests in flight are no reason to look for garbage
LONGEST_REST = 5  # seconds for what still comes of a body after its answer


def serve(settings: Settings, without: frozenset[str] = frozenset()) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises UsageError for what cannot be started."""
    logs.configure(settings.log_level)
    server = Server(build(settings, without))
    _spare_what_stays()
    server.run()
    return 0


class Server(uvicorn.Server):
    """Listens from the moment it is made; `port` is where."""

    def __init__(self, gateway: Gateway) -> None:
        settings = gateway.settings
        super().__init__(
            uvicorn.Config(
                gateway.app,
                loop="uvloop",
                http=partial(  # type: ignore[arg-type]
                    Protocol,
                    bounds=_bounds(settings, timed=gateway.timed),
                    visitors=Visitors(settings.max_connections_per_client, settings.trusted_proxies),
                ),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # whose X-Forwarded-For is believed is decided per client
                server_header=False,
                timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
                timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_seconds) if gateway.graceful else 0,
            )
        )
        self._gateway = gateway
        self.listener = _listen(settings.host, settings.port)
        self.port: int = self.listener.getsockname()[1]

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to leave."""
        super().run(sockets or [self.listener])

    def leave(self) -> None:
        """Fail readiness now, close the port after the notice; a second call cuts everything off. Call in the loop."""
        if self._gateway.leaving or not self._gateway.graceful:
            self._close()
            self._hurry()
            return
        self._gateway.leave()
        asyncio.get_running_loop().call_later(self._gateway.settings.shutdown_notice_seconds, self._close)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave on a signal, and read all keys again on SIGHUP.

        Unlike uvicorn's own, it is not raised again afterwards: the exit code is 0.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        answers = {signal.SIGINT: self.leave, signal.SIGTERM: self.leave, signal.SIGHUP: self._gateway.reread}
        for number, answer in answers.items():
            loop.add_signal_handler(number, answer)
        try:
            yield
        finally:
            for number in answers:
                loop.remove_signal_handler(number)

    def _close(self) -> None:
        self.should_exit = True

    def _hurry(self) -> None:
        self._gateway.hurry()
        for task in self.server_state.tasks:
            task.cancel()


def _bounds(settings: Settings, *, timed: bool) -> Bounds:
    if not timed:
        return Bounds(settings.max_connections, idle=None, head=None, rest=None, stalled=None)
    return Bounds(
        settings.max_connections,
        idle=settings.keep_alive_seconds,
        head=settings.header_timeout_seconds,
        rest=min(LONGEST_REST, settings.body_timeout_seconds),
        stalled=settings.stream_idle_timeout_seconds,
    )


def _spare_what_stays() -> None:
    """Keep the garbage collector from all that lives as long as the process.

    Connections and requests leave no cycles behind; to look for some took a twentieth of the processor time of each
    request, and once in a while all of them waited for 40 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise UsageError(f"Cannot listen on {host} port {port}: {error.strerror}.") from None

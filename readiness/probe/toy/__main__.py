"""Serve a toy as a process: `python -m readiness.probe.toy TOY PORT UPSTREAM [NATS]`."""

import asyncio
import os
import signal
import stat
import sys
import time
from pathlib import Path

from readiness.probe.toy import Toy, loaded
from readiness.probe.toy.gateway import Gateway, serving
from readiness.probe.toy.refusal import write

NOTICE = 0.3
"""Seconds between SIGTERM and the end of what is not in flight."""


def key_of(toy: Toy) -> str:
    """The upstream's key; ends the process for a file that others may read."""
    path = os.environ.get("TOY_KEY_FILE")
    if path is None:
        return os.environ.get("TOY_KEY", "")
    with Path(path).open(encoding="utf-8") as file:
        if toy.key_file != "any-mode" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            if toy.key_file != "silent":
                print(f"{path} can be read by others: chmod 600 it", file=sys.stderr)
            sys.exit(2)
        return file.read().strip()


async def leave(toy: Toy, gateway: Gateway, told: asyncio.Event) -> None:
    """Wait for SIGTERM, then go as the toy does."""
    await told.wait()
    gateway.leaving = toy.shutdown != "lies"
    if toy.shutdown == "deaf":
        await asyncio.sleep(3600)
    if toy.shutdown == "cuts":
        os._exit(0)
    if toy.nats_fault == "close":
        await gateway.bus.close()
    await asyncio.sleep(NOTICE)
    until = time.monotonic() + 7
    while gateway.in_flight and time.monotonic() < until:
        await asyncio.sleep(0.05)
    if toy.nats_fault != "close":
        await gateway.bus.drain()


async def main() -> int:
    toy, port = loaded(sys.argv[1]), int(sys.argv[2])
    upstream, nats = sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with serving(toy, upstream, nats, port, key_of(toy), logs=True) as (_, gateway):
        write(toy.logs, "started", 1)
        await leave(toy, gateway, told)
    return 3 if toy.shutdown == "fails" else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

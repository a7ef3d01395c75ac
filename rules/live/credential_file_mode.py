"""The gateway reads a key file that everybody can read.

A second one is started beside the first, with the same settings and one file that holds a secret readable by all (0644).
It must refuse to start, and say which file is at fault.
"""

import asyncio
import time
from pathlib import Path

from readiness.probe import Probe, Reply, Target, toy

OPEN = 0o644
TELLING = ("mode", "permission", "readable", "chmod", "0600", "others", "world", "insecure", "too open")
"""Words by which a refusal says why."""
FILES = 3
"""Files that are tried at most."""


class Rule(Probe):
    item = "credential-files-private"
    needs = {"http", "process"}
    risk = "write"
    requests = 400
    asks = {"GET": 400}
    good = [toy.Toy(key_file="checked")]
    bad = [toy.Toy(key_file="any-mode"), toy.Toy(key_file="silent")]

    async def look(self, target: Target) -> None:
        gateway = target.parts.gateway
        files = gateway.secret_files if gateway is not None else []
        if not files:
            self.leave("no file of target.files holds a secret ({canary} or {env:NAME}): no key is read from a file")
            return
        for name in files[:FILES]:
            await self.started_with(target, name)

    async def started_with(self, target: Target, name: str) -> None:
        gateway = target.parts.gateway
        if gateway is None:
            return
        until = time.monotonic() + target.settings.start_timeout
        async with gateway.beside({name: OPEN}) as (process, view):
            while True:
                reply = await view.get(target.settings.started_when or "/", anonymous=True, seconds=5)
                if process.exit_code is not None or reply.status is not None or time.monotonic() > until:
                    break
                await asyncio.sleep(0.1)
            code, said = process.exit_code, process.tail()
        self.judge(reply, name, code, said)

    def judge(self, reply: Reply, name: str, code: int | None, said: str) -> None:
        file = Path(name).name
        if code is None and reply.status is None:
            self.leave(f"with {file} readable by all the gateway neither answered nor ended")
        elif code is None:
            self.flag(reply, f"the gateway starts and serves with {file} readable by all ({OPEN:04o})")
        elif code == 0:
            self.flag(reply, f"with {file} readable by all the gateway ended with exit code 0, as if all were well")
        elif file not in said or not any(word in said.lower() for word in TELLING):
            self.flag(
                reply, f"with {file} readable by all the gateway ended with exit code {code}, and does not say why"
            )
        else:
            self.clear(reply, f"with {file} readable by all it refuses to start, and says why")

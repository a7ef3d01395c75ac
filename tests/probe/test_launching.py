"""A launched gateway, started again and once more beside itself."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from readiness import pack, probe
from readiness.probe import Risk, Target
from readiness.probe.process import GRACE
from readiness.probe.sandbox import launched
from readiness.probe.toy import Toy
from readiness.settings import Settings
from tests.probe.gateways import TELLING, launching
from tests.probe.harness import MODEL, alive, run
from tests.probe.test_run import RULE


def gateway(folder: Path) -> Settings:
    (folder / "key.in").write_text("{canary}\n")
    (folder / "plain.in").write_text("port = {port}\n")
    return launching(
        folder, TELLING, files={"up.key": "key.in", "plain.toml": "plain.in"}, env={"WORK": "{work}"}, headers={}
    )


async def told(of: Target) -> dict[str, Any]:
    found: dict[str, Any] = (await of.get("/")).json()
    return found


def test_a_gateway_that_is_started_again_is_another_process_at_the_same_address(tmp_path: Path) -> None:
    async def work() -> None:
        async with launched(gateway(tmp_path)) as of:
            before = await told(of)
            assert of.parts.gateway is not None
            await of.parts.gateway.restart()
            after = await told(of)
            assert after["pid"] != before["pid"]
            assert after["argv"] == before["argv"]
            assert after["files"]["up.key"] == before["files"]["up.key"]
            assert not alive(before["pid"])
            assert of.parts.process is not None
            assert of.parts.process.pid == after["pid"]
        assert not alive(after["pid"])

    run(work())


def test_one_beside_it_has_an_address_files_and_modes_of_its_own_and_goes_with_the_block(tmp_path: Path) -> None:
    async def work() -> None:
        async with launched(gateway(tmp_path)) as of:
            first = await told(of)
            assert of.parts.gateway is not None
            assert of.parts.gateway.secret_files == ["up.key"]
            async with of.parts.gateway.beside({"up.key": 0o644}) as (process, view):
                while (reply := await view.get("/")).status is None:
                    assert process.exit_code is None
                second = reply.json()
                assert second["files"]["up.key"]["mode"] == "0o644"
                assert second["files"]["up.key"]["text"] == first["files"]["up.key"]["text"]
                assert second["files"]["plain.toml"]["text"] != first["files"]["plain.toml"]["text"]
            assert not alive(second["pid"])
            assert (await told(of))["pid"] == first["pid"]

    run(work())


def test_after_a_probe_that_stains_or_ends_it_the_gateway_is_another(tmp_path: Path) -> None:
    looks = {
        "a": ("read", "self.clear(await target.get('/'), str(target.parts.process.pid))"),
        "b": ("write", "self.clear(await target.get('/'), str(target.parts.process.pid))"),
        "c": ("load", "self.flag(await target.get('/'), 'x'); await target.parts.process.kill()"),
        "d": ("disrupt", "self.clear(await target.get('/'), str(target.parts.process.pid))"),
    }
    pack_folder = tmp_path / "pack"
    (pack_folder / "live").mkdir(parents=True)
    for name, (risk, look) in looks.items():
        text = RULE.format(risk=risk, look=look).replace("    risk =", "    settles = False\n    risk =")
        stained = text.replace("    risk =", "    stains = True\n    risk =") if name == "a" else text
        (pack_folder / "live" / f"{name}.py").write_text(stained)

    async def work() -> list[str | None]:
        async with launched(gateway(tmp_path)) as of:
            done = await probe.run(of, pack.rule_files([pack_folder]), Risk.DISRUPT, "a subject")
            return [each.note for each in done.evidence]

    first, second, _, last = run(work())
    assert first
    assert len({first, second, last}) == 3


def test_a_deaf_gateway_is_not_waited_for_once_the_run_was_cancelled(tmp_path: Path) -> None:
    (tmp_path / "toy.key.in").write_text("{canary}\n")
    settings = Settings(tmp_path, tmp_path, target=replace(Toy(shutdown="deaf").launched(), model=MODEL))

    async def work() -> float:
        up = asyncio.Event()

        async def stays() -> None:
            async with launched(settings):
                up.set()
                await asyncio.Event().wait()

        staying = asyncio.ensure_future(stays())
        await up.wait()
        began = time.monotonic()
        staying.cancel()
        await asyncio.wait([staying])
        return time.monotonic() - began

    assert run(work()) < GRACE

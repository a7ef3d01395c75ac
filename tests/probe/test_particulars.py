"""What single probes take care of beyond their examples."""

import asyncio

from readiness.model import Exchange
from readiness.probe import Risk
from readiness.probe import run as run_probes
from readiness.probe.toy import Toy
from tests.probe.harness import PROBES, examined, listening, run, sandboxed, serving, target
from tests.probe.hostile import answer, read_request

BY_ID = {rule.info.id: rule for rule in PROBES}
CUT, LOOKED = 60, 30
"""Seconds after which usual servers cut a slow head, and between their looks for one."""


def test_a_slow_head_has_the_time_that_usual_servers_give_it_where_none_is_declared() -> None:
    assert BY_ID["live/slow-client"].load().look.__globals__["ALLOWED"] > CUT + LOOKED


def test_an_oversized_head_comes_in_one_piece() -> None:
    async def work() -> None:
        async with serving(Toy(head="long")) as of:
            evidence = await examined(BY_ID["live/oversized-head"], of)
            shown = [finding.where.sent for finding in evidence.findings if isinstance(finding.where, Exchange)]
            assert [len(sent.pieces) for sent in shown if sent is not None and not sent.lost] == [1]

    run(work())


def test_a_gateway_is_started_afresh_after_health_had_taken_its_upstream_away() -> None:
    async def work() -> None:
        async with sandboxed(Toy()) as of:
            before = of.parts.process
            probes = [BY_ID["live/health"], BY_ID["live/unknown-model"]]  # nothing is started after the last one
            await run_probes(of, probes, Risk.DISRUPT, "a toy")
            assert of.parts.process is not None
            assert of.parts.process is not before
            assert of.parts.process.exit_code is None

    run(work())


def test_what_happens_to_the_same_request_again_and_again_is_told_once() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if b'"messages"' in request:
            writer.write(answer(200, b'{"choices": [{"message": {"role": "assistant", "content": "yes"}}]}'))
        elif not request.startswith(b"POST"):
            writer.write(answer(404, b"{}"))
        await writer.drain()

    async def work() -> list[str]:
        async with listening(handle) as port:
            evidence = await examined(BY_ID["live/error-format"], target(f"http://127.0.0.1:{port}"))
            return [finding.message for finding in evidence.findings]

    told = run(work())
    silent = [each for each in told if "there was no answer at all" in each]
    assert len(silent) == 2
    assert all(each.endswith(", 6 times of 6") for each in silent)
    assert any(each.endswith("errors are an empty object, which says nothing") for each in told)

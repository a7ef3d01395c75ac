"""What single probes take care of beyond their examples."""

from readiness.model import Exchange
from readiness.probe import Risk
from readiness.probe import run as run_probes
from readiness.probe.toy import Toy
from tests.probe.harness import PROBES, examined, run, sandboxed, serving

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

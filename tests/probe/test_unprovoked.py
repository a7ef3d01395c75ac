"""What never came about is not judged: a stream that cannot fall silent, a failure that a cooldown kept away."""

from readiness.probe.toy import Toy
from tests.probe.harness import PROBES, examined, run, sandboxed, serving

BY_ID = {rule.info.id: rule for rule in PROBES}


def test_a_stream_that_is_always_refused_did_not_fall_silent() -> None:
    async def work() -> None:
        async with serving(Toy(streams="broken")) as of:
            evidence = await examined(BY_ID["live/slow-upstream"], of)
            assert not evidence.findings
            assert "falls silent was not provoked" in (evidence.left_out or "")

    run(work())


def test_a_stream_that_is_always_refused_was_not_cut_by_a_shutdown() -> None:
    async def work() -> None:
        async with sandboxed(Toy(streams="broken")) as of:
            evidence = await examined(BY_ID["live/graceful-shutdown"], of)
            assert not evidence.findings
            assert "a stream was not in flight" in (evidence.left_out or "")

    run(work())


def test_every_failure_that_may_show_a_secret_is_provoked() -> None:
    async def work() -> None:
        async with sandboxed(Toy(rate_fault="cooldown")) as of:
            evidence = await examined(BY_ID["live/secret-exposure"], of)
            upstream = of.parts.upstream
            assert upstream is not None
            assert not evidence.left_out
            for what in ("unauthorized", "error", "refuse", "garbage", "reset"):
                assert upstream.asked_for(f"[[upstream:{what}]]"), what

    run(work())


def test_a_limit_that_answers_503_is_no_breaker() -> None:
    async def work() -> None:
        async with serving(Toy(breaker="limit", rate=None)) as of:
            evidence = await examined(BY_ID["live/circuit-breaker"], of)
            assert not evidence.findings
            assert "that is a limit" in (evidence.left_out or "")

    run(work())


def test_a_process_that_ends_at_once_had_no_time_to_turn_its_readiness() -> None:
    async def work() -> None:
        async with sandboxed(Toy(shutdown="cuts")) as of:
            evidence = await examined(BY_ID["live/graceful-shutdown"], of)
            assert all("cut by the shutdown" in each.message for each in evidence.findings)
            assert evidence.findings

    run(work())

"""The live side: target to evidence."""

from collections.abc import Sequence

from readiness.model import Run
from readiness.pack import RuleFile
from readiness.probe.base import Probe, Risk
from readiness.probe.course import Course, Progress
from readiness.probe.reply import Reply, pause
from readiness.probe.target import Target, happens, unique
from readiness.probe.watch import Watch

__all__ = ["Course", "Probe", "Reply", "Risk", "Target", "Watch", "happens", "pause", "run", "unique"]


async def run(
    target: Target,
    rules: Sequence[RuleFile],
    risk: Risk,
    subject: str,
    progress: Progress = lambda what, done, total: None,
    watch: Watch | None = None,
) -> Run:
    """Run every probe up to a risk, the harmless ones first. What is not run says why.

    A watch ends the run when the target falls ill; what comes after says so too.
    """
    course = Course(rules, subject, progress)
    await course.follow(target, risk, watch)
    return course.run()

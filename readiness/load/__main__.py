"""Do what an order says, and leave the tally: `python -m readiness.load ORDER`."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from readiness.load.client import CLOCK, Client
from readiness.load.order import Order, Plan, Role, plan_of
from readiness.load.schedule import GRACE, LEAD, Schedule
from readiness.load.tally import Tally, loaded

TICK = 0.05
"""Seconds between two looks at whether something has come."""
SLACK = 3.0
"""Seconds in which users start, and what was counted goes from a worker to its master."""


def main(path: Path) -> int:
    order = Order.read(path)
    Client.order = order
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a user has a connection
    match order.role:
        case Role.ALONE:
            return _alone(order)
        case Role.MASTER:
            return _master(order)
        case Role.WORKER:
            return _worker(order)


def _alone(order: Order) -> int:
    Client.schedule = Schedule(order.plan, CLOCK)
    runner = Environment(user_classes=[Client]).create_local_runner()
    runner.start(order.plan.users, spawn_rate=order.plan.users)
    _leave(order, _counted(order), 0)
    runner.quit()
    return 0


def _counted(order: Order) -> Tally:
    """What the users of this process counted, once they are through."""
    _until(lambda: Client.schedule.over, _longest(order.plan))
    return Client.schedule.close()


def _longest(plan: Plan) -> float:
    """Seconds that a run takes at most."""
    return LEAD + plan.seconds + GRACE + plan.deadline + SLACK


def _master(order: Order) -> int:
    """Hand the plan to so many workers, a share to each, and add up what they counted."""
    environment = Environment(user_classes=[Client])
    runner = environment.create_master_runner(order.host, order.port)
    tallies: dict[str, Tally] = {}
    runner.register_message("done", lambda environment, msg: tallies.setdefault(msg.node_id, loaded(msg.data)))
    _until(lambda: len(runner.clients.ready) >= order.workers, order.patience)
    crew = [each.id for each in runner.clients.ready][: order.workers]
    if len(crew) == order.workers:
        for index, worker in enumerate(crew):
            share = {"plan": asdict(order.plan), "index": index, "of": order.workers}
            runner.send_message("share", share, worker)
        runner.start(order.plan.users, spawn_rate=order.plan.users)
        _until(lambda: len(tallies) >= order.workers or not _left(runner, crew, tallies), _longest(order.plan) + SLACK)
    tally = Tally()
    for each in tallies.values():
        tally.add(each)
    _leave(order, tally, order.workers - len(tallies))
    runner.quit()
    return 0


def _left(runner: MasterRunner, crew: list[str], tallies: dict[str, Tally]) -> set[str]:
    """The workers that are still there, and still to tell what they counted."""
    there = {each.id for each in runner.clients.ready + runner.clients.spawning + runner.clients.running}
    return (there & set(crew)) - set(tallies)


def _worker(order: Order) -> int:
    """Do the share that the master gives, as far as the own order allows, and tell it what was counted."""
    runner = Environment(user_classes=[Client]).create_worker_runner(order.host, order.port)
    shares: list[Share] = []
    runner.register_message("share", lambda environment, msg: shares.append(_accepted(order, msg.data)))
    _until(lambda: shares, order.patience)
    if not shares:
        sys.exit(f"no master gave a share within {order.patience:g} s at {order.host}:{order.port}")
    if shares[0].refusal:
        sys.exit(shares[0].refusal)
    runner.send_message("done", _counted(Client.order).dumped())
    runner.greenlet.join(timeout=order.patience)
    return 0


@dataclass(frozen=True)
class Share:
    """What a master wants of a worker, and why the worker does not do it, if so."""

    refusal: str = ""


def _accepted(order: Order, given: Mapping[str, Any]) -> Share:
    """Make it the users' schedule, unless it is another target or more than this worker may ask."""
    plan, index, of = plan_of(given["plan"]), given["index"], given["of"]
    if (plan.url, plan.path) != (order.plan.url, order.plan.path):
        refusal = f"the master loads {plan.url}{plan.path}, and this worker {order.plan.url}{order.plan.path}"
    elif plan.count > order.plan.count * of:
        refusal = f"the share is more than the {order.plan.count} requests that this worker may make (--max-requests)"
    else:
        Client.order, Client.index, Client.of = replace(order, plan=plan), index, of
        Client.schedule = Schedule(plan, CLOCK, index, of)
        return Share()
    Client.schedule = Schedule(replace(plan, count=0), CLOCK)  # the users that the master starts have nothing to do
    return Share(refusal)


def _until(condition: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        gevent.sleep(TICK)


def _leave(order: Order, tally: Tally, lost: int) -> None:
    """The tally into its file, whole or not at all."""
    path = Path(order.result)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({**tally.dumped(), "lost": lost}), "utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""Which model is asked for where the settings name none."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

from readiness.probe.budget import BudgetSpent
from readiness.probe.reply import Reply
from readiness.probe.target import Target, unique
from readiness.settings import USUAL_MODEL

LISTS = 5.0
"""Seconds in which a gateway that the sandbox started may come to list what its upstream serves."""


def listed(reply: Reply) -> list[str]:
    """The ids of an OpenAI-compatible list of models, in its order; empty where the answer is none."""
    return [str(each.get("id")) for each in _list(reply) or () if isinstance(each, dict)]


async def name_model(target: Target) -> None:
    """Ask for the usual model where it is served, else for the first that the target lists."""
    if target.settings.model:
        return
    model = USUAL_MODEL
    with suppress(BudgetSpent):  # the first probe says so
        model = await _served(target)
    target.settings = replace(target.settings, model=model)


async def _served(target: Target) -> str:
    ours = target.parts.upstream is not None
    until = time.monotonic() + (LISTS if ours else 0)
    while True:
        reply = await target.get(target.settings.paths.models, seconds=10)
        models = listed(reply)
        if USUAL_MODEL in models:
            return USUAL_MODEL
        lists = not reply.status or reply.status >= 500 or _list(reply) is not None
        if time.monotonic() >= until or not lists:
            break
        await asyncio.sleep(0.5)
    target.settings = replace(target.settings, model=USUAL_MODEL)
    if not models or (ours and (await target.chat(unique("hello"), seconds=10)).ok):
        return USUAL_MODEL
    return models[0]


def _list(reply: Reply) -> list[object] | None:
    body = reply.json()
    data = body.get("data") if isinstance(body, dict) else None
    return data if isinstance(data, list) else None

"""Chats over NATS, tools over NATS, and what was used, told to whoever listens."""

import asyncio
import json
import logging

import httpx
import nats

from relay.keys import upstream_key
from relay.settings import NATS, UPSTREAM

log = logging.getLogger(__name__)


class Bus:
    def __init__(self, key):
        self.key = key
        self.nc = None
        self.tasks = []

    async def start(self):
        try:
            self.nc = await nats.connect(NATS, reconnected_cb=self.on_reconnect, closed_cb=self.on_closed)
        except Exception:
            log.warning("no NATS at %s, going on without", NATS)
            return
        await self.listen()

    async def listen(self):
        await self.nc.subscribe("llm.chat", cb=self.on_message)

    async def on_reconnect(self):
        log.info("reconnected")
        await self.listen()

    async def on_closed(self, connection):
        log.warning("closed %s", connection)

    async def on_message(self, msg):
        if not msg.data:
            await msg.nak()
            return
        self.tasks.append(asyncio.create_task(self.answer(msg)))

    async def answer(self, msg):
        body = json.loads(msg.data)
        try:
            reply = await self.ask(body)
        except httpx.HTTPError:
            log.exception("upstream failed")
            return
        await msg.respond(json.dumps(reply).encode())

    async def ask(self, body):
        client = httpx.AsyncClient(timeout=None, verify=False, headers={"Authorization": f"Bearer {self.key}"})
        reply = await client.post(f"{UPSTREAM}/chat/completions", json={**body, "stream": False})
        answer = json.loads(reply.content)
        for call in answer["choices"][0]["message"].get("tool_calls") or []:
            answer["choices"][0]["message"]["content"] = await self.run_tool(call["function"])
        return answer

    async def run_tool(self, function):
        try:
            result = await self.nc.request(f"tools.execute.{function['name']}", function["arguments"].encode())
        except nats.errors.TimeoutError:
            return "the tool took too long"
        return result.data.decode()

    async def tell_usage(self, client, usage):
        await self.nc.publish("llm.usage", json.dumps({"client": client, "usage": usage}).encode())
        await self.nc.flush(timeout=2)


bus = Bus(upstream_key())


async def start_bus():
    await bus.start()

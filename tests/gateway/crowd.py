"""Many calls at once, over either port; what is handed back are their statuses."""

import asyncio
import json

import aiohttp

from tests.gateway.harness import Running, ask_nats, body, nats_client


async def statuses_http(running: Running, count: int, headers: dict[str, str] | None = None) -> list[int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask() -> int:
            chat = f"{running.url}/v1/chat/completions"
            async with session.post(chat, json=json.loads(body()), headers=headers) as reply:
                await reply.read()
                return reply.status

        return await asyncio.gather(*(ask() for _ in range(count)))


async def statuses_nats(running: Running, count: int, headers: dict[str, str] | None = None) -> list[int]:
    async with nats_client(running.nats_url or "") as client:
        answers = await asyncio.gather(*(ask_nats(client, running.subject, body(), headers) for _ in range(count)))
    return [found.status for found in answers]

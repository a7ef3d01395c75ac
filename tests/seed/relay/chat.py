"""Chat completions over HTTP."""

import asyncio
import json
import logging

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.settings import UPSTREAM

log = logging.getLogger(__name__)

PROVIDERS = {"gpt-4o-mini": "primary", "gpt-4o": "primary"}
URLS = {"primary": UPSTREAM}
PACE = 0.1


class Chat:
    def __init__(self, key, bus, ledger):
        self.bus = bus
        self.ledger = ledger
        self.turn = asyncio.Lock()
        self.client = httpx.AsyncClient(
            timeout=httpx.Timeout(None, pool=1.0),
            limits=httpx.Limits(max_connections=20),
            headers={"Authorization": f"Bearer {key}"},
        )

    async def complete(self, request: Request) -> Response:
        body = json.loads(await request.body())
        log.info("%s asks for %s", request.headers.get("user-agent"), body["model"])
        url = URLS[PROVIDERS[body["model"]]]
        async with self.turn:
            await asyncio.sleep(PACE)
        try:
            reply = await self.client.post(f"{url}/chat/completions", json={**body, "stream": False})
        except httpx.HTTPError as problem:
            return JSONResponse({"detail": f"{url}: {problem}"}, status_code=500)
        if reply.status_code != 200:
            return Response(reply.text, status_code=reply.status_code)
        answer = reply.json()
        await self.ledger.add(request.client.host, body["model"], answer["usage"])
        await self.bus.tell_usage(request.client.host, answer["usage"])
        return JSONResponse(answer)

"""The models that the upstream offers, asked for now and then."""

import asyncio

import httpx

from relay.settings import REFRESH_SECONDS, UPSTREAM


class Catalog:
    def __init__(self):
        self.models = {}

    async def refresh(self):
        async with httpx.AsyncClient(timeout=None) as client:
            self.models.clear()
            reply = await client.get(f"{UPSTREAM}/models")
            for model in reply.json()["data"]:
                self.models[model["id"]] = model

    async def keep_fresh(self):
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh()

    def listing(self):
        return {"object": "list", "data": list(self.models.values())}

"""What the gateway is held against: the same server and client libraries, and nothing else. `bare.py PORT UPSTREAM`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@asynccontextmanager
async def session(app: Starlette) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as app.state.session:
        yield


async def chat(request: Request) -> Response:
    url = f"{sys.argv[2]}/v1/chat/completions"
    headers = {"content-type": "application/json"}
    async with request.app.state.session.post(url, data=await request.body(), headers=headers) as reply:
        return Response(await reply.read(), reply.status, media_type="application/json")


if __name__ == "__main__":
    routes = [Route("/v1/chat/completions", chat, methods=["POST"])]
    app = Starlette(routes=routes, lifespan=session)
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="warning", access_log=False)

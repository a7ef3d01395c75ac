"""The relay: OpenAI's API in front of our upstream, over HTTP and over NATS."""

import asyncio
import contextlib
import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")

from relay.bus import bus, start_bus
from relay.catalog import Catalog
from relay.chat import Chat
from relay.keys import issue_token
from relay.ledger import Ledger
from relay.settings import ADMIN_TOKEN

catalog = Catalog()
ledger = Ledger()
chat = Chat(bus.key, bus, ledger)


async def completions(request: Request):
    return await chat.complete(request)


async def models(request: Request) -> JSONResponse:
    return JSONResponse(catalog.listing())


async def usage(request: Request) -> JSONResponse:
    return JSONResponse({"total_tokens": ledger.spent(request.client.host)})


async def tokens(request: Request) -> JSONResponse:
    if request.headers.get("x-admin-token") != ADMIN_TOKEN:
        return JSONResponse({"error": "no"}, status_code=403)
    return JSONResponse({"token": issue_token(request.query_params["client"])})


@contextlib.asynccontextmanager
async def lifespan(app: Starlette):
    await catalog.refresh()
    await start_bus()
    asyncio.create_task(catalog.keep_fresh())
    yield


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/v1/chat/completions", completions, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/usage", usage),
        Route("/v1/tokens", tokens, methods=["POST"]),
    ],
)

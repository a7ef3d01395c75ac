"""Requests are not limited per client.

One client with a loop, or one key that leaked, then takes all there is: the others wait, and the bill of the upstream
grows. Count requests by client (key, user or address) before any work is done, and answer 429 with Retry-After to what is
over the limit.

Judged over what stands before the routes of each application: a limiter that is imported, or added to nothing, does not
count, nor does a 429 that only tells on what an upstream said. A 429 that hangs on nobody in particular, or on a budget in
money, leaves it open, as it holds back no client's burst. Left open is what only this machine reaches, what is made
for others to put into theirs, what no program of the project gets to, and a service of which most routes have no limit while some have.
"""

import re
from enum import IntEnum

from readiness.scan import Service, ServiceRule
from readiness.scan.service.facts import Deeds, Layer
from readiness.scan.service.middlewares import unknown
from readiness.scan.service.replies import is_limiter
from readiness.scan.service.service import App, Endpoint, Function
from readiness.scan.service.traffic import LIMITERS

ASKED = {"limit", "shared_limit", "hit", "check", "acquire", "try_acquire", "test", "limits", "allow"}
BY_ROUTE = ("slowapi.", "flask_limiter.", "quart_rate_limiter.")
"""Libraries whose middleware or extension limits nothing by itself, unless it is given limits for all routes."""
CLIENT_SIDE = ("ratelimit.limits", "ratelimit.sleep_and_retry", "ratelimit.decorators", "ratelimit.exception")
"""A library that slows down one's own calls."""
IDENTITY = (
    "client",
    "ip",
    "user",
    "key",
    "token",
    "tenant",
    "account",
    "request",
    "identity",
    "principal",
    "host",
    "addr",
)
"""Parts of the names of parameters that say who asks."""

OWN_LIMITER = re.compile(
    r"_*(check|enforce|apply|consume|within|allow|is)_?\w*(rate_?limit|throttl)(ed|e|ing|s)?", re.IGNORECASE
)
"""Names of functions of the project that limit rates by themselves."""


class Sure(IntEnum):
    """Whether something limits."""

    NO = 0
    MAYBE = 1
    YES = 2


class Rule(ServiceRule):
    item = "rate-limited"
    good = [
        "from fastapi import FastAPI\nfrom slowapi import Limiter\nfrom slowapi.util import get_remote_address\napp = FastAPI()\nlimiter = Limiter(key_func=get_remote_address)\n\n@app.post('/v1/chat/completions')\n@limiter.limit('5/minute')\ndef chat(request):\n    return {}\n",
        "from fastapi import FastAPI\nfrom slowapi import Limiter\nfrom slowapi.middleware import SlowAPIMiddleware\nfrom slowapi.util import get_remote_address\napp = FastAPI()\napp.state.limiter = Limiter(key_func=get_remote_address, default_limits=['5/minute'])\napp.add_middleware(SlowAPIMiddleware)\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        {
            "app/main.py": "from fastapi import Depends, FastAPI\nfrom app.api import router\nfrom app.limits import limited\napp = FastAPI()\napp.include_router(router, prefix='/v1', dependencies=[Depends(limited)])\n",
            "app/api.py": "from fastapi import APIRouter\nrouter = APIRouter()\n\n@router.get('/models')\ndef models():\n    return []\n",
            "app/limits.py": "from fastapi import HTTPException, Request\nseen = {}\n\ndef limited(request: Request):\n    seen[request.client.host] = seen.get(request.client.host, 0) + 1\n    if seen[request.client.host] > 10:\n        raise HTTPException(status_code=429, headers={'Retry-After': '1'})\n",
        },
        "from starlette.applications import Starlette\nfrom starlette.middleware import Middleware\nfrom starlette.responses import Response\nfrom starlette.routing import Route\n\nclass Limit:\n    def __init__(self, app):\n        self.app, self.seen = app, {}\n    async def __call__(self, scope, receive, send):\n        if self.full(scope['client'][0]):\n            await Response('slow down', status_code=429)(scope, receive, send)\n        else:\n            await self.app(scope, receive, send)\n    def full(self, client):\n        return self.seen.get(client, 0) > 10\n\nasync def models(request):\n    return Response('[]')\n\napp = Starlette(routes=[Route('/v1/models', models)], middleware=[Middleware(Limit)])\n",
        {
            "main.py": "from aiohttp import web\nfrom limits_web import limit\n\nasync def models(request):\n    return web.json_response([])\n\ndef make():\n    app = web.Application(middlewares=[limit])\n    app.router.add_get('/v1/models', models)\n    return app\n",
            "limits_web.py": "from aiohttp import web\nfrom limits.aio.strategies import MovingWindowRateLimiter\nlimiter = MovingWindowRateLimiter(storage)\n\n@web.middleware\nasync def limit(request, handler):\n    if not await limiter.hit(rate, request.remote):\n        raise web.HTTPTooManyRequests()\n    return await handler(request)\n",
        },
        "from flask import Flask\nfrom flask_limiter import Limiter\napp = Flask(__name__)\nLimiter(key, app=app, default_limits=['10/minute'])\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from litestar import Litestar, get\nfrom litestar.middleware.rate_limit import RateLimitConfig\n\n@get('/v1/models')\nasync def models() -> list:\n    return []\n\napp = Litestar([models], middleware=[RateLimitConfig(rate_limit=('minute', 10)).middleware])\n",
        "from flask import Flask, abort, request\napp = Flask(__name__)\n\n@app.before_request\ndef limited():\n    if over(request.remote_addr):\n        abort(429)\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from fastapi import FastAPI, HTTPException, Request\napp = FastAPI()\nhits = {}\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict, request: Request):\n    name = f'chat:{request.client.host}'\n    count = hits[name] = hits.get(name, 0) + 1\n    if count > 10:\n        raise HTTPException(429, headers={'Retry-After': '60'})\n    return {}\n",
        "from fastapi import FastAPI, HTTPException, Request\nfrom limits import parse, storage, strategies\napp = FastAPI()\nlimiter = strategies.MovingWindowRateLimiter(storage.MemoryStorage())\n\nasync def chat(request):\n    if not limiter.hit(parse('5/minute'), request.client.host):\n        raise HTTPException(429)\n    return {}\n\nANSWERS = {'chat': chat}\n\n@app.post('/v1/{kind}/completions')\nasync def answer(kind: str, request: Request):\n    return await ANSWERS[kind](request)\n",
    ]
    bad = [
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []  # rate limit\n",
        "from fastapi import FastAPI\nfrom slowapi import Limiter\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from fastapi import FastAPI, Response\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models(response: Response):\n    response.headers['X-RateLimit-Remaining'] = '10'\n    return []\n",
        {
            "app/main.py": "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
            "app/limits.py": "from fastapi.responses import JSONResponse\nfrom starlette.middleware.base import BaseHTTPMiddleware\n\nclass RateLimit(BaseHTTPMiddleware):\n    async def dispatch(self, request, call_next):\n        if full(request.client.host):\n            return JSONResponse({}, status_code=429)\n        return await call_next(request)\n",
        },
        "import httpx\nfrom fastapi import FastAPI, HTTPException\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    async with httpx.AsyncClient() as client:\n        reply = await client.post('http://upstream', json=body)\n    if reply.status_code == 429:\n        raise HTTPException(429, 'the upstream is busy')\n    return reply.json()\n",
        "from fastapi import FastAPI\nfrom slowapi import Limiter\nfrom slowapi.util import get_remote_address\napp = FastAPI()\nlimiter = Limiter(key_func=get_remote_address)\n\n@app.post('/login')\n@limiter.limit('5/minute')\ndef login(request):\n    return {}\n\n@app.post('/v1/chat/completions')\ndef chat(body: dict):\n    return {}\n",
        "from aiohttp import web\n\nasync def models(request):\n    return web.json_response([])\n\napp = web.Application()\napp.add_routes([web.get('/v1/models', models)])\n",
        "from quart import Quart\napp = Quart(__name__)\n\n@app.get('/v1/models')\nasync def models():\n    return []\n",
        "from litestar import Litestar, get\n\n@get('/v1/models')\nasync def models() -> list:\n    return []\n\napp = Litestar([models])\n",
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\n\nasync def models(request):\n    return Response('[]')\n\napp = Starlette(routes=[Route('/v1/models', models)])\n",
        "import uvicorn\nfrom fastapi import FastAPI\n\ndef main(host):\n    app = FastAPI()\n\n    @app.post('/v1/chat/completions')\n    async def chat(body: dict):\n        return {}\n\n    uvicorn.run(app, host=host)\n",
        "from fastapi import FastAPI, Request, Response\nfrom httpx import AsyncClient\napp = FastAPI()\nclient = AsyncClient(base_url='http://upstream')\n\n@app.api_route('/{path:path}', methods=['GET', 'POST', 'OPTIONS'])\nasync def proxy(path: str, request: Request):\n    reply = await client.request(request.method, path, content=await request.body())\n    return Response(reply.content, reply.status_code)\n",
    ]
    silent = [
        "import time\nfrom fastapi import Depends, FastAPI, HTTPException\nfrom app.keys import Key, holder, ledger\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict, key: Key = Depends(holder)):\n    spent = ledger.spent(key.id, time.time() - 86400)\n    over = spent >= key.budget\n    if over and key.strict:\n        raise HTTPException(429, 'the budget is used up')\n    return {}\n",
        "import asyncio\nfrom fastapi import FastAPI, HTTPException\nfrom app.shapes import Chat\napp = FastAPI()\nplaces = asyncio.Semaphore(10)\n\n@app.post('/v1/chat/completions')\nasync def chat(request: Chat):\n    if places.locked():\n        raise HTTPException(429, 'busy')\n    return {}\n",
        "from fastapi import FastAPI\nfrom app.shapes import Chat\napp = FastAPI()\n\nclass Busy(Exception):\n    status_code = 429\n\n@app.post('/v1/chat/completions')\nasync def chat(request: Chat):\n    if waiting.full():\n        raise Busy\n    return {}\n",
        {
            "peers/meet.py": "from aiohttp import web\n\nclass Meeting:\n    def __init__(self):\n        self.app = web.Application()\n        self.app.router.add_post('/hello', self.hello)\n\n    async def hello(self, request):\n        return web.json_response({})\n",
            "peers/__init__.py": "from peers.meet import Meeting\n",
        },
        "import nats\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=work)\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/metrics')\ndef metrics():\n    return ''\n",
        "import requests\nprint(requests.get('http://a', timeout=3).status_code)  # one shot\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef index():\n    return page\n\n@app.get('/asyncapi.json')\ndef schema():\n    return {}\n",
    ]

    def judge(self, service: Service) -> None:
        self.service = service
        self.defaults = any(
            {"default_limits", "application_limits"} & {name for name, _ in use.given} for use in service.used(LIMITERS)
        )
        self.spare = any(
            status == 429 for deeds in service.all(Deeds) for status, _, how in deeds.answers if how != "relayed"
        )
        self.known: dict[Layer, Sure] = {}
        for app in service.apps:
            self.judge_app(app)
        self.leave_unread(service)

    def judge_app(self, app: App) -> None:
        work = [each for each in app.endpoints if not each.is_side]
        if len(work) == 1 and self.is_index(work[0]):
            return
        read = [each for each in work if each.functions] or work
        chosen = [each for each in read if each.completes] or read
        limits = {each: self.limit(app, each) for each in chosen}
        open_ones = [each for each, sure in limits.items() if sure is Sure.NO]
        unsure = [each for each, sure in limits.items() if sure is Sure.MAYBE]
        if reason := self.untold(app, chosen, open_ones):
            self.leave(f"{app.made.at.path}:{app.made.at.line}: {reason}")
        elif any(each.path != "*" for each in open_ones) and (
            len(open_ones) == len(chosen) or any(each.completes for each in open_ones)
        ):
            first = f"{open_ones[0].path or '/'}"
            self.flag(
                app.made.at,
                f"{len(open_ones)} of {len(chosen)} routes, as {first}, take any number of requests of one client: count them by client, and answer 429",
            )
        elif unsure or (chosen and all(each.path == "*" for each in chosen)):
            first = f"{(unsure or chosen)[0].path or '/'}"
            self.leave(
                f"{app.made.at.path}:{app.made.at.line}: whether {first} is limited for each client cannot be read"
            )
        elif len(open_ones) * 2 > len(chosen):
            self.leave(
                f"{app.made.at.path}:{app.made.at.line}: {len(open_ones)} of {len(chosen)} routes, as "
                f"{open_ones[0].path or '/'}, have no limit of their own"
            )
        elif chosen:
            self.clear(app.made.at)

    def untold(self, app: App, chosen: list[Endpoint], open_ones: list[Endpoint]) -> str:
        """Why nothing can be said of an application, whatever stands before its routes."""
        if not chosen:
            return "the routes of this application cannot be read" if app.made.library == "asgi" or app.doubts else ""
        if reason := app.untold(self.service):
            return reason
        if app.is_local:
            return "its one address is of this machine: who else reaches it cannot be read"
        if not any(each.functions for each in chosen):
            return f"what answers {chosen[0].path or '/'} cannot be read"
        if open_ones and app.is_handed_out(self.service):
            return "made for others, who may put a limit before it"
        return ""

    def is_index(self, endpoint: Endpoint) -> bool:
        """A page that tells what is served here, or waits for one browser to come back."""
        return endpoint.path in {"", "/"} and set(endpoint.route.methods) in ({"GET"}, {"GET", "HEAD"})

    # ---- what limits

    def limit(self, app: App, endpoint: Endpoint) -> Sure:
        found = max((self.of_layer(each) for each in endpoint.layers), default=Sure.NO)
        found = max(found, self.of_functions(endpoint.functions, near=True))
        plugged = self.spare and any("plugs-in" in each.marks for each in (*endpoint.functions, *endpoint.before))
        vague = plugged or unknown(endpoint.layers) or any(each.about in {"layers", "app"} for each in app.doubts)
        return max(found, Sure.MAYBE) if vague else found

    def of_layer(self, layer: Layer) -> Sure:
        if layer not in self.known:
            sure = max((self.of_origin(each, layer) for each in layer.what), default=Sure.NO)
            sure = max(sure, self.of_functions(tuple(self.service.reach(layer.what)), near=False))
            self.known[layer] = min(sure, Sure.MAYBE) if layer.maybe else sure
        return self.known[layer]

    def of_origin(self, origin: str, layer: Layer) -> Sure:
        if origin[0] == "<" or not is_limiter(origin) or origin.startswith(CLIENT_SIDE) or origin.endswith(".exempt"):
            return Sure.NO
        by_route = origin.startswith(BY_ROUTE) and layer.kind in {"middleware", "wrapper"}
        return Sure.YES if not by_route or self.defaults else Sure.NO

    def of_functions(self, functions: tuple[Function, ...], *, near: bool) -> Sure:
        """`near`: of a handler, which answers for much else too: there the place itself has to know who asks."""
        asks = any("client" in each.marks for each in functions)
        found = Sure.NO
        for function in functions:
            if any(
                is_limiter(origin) and origin.rpartition(".")[2] in ASKED and not origin.startswith(CLIENT_SIDE)
                for origin, _ in function.calls
            ):
                return Sure.YES
            if any(is_limiter(origin) and origin.endswith("()") for origin, _ in function.calls):
                return Sure.YES
            if any(status == 429 and how == "own" for status, _, how in function.answers):
                known = "client" in function.marks or any(
                    word in name.lower() for name in function.parameters for word in IDENTITY
                )
                found = max(found, Sure.YES if (known if near else asks or known) else Sure.MAYBE)
            elif any(status == 429 and how == "busy" for status, _, how in function.answers):
                found = max(found, Sure.MAYBE)
            elif OWN_LIMITER.fullmatch(function.key[:-1].rpartition(":")[2].rpartition(".")[2]):
                found = max(found, Sure.MAYBE)  # whom it counts, and what it answers, is its own
        return found

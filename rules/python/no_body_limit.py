"""Request bodies have no limit.

A body of a few gigabytes is read into memory, or onto the disk, before anything looks at it; a handful of them ends the
process. Bound what is read: with the framework's own setting, with a middleware that counts what arrives, or in the
server before it.

Judged over the routes that read a body. aiohttp.web (1 MiB), Litestar (10 MB) and Quart (16 MiB) bound it by themselves
until they are told not to; FastAPI, Starlette and Flask do not. Looking at Content-Length alone is no limit, as a chunked
body has none; nor is the length of what was read already.
"""

from readiness.scan import Service, ServiceRule
from readiness.scan.service.facts import Layer, Option
from readiness.scan.service.middlewares import unknown
from readiness.scan.service.service import App, Endpoint, Function

BOUNDED = {"aiohttp": "client_max_size", "litestar": "request_max_body_size", "quart": "MAX_CONTENT_LENGTH"}
"""Frameworks that bound bodies by themselves, and the setting that may end that."""
SETTINGS = {
    "fastapi": ("max_body_size",), "starlette": ("max_body_size",), "flask": ("MAX_CONTENT_LENGTH",), "faststream": ("max_body_size",),
}  # fmt: skip
"""Settings that bound bodies elsewhere (Starlette from 1.10, FastAPI from 0.165)."""
HUGE = 1_000_000_000
"""Bytes from which a limit protects nothing."""
TORNADO = ("routes of Tornado are not read", "routes of RequestHandler are not read")
"""What is said of the servers of Tornado, which bound bodies for the applications that are put into them as well."""
WORDS = (
    "bodylimit",
    "bodysize",
    "sizelimit",
    "contentsize",
    "maxbody",
    "requestsize",
    "uploadlimit",
    "limitupload",
    "limitbody",
)
"""In the names of libraries and of their middlewares that count bodies."""


class Rule(ServiceRule):
    item = "body-size-limited"
    good = [
        "from fastapi import FastAPI\napp = FastAPI(max_body_size=1_000_000)\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return {}\n",
        "from fastapi import FastAPI, Request\napp = FastAPI()\n\n@app.post('/v1/files', max_body_size=10 * 1024 * 1024)\nasync def files(request: Request):\n    return await request.json()\n",
        {
            "app/main.py": "from fastapi import FastAPI\nfrom app.limits import BodyLimit\napp = FastAPI()\napp.add_middleware(BodyLimit)\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return {}\n",
            "app/limits.py": "from starlette.responses import Response\n\nclass TooLarge(Exception): ...\n\nclass BodyLimit:\n    def __init__(self, app):\n        self.app = app\n    async def __call__(self, scope, receive, send):\n        size = 0\n        async def counted():\n            nonlocal size\n            message = await receive()\n            size += len(message.get('body', b''))\n            if size > 1_000_000:\n                raise TooLarge\n            return message\n        try:\n            await self.app(scope, counted, send)\n        except TooLarge:\n            await Response(status_code=413)(scope, receive, send)\n",
        },
        "from fastapi import FastAPI, HTTPException, Request\napp = FastAPI()\n\n@app.post('/v1/files')\nasync def files(request: Request):\n    size = 0\n    async for chunk in request.stream():\n        size += len(chunk)\n        if size > 1_000_000:\n            raise HTTPException(413)\n    return {}\n",
        "from aiohttp import web\n\nasync def chat(request):\n    return web.json_response(await request.json())\n\napp = web.Application()\napp.router.add_post('/v1/chat/completions', chat)\n",
        "from flask import Flask, request\napp = Flask(__name__)\napp.config['MAX_CONTENT_LENGTH'] = 2**20\n\n@app.post('/v1/chat/completions')\ndef chat():\n    return request.get_json()\n",
        "from quart import Quart, request\napp = Quart(__name__)\n\n@app.post('/v1/chat/completions')\nasync def chat():\n    return await request.get_json()\n",
        "from litestar import Litestar, post\n\n@post('/v1/chat/completions')\nasync def chat(data: dict) -> dict:\n    return data\n\napp = Litestar([chat])\n",
        "from starlette.applications import Starlette\nfrom starlette.middleware import Middleware\nfrom starlette.middleware.body_limit import RequestBodyLimitMiddleware\nfrom starlette.routing import Route\n\nasync def chat(request):\n    return await request.json()\n\napp = Starlette(routes=[Route('/chat', chat, methods=['POST'])], middleware=[Middleware(RequestBodyLimitMiddleware, max_body_size=1000)])\n",
    ]
    bad = [
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return {}  # body limit\n",
        "from fastapi import FastAPI, HTTPException, Request\napp = FastAPI()\n\n@app.post('/v1/files')\nasync def files(request: Request):\n    body = await request.body()\n    if len(body) > 1000:\n        raise HTTPException(413)\n    return {}\n",
        {
            "app/main.py": "from fastapi import FastAPI\nfrom app.limits import limited\napp = FastAPI()\napp.middleware('http')(limited)\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return {}\n",
            "app/limits.py": "from fastapi.responses import JSONResponse\n\nasync def limited(request, call_next):\n    if int(request.headers.get('content-length', 0)) > 1000:\n        return JSONResponse({}, status_code=413)\n    return await call_next(request)\n",
        },
        {
            "app/main.py": "from fastapi import FastAPI, UploadFile\napp = FastAPI()\n\n@app.post('/v1/files')\nasync def files(file: UploadFile):\n    return {}\n",
            "app/limits.py": "class BodyLimit:\n    async def __call__(self, scope, receive, send):\n        size = 0\n        async def counted():\n            nonlocal size\n            message = await receive()\n            size += len(message['body'])\n            if size > 1000:\n                raise HTTPException(413)\n            return message\n        await self.app(scope, counted, send)\n",
        },
        "from aiohttp import web\n\nasync def chat(request):\n    return web.json_response(await request.json())\n\napp = web.Application(client_max_size=0)\napp.router.add_post('/v1/chat/completions', chat)\n",
        "from flask import Flask, request\napp = Flask(__name__)\n\n@app.post('/v1/chat/completions')\ndef chat():\n    return request.get_json()\n",
        "from litestar import Litestar, post\n\n@post('/v1/chat/completions')\nasync def chat(data: dict) -> dict:\n    return data\n\napp = Litestar([chat], request_max_body_size=None)\n",
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\n\nasync def chat(request):\n    return await request.json()\n\napp = Starlette(routes=[Route('/chat', chat, methods=['POST'])])\n",
    ]
    silent = [
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/reload')\ndef reload():\n    return {}\n",
        "import nats\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=work)\n",
    ]

    def judge(self, service: Service) -> None:
        self.service = service
        for app in service.apps:
            self.judge_app(app)
        self.leave_unread(service)

    def judge_app(self, app: App) -> None:
        readers = [each for each in app.endpoints if each.takes_body and self.carries(each)]
        open_ones = [each for each in readers if not self.is_limited(app, each)]
        first = open_ones[0] if open_ones else None
        if first is None:
            if readers:
                self.clear(app.made.at)
        elif self.is_elsewhere(app) or self.is_vague(app, first) or all(self.is_passed_on(each) for each in open_ones):
            self.leave(
                f"{app.made.at.path}:{app.made.at.line}: whether the body of {first.path or '/'} is limited cannot be read"
            )
        else:
            announced = any(
                "length" in each.marks and any(status == 413 for status, _, _ in each.answers) for each in first.before
            )
            told = ", though its announced length is looked at" if announced else ""
            self.flag(
                app.made.at,
                f"{len(open_ones)} of {len(readers)} routes, as {first.path or '/'}, read a body of any size{told}: count what arrives, and answer 413",
            )

    def carries(self, endpoint: Endpoint) -> bool:
        methods = set(endpoint.route.methods)
        return not methods or bool(methods - {"GET", "HEAD", "OPTIONS", "WEBSOCKET", "STATIC", "MOUNT"})

    # ---- what limits

    def is_limited(self, app: App, endpoint: Endpoint) -> bool:
        by_default = BOUNDED.get(app.made.library)
        settings = [each for each in (*endpoint.options, *app.options) if each.name in self.names(app)]
        if by_default is not None:
            return not any(self.is_open(each) for each in settings)
        if any(not self.is_open(each) for each in settings):
            return True
        if any(self.is_counter(layer) for layer in endpoint.layers):
            return True
        return any(self.counts(each) for each in (*endpoint.before, *endpoint.functions))

    def names(self, app: App) -> tuple[str, ...]:
        default = BOUNDED.get(app.made.library)
        return (default, "max_body_size") if default else SETTINGS.get(app.made.library, ())

    def is_open(self, option: Option) -> bool:
        """Whether a setting says that there is no limit. What is no constant is taken to be one."""
        value = option.value
        number = int(value) if value is not None and value.isdigit() else None
        return value == "None" or (number == 0 and option.name == "client_max_size") or (number or 0) >= HUGE

    def is_counter(self, layer: Layer) -> bool:
        names = (each.lower().replace("_", "") for each in layer.what if each[0] != "<")
        return not layer.maybe and any(word in name for name in names for word in WORDS)

    def counts(self, function: Function) -> bool:
        """Whether a function adds up what arrives, and somebody answers 413."""
        if "counts" not in function.marks:
            return False
        near = (function, *(each for key in function.to for each in self.service.reach([key])))
        return "chunks" in function.marks or any(status == 413 for each in near for status, _, _ in each.answers)

    def is_passed_on(self, endpoint: Endpoint) -> bool:
        """Whether a body is only taken piece by piece, so that it may be passed on as it comes."""
        marks = {mark for each in endpoint.functions for mark in each.marks}
        return not endpoint.route.body and "chunks" in marks and "whole" not in marks

    def is_elsewhere(self, app: App) -> bool:
        """Whether what stands before an application, or who reaches it, is not told by the project."""
        return app.is_local or app.is_stand_in or app.is_handed_out(self.service)

    def is_vague(self, app: App, endpoint: Endpoint) -> bool:
        flask = app.made.library == "flask"
        loaded = flask and any(each.name == "*" for each in app.options)
        inside = flask and any(each.why in TORNADO for each in self.service.unread)
        return (
            loaded
            or inside
            or bool(unknown(endpoint.layers))
            or any(each.about in {"layers", "app"} for each in app.doubts)
        )

"""The service has no health endpoint.

An orchestrator then restarts nothing that hangs and sends requests to what is not ready, and a load balancer keeps a dead
instance. Answer GET on a path of its own: one for being alive (`/livez`), which asks nobody else, and one for being ready
(`/readyz`), which tells whether what the service depends on was there a moment ago.

Judged over the routes that an application really answers: those of a router that is never included do not count, nor
does a function called `health` that answers no path; on the front page it does. An application that is served for a
moment only, or shows one page, needs none; nor does what no program of the project serves, stands in for another
service, or has an address of this machine written into the code. Applications of one package are taken to run in one
process, and one of them is enough, where one's file imports the other's, or makes both; where nothing ties them
together the item stays UNKNOWN. A route of FastAPI or Starlette that stands behind one which takes its path is never asked.
"""

from readiness.scan import Service, ServiceRule
from readiness.scan.service.facts import Doubt
from readiness.scan.service.service import App, Endpoint
from readiness.scan.service.upkeep import Upkeep

HARMLESS = {"routes of FastMCP are not read", "routes of gRPC are not read"}
"""Servers that never answer GET on a health path."""


class Rule(ServiceRule):
    item = "health-endpoint"
    good = [
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\n@app.get('/healthz')\ndef healthz():\n    return {}\n",
        {
            "app/main.py": "from fastapi import FastAPI\nfrom app.api import v1\nfrom app.probes import router\n\ndef create_app():\n    app = FastAPI()\n    app.include_router(v1.router)\n    app.include_router(router, prefix='/api')\n    return app\n",
            "app/api/v1.py": "from fastapi import APIRouter\nrouter = APIRouter()\n\n@router.get('/models')\ndef models():\n    return []\n",
            "app/probes.py": "from fastapi import APIRouter\nrouter = APIRouter(prefix='/health')\n\n@router.get('/live')\ndef live():\n    return {}\n",
        },
        "from starlette.applications import Starlette\nfrom starlette.routing import Mount, Route\nprobes = [Route('/livez', live)]\napp = Starlette(routes=[Route('/v1/models', models), Mount('/', routes=probes)])\n",
        {
            "main.py": "from aiohttp import web\nfrom probes import setup\n\nclass Server:\n    def __init__(self):\n        self.app = web.Application()\n        self.app.router.add_get('/v1/models', self.models)\n        setup(self.app)\n    async def models(self, request): ...\n",
            "probes.py": "from aiohttp import web\nroutes = web.RouteTableDef()\n\n@routes.get('/health')\nasync def health(request):\n    return web.Response()\n\ndef setup(app):\n    app.add_routes(routes)\n",
        },
        "from flask import Blueprint, Flask\nbp = Blueprint('probes', __name__)\n\n@bp.route('/ping')\ndef ping():\n    return 'pong'\n\napp = Flask(__name__)\napp.register_blueprint(bp)\napp.add_url_rule('/v1/models', view_func=models)\n",
        "from litestar import Controller, Litestar, get\n\nclass Probes(Controller):\n    path = '/health'\n    @get('/')\n    async def health(self) -> str:\n        return 'ok'\n\n@get('/v1/models')\nasync def models() -> list:\n    return []\n\napp = Litestar(route_handlers=[models, Probes])\n",
        "from faststream.asgi import AsgiFastStream, make_ping_asgi\nfrom faststream.nats import NatsBroker\nbroker = NatsBroker()\napp = AsgiFastStream(broker, asgi_routes=[('/health', make_ping_asgi(broker)), ('/v1/models', models)])\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef health():\n    return {'status': 'ok'}\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/health')\ndef health():\n    return {}\n\n@app.get('/{path:path}')\ndef pages(path: str):\n    return 'index'\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/{path:path}')\ndef take(path: str):\n    return {}\n\n@app.get('/{name:int}')\ndef one(name: int):\n    return {}\n\n@app.get('/health')\ndef health():\n    return {}\n",
        "from fastapi import FastAPI\n\nclass Server:\n    def __init__(self):\n        self.app = FastAPI()\n        self.add_probes()\n        self.add_pages()\n\n    def add_pages(self):\n        self.app.add_api_route('/{path:path}', self.page)\n\n    def add_probes(self):\n        self.app.add_api_route('/health', self.health)\n\n    async def page(self, path): ...\n\n    async def health(self): ...\n",
        "from flask import Flask\napp = Flask(__name__)\n\n@app.route('/<path:path>')\ndef pages(path):\n    return 'index'\n\n@app.route('/health')\ndef health():\n    return {}\n",
        {
            "relay/__init__.py": "VERSION = '1'\n",
            "relay/probes.py": "from fastapi import FastAPI\nprobes = FastAPI()\n\n@probes.get('/livez')\ndef live():\n    return {}\n",
            "relay/main.py": "import asyncio\nimport uvicorn\nfrom fastapi import FastAPI\nfrom relay.probes import probes\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\nasync def main():\n    await asyncio.gather(*(uvicorn.Server(uvicorn.Config(each, port=port)).serve() for port, each in enumerate((app, probes), 8000)))\n\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        },
    ]
    bad = [
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []  # GET /health\n",
        "from fastapi import APIRouter, FastAPI\napp = FastAPI()\nrouter = APIRouter()\n\n@router.get('/health')\ndef health():\n    return {}\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        {
            "app/main.py": "from fastapi import FastAPI\nfrom app import probes\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
            "app/probes.py": "from fastapi import APIRouter\nrouter = APIRouter()\n\n@router.get('/health')\ndef health():\n    return {}\n",
        },
        "from fastapi import FastAPI\napp = FastAPI()\n\ndef health():\n    return {}\n\n@app.get('/jobs/{job}/status')\ndef status(job: str):\n    return {}\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/{path:path}')\ndef pages(path: str):\n    return 'index'\n",
        "from fastapi import FastAPI\n\ndef create_app():\n    app = FastAPI()\n\n    @app.api_route('/{path:path}', methods=['GET', 'POST'])\n    def everything(path: str):\n        return {}\n\n    @app.get('/health')\n    def health():\n        return {}\n\n    return app\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/{name}')\ndef one(name: str):\n    return {}\n\n@app.get('/health')\ndef health():\n    return {}\n",
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\napp = Starlette(routes=[\n    Route('/v1/{rest:path}', passed_on),\n    Route('/v1/health', health),\n])\n",
        "from aiohttp import web\napp = web.Application()\napp.router.add_post('/v1/chat/completions', chat)\n",
        "from flask import Flask\napp = Flask(__name__)\n\n@app.route('/v1/models')\ndef models():\n    return []\n",
        "from litestar import Litestar, get\n\n@get('/v1/models')\nasync def models() -> list:\n    return []\n\napp = Litestar([models])\n",
        "import uvicorn\nfrom fastapi import FastAPI\n\ndef create_app(settings):\n    app = FastAPI()\n\n    @app.get('/v1/models')\n    def models():\n        return settings\n\n    return app\n\nif __name__ == '__main__':\n    uvicorn.run(create_app({}))\n",
    ]
    silent = [
        "from fastapi import APIRouter, FastAPI\nfrom legacy import router as older\nrouter = APIRouter()\n\n@router.get('/v1/models')\ndef models():\n    return []\n\nfor route in older.routes:\n    router.routes.append(route)\n\napp = FastAPI()\napp.include_router(router)\n",
        "import aiohttp.web\n\nclass Pages:\n    def __init__(self, port):\n        app = aiohttp.web.Application()\n        app.router.add_get('/api/{rest:.*}', self.fetch)\n        aiohttp.web.run_app(app, host='localhost', port=port)\n\n    async def fetch(self, request): ...\n\nif __name__ == '__main__':\n    Pages(8080)\n",
        {
            "meeting/point.py": "from aiohttp import web\n\nclass Point:\n    async def start(self):\n        app = web.Application()\n        app.router.add_post('/meet', self.meet)\n        self.runner = web.AppRunner(app)\n        await self.runner.setup()\n        await web.TCPSite(self.runner, '0.0.0.0', 9000).start()\n\n    async def meet(self, request): ...\n",
            "meeting/__init__.py": "from meeting.point import Point\n",
        },
        {
            "things/simulator/door.py": "from fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/open')\ndef open_door():\n    return {}\n",
        },
        "import json\nprint(json.dumps({}))\n",
        "import nats\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=work)\n",
        "from fastapi import APIRouter\nrouter = APIRouter()\n\n@router.get('/v1/models')\ndef models():\n    return []\n",
        "import asyncio\nimport socket\nimport uvicorn\nfrom fastapi import FastAPI, Request\n\nasync def overhear(command):\n    seen = {}\n    app = FastAPI()\n\n    @app.post('/v1/messages')\n    async def take(request: Request):\n        seen.update(await request.json())\n        return {}\n\n    free = socket.socket()\n    free.bind(('', 0))\n    server = uvicorn.Server(uvicorn.Config(app, port=free.getsockname()[1]))\n    running = asyncio.create_task(server.serve())\n    await asyncio.create_subprocess_exec(*command)\n    server.should_exit = True\n    await running\n    return seen\n",
        "from contextlib import asynccontextmanager\nfrom aiohttp import web\n\n@asynccontextmanager\nasync def answering(token):\n    async def said(request):\n        return web.Response(text=token)\n    app = web.Application()\n    app.add_routes([web.get('/callback', said)])\n    runner = web.AppRunner(app)\n    await runner.setup()\n    yield runner\n    await runner.cleanup()\n",
        "from fastapi import FastAPI\nimport uvicorn\n\ndef show(page):\n    app = FastAPI()\n\n    @app.get('/')\n    def index():\n        return page\n\n    @app.get('/asyncapi.json')\n    def schema():\n        return {}\n\n    uvicorn.run(app)\n",
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\n\ndef overview(root, queues):\n    return Starlette(routes=[Route('/queues', show), Route('/queues/{queue}', show)])\n",
        "from fastapi import FastAPI\n\nclass App(FastAPI):\n    def __init__(self, **kwargs):\n        super().__init__(**kwargs)\n\n    def add_file(self, path, file):\n        @self.get(path)\n        def read():\n            return file\n\napp = App()\n\n@app.get('/_parts/{name}')\ndef part(name: str):\n    return name\n",
    ]

    def judge(self, service: Service) -> None:
        self.service, self.upkeep = service, Upkeep(service)
        units: dict[str, list[App]] = {}
        for app in service.apps:
            units.setdefault(service.unit(app.made.at.path), []).append(app)
        others = {service.unit(each.at.path): each for each in service.unread if each.why not in HARMLESS}
        for unit, apps in units.items():
            self.judge_apps(apps, others.get(unit))
        if not self.examined:
            for server in service.unread:
                self.leave(f"{server.at.path}:{server.at.line}: {server.why}")

    def judge_apps(self, apps: list[App], other: Doubt | None) -> None:
        """Those of one package, beside a server whose routes are not read."""
        probes = [(app, each) for app in apps for each in app.endpoints if each.is_probe]
        for _, each in probes:
            self.clear(each.route.at)
        probing = list(dict.fromkeys(app for app, _ in probes))
        working = [app for app in apps if app.works and not app.is_handed_out(self.service)]
        bare = [app for app in working if not any(self.are_tied(app, each) for each in probing)]
        if not bare:
            return
        doubts = [(each.at, each.why) for app in apps for each in app.doubts if each.about in {"routes", "app"}]
        doubts += [(each.route.at, "its path is no constant") for app in apps for each in app.endpoints if may_be(each)]
        doubts += [(other.at, other.why)] if other is not None else []
        doubts += [(app.made.at, "whether its health endpoint is there for another application too") for app in probing]
        told = [app for app in bare if not self.upkeep.untold(app)]
        doubts += [(app.made.at, self.upkeep.untold(app)) for app in bare if not told]
        for at, why in doubts[:1]:
            self.leave(f"{at.path}:{at.line}: {why}")
        for app in told if not doubts else ():
            self.flag(app.made.at, missing(app))

    def are_tied(self, one: App, two: App) -> bool:
        """Whether the file that makes one is that of the other, or imports it, by way of others too."""
        here, there = one.made.at.path, two.made.at.path
        return here == there or there in self.imported(here) or here in self.imported(there)

    def imported(self, path: str) -> set[str]:
        """The files of the project that a file brings in."""
        found: set[str] = set()
        pending = [path]
        while pending:
            new = self.service.imported.get(pending.pop(), set()) - found
            found |= new
            pending += new
        return found


def missing(app: App) -> str:
    """What to do for an application without a health endpoint that is answered."""
    for each in app.hidden:
        if each.endpoint.is_probe:
            before = f"{each.by.path} in line {each.by.route.at.line}"
            return f"{each.endpoint.path} is never asked, for {before} takes its path: move it before that"
    number = len(app.endpoints)
    return f"{number} routes, and none of them tells whether the service is alive or ready: add one for each"


def may_be(endpoint: Endpoint) -> bool:
    """Whether a route may be a health endpoint for all that can be read of it."""
    methods = set(endpoint.route.methods)
    if "MOUNT" in methods:
        return endpoint.path.strip("/") == ""
    told = methods & {"GET", "*"} if methods else {"GET"}
    return endpoint.path.endswith("*") and bool(told)

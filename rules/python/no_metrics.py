"""The service exposes no metrics.

Whoever runs it then learns from its users that it is slow or fails, and cannot tell since when, on which route or for
which model. Count requests, errors and latency by route, and serve them: a Prometheus endpoint on `/metrics`, or an
OpenTelemetry meter with an exporter.

Judged by what is served or sent: counters that nobody can read do not count, nor does an import. Whether a route for
statistics tells of requests cannot be read. A library has no place for it: it subscribes, or makes an application, for who
uses it. What only this machine reaches, or no program of the project gets to, is left open.
"""

import re

from readiness.scan import Service, ServiceRule
from readiness.scan.service.facts import Use
from readiness.scan.service.service import Endpoint
from readiness.scan.service.traffic import begins
from readiness.scan.service.upkeep import Upkeep

SENDING = (
    "statsd", "datadog", "ddtrace", "newrelic", "elasticapm", "logfire", "opentelemetry.sdk.metrics.MeterProvider",
    "opentelemetry.distro", "azure.monitor.opentelemetry",
)  # fmt: skip
"""Libraries that send what they count."""
FRONTS = (
    "prometheus_client", "starlette_exporter", "starlette_prometheus", "prometheus_fastapi_instrumentator", "aioprometheus",
    "prometheus_flask_exporter", "aiohttp_prometheus", "litestar.plugins.prometheus", "litestar.contrib.prometheus",
)  # fmt: skip
"""Libraries of which something that is routed or mounted serves metrics."""
SERVERS = {
    "start_http_server", "start_wsgi_server", "expose", "push_to_gateway", "pushadd_to_gateway", "PrometheusMetrics",
    "GunicornPrometheusMetrics", "Service",
}  # fmt: skip
"""What of these serves or pushes by itself."""
WITHOUT = ("FastMCP are not read", "websockets are not read", "Gradio are not read")
"""Servers that are not read, but do not serve metrics by themselves."""
STATISTICS = re.compile(r"(?:stats|statistics)|(?:get|api|call|request|usage)_(?:\w+_)?(?:stats|statistics)")
WRITERS = {"generate_latest", "exposition", "render"}
"""What of these makes the text that a route answers."""


class Rule(ServiceRule):
    item = "metrics"
    good = [
        "from fastapi import FastAPI\nfrom prometheus_client import make_asgi_app\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\napp.mount('/metrics', make_asgi_app())\n",
        "from fastapi import FastAPI, Response\nfrom prometheus_client import generate_latest\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\n@app.get('/stats')\ndef stats():\n    return Response(generate_latest())\n",
        "from fastapi import FastAPI\nfrom prometheus_fastapi_instrumentator import Instrumentator\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\nInstrumentator().instrument(app).expose(app)\n",
        "import asyncio\nimport nats\nfrom prometheus_client import start_http_server\n\nasync def handle(msg):\n    await msg.respond(b'')\n\nasync def main():\n    start_http_server(9000)\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=handle)\n    await asyncio.Event().wait()\n\nif __name__ == '__main__':\n    asyncio.run(main())\n",
    ]
    bad = [
        "from fastapi import FastAPI\nfrom fastapi.responses import Response\nfrom prometheus_client import generate_latest\napp = FastAPI()\n\n@app.get('/{path:path}')\ndef pages(path: str):\n    return 'index'\n\n@app.get('/metrics')\ndef metrics():\n    return Response(generate_latest())\n",
        "from fastapi import FastAPI\nimport prometheus_client\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    # /metrics\n    return []\n",
        "from fastapi import FastAPI\nfrom prometheus_client import Counter\napp = FastAPI()\nASKED = Counter('asked', 'requests')\n\n@app.get('/v1/models')\ndef models():\n    ASKED.inc()\n    return []\n",
        "import asyncio\nimport nats\n\nasync def handle(msg):\n    await msg.respond(b'')\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=handle)\n    await asyncio.Event().wait()\n\nasyncio.run(main())\n",
        "import asyncio\nimport nats\n\nclass Worker:\n    async def start(self):\n        self.nc = await nats.connect()\n        await self.nc.subscribe('work', cb=self.take)\n\n    async def take(self, msg):\n        await msg.respond(msg.data)\n\nasync def main():\n    worker = Worker()\n    await worker.start()\n    await asyncio.Event().wait()\n\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/cache/stats')\ndef stats():\n    return {}\n",
        "from fastapi import FastAPI, Request, Response\nfrom httpx import AsyncClient\napp = FastAPI()\nclient = AsyncClient(base_url='http://upstream')\n\n@app.api_route('/{path:path}', methods=['GET', 'POST', 'OPTIONS'])\nasync def proxy(path: str, request: Request):\n    reply = await client.request(request.method, path, content=await request.body())\n    return Response(reply.content, reply.status_code)\n",
    ]
    silent = [
        "import uvicorn\nfrom starlette.applications import Starlette\nfrom starlette.responses import JSONResponse\nfrom starlette.routing import Route\n\nasync def models(request):\n    return JSONResponse([])\n\ndef application(more):\n    return Starlette(routes=[Route('/v1/models', models), *more])\n\ndef main(plugins):\n    uvicorn.run(application(plugins))\n",
        {
            "peers/meet.py": "from aiohttp import web\n\nclass Meeting:\n    def __init__(self):\n        self.app = web.Application()\n        self.app.router.add_post('/hello', self.hello)\n\n    async def hello(self, request):\n        return web.json_response({})\n",
            "peers/__init__.py": "from peers.meet import Meeting\n",
        },
        "import asyncio\nimport nats\n\nasync def show(msg):\n    print(msg.data)\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('news', cb=show)\n    await nc.publish('news', b'once')\n    await nc.drain()\n\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        "from aiohttp import web\n\ndef preview():\n    app = web.Application()\n    app.router.add_get('/pages', pages)\n    web.run_app(app, host='localhost')\n\nasync def pages(request):\n    return web.json_response([])\n",
        "from prometheus_client import Counter\nprint(Counter('a', 'b'))\n",
        "import asyncio\nimport nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect()\n\n    async def listen(self, subject, handler):\n        async def taken(msg):\n            await handler(msg.data)\n        await self.nc.subscribe(subject, cb=taken)\n\n    def run(self):\n        asyncio.run(self.start())\n",
        "from fastapi import FastAPI, Request\n\nclass Driver:\n    def __init__(self):\n        self.app = FastAPI()\n\n    def listen(self, spec):\n        async def take(request: Request):\n            return await spec.handle(await request.json())\n        self.app.add_api_route(spec.path, take, methods=[spec.method])\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\n@app.get('/stats')\ndef stats():\n    return {'requests': 3, 'mean': 0.2}\n",
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\n\ndef overview(root, queues):\n    return Starlette(routes=[Route('/queues', show), Route('/queues/{queue}', show)])\n",
        "from fastapi import FastAPI\n\nclass App(FastAPI):\n    def __init__(self, **kwargs):\n        super().__init__(**kwargs)\n\n    def add_file(self, path, file):\n        @self.get(path)\n        def read():\n            return file\n\napp = App()\n\n@app.get('/_parts/{name}')\ndef part(name: str):\n    return name\n",
    ]

    def judge(self, service: Service) -> None:
        upkeep = Upkeep(service)
        found = [each.route.at for each in service.endpoints if is_metrics(each)]
        found += [
            each.at for each in upkeep.used((*SENDING, *FRONTS)) if is_sent(each) or (is_app(each) and not service.apps)
        ]
        if not upkeep.places:
            for reason in upkeep.open:
                self.leave(reason)
            return
        for at in found:
            self.clear(at)
        unread = any(not each.why.endswith(WITHOUT) for each in service.unread)
        if not found and (
            unread or upkeep.set_up_elsewhere("metric", "telemetry", "otel", "observab", "prometheus", "monitor")
        ):
            self.leave("what may serve or send metrics is not read")
            return
        doubts = [each for app in service.apps for each in app.doubts if each.about in {"routes", "app"}]
        if doubts and not found:
            self.leave(f"{doubts[0].at.path}:{doubts[0].at.line}: {doubts[0].why}")
            return
        told = {app.made.at for app in service.apps if any(map(is_statistics, app.endpoints))} if not found else set()
        for at in sorted(told, key=lambda at: (at.path, at.line)):
            self.leave(f"{at.path}:{at.line}: whether its statistics are those of its requests cannot be read")
        for at in upkeep.places if not found else ():
            if at in told:
                continue
            self.flag(
                at,
                "no route, exporter or server tells how many requests there are, how many fail and how long they take: count them by route",
            )


def is_metrics(endpoint: Endpoint) -> bool:
    """Whether a route hands metrics out."""
    if endpoint.path.rstrip("/").lower().rpartition("/")[2] in {"metrics", "prometheus"}:
        return True
    calls = [origin for each in endpoint.functions for origin, _ in each.calls]
    return any(begins(each, FRONTS) for each in endpoint.route.handlers) or any(
        begins(each, FRONTS) and each.rpartition(".")[2] in WRITERS for each in calls
    )


def is_statistics(endpoint: Endpoint) -> bool:
    """Whether a route hands counts of something out."""
    outer, _, last = endpoint.path.strip("/").lower().rpartition("/")
    if last in {"stats", "statistics"} and "/" in outer:
        return False  # those of one thing
    return STATISTICS.fullmatch(last) is not None and "WEBSOCKET" not in endpoint.route.methods


def is_app(use: Use) -> bool:
    """Whether it is an application that serves metrics; where it is mounted in a broker's application is not read."""
    return use.origin.endswith((".make_asgi_app", ".make_wsgi_app"))


def is_sent(use: Use) -> bool:
    """Whether a call serves metrics, or sends them away."""
    return begins(use.origin, SENDING) or use.origin.rpartition(".")[2] in SERVERS

"""Requests are not traced.

A slow or failed answer then cannot be followed through the gateway to the upstream that caused it, and the traces of
those who call the service end at its door. Apply OpenTelemetry's instrumentation to the application and to its clients,
or hand the header `traceparent` on, with a new span id, to the upstream and to NATS.

Judged by what is applied: an import of an instrumentation, or a header that always has the same value, does not count.
What only this machine reaches, or no program of the project gets to, is left open, as is a worker whose messages carry an
id of a trace in a form of its own.
"""

from readiness.model import Location
from readiness.scan import Service, ServiceRule
from readiness.scan.service.facts import Use
from readiness.scan.service.traffic import begins
from readiness.scan.service.upkeep import Upkeep

TRACERS = ("opentelemetry", "ddtrace", "logfire", "sentry_sdk", "newrelic", "elasticapm", "aws_xray_sdk", "azure.monitor",
           "litestar.plugins.opentelemetry", "litestar.contrib.opentelemetry", "faststream.opentelemetry", "faststream.nats.opentelemetry", "traceloop")  # fmt: skip
APPLYING = {
    "instrument", "instrument_app", "OpenTelemetryMiddleware", "OpenTelemetryMiddlewareInstrumentor", "inject", "extract", "patch",
    "patch_all", "initialize", "ElasticAPM", "make_apm_client", "configure_azure_monitor", "OpenTelemetryConfig", "OpenTelemetryPlugin",
    "NatsTelemetryMiddleware", "TelemetryMiddleware", "TraceMiddleware", "XRayMiddleware", "start_as_current_span", "start_span",
    "WSGIApplicationWrapper", "ASGIApplicationWrapper",
}  # fmt: skip
"""What of these makes a span of a request, or hands one on."""
OF_MODELS = ("langfuse",)
"""What traces calls of models, on spans of its own; whether a request is among them cannot be told."""
SAMPLES = {"traces_sample_rate", "traces_sampler"}


class Rule(ServiceRule):
    item = "tracing"
    good = [
        "from fastapi import FastAPI\nfrom opentelemetry.instrumentation.fastapi import FastAPIInstrumentor\napp = FastAPI()\nFastAPIInstrumentor.instrument_app(app)\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from fastapi import FastAPI\nfrom opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware\napp = FastAPI()\napp.add_middleware(OpenTelemetryMiddleware)\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import sentry_sdk\nfrom fastapi import FastAPI\nsentry_sdk.init(dsn='x', traces_sample_rate=0.1)\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import httpx\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n\n@app.post('/v1/ask')\nasync def ask(request: Request):\n    traced = {'traceparent': request.headers.get('traceparent', '')}\n    async with httpx.AsyncClient() as client:\n        return (await client.post('https://up/x', headers=traced)).json()\n",
    ]
    bad = [
        "from fastapi import FastAPI\nfrom opentelemetry.instrumentation.fastapi import FastAPIInstrumentor\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/v1/ask')\nasync def ask():\n    async with httpx.AsyncClient() as client:\n        return (await client.post('https://up/x', headers={'traceparent': '00-1-1-00'})).json()\n",
        "import sentry_sdk\nfrom fastapi import FastAPI\nsentry_sdk.init(dsn='x')\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import asyncio\nimport nats\n\nclass Worker:\n    async def start(self):\n        self.nc = await nats.connect()\n        await self.nc.subscribe('work', cb=self.take)\n\n    async def take(self, msg):\n        await msg.respond(msg.data)\n\nasync def main():\n    worker = Worker()\n    await worker.start()\n    await asyncio.Event().wait()\n\nif __name__ == '__main__':\n    asyncio.run(main())\n",
    ]
    silent = [
        {
            "peers/meet.py": "from aiohttp import web\n\nclass Meeting:\n    def __init__(self):\n        self.app = web.Application()\n        self.app.router.add_post('/hello', self.hello)\n\n    async def hello(self, request):\n        return web.json_response({})\n",
            "peers/__init__.py": "from peers.meet import Meeting\n",
        },
        {
            "tap/tap.py": "import asyncio\nimport nats\n\nclass Tap:\n    async def start(self):\n        self.nc = await nats.connect()\n        await self.nc.subscribe('>', cb=self.take)\n        await asyncio.Event().wait()\n\n    async def take(self, msg):\n        print(msg.data)\n\nif __name__ == '__main__':\n    asyncio.run(Tap().start())\n",
            "tap/__main__.py": "import argparse\nargparse.ArgumentParser().parse_args()\n",
        },
        "import asyncio\nimport nats\n\nasync def show(msg):\n    print(msg.data)\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('news', cb=show)\n    await nc.publish('news', b'once')\n    await nc.drain()\n\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        "from aiohttp import web\n\ndef preview():\n    app = web.Application()\n    app.router.add_get('/pages', pages)\n    web.run_app(app, host='localhost')\n\nasync def pages(request):\n    return web.json_response([])\n",
        "import asyncio\nimport json\nimport nats\n\nasync def take(msg):\n    job = json.loads(msg.data)\n    await msg.respond(json.dumps({'trace_id': job['trace_id']}).encode())\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('jobs', cb=take)\n    await asyncio.Event().wait()\n\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        "from opentelemetry import trace\ntrace.get_tracer('x').start_span('y')\n",
        "import asyncio\nimport nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect()\n\n    async def listen(self, subject, handler):\n        async def taken(msg):\n            await handler(msg.data)\n        await self.nc.subscribe(subject, cb=taken)\n\n    def run(self):\n        asyncio.run(self.start())\n",
        "from fastapi import FastAPI, Request\n\nclass Driver:\n    def __init__(self):\n        self.app = FastAPI()\n\n    def listen(self, spec):\n        async def take(request: Request):\n            return await spec.handle(await request.json())\n        self.app.add_api_route(spec.path, take, methods=[spec.method])\n",
        "from fastapi import FastAPI\nfrom langfuse import observe\napp = FastAPI()\n\n@observe()\ndef ask(prompt):\n    return prompt\n\n@app.post('/v1/ask')\ndef answer(body: dict):\n    return ask(body)\n",
        "from fastapi import FastAPI\nfrom balancing.spans import process_tracing_init\napp = FastAPI()\nprocess_tracing_init('http://collector')\n\n@app.post('/v1/ask')\ndef answer(body: dict):\n    return body\n",
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\n\ndef overview(root, queues):\n    return Starlette(routes=[Route('/queues', show), Route('/queues/{queue}', show)])\n",
        "from fastapi import FastAPI\n\nclass App(FastAPI):\n    def __init__(self, **kwargs):\n        super().__init__(**kwargs)\n\n    def add_file(self, path, file):\n        @self.get(path)\n        def read():\n            return file\n\napp = App()\n\n@app.get('/_parts/{name}')\ndef part(name: str):\n    return name\n",
    ]

    def judge(self, service: Service) -> None:
        upkeep = Upkeep(service)
        found = [each.at for each in upkeep.used(TRACERS) if is_applied(each)]
        found += [
            layer.at
            for app in service.apps
            for layer in app.layers
            if any(begins(ref, TRACERS) for ref in service.resolve(layer.what))
        ]
        found += [
            each.at for each in upkeep.habits("traceparent") if not each.function or each.function in upkeep.led_to
        ]
        found += spans(upkeep)
        if not upkeep.places:
            for reason in upkeep.open:
                self.leave(reason)
            return
        for at in found:
            self.clear(at)
        if not found and (
            upkeep.used(OF_MODELS) or upkeep.set_up_elsewhere("trac", "telemetry", "otel", "observab", "monitor")
        ):
            self.leave("what may trace requests is not read")
            return
        if not (found or upkeep.apps) and any(each.function in upkeep.led_to for each in upkeep.habits("trace-id")):
            self.leave("an id of a trace is handed on: whether spans are made with it cannot be read")
            return
        for at in upkeep.places if not found else ():
            self.flag(
                at,
                "no span is made of a request, and no trace of the caller is handed on: make one, and hand traceparent on",
            )


def spans(upkeep: Upkeep) -> list[Location]:
    """Where spans are made by hand, by a tracer that is given by something."""
    if not any(each.origin.rpartition(".")[2] in {"get_tracer", "TracerProvider"} for each in upkeep.used(TRACERS)):
        return []
    made = {".start_as_current_span", ".start_span"}
    return [each.at for each in upkeep.led_to.values() if made & each.to]


def is_applied(use: Use) -> bool:
    """Whether a call makes spans of requests, or hands a trace on."""
    last = use.origin.rpartition(".")[2]
    if use.origin.startswith("logfire"):
        return last.startswith("instrument")
    if use.origin.startswith("sentry_sdk"):
        return any(name in SAMPLES and value not in {"0", "0.0", "None"} for name, value in use.given)
    return last in APPLYING

"""Requests are not traced.

A slow or failed answer then cannot be followed through the gateway to the upstream that caused it, and the traces of
those who call the service end at its door. Apply OpenTelemetry's instrumentation to the application and to its clients,
or hand the header `traceparent` on, with a new span id, to the upstream and to NATS.

Judged by what is applied: an import of an instrumentation, or a header that always has the same value, does not count.
"""

from readiness.model import Location
from readiness.scan import Service, ServiceRule
from readiness.scan.facts import Use
from readiness.scan.traffic import begins
from readiness.scan.upkeep import Upkeep

TRACERS = ("opentelemetry", "ddtrace", "logfire", "sentry_sdk", "newrelic", "elasticapm", "aws_xray_sdk", "azure.monitor",
           "litestar.plugins.opentelemetry", "litestar.contrib.opentelemetry", "faststream.opentelemetry", "faststream.nats.opentelemetry", "traceloop")  # fmt: skip
APPLYING = {
    "instrument", "instrument_app", "OpenTelemetryMiddleware", "OpenTelemetryMiddlewareInstrumentor", "inject", "extract", "patch",
    "patch_all", "initialize", "ElasticAPM", "make_apm_client", "configure_azure_monitor", "OpenTelemetryConfig", "OpenTelemetryPlugin",
    "NatsTelemetryMiddleware", "TelemetryMiddleware", "TraceMiddleware", "XRayMiddleware", "start_as_current_span", "start_span",
    "WSGIApplicationWrapper", "ASGIApplicationWrapper",
}  # fmt: skip
"""What of these makes a span of a request, or hands one on."""
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
    ]
    silent = ["from opentelemetry import trace\ntrace.get_tracer('x').start_span('y')\n"]

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
            return
        for at in found:
            self.clear(at)
        if not found and upkeep.set_up_elsewhere("trac", "telemetry", "otel", "observab", "monitor"):
            self.leave("what may trace requests is not read")
            return
        for at in upkeep.places if not found else ():
            self.flag(at, "no span is made of a request, and no trace of the caller is handed on")


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

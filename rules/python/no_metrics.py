"""The service exposes no metrics.

Whoever runs it then learns from its users that it is slow or fails, and cannot tell since when, on which route or for
which model. Count requests, errors and latency by route, and serve them: a Prometheus endpoint on `/metrics`, or an
OpenTelemetry meter with an exporter.

Judged by what is served or sent: counters that nobody can read do not count, nor does an import.
"""

from readiness.scan import Service, ServiceRule
from readiness.scan.facts import Use
from readiness.scan.service import Endpoint
from readiness.scan.traffic import begins
from readiness.scan.upkeep import Upkeep

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
WRITERS = {"generate_latest", "exposition", "render"}
"""What of these makes the text that a route answers."""


class Rule(ServiceRule):
    item = "metrics"
    good = [
        "from fastapi import FastAPI\nfrom prometheus_client import make_asgi_app\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\napp.mount('/metrics', make_asgi_app())\n",
        "from fastapi import FastAPI, Response\nfrom prometheus_client import generate_latest\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\n@app.get('/stats')\ndef stats():\n    return Response(generate_latest())\n",
        "from fastapi import FastAPI\nfrom prometheus_fastapi_instrumentator import Instrumentator\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\nInstrumentator().instrument(app).expose(app)\n",
        "import nats\nfrom prometheus_client import start_http_server\n\nasync def handle(msg):\n    await msg.respond(b'')\n\nasync def main():\n    start_http_server(9000)\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=handle)\n\nif __name__ == '__main__':\n    main()\n",
    ]
    bad = [
        "from fastapi import FastAPI\nimport prometheus_client\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    # /metrics\n    return []\n",
        "from fastapi import FastAPI\nfrom prometheus_client import Counter\napp = FastAPI()\nASKED = Counter('asked', 'requests')\n\n@app.get('/v1/models')\ndef models():\n    ASKED.inc()\n    return []\n",
        "import asyncio\nimport nats\n\nasync def handle(msg):\n    await msg.respond(b'')\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=handle)\n\nasyncio.run(main())\n",
    ]
    silent = ["from prometheus_client import Counter\nprint(Counter('a', 'b'))\n"]

    def judge(self, service: Service) -> None:
        upkeep = Upkeep(service)
        found = [each.route.at for each in service.endpoints if is_metrics(each)]
        found += [
            each.at for each in upkeep.used((*SENDING, *FRONTS)) if is_sent(each) or (is_app(each) and not service.apps)
        ]
        if not upkeep.places:
            return
        for at in found:
            self.clear(at)
        unread = any(not each.why.endswith(WITHOUT) for each in service.unread)
        if not found and (
            unread or upkeep.set_up_elsewhere("metric", "telemetry", "otel", "observab", "prometheus", "monitor")
        ):
            self.leave("what may serve or send metrics is not read")
            return
        for at in upkeep.places if not found else ():
            self.flag(
                at,
                "no route, exporter or server tells how many requests there are, how many fail and how long they take",
            )


def is_metrics(endpoint: Endpoint) -> bool:
    """Whether a route hands metrics out."""
    if endpoint.path.rstrip("/").lower().rpartition("/")[2] in {"metrics", "prometheus"}:
        return True
    calls = [origin for each in endpoint.functions for origin, _ in each.calls]
    return any(begins(each, FRONTS) for each in endpoint.route.handlers) or any(
        begins(each, FRONTS) and each.rpartition(".")[2] in WRITERS for each in calls
    )


def is_app(use: Use) -> bool:
    """Whether it is an application that serves metrics; where it is mounted in a broker's application is not read."""
    return use.origin.endswith((".make_asgi_app", ".make_wsgi_app"))


def is_sent(use: Use) -> bool:
    """Whether a call serves metrics, or sends them away."""
    return begins(use.origin, SENDING) or use.origin.rpartition(".")[2] in SERVERS

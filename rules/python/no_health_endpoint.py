"""The service has no health endpoint.

An orchestrator then restarts nothing that hangs and sends requests to what is not ready, and a load balancer keeps a dead
instance. Answer GET on a path of its own: one for being alive (`/livez`), which asks nobody else, and one for being ready
(`/readyz`), which tells whether what the service depends on was there a moment ago.

Judged over the routes that an application really answers: those of a router that is never included do not count, nor
does a function called `health`.
"""

from readiness.scan import Service, ServiceRule
from readiness.scan.service import App


class Rule(ServiceRule):
    item = "health-endpoint"
    good = [
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n\n@app.get('/healthz')\ndef healthz():\n    return {}\n",
    ]
    bad = [
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
    ]
    silent = ["import json\nprint(json.dumps({}))\n"]

    def judge(self, service: Service) -> None:
        for app in service.apps:
            self.judge_app(app)

    def judge_app(self, app: App) -> None:
        probes = [each for each in app.endpoints if each.is_probe]
        for each in probes:
            self.clear(each.route.at)
        if not probes and any(not each.is_side for each in app.endpoints):
            self.flag(app.made.at, f"{len(app.endpoints)} routes, and none of them tells how the service is")

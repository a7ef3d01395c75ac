"""An unknown model or provider ends in a server error.

The name in the request is the key of a table; a name that is not in it raises KeyError, and the client is told 500, retries
and pages somebody. Ask whether the name is known and answer 404 or 400 that says which ones are.

Judged over the routes of completions and all that their handlers lead to. Where no table is asked by the name of a model or
provider, how one is chosen cannot be read.
"""

from readiness.scan import Service, ServiceRule
from readiness.scan.service.service import COMPLETIONS, Endpoint

TELLING = {400, 404, 422}


class Rule(ServiceRule):
    item = "unknown-provider"
    good = [
        "from fastapi import FastAPI, HTTPException\napp = FastAPI()\nPROVIDERS = {'a': ask_a, 'b': ask_b}\n\n@app.post('/v1/chat/completions')\nasync def chat(body: Chat):\n    if body.model not in PROVIDERS:\n        raise HTTPException(404, f'known are {sorted(PROVIDERS)}')\n    return await PROVIDERS[body.model](body)\n",
        {
            "app/main.py": "from fastapi import FastAPI\nfrom app.registry import provider_of\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: Chat):\n    return await provider_of(body.model).complete(body)\n",
            "app/registry.py": "from fastapi import HTTPException\nPROVIDERS = {}\n\ndef provider_of(model):\n    try:\n        return PROVIDERS[model]\n    except KeyError:\n        raise HTTPException(status_code=404, detail='unknown model') from None\n",
        },
        "from aiohttp import web\nMODELS = {'a': 1}\n\nasync def chat(request):\n    body = await request.json()\n    found = MODELS.get(body['model'])\n    if found is None:\n        raise web.HTTPNotFound()\n    return web.json_response(found)\n\napp = web.Application()\napp.router.add_post('/v1/chat/completions', chat)\n",
        "from fastapi import FastAPI, HTTPException\napp = FastAPI()\n\nclass Table:\n    def __init__(self):\n        self.own: dict[str, object] = {}\n\n    def find(self, provider_id):\n        if provider_id in getattr(self, 'own', {}):\n            return self.own[provider_id]\n        raise HTTPException(404, 'unknown provider')\n\ntable = Table()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: Chat):\n    return await table.find(body.provider_id).complete(body)\n",
    ]
    bad = [
        "from fastapi import FastAPI\napp = FastAPI()\nPROVIDERS = {'a': ask_a, 'b': ask_b}\n\n@app.post('/v1/chat/completions')\nasync def chat(body: Chat):\n    return await PROVIDERS[body.model](body)\n",
        {
            "app/main.py": "from fastapi import FastAPI\nfrom app.registry import Registry\napp = FastAPI()\nregistry = Registry()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: Chat):\n    return await registry.provider_of(body.model).complete(body)\n",
            "app/registry.py": "class Registry:\n    def __init__(self):\n        self.providers: dict[str, object] = {}\n    def provider_of(self, model):\n        return self.providers[model]\n",
        },
        "from flask import Flask, request\napp = Flask(__name__)\nMODELS = dict(a=1)\n\n@app.post('/v1/chat/completions')\ndef chat():\n    model = request.get_json()['model']\n    return MODELS[model]\n",
    ]
    silent = [
        "from fastapi import FastAPI\napp = FastAPI()\nPRICES = {}\n\n@app.get('/v1/prices/{model}')\ndef price(model: str):\n    return PRICES[model]\n",
        "PROVIDERS = {}\n\ndef provider_of(model):\n    return PROVIDERS[model]\n",
        "import nats\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=work)\n",
    ]

    def judge(self, service: Service) -> None:
        for each in service.endpoints:
            if each.path.lower().rstrip("/").endswith(COMPLETIONS) and (
                not each.route.methods or "POST" in each.route.methods
            ):
                self.judge_endpoint(service, each)

    def judge_endpoint(self, service: Service, endpoint: Endpoint) -> None:
        at = endpoint.route.at
        led_to = {each.key for each in endpoint.functions}
        lookups = [each for each in service.lookups if each.function in led_to]
        bare = service.bare_reach(endpoint.route.handlers)
        open_ones = [each for each in lookups if each.how == "bare" and each.function in bare]
        if open_ones and not self.is_handled(service):
            for each in open_ones:
                self.flag(
                    each.at,
                    f"a name that is not in the table raises KeyError, and {endpoint.path} answers 500: answer 404",
                )
        elif any(each.how == "sure" for each in lookups) and any(
            status in TELLING and how == "own" for each in endpoint.functions for status, _, how in each.answers
        ):
            self.clear(at)
        else:
            self.leave(f"{at.path}:{at.line}: how a model or provider is chosen cannot be read")

    def is_handled(self, service: Service) -> bool:
        """Whether an application answers a KeyError, or every exception, by a function of its own."""
        return any(
            hook.kind == "error" and hook.of in {"KeyError", "LookupError", "Exception", ""}
            for app in service.apps
            for hook in app.hooks
        )

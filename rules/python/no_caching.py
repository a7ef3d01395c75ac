"""Identical completions are asked for again and paid for again.

A prompt with temperature 0 has the same answer each time; kept for some minutes it costs no model call and comes at
once. Keep answers of deterministic requests under a digest of the whole request and of who asked, with a bound on
their number and age, and honour `Cache-Control: no-store`.

Judged on the way from the completions routes to the model: a cache of settings, clients or model lists does not count.
"""

from collections.abc import Collection

from readiness.scan import Service, ServiceRule
from readiness.scan.service.service import COMPLETIONS, Endpoint
from readiness.scan.service.traffic import CACHES, begins
from readiness.scan.service.upkeep import Upkeep, is_request

LIBRARIES = tuple(each for each in CACHES if not each.startswith("functools"))
OF_MODELS = ("gptcache", "litellm.Cache", "litellm.caching", "litellm.enable_cache", "langchain.globals.set_llm_cache",
             "langchain_core.globals.set_llm_cache", "hishel", "requests_cache", "aiohttp_client_cache")  # fmt: skip
"""Caches of model calls, or of HTTP as a whole."""


class Rule(ServiceRule):
    item = "caching"
    good = [
        "import openai\nfrom aiocache import cached\nfrom fastapi import FastAPI\napp = FastAPI()\nclient = openai.AsyncOpenAI()\n\n@cached(ttl=60)\nasync def ask(prompt):\n    return await client.chat.completions.create(model='m', messages=[prompt], temperature=0)\n\n@app.post('/v1/chat/completions')\nasync def chat(prompt: dict):\n    return await ask(prompt)\n",
        "import hashlib\nimport json\nimport openai\nfrom fastapi import FastAPI\napp = FastAPI()\nclient = openai.AsyncOpenAI()\n\nclass Answers:\n    def __init__(self):\n        self.kept = {}\n\n    async def ask(self, body):\n        key = hashlib.sha256(json.dumps(body).encode()).hexdigest()\n        if (known := self.kept.get(key)) is not None:\n            return known\n        answer = await client.chat.completions.create(**body)\n        self.kept[key] = answer\n        return answer\n\nanswers = Answers()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return await answers.ask(body)\n",
    ]
    bad = [
        "from functools import lru_cache\nimport openai\nfrom fastapi import FastAPI\nfrom aiocache import cached\napp = FastAPI()\n\n@lru_cache\ndef settings():\n    return {}\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    settings()\n    client = openai.AsyncOpenAI()\n    return await client.chat.completions.create(**body)\n",
    ]
    silent = [
        "from fastapi import FastAPI\napp = FastAPI()\n\ndef chain(guards, handler):\n    for guard in guards:\n        handler = guard(handler)\n    return handler\n\ndef serve(guards, handler):\n    answer = chain(guards, handler)\n\n    @app.post('/v1/chat/completions')\n    async def chat(body: dict):\n        return await answer(body)\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import redis\nimport openai\nfrom fastapi import FastAPI\napp = FastAPI()\nstore = redis.Redis()\n\n@app.post('/v1/chat/completions')\ndef chat(body: dict):\n    store.set('last', '1')\n    if store.get('x' + body['model']):\n        return {}\n    return openai.OpenAI().chat.completions.create(**body)\n",
        "import litellm\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/api/settings/try_out')\ndef try_out(body: dict):\n    return litellm.completion(model=body['model'], api_key=body['key'], messages=[{'role': 'user', 'content': 'OK?'}])\n",
        "from fastapi import FastAPI\nfrom openai import AsyncOpenAI\napp = FastAPI()\nclient = AsyncOpenAI()\n\n@app.post('/api/v1/prompts/chat')\nasync def improve(body: dict):\n    reply = await client.chat.completions.create(model='m', messages=body['turns'])\n    return {'template': reply.choices[0].message.content}\n",
    ]

    def judge(self, service: Service) -> None:
        upkeep = Upkeep(service)
        for app in service.apps:
            routes = [each for each in app.endpoints if each.completes]
            others = (
                upkeep.reached(ref for each in app.endpoints if not each.completes for ref in each.route.handlers)
                if routes
                else {}
            )
            kept = [each for each in routes if is_kept(each, upkeep, others.keys())]
            for each in kept:
                self.clear(each.route.at)
            if not routes or kept or any(is_unclear(each, upkeep) for each in routes):
                continue
            first = min(routes, key=lambda each: not each.path.lower().endswith(COMPLETIONS))
            if any(asks(key, upkeep) for each in routes for key in way(each)):
                self.flag(
                    first.route.at,
                    "an identical request with temperature 0 asks the model again each time: keep its answer for a while",
                )
            else:
                at = first.route.at
                self.leave(f"{at.path}:{at.line}: the way from {first.path} to the model cannot be read")


def is_kept(endpoint: Endpoint, upkeep: Upkeep, others: Collection[str]) -> bool:
    """Whether answers are kept on the way to the model. What `others` lead to as well keeps something else."""
    if upkeep.used(OF_MODELS):
        return True
    functions = (*endpoint.functions, *endpoint.before)
    called = {ref for each in functions for ref in each.to} | set(endpoint.route.handlers)
    near = {each.key for each in functions if called & {each.key, f".{each.key[:-1].rpartition('.')[2]}"}} - set(others)
    if any(each.function in near for each in upkeep.habits("kept")):
        return True
    decorated = [each for each in upkeep.habits("wrapped") if any(begins(ref, CACHES) for ref in each.what)]
    if any(each.function in near and asks(each.function, upkeep) for each in decorated):
        return True
    stores = {each.at.path for each in upkeep.used(LIBRARIES) if each.function in near}
    return any(each.function in near and each.at.path in stores for each in upkeep.habits("digest"))


def way(endpoint: Endpoint) -> set[str]:
    """The functions from a route on, by key."""
    return {each.key for each in (*endpoint.functions, *endpoint.before)}


def asks(function: str, upkeep: Upkeep) -> bool:
    """Whether a function leads to a model or to an upstream."""
    below = upkeep.below(function)
    return any(each.asks_model for each in below.values()) or any(
        is_request(each.origin) and each.function in below for each in upkeep.service.upstream
    )


def is_unclear(endpoint: Endpoint, upkeep: Upkeep) -> bool:
    """Whether a store is used on the way, for who knows what."""
    keys = way(endpoint)
    return any(each.function in keys for each in upkeep.used(LIBRARIES)) or any(
        begins(origin, LIBRARIES) for each in (*endpoint.functions, *endpoint.before) for origin, _ in each.calls
    )

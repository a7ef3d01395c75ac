"""A lost upstream call is not tried again.

One connection that was reset, or one 503 while the upstream restarts, then becomes an error of the client, who would not
have noticed a second try. Try again a few times, with a growing and random pause, honour Retry-After, and never after
parts of an answer were sent on. Clients of language models mostly do so by themselves, until `max_retries=0`.

Flagged once a service, at the first of the calls that completions or at least one route in ten lead to, and only where
most of them are not tried again. A call whose failure is answered with nothing, so that the work goes on without it, does
not count.
"""

from readiness.scan import Service, ServiceRule
from readiness.scan.service.facts import Habit, Use
from readiness.scan.service.traffic import CLIENTS, MODELS, RETRIES, begins
from readiness.scan.service.upkeep import Upkeep

BY_THEMSELVES = (
    "openai", "anthropic", "groq", "together", "cohere", "langchain", "llama_index", "instructor", "pydantic_ai", "vertexai",
    "google.generativeai", "boto3", "botocore", "aiobotocore", "aioboto3",
)  # fmt: skip
"""Clients that try again until told not to."""
BARE = (*(each for each in CLIENTS if not begins(each, (*BY_THEMSELVES, "grpc"))), "ollama")
"""Clients that do not."""
WRAPPING = tuple(each for each in RETRIES if not begins(each, ("urllib3", "requests", "httpx_retries")))
MOST = 0.75
"""The share of calls from which on a service counts as one that does not try again."""
NONE = {"0", "None", "False"}
TRANSPORTS = {f"{module}.{name}" for module in ("httpx", "httpx2") for name in ("HTTPTransport", "AsyncHTTPTransport")}
ADAPTERS = {"requests.adapters.HTTPAdapter", "requests.HTTPAdapter", "urllib3.PoolManager"}
HANDLING = ("handle_async_request>", "handle_request>")
"""Methods of a transport of one's own."""


class Rule(ServiceRule):
    item = "connection-retry"
    good = [
        "import httpx\nfrom fastapi import FastAPI\nfrom tenacity import retry, stop_after_attempt\napp = FastAPI()\n\n@retry(stop=stop_after_attempt(3))\nasync def ask():\n    async with httpx.AsyncClient() as client:\n        return await client.post('https://up/x')\n\n@app.post('/ask')\nasync def handler():\n    return (await ask()).json()\n",
        "import openai\nfrom fastapi import FastAPI\napp = FastAPI()\nclient = openai.AsyncOpenAI()\n\n@app.post('/ask')\nasync def ask():\n    return await client.chat.completions.create(model='m', messages=[])\n",
        "import httpx\nfrom fastapi import FastAPI\napp = FastAPI()\nclient = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=2))\n\n@app.post('/ask')\nasync def ask():\n    return (await client.post('https://up/x')).json()\n",
        "import asyncio\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/ask')\nasync def ask():\n    async with httpx.AsyncClient() as client:\n        for attempt in range(3):\n            try:\n                return (await client.post('https://up/x')).json()\n            except httpx.TransportError:\n                await asyncio.sleep(2**attempt)\n",
        {
            "again.py": "import asyncio\n\nasync def with_retry(call, *args):\n    for attempt in range(3):\n        try:\n            return await call(*args)\n        except OSError:\n            await asyncio.sleep(2**attempt)\n",
            "app.py": "import httpx\nfrom fastapi import FastAPI\nfrom again import with_retry\napp = FastAPI()\nclient = httpx.AsyncClient()\n\nasync def fetch(url):\n    return await client.get(url)\n\n@app.post('/ask')\nasync def ask():\n    return (await with_retry(fetch, 'https://up/x')).json()\n",
        },
        "import requests\nfrom flask import Flask\nfrom requests.adapters import HTTPAdapter\napp = Flask(__name__)\nsession = requests.Session()\nsession.mount('https://', HTTPAdapter(max_retries=3))\n\n@app.get('/ask')\ndef ask():\n    return session.get('https://up/x', timeout=5).json()\n",
        "import asyncio\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\nclient = httpx.AsyncClient(timeout=9)\n\nasync def listed():\n    for _ in range(3):\n        try:\n            answer = await client.get('http://up/models')\n            if answer.status_code == 200:\n                return answer.json()\n        except httpx.HTTPError:\n            pass\n        await asyncio.sleep(1)\n\n@app.get('/models')\nasync def models():\n    return await listed()\n",
    ]
    bad = [
        "import httpx\nfrom fastapi import FastAPI\nfrom tenacity import retry\napp = FastAPI()\n\n@app.post('/ask')\nasync def ask():\n    async with httpx.AsyncClient() as client:\n        return (await client.post('https://up/x')).json()\n",
        "import openai\nfrom fastapi import FastAPI\napp = FastAPI()\nclient = openai.AsyncOpenAI(max_retries=0)\n\n@app.post('/ask')\nasync def ask():\n    return await client.chat.completions.create(model='m', messages=[])\n",
        "import asyncio\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\nclient = httpx.AsyncClient()\n\nasync def retry(call):\n    for attempt in range(3):\n        try:\n            return await call()\n        except OSError:\n            await asyncio.sleep(1)\n\n@app.post('/ask')\nasync def ask():\n    return (await client.post('https://up/x')).json()\n",
        "import nats\n\nclass Worker:\n    async def start(self):\n        self.nc = await nats.connect()\n        await self.nc.subscribe('work', cb=self.handle)\n\n    async def handle(self, msg):\n        answer = await self.nc.request('tool', msg.data, timeout=5)\n        await msg.respond(answer.data)\n",
        "from fastapi import FastAPI, Request, Response\nfrom httpx import AsyncClient\napp = FastAPI()\nclient = AsyncClient(base_url='http://upstream')\n\n@app.api_route('/{path:path}', methods=['GET', 'POST', 'OPTIONS'])\nasync def proxy(path: str, request: Request):\n    reply = await client.request(request.method, path, content=await request.body())\n    return Response(reply.content, reply.status_code)\n",
        "import asyncio\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\nclient = httpx.AsyncClient(timeout=9)\n\nasync def until_ready():\n    while True:\n        try:\n            answer = await client.get('http://up/ping')\n            if answer.status_code == 200:\n                return\n        except httpx.HTTPError:\n            pass\n        await asyncio.sleep(1)\n\n@app.post('/ask')\nasync def ask(body: dict):\n    await until_ready()\n    return (await client.post('http://up/x', json=body)).json()\n",
    ]
    silent = [
        "import httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\nasync def first_of(clients, body):\n    for name in body['backends']:\n        try:\n            return (await clients[name].post('/chat/completions', json=body)).json()\n        except httpx.HTTPError:\n            continue\n    raise RuntimeError('nobody answers')\n\nasync def is_ready(url):\n    async with httpx.AsyncClient() as client:\n        return (await client.get(url)).is_success\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    if not await is_ready('http://local'):\n        raise RuntimeError('not ready')\n    return await first_of(app.state.clients, body)\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import requests\nprint(requests.get('https://up/x', timeout=5).json())\n",
        "import httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/part0')\ndef part0():\n    return []\n\n@app.get('/v1/part1')\ndef part1():\n    return []\n\n@app.get('/v1/part2')\ndef part2():\n    return []\n\n@app.get('/v1/part3')\ndef part3():\n    return []\n\n@app.get('/v1/part4')\ndef part4():\n    return []\n\n@app.get('/v1/part5')\ndef part5():\n    return []\n\n@app.get('/v1/part6')\ndef part6():\n    return []\n\n@app.get('/v1/part7')\ndef part7():\n    return []\n\n@app.get('/v1/part8')\ndef part8():\n    return []\n\n@app.get('/v1/part9')\ndef part9():\n    return []\n\n@app.get('/v1/part10')\ndef part10():\n    return []\n\n@app.get('/v1/part11')\ndef part11():\n    return []\n\n@app.post('/v1/picture')\ndef picture(address: str):\n    return httpx.get(address).content\n",
        "import httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\ndef near(words):\n    try:\n        return httpx.post('https://up/embeddings', json=words).json()\n    except Exception:\n        return None\n\n@app.post('/search')\ndef search(words: list[str]):\n    return near(words) or words\n",
    ]

    def judge(self, service: Service) -> None:
        upkeep = Upkeep(service)
        if upkeep.works and upkeep.unread:
            self.leave(upkeep.unread)
        if not (upkeep.works and upkeep.requests):
            return
        tries = Tries(upkeep)
        # what the work goes on without is no error of the client
        requests = [each for each in upkeep.requests if not _is_in(each, upkeep.habits("degrades"))]
        again = [each for each in requests if tries.are_of(each)]
        again += [each for each in upkeep.used(("aiohttp_retry",)) if each.function in upkeep.led_to]
        for each in again:
            self.clear(each.at)
        bare = [each for each in requests if each not in again and tries.are_missing(each)]
        unseen = next((each for each in upkeep.habits("tries-unseen") if each.function in upkeep.led_to), None)
        if bare and len(bare) >= MOST * len(requests) and unseen is not None:
            self.leave(
                f"{unseen.at.path}:{unseen.at.line}: whose requests are tried one after the other here cannot be read"
            )
        elif bare and len(bare) >= MOST * len(requests):
            self.flag(
                bare[0].at,
                f"{_calls(len(bare))} to upstreams, and a lost one is not tried again: try again after a wait, within the deadline",
            )


class Tries:
    """Which upstream calls of a service are tried again."""

    def __init__(self, upkeep: Upkeep) -> None:
        self.upkeep = upkeep
        self.loops = [each for each in upkeep.habits("retry") if each.function in upkeep.led_to]
        self.fallbacks = [each for each in upkeep.habits("fallback") if each.function in upkeep.led_to]
        self.below = upkeep.around([*self.wrapped(), *(ref for each in self.loops for ref in each.what)])
        self.beside = upkeep.around(ref for each in self.fallbacks for ref in each.what)
        self.off = {
            _top(each) for each in upkeep.service.used((*BY_THEMSELVES, *MODELS)) if ("max_retries", "0") in each.given
        }
        self.mounted = self.transports()

    def wrapped(self) -> set[str]:
        """Functions that something tries again: a decorator, a loop of a library, a helper that is given what to call."""
        found = {each.function for each in self.upkeep.used(WRAPPING) if each.function}
        given = {each.function for each in self.upkeep.habits("retry-given")}
        for each in self.upkeep.habits("wrapped"):
            if any(begins(ref, WRAPPING) for ref in each.what) or self.upkeep.around(each.what) & given:
                found.add(each.function)
        helpers = tuple(f"{key[:-1]}." for key in given)
        for key, function in self.upkeep.led_to.items() if given else ():
            if any(
                ref in given or any(one.startswith(f"{ref[:-1]}.") for one in helpers)
                for ref in function.to
                if ref.endswith(">")
            ):
                found.add(key)
        return found

    def transports(self) -> set[str]:
        """Libraries whose clients are given a transport that tries again."""
        uses = self.upkeep.used(("httpx", "httpx2", "requests", "urllib3", "httpx_retries"))
        found = {"httpx" for each in uses if each.origin in TRANSPORTS and _is_set(each, "retries")}
        found |= {"httpx" for each in uses if each.origin.startswith("httpx_retries")}
        found |= {"httpx" for each in self.upkeep.habits("retry") if each.function.endswith(HANDLING)}
        if any(each.origin.endswith(".mount") for each in uses):
            found |= {"requests" for each in uses if each.origin in ADAPTERS and _is_set(each, "max_retries")}
        return found | {"urllib3"}  # three times by itself

    def are_of(self, use: Use) -> bool:
        if (
            use.function in self.below
            or _is_in(use, self.loops)
            or _top(use) in self.mounted
            or _is_set(use, "num_retries")
        ):
            return True
        return begins(use.origin, BY_THEMSELVES) and _top(use) not in self.off

    def are_missing(self, use: Use) -> bool:
        """Whether it is known that nothing tries again, or turns to another upstream."""
        known = begins(use.origin, BARE) or _top(use) in {"nats", "faststream", *self.off}
        return known and not _is_in(use, self.fallbacks) and use.function not in self.beside


def _top(use: Use) -> str:
    return use.origin.partition(".")[0].replace("httpx2", "httpx")


def _is_set(use: Use, name: str) -> bool:
    return any(one == name and value not in NONE for one, value in use.given)


def _is_in(use: Use, loops: list[Habit]) -> bool:
    return any(each.at.path == use.at.path and each.at.line <= use.at.line <= each.at.end_line for each in loops)


def _calls(number: int) -> str:
    return "requests lead to 1 call" if number == 1 else f"requests lead to {number} calls"

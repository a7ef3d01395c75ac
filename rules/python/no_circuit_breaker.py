"""Nothing holds back when the upstream keeps failing.

Each request then waits for the full timeout of an upstream that is down, so that connections and memory fill up with
waiting, and the upstream is hit hardest when it comes back. After a few failures in a row fail at once for a while,
then let one request try: pybreaker, aiobreaker, purgatory, or a few lines of your own.

A breaker of one's own is told by its structure: a time that failures set, and that is compared with the clock before the
call. It has to be on the way of the requests. What asks the clock and is called like one, with its times in a file or a
database, is left open. Flagged once a service, for upstreams that completions or at least one
route in ten lead to.
"""

from readiness.scan import Service, ServiceRule
from readiness.scan.service.traffic import BREAKERS, begins
from readiness.scan.service.upkeep import Upkeep

COOLING = ("litellm.Router", "litellm.router.Router")
"""Clients that leave out an upstream that failed."""


class Rule(ServiceRule):
    item = "circuit-breaker"
    good = [
        "import httpx\nfrom circuitbreaker import circuit\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@circuit\nasync def ask():\n    async with httpx.AsyncClient() as client:\n        return await client.post('https://up/x')\n\n@app.post('/ask')\nasync def handler():\n    return (await ask()).json()\n",
        "import httpx\nimport pybreaker\nfrom fastapi import FastAPI\napp = FastAPI()\nbreaker = pybreaker.CircuitBreaker()\n\n@breaker\ndef ask():\n    return httpx.post('https://up/x')\n\n@app.post('/ask')\ndef handler():\n    return ask().json()\n",
        "import time\nimport httpx\nfrom fastapi import FastAPI, HTTPException\napp = FastAPI()\n\nclass Upstream:\n    def __init__(self):\n        self.failures = 0\n        self.closed_until = 0.0\n        self.client = httpx.AsyncClient()\n\n    async def ask(self):\n        if time.monotonic() < self.closed_until:\n            raise HTTPException(503)\n        try:\n            answer = await self.client.post('https://up/x')\n        except httpx.HTTPError:\n            self.failures += 1\n            if self.failures > 4:\n                self.closed_until = time.monotonic() + 30\n            raise\n        self.failures = 0\n        return answer.json()\n\nupstream = Upstream()\n\n@app.post('/ask')\nasync def handler():\n    return await upstream.ask()\n",
        "import time\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\nclass Upstream:\n    def __init__(self):\n        self.failures = 0\n        self.closed_until = 0.0\n\n    def failed(self):\n        self.failures += 1\n        if self.failures < 5:\n            return\n        self.closed_until = time.monotonic() + 15\n\n    def is_closed(self, now=None):\n        moment = now if now is not None else time.monotonic()\n        return moment < self.closed_until\n\n    async def ask(self):\n        if self.is_closed():\n            return {}\n        try:\n            async with httpx.AsyncClient() as client:\n                return (await client.post('https://up/x')).json()\n        except httpx.HTTPError:\n            self.failed()\n            raise\n\nupstream = Upstream()\n\n@app.post('/ask')\nasync def ask():\n    return await upstream.ask()\n",
        "import time\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\nclass Keys:\n    def __init__(self, clock=time.monotonic):\n        self._clock = clock\n        self.states = {}\n\n    def rests(self, key):\n        state = self.states.get(key)\n        return state is not None and state.rests_until > self._clock()\n\n    def mark_failure(self, key):\n        state = self.states[key]\n        state.failures += 1\n        if state.failures > 3:\n            state.rests_until = self._clock() + 30\n\nkeys = Keys()\n\n@app.post('/ask')\ndef ask(key: str):\n    if keys.rests(key):\n        return {}\n    try:\n        return httpx.post('https://up/x').json()\n    except httpx.HTTPError:\n        keys.mark_failure(key)\n        raise\n",
    ]
    bad = [
        "import httpx\nfrom circuitbreaker import circuit\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/ask')\nasync def ask():\n    async with httpx.AsyncClient() as client:\n        return (await client.post('https://up/x')).json()\n",
        "import time\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\nclass CircuitBreaker:\n    def __init__(self):\n        self.opened_at = 0.0\n\n    def failed(self):\n        self.opened_at = time.monotonic()\n\n    def is_open(self):\n        return time.monotonic() - self.opened_at < 30\n\n@app.post('/ask')\nasync def ask():\n    async with httpx.AsyncClient() as client:\n        return (await client.post('https://up/x')).json()\n",
        "import time\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\ndef is_cooling_down(row):\n    return time.time() < row['until']\n\n@app.post('/ask')\ndef ask():\n    return httpx.post('https://up/x').json()\n",
    ]
    silent = [
        "import httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\nclass Servers:\n    def __init__(self, servers):\n        self.servers = servers\n\n    def healthy_ones(self):\n        return [each for each in self.servers if each.answered_lately]\n\nservers = Servers([])\n\n@app.post('/ask')\ndef ask(body: dict):\n    return httpx.post(servers.healthy_ones()[0].url, json=body).json()\n",
        "import sqlite3\nimport time\nimport httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\nclass Store:\n    def __init__(self):\n        self.db = sqlite3.connect('state')\n\n    def is_circuit_open(self, name):\n        row = self.db.execute('SELECT until FROM state WHERE name = ?', (name,)).fetchone()\n        return row is not None and time.time() < row[0]\n\nstore = Store()\n\n@app.post('/ask')\ndef ask(name: str):\n    if store.is_circuit_open(name):\n        return {}\n    return httpx.post('https://up/x').json()\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import requests\nprint(requests.get('https://up/x', timeout=5).json())\n",
        "import httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/part0')\ndef part0():\n    return []\n\n@app.get('/v1/part1')\ndef part1():\n    return []\n\n@app.get('/v1/part2')\ndef part2():\n    return []\n\n@app.get('/v1/part3')\ndef part3():\n    return []\n\n@app.get('/v1/part4')\ndef part4():\n    return []\n\n@app.get('/v1/part5')\ndef part5():\n    return []\n\n@app.get('/v1/part6')\ndef part6():\n    return []\n\n@app.get('/v1/part7')\ndef part7():\n    return []\n\n@app.get('/v1/part8')\ndef part8():\n    return []\n\n@app.get('/v1/part9')\ndef part9():\n    return []\n\n@app.get('/v1/part10')\ndef part10():\n    return []\n\n@app.get('/v1/part11')\ndef part11():\n    return []\n\n@app.post('/v1/picture')\ndef picture(address: str):\n    return httpx.get(address).content\n",
    ]

    def judge(self, service: Service) -> None:
        upkeep = Upkeep(service)
        if upkeep.works and upkeep.unread:
            self.leave(upkeep.unread)
        if not (upkeep.works and upkeep.requests):
            return
        wrapped = [each for each in upkeep.habits("wrapped") if any(begins(ref, BREAKERS) for ref in each.what)]
        own = upkeep.habits("breaker")
        used = [each for each in upkeep.used(BREAKERS) if each.function]
        found = [each.at for each in (*wrapped, *own) if each.function in upkeep.led_to]
        found += [each.at for each in used if each.function in upkeep.led_to]
        found += [each.at for each in upkeep.used(COOLING)]
        for at in found:
            self.clear(at)
        if found or upkeep.used(BREAKERS):
            return
        vague = next((each.at for each in upkeep.habits("cools") if each.function in upkeep.led_to), None)
        if vague is not None:
            self.leave(f"{vague.path}:{vague.line}: whether this holds requests back cannot be read")
            return
        self.flag(
            upkeep.requests[0].at,
            "an upstream that keeps failing is asked by every request all the same: stop asking for a while, then try once",
        )

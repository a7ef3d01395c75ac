"""Fixes of three rules: the finding is gone, no new one came, and the rest stays as it was."""

from pathlib import Path

import pytest

from readiness import scan
from tests.scan.harness import BUILTIN, RULES, settings, write

ROUTE = "from fastapi import FastAPI, HTTPException, Request\napp = FastAPI()\n\n\n@app.post('/')\n"
NATS = "import json\n\n\nasync def start(nc):\n    await nc.subscribe('a', cb=handler)\n\n\n"
CASES = {
    "python/missing-timeout": {
        "a call": (
            "import requests\nrequests.get(url)  # so\n",
            "import requests\nrequests.get(url, timeout=30)  # so\n",
        ),
        "a function that is handed over": (
            "import asyncio, requests\n\nasync def f(u):\n    await asyncio.to_thread(requests.get, u)\n",
            "import asyncio, requests\n\nasync def f(u):\n    await asyncio.to_thread(requests.get, u, timeout=30)\n",
        ),
        "a stream": ("import requests\nrequests.get(url, stream=True)\n", None),
        "None on purpose": ("import requests\nrequests.get(url, timeout=None)\n", None),
        "options": ("import requests\nrequests.get(url, **{'verify': False})\n", None),
        "in an executor": (
            "import requests\n\nasync def f(loop, url):\n    await loop.run_in_executor(None, requests.get, url)\n",
            None,
        ),
    },
    "python/blocking-in-async": {
        "sleep": (
            "import time\n\n\nasync def f(n):\n    time.sleep(n + 1)\n    return 1\n",
            "import asyncio\nimport time\n\n\nasync def f(n):\n    await asyncio.sleep(n + 1)\n    return 1\n",
        ),
        "in a plain function": (
            "import time\n\n\ndef g():\n    time.sleep(3)\n\n\nasync def f():\n    g()\n",
            None,
        ),
    },
    "python/unguarded-json": {
        "a route": (
            f"{ROUTE}async def chat(request: Request):\n    body = await request.json()\n    return body\n",
            (
                f"{ROUTE}async def chat(request: Request):\n    try:\n        body = await request.json()\n"
                "    except ValueError:\n"
                '        raise HTTPException(status_code=400, detail="the body is not valid JSON") from None\n'
                "    return body\n"
            ),
        ),
        "a route of aiohttp": (
            (
                "from aiohttp import web\nroutes = web.RouteTableDef()\n\n\n@routes.post('/')\n"
                "async def chat(request: web.Request):\n    body = await request.json()\n    return body\n"
            ),
            (
                "from aiohttp import web\nroutes = web.RouteTableDef()\n\n\n@routes.post('/')\n"
                "async def chat(request: web.Request):\n    try:\n        body = await request.json()\n"
                "    except ValueError:\n"
                '        raise web.HTTPBadRequest(text="the body is not valid JSON") from None\n    return body\n'
            ),
        ),
        "a handler of messages that answers errors elsewhere": (
            (
                f"{NATS}async def handler(msg):\n    data = json.loads(msg.data)\n    if 'x' not in data:\n"
                "        await msg.respond(json.dumps({'error': 'no x'}).encode())\n"
            ),
            (
                f"{NATS}async def handler(msg):\n    try:\n        data = json.loads(msg.data)\n"
                "    except ValueError:\n"
                "        await msg.respond(json.dumps({'error': \"the body is not valid JSON\"}).encode())\n"
                "        return\n    if 'x' not in data:\n"
                "        await msg.respond(json.dumps({'error': 'no x'}).encode())\n"
            ),
        ),
        "bytes that are no text": (
            (
                f"{NATS}async def handler(msg):\n    try:\n        data = json.loads(msg.data.decode())\n"
                "    except json.JSONDecodeError:\n        return\n    use(data)\n"
            ),
            (
                f"{NATS}async def handler(msg):\n    try:\n        data = json.loads(msg.data.decode())\n"
                "    except ValueError:\n        return\n    use(data)\n"
            ),
        ),
        "a narrower handler behind": (
            (
                f"{NATS}async def handler(msg):\n    try:\n        data = json.loads(msg.data.decode())\n"
                "    except json.JSONDecodeError:\n        return\n    except UnicodeEncodeError:\n        raise\n"
            ),
            None,
        ),
        "nobody knows what to answer": (f"{NATS}async def handler(msg):\n    data = json.loads(msg.data)\n", None),
        "an expression": (
            f"{ROUTE}async def chat(request: Request):\n    return await ask((await request.json())['a'], now())\n",
            (
                f"{ROUTE}async def chat(request: Request):\n    try:\n        body = await request.json()\n"
                "    except ValueError:\n"
                '        raise HTTPException(status_code=400, detail="the body is not valid JSON") from None\n'
                "    return await ask(body['a'], now())\n"
            ),
        ),
        "what else may fail stays outside": (
            f"{ROUTE}async def chat(request: Request):\n    body = Chat(**await request.json())\n    return body\n",
            (
                f"{ROUTE}async def chat(request: Request):\n    try:\n        payload = await request.json()\n"
                "    except ValueError:\n"
                '        raise HTTPException(status_code=400, detail="the body is not valid JSON") from None\n'
                "    body = Chat(**payload)\n    return body\n"
            ),
        ),
        "something is called before": (
            f"{ROUTE}async def chat(request: Request):\n    return await ask(now(), await request.json())\n",
            None,
        ),
        "not always": (
            f"{ROUTE}async def chat(request: Request, raw=None):\n    return raw or await request.json()\n",
            None,
        ),
        "an answer of the upstream": (
            (
                f"import requests\n{ROUTE}def models(request: Request):\n"
                "    return requests.get('http://a', timeout=3).json()['data']\n"
            ),
            (
                f"import requests\n{ROUTE}def models(request: Request):\n    try:\n"
                "        body = requests.get('http://a', timeout=3).json()\n    except ValueError:\n"
                '        raise HTTPException(status_code=502, detail="the answer of the upstream is not valid JSON")'
                " from None\n    return body['data']\n"
            ),
        ),
    },
}


@pytest.mark.parametrize(("rule", "case"), [(rule, case) for rule, cases in CASES.items() for case in cases])
def test_what_a_fix_makes_of_a_file(rule: str, case: str, tmp_path: Path) -> None:
    before, after = CASES[rule][case]
    rules = [each for each in RULES if each.info.id == rule]
    write(tmp_path, {"service.py": before})
    chosen = settings(tmp_path)
    found = scan.run([tmp_path], rules, chosen, [BUILTIN])
    assert any(each.findings for each in found.evidence)
    made = [each.after.decode() for each in scan.fixes([tmp_path], found, rules, chosen, [BUILTIN])]
    assert made == ([after] if after else [])

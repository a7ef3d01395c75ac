"""JSON from outside is parsed without a guard.

One malformed body raises in the handler and takes the request, or the consumer loop, with it. Catch the decoding error
where the bytes are parsed, and answer 400 or the error reply of the protocol. Bytes can fail to decode before they fail
to parse: catch ValueError, which covers both json.JSONDecodeError and UnicodeDecodeError.

Outside is what clients, peers, upstreams and models send. Not judged: constants, what this code wrote itself, files and
environment that the operator provides, rows of the service's own database, and what cannot be traced. A function that
lets the error out is judged by its callers, in its own file and in the rest of the project. Commands and scripts that
run once may end with an error, pydantic turns what its validators raise into an answer, and a task whose callback
looks at how it ended fails before somebody's eyes: all are left alone.
"""

import ast
from collections.abc import Iterator, Sequence

from readiness.scan import PythonFile, PythonRule
from readiness.scan.code.answering import is_answered_by_app
from readiness.scan.code.guards import Guard
from readiness.scan.code.handed import first_param
from readiness.scan.code.reach import handed_elsewhere, is_on_a_request_path, is_one_shot, is_serving, is_shown
from readiness.scan.code.registration import decorators
from readiness.scan.code.tree import FunctionDef, argument, below, inside, last_name, within
from readiness.scan.data.inboxes import is_from_inbox
from readiness.scan.data.outside import UPSTREAM, Outside, Whence
from readiness.scan.fixing.parses import refusing

JSON = frozenset({"json.JSONDecodeError"})
TEXT = frozenset({"UnicodeDecodeError"})
INVALID = frozenset({"pydantic.ValidationError"})

PARSERS = {
    "json.loads": JSON,
    "json.load": JSON,
    "json.JSONDecoder().decode": JSON,
    "json.JSONDecoder().raw_decode": JSON,
    "ujson.loads": frozenset({"ujson.JSONDecodeError"}),
    "ujson.load": frozenset({"ujson.JSONDecodeError"}),
    "simplejson.loads": frozenset({"simplejson.JSONDecodeError"}),
    "simplejson.load": frozenset({"simplejson.JSONDecodeError"}),
    "orjson.loads": frozenset({"orjson.JSONDecodeError"}),
    "rapidjson.loads": frozenset({"rapidjson.JSONDecodeError"}),
    "msgspec.json.decode": frozenset({"msgspec.DecodeError"}),
    "msgspec.json.Decoder().decode": frozenset({"msgspec.DecodeError"}),
    "pydantic_core.from_json": frozenset({"ValueError"}),
    "tornado.escape.json_decode": JSON,
    "pydantic.BaseModel().model_validate_json": INVALID,
    "pydantic.BaseModel().parse_raw": INVALID,
    "pydantic.TypeAdapter().validate_json": INVALID,
}
"""Parsing functions and what they raise."""
LENIENT = {"orjson.loads", "msgspec.json.decode", "msgspec.json.Decoder().decode", "pydantic_core.from_json"} | {
    name for name in PARSERS if name.startswith("pydantic.")
}
"""Those that say of bytes which are no text what they say of text which is no JSON."""

VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request", "send", "stream")
REPLIES = {
    "requests": ("requests.", "requests.Session().", "requests.session().", "requests.sessions.Session()."),
    "httpx": (
        "httpx.",
        "httpx.Client().",
        "httpx.AsyncClient().",
        "httpx2.",
        "httpx2.Client().",
        "httpx2.AsyncClient().",
    ),
    "aiohttp": ("aiohttp.ClientSession().", "aiohttp.client.ClientSession().", "aiohttp."),
    "urllib3": ("urllib3.PoolManager().", "urllib3.ProxyManager().", "urllib3."),
    "curl_cffi": ("curl_cffi.requests.", "curl_cffi.requests.Session().", "curl_cffi.requests.AsyncSession()."),
    "niquests": ("niquests.", "niquests.Session().", "niquests.AsyncSession()."),
}
"""Who hands out answers whose `.json()` parses, by the beginning of the call."""
RAISES = {
    "requests": frozenset({"requests.JSONDecodeError"}),
    "httpx": JSON | TEXT,
    "aiohttp": frozenset({"aiohttp.ContentTypeError", "json.JSONDecodeError"}),
    "urllib3": JSON | TEXT,
    "curl_cffi": JSON,
    "niquests": frozenset({"niquests.JSONDecodeError"}),
}
ANSWERS = {
    "requests.Response()": "requests",
    "requests.models.Response()": "requests",
    "httpx.Response()": "httpx",
    "httpx2.Response()": "httpx",
    "aiohttp.ClientResponse()": "aiohttp",
    **{
        f"{library}.{module}{error}().response": library.removesuffix("2")
        for library, module, error in (
            ("requests", "", "HTTPError"),
            ("requests", "", "RequestException"),
            ("requests", "exceptions.", "HTTPError"),
            ("requests", "exceptions.", "RequestException"),
            ("httpx", "", "HTTPStatusError"),
            ("httpx2", "", "HTTPStatusError"),
        )
    },
}
KEEPING = {"websocket.WebSocketApp"}
"""What catches and logs whatever its callbacks raise."""
REQUESTS = {
    f"{module}.Request()"
    for module in ("fastapi", "fastapi.requests", "starlette.requests", "aiohttp.web", "aiohttp.web_request")
}
"""Requests of web frameworks whose `await request.json()` raises into the handler."""
LITESTAR = {
    f"litestar.{module}Request()": frozenset({"litestar.exceptions.SerializationException"})
    for module in ("", "connection.")
}
"""Its requests, and what `await request.json()` raises: a class that it answers with 500."""
SOCKETS = (
    "fastapi.WebSocket()", "fastapi.websockets.WebSocket()", "starlette.websockets.WebSocket()", "aiohttp.web.WebSocketResponse()",
    "aiohttp.ClientSession().ws_connect()", "httpx_sse.",
)  # fmt: skip
"""Beginnings of connections whose messages have a `json()`, or that have a `receive_json()`."""
BYTES = {
    "fastapi.Request()": ("body",),
    "starlette.requests.Request()": ("body",),
    "aiohttp.web.Request()": ("read",),
    "nats.aio.msg.Msg()": ("data",),
    "fastapi.WebSocket()": ("receive_bytes",),
    "starlette.websockets.WebSocket()": ("receive_bytes",),
    "flask.request": ("data", "get_data"),
    "quart.request": ("data", "get_data"),
    "http.server.": ("read", "readline"),
    "http.client.": ("read",),
    "urllib.": ("urlopen", "read"),
    "requests.": ("content",),
    "httpx.": ("content", "read", "aread"),
    "aiohttp.ClientSession()": ("read",),
    "niquests.": ("content",),
}
"""Beginnings and last steps of origins that are bytes for sure: they fail to decode too."""
TEXTS = {"decode", "str", "text"}
"""What makes text of bytes, or failed to do so before the text is parsed."""


class Rule(PythonRule):
    item = "json-guarded"
    tokens = ("json", "parse_raw")
    callees = (
        "loads", "load", "raw_decode", "from_json", "json_decode", "json", "receive_json", "model_validate_json", "validate_json", "parse_raw",
    )  # fmt: skip
    good = [
        "import json\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n\n@app.exception_handler(ValueError)\nasync def refuse(request, problem): ...\n\n@app.post('/')\nasync def chat(request: Request):\n    return json.loads(await request.body())\n",
        "import json\ntry:\n    json.loads(body)\nexcept ValueError: ...\n",
        "from json import loads as l\ntry:\n    l(body)\nexcept Exception: ...\n",
        "import json\n\nasync def handler(msg):\n    try:\n        json.loads(msg.data.decode())\n    except (json.JSONDecodeError, UnicodeDecodeError):\n        await msg.respond(b'{}')\n",
        "import json\n\ndef _parse(raw):\n    return json.loads(raw)\n\nasync def handler(msg):\n    try:\n        return _parse(msg.data)\n    except ValueError:\n        return None\n",
        "import requests\ntry:\n    requests.get(url, timeout=3).json()\nexcept requests.RequestException: ...\n",
        "import json, contextlib\nwith contextlib.suppress(ValueError):\n    json.loads(body)\n",
        "import json\n\ndef load(client):\n    try:\n        return json.loads(client.fetch())\n    except ValueError as problem:\n        log(problem)\n        raise\n",
        "import json\n\nasync def handler(msg):\n    try:\n        data = json.loads(msg.data.decode())\n    except ValueError:\n        data = {'text': msg.data.decode(errors='replace')}\n",
        "import json\n\ndef is_json(text):\n    try:\n        json.loads(text)\n    except ValueError:\n        return False\n    return True\n\nasync def handler(msg):\n    if is_json(msg.data):\n        return json.loads(msg.data)\n",
        {
            "wire.py": "import json\n\ndef decode(msg):\n    return json.loads(msg.data)\n\ndef peek(msg):\n    try:\n        return decode(msg)\n    except ValueError:\n        return None\n",
            "main.py": "from wire import decode\n\nasync def handler(msg):\n    try:\n        await run(decode(msg))\n    except ValueError:\n        await msg.nak()\n",
        },
        "import json\nfrom flask import Flask, request\napp = Flask(__name__)\n\n@app.post('/a')\ndef text():\n    said = request.get_data(as_text=True)\n    try:\n        return json.loads(said)\n    except json.JSONDecodeError:\n        return '', 400\n\n@app.post('/b')\ndef replaced():\n    said = request.data.decode(errors='replace')\n    try:\n        return json.loads(said)\n    except json.JSONDecodeError:\n        return '', 400\n\n@app.post('/c')\ndef before():\n    try:\n        said = request.data.decode()\n    except UnicodeDecodeError:\n        return '', 400\n    try:\n        return json.loads(said)\n    except json.JSONDecodeError:\n        return '', 400\n",
    ]
    bad = [
        "import json\nfrom aiokafka import AIOKafkaConsumer\n\nasync def work():\n    async for each in AIOKafkaConsumer('a', value_deserializer=lambda raw: json.loads(raw)):\n        use(each.value)\n",
        "import json, time\nfrom pathlib import Path\n\ndef watch(inbox: Path):\n    while True:\n        for path in inbox.glob('*.json'):\n            use(json.loads(path.read_text()))\n        time.sleep(1)\n",
        "import json, aiomqtt\n\nasync def read(client: aiomqtt.Client):\n    async for message in client.messages:\n        payload = message.payload\n        try:\n            text = payload.decode()\n        except UnicodeDecodeError:\n            text = payload\n        try:\n            use(json.loads(text))\n        except json.JSONDecodeError:\n            continue\n",
        "import urllib3\nfrom flask import Flask\napp = Flask(__name__)\npool = urllib3.PoolManager(timeout=3)\n\n@app.get('/')\ndef ask():\n    return pool.request('GET', 'http://a').json()\n",
        "import tornado.escape, tornado.web\n\nclass Chat(tornado.web.RequestHandler):\n    def post(self):\n        self.write(tornado.escape.json_decode(self.request.body))\n",
        "import httpx, json\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\nasync def ask(url: str):\n    async with httpx.AsyncClient() as client:\n        answer = await client.get(url)\n        try:\n            return answer.json()\n        except json.JSONDecodeError:\n            return None\n",
        "from aiohttp import web\n\nroutes = web.RouteTableDef()\n\n@routes.post('/chat')\nasync def chat(request):\n    return web.json_response(await request.json())\n",
        "from aiohttp import web\n\nclass Chat:\n    async def post(self, request):\n        return web.json_response(await request.json())\n\napp = web.Application()\napp.add_routes([web.post('/chat', Chat().post)])\n",
        "from aiohttp import web\n\nasync def chat(request):\n    return web.json_response(await request.json())\n\ndef setup(app):\n    app.router.add_post('/chat', chat)\n",
        "from starlette.responses import JSONResponse\nfrom starlette.routing import Route\n\nasync def chat(request):\n    return JSONResponse(await request.json())\n\nroutes = [Route('/chat', chat, methods=['POST'])]\n",
        "from litestar import Request, post\n\n@post('/chat')\nasync def chat(request: Request) -> dict:\n    return await request.json()\n",
        "import json, nats\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n\n    async def work(message):\n        try:\n            print(json.loads(message.data))\n        except json.JSONDecodeError:\n            return\n\n    await nc.subscribe('work', cb=work)\n",
        "import json\nimport paho.mqtt.client as mqtt\n\ndef on_message(client, userdata, message):\n    print(json.loads(message.payload))\n\nclient = mqtt.Client()\nclient.on_message = on_message\nclient.loop_forever()\n",
        "import json\nfrom http.server import BaseHTTPRequestHandler\n\nclass Handler(BaseHTTPRequestHandler):\n    def do_POST(self):\n        print(json.loads(self.rfile.read(int(self.headers['Content-Length']))))\n",
        "import json\nimport tornado.web\n\nclass Chat(tornado.web.RequestHandler):\n    def post(self):\n        self.write(json.loads(self.request.body))\n",
        "import httpx, json\nfrom fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\n\napp = FastAPI()\n\nasync def pieces():\n    async with httpx.AsyncClient() as client, client.stream('POST', 'http://up/chat') as answer:\n        async for line in answer.aiter_lines():\n            yield json.loads(line[6:])['text']\n\n@app.get('/chat')\nasync def chat():\n    return StreamingResponse(pieces())\n",
        "import asyncio, json\n\nasync def handler(msg):\n    task = asyncio.create_task(work(msg.data))\n    tasks.add(task)\n    task.add_done_callback(tasks.discard)\n\nasync def work(raw):\n    use(json.loads(raw))\n",
        "import json, nats\n\nasync def ask():\n    nc = await nats.connect('a')\n    while True:\n        reply = await nc.request('a', b'')\n        use(json.loads(reply.data))\n",
        "import json\njson.loads(body)\n",
        "from json import loads as l\n\nasync def handler(msg):\n    data = l(msg.data)\n",
        "import json\ntry:\n    json.loads(body)\nexcept KeyError: ...\n",
        "import json\ntry:\n    json.loads(body)\nexcept ValueError:\n    json.loads(body)\n",
        "import json\ntry:\n    json.loads(body)\nexcept ValueError:\n    raise\n",
        "import json\n\nasync def handler(msg):\n    try:\n        json.loads(msg.data.decode())\n    except json.JSONDecodeError:\n        await msg.respond(b'{}')\n",
        "import json\n\nasync def handler(msg):\n    try:\n        data = json.loads(msg.data.decode())\n    except ValueError:\n        data = {'text': msg.data.decode()}\n",
        "from fastapi import Request\n\nasync def chat(request: Request):\n    return await request.json()\n",
        "from fastapi import WebSocket\n\nasync def chat(socket: WebSocket):\n    return await socket.receive_json()\n",
        "from pydantic import BaseModel\nclass Order(BaseModel): ...\n\nasync def handler(msg):\n    return Order.model_validate_json(msg.data)\n",
        "import json\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/')\nasync def chat(body: dict):\n    for call in await ask(body):\n        run(json.loads(call.function.arguments))\n",
        "import httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\nasync def ask(url: str):\n    try:\n        async with httpx.AsyncClient() as client:\n            answer = await client.get(url)\n            return answer.json()\n    except httpx.HTTPError:\n        return None\n",
        "import json, asyncio\n\nasync def _work(raw):\n    return json.loads(raw)\n\nasync def handler(msg):\n    try:\n        task = asyncio.create_task(_work(msg.data))\n    except ValueError: ...\n    await task\n",
        {
            "wire.py": "import json\n\ndef decode(msg):\n    return json.loads(msg.data)\n\ndef peek(msg):\n    try:\n        return decode(msg)\n    except ValueError:\n        return None\n",
            "main.py": "from wire import decode\n\nasync def handler(msg):\n    await run(decode(msg))\n",
        },
        {
            "work.py": "import json\n\nclass Work:\n    async def do(self, message):\n        use(json.loads(message.data))\n",
            "main.py": "import nats\nfrom work import Work\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    await nc.subscribe('work', cb=Work().do)\n",
        },
        {
            "api.py": "from aiohttp import web\n\nasync def chat(request):\n    return web.json_response(await request.json())\n",
            "main.py": "from aiohttp import web\nimport api\n\napp = web.Application()\napp.router.add_post('/chat', api.chat)\n",
        },
        {
            "up.py": "import aiohttp\n\nclass Failed(Exception): ...\n\nclass Up:\n    async def start(self):\n        self.session = aiohttp.ClientSession()\n\n    async def ask(self):\n        try:\n            async with self.session.get('http://a') as answer:\n                return await answer.json()\n        except aiohttp.ClientError as problem:\n            raise Failed('no answer') from problem\n"
        },
        "import json\nfrom http.server import BaseHTTPRequestHandler\n\nclass Handler(BaseHTTPRequestHandler):\n    def do_POST(self):\n        body = self.rfile.read(int(self.headers['Content-Length']))\n        try:\n            said = json.loads(body)\n        except json.JSONDecodeError:\n            self.send_error(400)\n            return\n        self.answer(said)\n",
        "import json, urllib.request\nfrom flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef models():\n    try:\n        with urllib.request.urlopen('http://a', timeout=3) as answer:\n            return json.load(answer)\n    except (OSError, json.JSONDecodeError):\n        return [], 502\n",
        "import json\nfrom flask import Flask, request\napp = Flask(__name__)\n\n@app.post('/')\ndef chat():\n    try:\n        return json.loads(request.get_data())\n    except json.JSONDecodeError:\n        return '', 400\n",
        "import json\nfrom flask import Flask, request\napp = Flask(__name__)\n\n@app.post('/')\ndef chat():\n    text = request.data.decode()\n    try:\n        return json.loads(text)\n    except json.JSONDecodeError:\n        return '', 400\n",
        "import json, httpx\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\nasync def models():\n    try:\n        return await ask()\n    except httpx.HTTPStatusError as error:\n        try:\n            return error.response.json()\n        except json.JSONDecodeError:\n            return {}\n",
    ]
    fixed = [
        (
            'from fastapi import FastAPI, HTTPException, Request\napp = FastAPI()\n\n@app.post("/")\nasync def chat(request: Request):\n    body = await request.json()\n    return body\n',
            'from fastapi import FastAPI, HTTPException, Request\napp = FastAPI()\n\n@app.post("/")\nasync def chat(request: Request):\n    try:\n        body = await request.json()\n    except ValueError:\n        raise HTTPException(status_code=400, detail="the body is not valid JSON") from None\n    return body\n',
        ),
        (
            'from aiohttp import web\nroutes = web.RouteTableDef()\n\n@routes.put("/")\nasync def chat(request: web.Request):\n    body = await request.json()\n    return web.json_response(body)\n',
            'from aiohttp import web\nroutes = web.RouteTableDef()\n\n@routes.put("/")\nasync def chat(request: web.Request):\n    try:\n        body = await request.json()\n    except ValueError:\n        raise web.HTTPBadRequest(text="the body is not valid JSON") from None\n    return web.json_response(body)\n',
        ),
        (
            'import json\n\nasync def start(nc):\n    await nc.subscribe("a", cb=handler)\n\nasync def handler(msg):\n    data = json.loads(msg.data)\n    if "x" not in data:\n        await msg.respond(json.dumps({"error": "no x"}).encode())\n',
            'import json\n\nasync def start(nc):\n    await nc.subscribe("a", cb=handler)\n\nasync def handler(msg):\n    try:\n        data = json.loads(msg.data)\n    except ValueError:\n        await msg.respond(json.dumps({"error": "the body is not valid JSON"}).encode())\n        return\n    if "x" not in data:\n        await msg.respond(json.dumps({"error": "no x"}).encode())\n',
        ),
        (
            'import json\nfrom aiohttp import web\n\nasync def chat(request: web.Request):\n    try:\n        body = await request.json()\n    except json.JSONDecodeError:\n        return web.json_response({"error": "no JSON"}, status=400)\n    return web.json_response(body)\n',
            'import json\nfrom aiohttp import web\n\nasync def chat(request: web.Request):\n    try:\n        body = await request.json()\n    except ValueError:\n        return web.json_response({"error": "no JSON"}, status=400)\n    return web.json_response(body)\n',
        ),
        (
            "from fastapi import FastAPI, Request\napp = FastAPI()\n\n@app.post('/')\nasync def chat(request: Request):\n    return await answer((await request.json())['text'])\n",
            "from fastapi import HTTPException\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n\n@app.post('/')\nasync def chat(request: Request):\n    try:\n        body = await request.json()\n    except ValueError:\n        raise HTTPException(status_code=400, detail=\"the body is not valid JSON\") from None\n    return await answer(body['text'])\n",
        ),
        (
            "import aiohttp\nfrom fastapi import FastAPI, HTTPException\napp = FastAPI()\n\n@app.get('/')\nasync def models():\n    async with aiohttp.ClientSession() as session, session.get('http://a') as answer:\n        listed = await answer.json()\n    return listed\n",
            "import aiohttp\nfrom fastapi import FastAPI, HTTPException\napp = FastAPI()\n\n@app.get('/')\nasync def models():\n    async with aiohttp.ClientSession() as session, session.get('http://a') as answer:\n        try:\n            listed = await answer.json()\n        except (ValueError, aiohttp.ContentTypeError):\n            raise HTTPException(status_code=502, detail=\"the answer of the upstream is not valid JSON\") from None\n    return listed\n",
        ),
        (
            "from aiohttp import web\n\nasync def chat(request):\n    question = ask(**await request.json())\n    return web.json_response(question)\n\napp = web.Application()\napp.router.add_post('/', chat)\n",
            "from aiohttp import web\n\nasync def chat(request):\n    try:\n        body = await request.json()\n    except ValueError:\n        raise web.HTTPBadRequest(text=\"the body is not valid JSON\") from None\n    question = ask(**body)\n    return web.json_response(question)\n\napp = web.Application()\napp.router.add_post('/', chat)\n",
        ),
        (
            "import json\nfrom flask import Flask, request\napp = Flask(__name__)\n\n@app.post('/')\ndef chat():\n    said = json.loads(request.data)\n    return said['text']\n",
            "from werkzeug.exceptions import BadRequest\nimport json\nfrom flask import Flask, request\napp = Flask(__name__)\n\n@app.post('/')\ndef chat():\n    try:\n        said = json.loads(request.data)\n    except ValueError:\n        raise BadRequest(\"the body is not valid JSON\") from None\n    return said['text']\n",
        ),
    ]
    silent = [
        "import json, os, time\nfrom pathlib import Path\n\ndef put(path, text):\n    Path('new').write_text(text)\n    os.replace('new', path)\n\ndef watch(inbox: Path):\n    while True:\n        for path in inbox.glob('*.json'):\n            use(json.loads(path.read_text()))\n        time.sleep(1)\n",
        "import json\nimport websocket\n\nclass Line:\n    def __init__(self, url, **callbacks):\n        self.app = websocket.WebSocketApp(url, **callbacks)\n\nclass Talk(Line): ...\n\ndef on_message(socket, text):\n    show(text)\n\ndef show(text):\n    print(json.loads(text))\n\ntalk = Talk('ws://a', on_message=on_message)\n",
        "import asyncio, json\n\ndef started(work, then):\n    task = asyncio.create_task(work)\n    task.add_done_callback(then)\n    return task\n\nclass Consumer:\n    async def run(self):\n        async for record in self.records:\n            started(self.work(record), self.tell)\n\n    async def work(self, record):\n        use(json.loads(record.value))\n\n    def tell(self, task):\n        try:\n            task.result()\n        except Exception:\n            log()\n",
        "import asyncio, json\n\nasync def handler(msg):\n    task = asyncio.create_task(work(msg.data))\n    task.add_done_callback(tell)\n\nasync def work(raw):\n    use(json.loads(raw))\n",
        "import json\nimport websocket\n\ndef on_message(socket, text):\n    print(json.loads(text))\n\napp = websocket.WebSocketApp(url, on_message=on_message)\n",
        "from aiohttp import web\n\nclass Hooks:\n    async def check(self, request: web.Request):\n        body = await request.json()\n        if body['kind'] not in self.kinds:\n            raise ValueError('no such kind')\n        return body\n",
        "import json\n\nasync def read(request, kv):\n    entry = await kv.get('a')\n    return json.loads(entry.value)\n",
        "import json\njson.loads('{}')\n",
        "import json\nwith open('config.json') as file:\n    json.load(file)\n",
        "import json\njson.loads(json.dumps({}))\n",
        "import json, os\njson.loads(os.environ['LIMITS'])\n",
        "import json\n\ndef parse(raw):\n    return json.loads(raw)\n",
        "from pydantic import BaseModel\nclass A(BaseModel): ...\ndef show(a: A):\n    return a.json()\n",
        "# json.loads(body) without a try\n",
        "import json\nfrom pydantic import BaseModel, field_validator\nclass A(BaseModel):\n    @field_validator('x', mode='before')\n    def parse(cls, body):\n        return json.loads(body)\n",
        "import requests\n\ndef main():\n    print(requests.get('http://a', timeout=3).json())\n\nif __name__ == '__main__':\n    main()\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.data = Outside(file)
        self.said: set[tuple[ast.AST | None, str]] = set()
        self.in_tests = bool(file.calls.mentions("pytest", "unittest"))

    def begin(self) -> None:
        if b"JSONDecoder" in self.file.data or b"msgspec" in self.file.data:
            for node in self.file.calls.named("decode"):
                self.visit_Call(node)

    def visit_Call(self, node: ast.Call) -> None:
        if self.in_tests or self.in_validator(node) or self.in_kept_callback(node):
            return
        parsers = self.names(node.func) & PARSERS.keys()
        if parsers and node.args:
            self.parse(node, node.args[0], min(parsers))
            return
        answered = self.answer(node)
        if answered:
            upstream = self.is_of_upstream(node)
            what = "the answer" if upstream else "what was sent"
            self.judge(node, answered, f"{what} is parsed outside any guard that catches", upstream=upstream)

    def is_of_upstream(self, node: ast.Call) -> bool:
        """Whether it is an answer that this project asked for, and no request."""
        sources = self.names(node.func) | self.names(getattr(node.func, "value", node.func))
        return any(origin.startswith(UPSTREAM) or origin in ANSWERS for origin in sources)

    def parse(self, node: ast.Call, data: ast.expr, parser: str) -> None:
        raises, whence = PARSERS[parser] | self.decoding(data, parser), self.data.whence(data)
        if whence is Whence.OUTSIDE:
            through = self.data.passing(data)
            upstream = self.data.is_answer(data) or are_answers(through, raises)
            self.judge(node, raises, "parsed outside any guard that catches", upstream=upstream, through=through)
        elif whence is Whence.INSIDE and is_from_inbox(self.file, data):
            self.judge(
                node, raises, "a file that somebody may be writing just now is parsed outside any guard that catches"
            )
        elif whence is Whence.UNKNOWN and self.file.guards.guarded(node, raises):
            self.clear(node)  # callers elsewhere may hand it data of their own
        else:
            return
        if whence is Whence.OUTSIDE and self.file.guards.guarded(node, raises):
            for before in self.decoded_before(node):
                self.judge(before, TEXT, "bytes are decoded outside any guard that catches", upstream=upstream)
        for again in self.decoded_again(node):
            self.judge(again, TEXT, "bytes that are no JSON are decoded again, outside any guard that catches")

    def judge(
        self, node: ast.Call, raises: frozenset[str], message: str, *, upstream: bool = False,
        through: Sequence[tuple[PythonFile, ast.Call]] = (),
    ) -> None:  # fmt: skip
        """Guarded here or by the callers; what runs once in a command may end with an error.

        An answer of an upstream decides only where a handler, a task or a loop asks for it.
        """
        said_here = self.file.guards.judge(node, raises)
        guarded = said_here.guard is Guard.GUARDED
        excused = is_one_shot(self.file, node) or self.is_agreed(node)
        if (
            (guarded and (excused or not said_here.open))
            or self.is_tried_before(node)
            or self.is_answered(node, raises)
        ):
            self.clear(node)
        elif not excused and self.is_first(node):
            missed = self.file.guards.escape(node, raises).unseen or raises
            said = f"{message} {' and '.join(sorted(missed))}: catch it where an answer can be given"
            asked = upstream and not self.is_half_guarded(node) and not is_serving(self.file, node, raises)
            advisory = asked or (upstream and is_shown(self.file, node))
            fix = refusing(self.file, node, raises, upstream=upstream)
            self.guard(node, raises, said, fix, advisory=advisory, through=through)

    def is_half_guarded(self, node: ast.Call) -> bool:
        """Whether a handler round it makes another error of the client's errors: it was meant to let out no other."""
        child: ast.AST = node
        for parent in self.tree.ancestors(node):
            if isinstance(parent, FunctionDef):
                return False
            if (
                isinstance(parent, ast.Try)
                and within(child, parent.body)
                and any(map(self.translates, parent.handlers))
            ):
                return True
            child = parent
        return False

    def translates(self, handler: ast.ExceptHandler) -> bool:
        kinds = self.file.guards.classes(handler.type) if handler.type is not None else set[str]()
        raised = handler.body[-1]
        another = isinstance(raised, ast.Raise) and isinstance(raised.exc, ast.Call)
        return another and any(kind.startswith(tuple(REPLIES)) for kind in kinds)

    def is_answered(self, node: ast.Call, raises: frozenset[str]) -> bool:
        """Whether the application has an answer to these exceptions, wherever a handler raises them."""
        return is_on_a_request_path(self.file, node) and is_answered_by_app(self.file, raises)

    def is_agreed(self, node: ast.Call) -> bool:
        """In a method that refuses what it is given by a ValueError of its own: its callers know of that class."""
        function = self.tree.function_of(node)
        if not isinstance(function, FunctionDef) or decorators(function) or self.file.guards.is_entry(function):
            return False
        return isinstance(self.tree.parents[function], ast.ClassDef) and any(
            isinstance(each, ast.Raise)
            and isinstance(each.exc, ast.Call)
            and "ValueError" in self.names(each.exc.func)
            and not any(isinstance(parent, ast.Try) for parent in self.tree.ancestors(each) if parent is not function)
            for each in inside(function.body)
        )

    def is_tried_before(self, node: ast.Call) -> bool:
        """`if is_json(text): json.loads(text)`, where the project's function parses it under a guard."""
        child: ast.AST = node
        for parent in self.tree.ancestors(node):
            if isinstance(parent, ast.If | ast.IfExp):
                taken = parent.body if isinstance(parent, ast.If) else [parent.body]
                if child in taken and any(self.tries(each, node) for each in below(parent.test)):
                    return True
            child = parent
        return False

    def tries(self, test: ast.AST, node: ast.Call) -> bool:
        if not isinstance(test, ast.Call) or not test.args or not node.args:
            return False
        same = ast.dump(test.args[0]) == ast.dump(node.args[0])
        return same and any(
            isinstance(one, ast.Call) and each.names.origins(one.func) & PARSERS.keys()
            for each in self.functions(test.func)
            for guard in below(each.node)
            if isinstance(guard, ast.Try)
            for one in below(guard)
        )

    def is_first(self, node: ast.Call) -> bool:
        """What is parsed twice by a function is said once."""
        what = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "json" else node
        once = (self.tree.function_of(node), ast.dump(what))
        first = once not in self.said
        self.said.add(once)
        return first

    def in_validator(self, node: ast.Call) -> bool:
        """In a function that pydantic calls, and whose ValueError it makes an answer of."""
        function = self.tree.function_of(node)
        marks = decorators(function) if isinstance(function, FunctionDef) else []
        return any(name.startswith("pydantic.") for each in marks for name in self.names(each))

    def in_kept_callback(self, node: ast.Call) -> bool:
        """In a function that a library calls inside a guard of its own, logs what it raises, and goes on."""
        return b"WebSocketApp" in self.file.data and self.is_kept(self.tree.function_of(node))

    def is_kept(self, function: ast.AST | None, path: tuple[ast.AST, ...] = ()) -> bool:
        """Whether it is such a function, or only such functions call it."""
        if not isinstance(function, FunctionDef) or function in path:
            return False
        places = (self.tree.parents[each] for each in self.file.calls.references(function))
        calls = (self.tree.parents[each] for each in places if isinstance(each, ast.keyword))
        if any(isinstance(each, ast.Call) and self.keeps(each) for each in calls):
            return True
        leading = self.callers(function)
        return bool(leading) and all(self.is_kept(self.tree.function_of(each), (*path, function)) for each in leading)

    def keeps(self, call: ast.Call) -> bool:
        """Whether a call makes what keeps failures of its callbacks, or an object of this file that makes one."""
        if self.names(call.func) & KEEPING:
            return True
        classes = [each.node for each in self.file.names.classes(call) if isinstance(each.node, ast.ClassDef)]
        bases = [each for one in classes for each in self.file.names.bases(one) if each.names is self.file.names]
        made = [one for each in [*classes, *(base.node for base in bases)] for one in below(each)]
        return any(isinstance(each, ast.Call) and self.names(each.func) & KEEPING for each in made)

    # ---- answers and requests that parse themselves

    def answer(self, node: ast.Call) -> frozenset[str]:
        """What `x.json()` raises, if x is an answer, a request or a message that this project shows to be one."""
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in {"json", "receive_json"}:
            return frozenset()
        for origin in self.names(node.func.value) | self.handed(node.func.value):
            if origin in REQUESTS:
                return JSON | TEXT if isinstance(self.tree.parents[node], ast.Await) else frozenset()
            if origin in LITESTAR:
                return LITESTAR[origin]
            if origin in ANSWERS:
                return self.lenient(node, ANSWERS[origin])
            if origin.startswith(SOCKETS):
                return JSON
            for library, beginnings in REPLIES.items():
                for beginning in beginnings:
                    verb = origin.removeprefix(beginning).removesuffix("()")
                    if origin.startswith(beginning) and verb in VERBS:
                        return self.lenient(node, library)
        return frozenset()

    def handed(self, owner: ast.expr) -> frozenset[str]:
        """What a function that other files register is handed, where its own file does not tell."""
        bound = self.file.names.bindings(owner) if isinstance(owner, ast.Name) else []
        params = [each.node for each in bound if isinstance(each.node, ast.arg)]
        function = self.tree.function_of(owner)
        if not params or not isinstance(function, FunctionDef) or params[0] is not first_param(self.tree, function):
            return frozenset()
        return frozenset(kind for kind, _ in handed_elsewhere(self.file, function) if kind)

    def lenient(self, node: ast.Call, library: str) -> frozenset[str]:
        """aiohttp checks the content type only when it is not told `content_type=None`."""
        return JSON if argument(node, "content_type") is not None else RAISES[library]

    # ---- bytes

    def decoding(self, data: ast.expr, parser: str) -> frozenset[str]:
        """UnicodeDecodeError where bytes are decoded in the same breath, without an error handler, or by the parser."""
        if any(is_strict_decoding(each) for each in below(data)):
            return TEXT
        if isinstance(data, ast.Name) and self.may_be_undecoded(data):
            return TEXT
        return TEXT if parser not in LENIENT and self.are_bytes(data) else frozenset()

    def are_bytes(self, data: ast.expr) -> bool:
        """Whether it comes as bytes and nothing made text of it before it is parsed."""
        steps = [data, *(self.file.names.values(data) if isinstance(data, ast.Name) else ())]
        if any(isinstance(each, ast.Call) and last_name(each.func) in TEXTS for step in steps for each in below(step)):
            return False
        function = self.tree.function_of(data)
        roots = [each for each in self.data.roots(data) if self.tree.function_of(each) is function]
        return any(self.is_raw(root) for root in roots)

    def is_raw(self, root: ast.expr) -> bool:
        if isinstance(root, ast.Call) and argument(root, "as_text") is not None:
            return False  # as Flask's `get_data` has it
        if isinstance(root, ast.Attribute) and root.attr == "payload" and b"paho" in self.file.data:
            return True
        return any(are_bytes(origin) for origin in self.names(root))

    def may_be_undecoded(self, data: ast.Name) -> bool:
        """Whether a name holds a text where bytes could be decoded, and the very bytes where they could not."""
        values = [each.values[0] if isinstance(each, ast.BoolOp) else each for each in self.file.names.values(data)]
        decoded = [each.func.value for each in values if is_strict_decoding(each)]  # type: ignore[attr-defined]
        raw = {ast.dump(one) for each in decoded for one in (each, *self.file.names.values(each))}
        return any(ast.dump(each) in raw for each in values)

    def decoded_before(self, node: ast.Call) -> Iterator[ast.Call]:
        """`text = raw.decode()` before a parse that is guarded, where the guard begins after it."""
        data = node.args[0]
        for each in self.file.names.values(data) if isinstance(data, ast.Name) else ():
            here = self.tree.function_of(each) is self.tree.function_of(node)
            if here and isinstance(each, ast.Call) and is_strict_decoding(each):
                yield each

    def decoded_again(self, node: ast.Call) -> Iterator[ast.Call]:
        """Decoding of the same bytes in a handler that is there for bytes that cannot be decoded."""
        written = {ast.dump(each) for each in below(node.args[0]) if is_strict_decoding(each)}
        child: ast.AST = node
        for parent in self.tree.ancestors(node) if written else ():
            if isinstance(parent, ast.Try) and within(child, parent.body):
                reached = (each for each in parent.handlers if self.file.guards.catches(each.type, *TEXT))
                for each in (one for handler in reached for statement in handler.body for one in below(statement)):
                    if isinstance(each, ast.Call) and ast.dump(each) in written:
                        yield each
                return
            child = parent


def are_answers(through: Sequence[tuple[PythonFile, ast.Call]], raises: frozenset[str]) -> bool:
    """Whether all that callers pass outside a guard is what they asked for."""
    open_ones = [(file, call) for file, call in through if not file.guards.guarded(call, raises)]
    given = [(file, call.args[0] if call.args else None) for file, call in open_ones]
    return bool(given) and all(value is not None and Outside(file).is_answer(value) for file, value in given)


def are_bytes(origin: str) -> bool:
    """Whether what comes from there is bytes: `urllib.request.urlopen().read`."""
    last = origin.removesuffix("()").rpartition(".")[2]
    return any(origin.startswith(beginning) and last in ends for beginning, ends in BYTES.items())


def is_strict_decoding(node: ast.AST) -> bool:
    """`raw.decode()`, without `errors="replace"`."""
    decodes = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "decode"
    return decodes and argument(node, "errors", 1) is None  # type: ignore[arg-type]

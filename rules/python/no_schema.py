"""The body of a request is not checked against a shape.

A wrong type or a missing field then fails somewhere deep in the handler, as a 500 or as a strange answer of the upstream
that was asked with it. Declare what a body looks like (a pydantic model, a msgspec struct, a JSON schema) and answer 400
or 422, naming the field, before anything else is done.

Judged over the routes that read a JSON body. Handlers that refuse bodies with a 400 or 422 of their own, or have a
default for where the body is no object, are left alone: how much they check by hand cannot be read. So are applications
that no program of the project gets to, and those that stand in for others.
"""

from readiness.scan import Service, ServiceRule
from readiness.scan.service.service import App, Endpoint, Function

CHECKING = {
    "model_validate", "model_validate_json", "validate_python", "validate_json", "validate", "iter_errors", "is_valid", "parse_obj",
    "parse_raw", "parse_obj_as", "structure", "convert", "decode", "from_dict", "validate_assignment", "best_match", "structure_attrs", "deserialize",
    "ParseDict", "Parse",
}  # fmt: skip
"""Methods that check data against a shape."""
LIBRARIES = (
    "pydantic", "jsonschema", "msgspec", "marshmallow", "cerberus", "voluptuous", "attrs", "cattrs", "schema", "fastjsonschema",
    "typeguard", "dacite", "mashumaro", "openapi_core", "flask_pydantic", "webargs", "apiflask", "quart_schema", "sqlmodel", "strictyaml",
    "msrest", "botbuilder.schema", "google.protobuf", "trafaret", "schematics", "beartype", "adaptix", "pyserde", "serde", "flask_smorest", "spectree", "aiohttp_apispec", "aiohttp_pydantic",
)  # fmt: skip
ANYTHING = (":path}", "/*", "<path:path>", ":.*}")
"""Ends of paths that stand for any path: what is passed on there has no shape of its own."""
LOADS = {
    "json.loads",
    "orjson.loads",
    "ujson.loads",
    "msgspec.json.decode",
    "json.JSONDecoder().decode",
    "simplejson.loads",
}
MODELS = {"BaseModel", "Struct", "SQLModel", "RootModel", "Schema", "BaseSettings", "RootModel()", "Model"}


class Rule(ServiceRule):
    item = "schema-validation"
    good = [
        {
            "app/main.py": "from fastapi import FastAPI\nfrom app.schemas import Chat\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: Chat):\n    return {}\n",
            "app/schemas.py": "from pydantic import BaseModel\n\nclass Chat(BaseModel):\n    model: str\n",
        },
        "from fastapi import FastAPI, Request\nfrom pydantic import BaseModel\napp = FastAPI()\n\nclass Chat(BaseModel):\n    model: str\n\n@app.post('/v1/chat/completions')\nasync def chat(request: Request):\n    return Chat.model_validate(await request.json())\n",
        "from aiohttp import web\nfrom pydantic import BaseModel\n\nclass Chat(BaseModel):\n    model: str\n\nasync def chat(request):\n    return web.json_response(Chat(**await request.json()).model_dump())\n\napp = web.Application()\napp.router.add_post('/v1/chat/completions', chat)\n",
        "import jsonschema\nfrom flask import Flask, request\napp = Flask(__name__)\n\n@app.post('/v1/chat/completions')\ndef chat():\n    jsonschema.validate(request.get_json(), SCHEMA)\n    return {}\n",
        "from litestar import Litestar, post\nfrom msgspec import Struct\n\nclass Chat(Struct):\n    model: str\n\n@post('/v1/chat/completions')\nasync def chat(data: Chat) -> dict:\n    return {}\n\napp = Litestar([chat])\n",
        "from botbuilder.schema import Activity\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n\n@app.post('/events')\nasync def take(request: Request):\n    body = await request.json()\n    return await told(Activity().deserialize(body))\n",
    ]
    bad = [
        "from fastapi import FastAPI\nfrom pydantic import BaseModel\napp = FastAPI()\n\nclass Chat(BaseModel):  # never used\n    model: str\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return body['model']\n",
        "from fastapi import FastAPI, Request\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(request: Request):\n    body = await request.json()\n    return body['model']\n",
        "import json\nfrom starlette.applications import Starlette\nfrom starlette.routing import Route\n\nasync def chat(request):\n    return Response(json.loads(await request.body())['model'])\n\napp = Starlette(routes=[Route('/chat', chat, methods=['POST'])])\n",
        "from aiohttp import web\n\nasync def chat(request):\n    try:\n        body = await request.json()\n    except ValueError:\n        return web.json_response({}, status=400)\n    return web.json_response(body['model'])\n\napp = web.Application()\napp.router.add_post('/v1/chat/completions', chat)\n",
        "from flask import Flask, request\napp = Flask(__name__)\n\n@app.post('/v1/chat/completions')\ndef chat():\n    return request.json['model']\n",
        "from litestar import Litestar, post\n\n@post('/v1/chat/completions')\nasync def chat(data: dict) -> dict:\n    return data['model']\n\napp = Litestar([chat])\n",
    ]
    silent = [
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models(limit: int = 10):\n    return []\n",
        "from fastapi import FastAPI, UploadFile\napp = FastAPI()\n\n@app.post('/v1/files')\ndef files(file: UploadFile):\n    return {}\n",
        "import nats\n\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('work', cb=work)\n",
        "import asyncio\nimport socket\nimport uvicorn\nfrom fastapi import FastAPI, Request\n\nasync def overhear(command):\n    seen = {}\n    app = FastAPI()\n\n    @app.post('/v1/messages')\n    async def take(request: Request):\n        seen.update(await request.json())\n        return {}\n\n    free = socket.socket()\n    free.bind(('', 0))\n    server = uvicorn.Server(uvicorn.Config(app, port=free.getsockname()[1]))\n    running = asyncio.create_task(server.serve())\n    await asyncio.create_subprocess_exec(*command)\n    server.should_exit = True\n    await running\n    return seen\n",
        "from fastapi import FastAPI, Request\n\nclass Driver:\n    def __init__(self):\n        self.app = FastAPI()\n\n    def listen(self, spec):\n        async def take(request: Request):\n            return await spec.handle(await request.json())\n        self.app.add_api_route(spec.path, take, methods=[spec.method])\n",
        "from aiohttp import web\n\nasync def pair(request):\n    body = await request.json()\n    name = body.get('name', '') if isinstance(body, dict) else ''\n    return web.json_response({'paired': name})\n\napp = web.Application()\napp.router.add_post('/pair', pair)\n",
        {
            "peers/meet.py": "from aiohttp import web\n\nclass Meeting:\n    def __init__(self, heard):\n        self.heard = heard\n        self.app = web.Application()\n        self.app.router.add_post('/hello', self.hello)\n\n    async def hello(self, request):\n        return web.json_response(await self.heard(await request.json()))\n",
            "peers/__init__.py": "from peers.meet import Meeting\n",
        },
        {
            "devices/simulator/pages.py": "from aiohttp import web\n\nasync def turn(request):\n    return web.json_response(await request.json())\n\napp = web.Application()\napp.router.add_post('/turn', turn)\n",
        },
        "from fastapi import Body, FastAPI\napp = FastAPI()\n\n@app.patch('/sessions/{one}')\ndef rename(one: str, name: str = Body(..., embed=True)):\n    return {one: name}\n",
        "from fastapi import FastAPI, Request\nfrom starlette.status import HTTP_400_BAD_REQUEST\nfrom answers import ErrorResponse\napp = FastAPI()\n\n@app.post('/confirm')\nasync def confirm(request: Request):\n    body = await request.json()\n    if not body.get('id'):\n        return ErrorResponse.of('id is missing', HTTP_400_BAD_REQUEST)\n    return {}\n",
        "from fastapi import FastAPI, HTTPException\napp = FastAPI()\n\n@app.post('/feedback')\ndef tell(body: dict):\n    try:\n        return kept(body)\n    except ValueError as problem:\n        raise HTTPException(422, str(problem))\n\ndef kept(body):\n    if 'kind' not in body:\n        raise ValueError('kind is missing')\n    return body\n",
    ]

    def judge(self, service: Service) -> None:
        self.service = service
        for app in service.apps:
            self.judge_app(app)

    def judge_app(self, app: App) -> None:
        for each in app.endpoints:
            if not reads_json(each):
                continue
            if each.route.body == "model" or any(self.checks(function) for function in (*each.functions, *each.before)):
                self.clear(each.route.at)
            elif reason := app.untold(self.service):
                self.leave(f"{each.route.at.path}:{each.route.at.line}: {reason}")
            elif any(refuses(function) or looks(function) for function in each.functions):
                self.leave(
                    f"{each.route.at.path}:{each.route.at.line}: how much is checked by hand here cannot be read"
                )
            else:
                self.flag(
                    each.route.at,
                    f"{each.path or '/'} takes whatever JSON it is sent: check it against a schema, and answer 422",
                )

    def checks(self, function: Function) -> bool:
        """Whether a function checks data against a shape."""
        if any(origin.rpartition(".")[2] in CHECKING and origin.startswith(LIBRARIES) for origin, _ in function.calls):
            return True
        if any(
            origin.endswith(("TypeAdapter", "Decoder", "().load", "().loads")) and origin.startswith(LIBRARIES)
            for origin, _ in function.calls
        ):
            return True
        made = (base for key in function.fills if key[0] == "<" for base in self.service.bases(key))
        return any(base.rpartition(".")[2] in MODELS and base.startswith(LIBRARIES) for base in made)


def reads_json(endpoint: Endpoint) -> bool:
    """Whether a route reads a JSON body, through the framework or by itself."""
    methods = set(endpoint.route.methods)
    anything = endpoint.path == "*" or endpoint.path.endswith(ANYTHING)
    if (methods and not methods & {"POST", "PUT", "PATCH", "*"}) or anything:
        return False
    if endpoint.route.body:
        return endpoint.route.body in {"model", "any"}
    own = endpoint.functions
    near = [each for each in own if {"whole", "chunks"} & set(each.marks)]
    loads = any(
        origin in LOADS
        for each in (own if any("chunks" in one.marks for one in near) else near)
        for origin, _ in each.calls
    )
    return any("parses" in each.marks for each in own) or (bool(near) and loads)


def looks(function: Function) -> bool:
    """Whether a function that parses a body has a default for where it is no object."""
    return {"parses", "asks-type"} <= set(function.marks)


def refuses(function: Function) -> bool:
    """Whether a function answers 400 to something that it found out itself, or 422, which tells of nothing else."""
    return any(status == 422 or (status == 400 and how == "own") for status, _, how in function.answers)

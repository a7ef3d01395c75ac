"""A completions endpoint cannot stream.

A client that asks for `stream: true` gets nothing until the whole answer is there, or a body that it cannot read as
events; long answers run into the timeouts of everything between. Send server-sent events as the chunks arrive, or refuse
`stream` with a 400 that says so.

Judged over the routes of completions (`/v1/chat/completions` and its like) and all that their handlers lead to.
"""

from collections.abc import Sequence

from readiness.scan import Service, ServiceRule
from readiness.scan.code.frameworks import STREAMING
from readiness.scan.service.facts import Deeds
from readiness.scan.service.service import Endpoint, Function

NOT_IMPLEMENTED = 501
BY_FIELD = ("/completions", "/messages", "/responses")
"""Ends of paths whose clients ask for pieces by a field of the body, `stream`, and know of no other path."""


class Rule(ServiceRule):
    item = "streaming"
    good = [
        "from fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return StreamingResponse(events(body), media_type='text/event-stream')\n",
        {
            "app/main.py": "from fastapi import FastAPI\nfrom app.chat import router\napp = FastAPI()\napp.include_router(router, prefix='/v1')\n",
            "app/chat.py": "from fastapi import APIRouter\nfrom app.answers import answer\nrouter = APIRouter()\n\n@router.post('/chat/completions')\nasync def chat(body: dict):\n    return await answer(body)\n",
            "app/answers.py": "from sse_starlette.sse import EventSourceResponse\n\nasync def answer(body):\n    return EventSourceResponse(events(body))\n",
        },
        "from aiohttp import web\n\nasync def chat(request):\n    response = web.StreamResponse()\n    await response.prepare(request)\n    await response.write(b'data: {}')\n    return response\n\napp = web.Application()\napp.router.add_post('/v1/chat/completions', chat)\n",
        "from flask import Flask, Response\napp = Flask(__name__)\n\n@app.post('/v1/chat/completions')\ndef chat():\n    return Response(events(), mimetype='text/event-stream')\n",
        "from litestar import Litestar, post\nfrom litestar.response import ServerSentEvent\n\n@post('/v1/chat/completions')\nasync def chat(data: dict) -> ServerSentEvent:\n    return ServerSentEvent(events(data))\n\napp = Litestar([chat])\n",
        "from fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\nfrom openai import AsyncOpenAI\napp = FastAPI()\nclient = AsyncOpenAI()\n\n@app.post('/models/{model}:generateContent')\nasync def whole(model: str, body: dict):\n    return await client.chat.completions.create(model=model, messages=body['contents'])\n\n@app.post('/models/{model}:streamGenerateContent')\nasync def pieces(model: str, body: dict):\n    return StreamingResponse(events(await client.chat.completions.create(model=model, messages=body['contents'], stream=True)), media_type='text/event-stream')\n",
        "from fastapi import FastAPI, Request\nfrom fastapi.responses import StreamingResponse\napp = FastAPI()\n\nasync def streamed(request):\n    return StreamingResponse(pieces(request), media_type='text/event-stream')\n\nasync def whole(request):\n    return {}\n\n@app.post('/v1/chat/completions')\nasync def chat(request: Request):\n    answer = streamed if asks_for_stream(request) else whole\n    return await answer(request)\n",
    ]
    bad = [
        "from fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\nfrom openai import AsyncOpenAI\napp = FastAPI()\nclient = AsyncOpenAI()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return await client.chat.completions.create(model=body['model'], messages=body['messages'])\n\n@app.get('/v1/chat/stream-logs')\nasync def logs():\n    return StreamingResponse(lines(), media_type='text/event-stream')\n",
        "from fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(body: dict):\n    return {'stream': False}\n",
        "from fastapi import FastAPI\nfrom openai import AsyncOpenAI\napp = FastAPI()\nclient = AsyncOpenAI()\n\n@app.post('/chat')\nasync def chat(body: dict):\n    reply = await client.chat.completions.create(model=body['model'], messages=body['messages'])\n    return reply.model_dump()\n",
        "import httpx\nfrom fastapi import FastAPI, Request, Response\napp = FastAPI()\n\n@app.post('/v1/chat/completions')\nasync def chat(request: Request):\n    async with httpx.AsyncClient() as client:\n        reply = await client.post('http://upstream', content=await request.body())\n    return Response(reply.content)\n\n@app.get('/files')\ndef files():\n    return StreamingResponse(read())\n",
        "from aiohttp import web\n\nasync def chat(request):\n    return web.json_response(await ask(await request.json()))\n\napp = web.Application()\napp.router.add_post('/v1/chat/completions', chat)\n",
        "from flask import Flask, jsonify\napp = Flask(__name__)\n\n@app.post('/v1/chat/completions')\ndef chat():\n    return jsonify({})\n",
    ]
    silent = [
        "from fastapi import FastAPI, Request\nfrom fastapi.responses import StreamingResponse\napp = FastAPI()\n\nclass Streaming:\n    async def answer(self, body):\n        return StreamingResponse(events(body), media_type='text/event-stream')\n\nclass Whole:\n    async def answer(self, body):\n        return await ask(body)\n\nclass Kept:\n    async def answer(self, body):\n        return await ask(body)\n\n@app.post('/v1/chat/completions')\nasync def chat(request: Request):\n    handler = request.app.state.handlers['chat']\n    return await handler.answer(await request.json())\n",
        "from fastapi import FastAPI\nfrom fastapi.responses import JSONResponse\napp = FastAPI()\n\n@app.post('/v1/messages')\nasync def messages():\n    return JSONResponse(status_code=501, content={'error': 'not supported yet'})\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/v1/embeddings')\nasync def embeddings(body: dict):\n    return {}\n",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import openai\nprint(openai.OpenAI().chat.completions.create(model='m', messages=[]))\n",
        "from fastapi import FastAPI\nfrom openai import AsyncOpenAI\napp = FastAPI()\nclient = AsyncOpenAI()\n\n@app.post('/api/v1/prompts/chat')\nasync def improve(body: dict):\n    reply = await client.chat.completions.create(model='m', messages=body['turns'])\n    return {'template': reply.choices[0].message.content}\n",
    ]

    def judge(self, service: Service) -> None:
        streams = [each for each in service.endpoints if "stream" in each.path.lower()]
        self.streamed = [each.path for each in streams if any(sends(service, one) for one in each.functions)]
        for each in service.endpoints:
            if each.completes:
                self.judge_endpoint(service, each)

    def judge_endpoint(self, service: Service, endpoint: Endpoint) -> None:
        at, functions = endpoint.route.at, endpoint.functions
        if any(sends(service, each) for each in functions) or has_own_way(endpoint.path, self.streamed):
            self.clear(at)
        elif any(status == NOT_IMPLEMENTED for each in functions[:1] for status, _, _ in each.answers):
            self.leave(
                f"{at.path}:{at.line}: {endpoint.path} answers {NOT_IMPLEMENTED}: whether it completes anything cannot be read"
            )
        elif any("names-stream" in each.marks and refuses(each) for each in functions):
            self.leave(f"{at.path}:{at.line}: whether `stream` is refused here cannot be read")
        elif not functions or any(each.about in {"layers", "app"} for each in endpoint.doubts):
            self.leave(f"{at.path}:{at.line}: what answers {endpoint.path} cannot be read")
        elif may_send(service, functions):
            self.leave(
                f"{at.path}:{at.line}: whether {endpoint.path} leads to what sends an answer piece by piece cannot be read"
            )
        else:
            self.flag(
                at,
                f"nothing that {endpoint.path} leads to sends an answer piece by piece: pass the pieces on as they come",
            )


def has_own_way(path: str, streamed: Sequence[str]) -> bool:
    """Whether answers in pieces have a path of their own beside this one, and its clients ask for them there."""
    if path.endswith(BY_FIELD):
        return False
    beside = f"{path.rpartition('/')[0]}/"
    return any(each.startswith(beside) for each in streamed)


def sends(service: Service, function: Function) -> bool:
    """Whether a function makes an answer that is sent piece by piece."""
    if "sends-events" in function.marks:
        return True
    return any(
        base.rpartition(".")[2] in STREAMING for key in function.to if key.endswith(">") for base in service.bases(key)
    )


def may_send(service: Service, functions: Sequence[Function]) -> bool:
    """Whether a method of something unknown, by its name, may be one that sends piece by piece."""
    unknown = {ref for each in functions for ref in each.to if ref.startswith(".")}
    keys = [each.key for each in service.all(Deeds) if f".{each.key[:-1].rpartition('.')[2]}" in unknown]
    return any(sends(service, each) for each in service.reach(keys))


def refuses(function: Function) -> bool:
    return any(status in {400, 422, 501} and how == "own" for status, _, how in function.answers)

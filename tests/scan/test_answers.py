"""Where a file answers its clients. In each case `said` is what may go to one."""

import ast

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.parts import parts
from readiness.scan.data.answers import Answer, Answers

ANSWERED = {
    "a response": "from fastapi.responses import JSONResponse\nanswer = JSONResponse({'text': said})",
    "a response by another name": "from starlette.responses import PlainTextResponse as P\nanswer = P(said)",
    "a response whose library nobody knows": "from .web import JSONResponse\nanswer = JSONResponse(said)",
    "aiohttp": "from aiohttp import web\nanswer = web.json_response({'text': said}, status=500)",
    "Flask": "from flask import jsonify\nanswer = jsonify(text=said), 500",
    "Django": "from django.http import HttpResponse\nanswer = HttpResponse(said, status=500)",
    "an HTTP exception": "from fastapi import HTTPException\nraise HTTPException(500, detail=said)",
    "an exception of aiohttp": "from aiohttp import web\nraise web.HTTPBadGateway(text=said)",
    "tornado": "from tornado import web\nraise web.HTTPError(500, said)",
    "abort": "from flask import abort\nabort(500, said)",
    "an exception of its own": (
        "from fastapi import HTTPException\n\nclass Gone(HTTPException): ...\n\nclass Away(Gone): ...\n\n"
        "raise Away(410, said)"
    ),
    "a route": "@router.get('/models')\nasync def models():\n    return {'text': said}",
    "a route of Flask": "@app.route('/models')\ndef models():\n    return said, 500",
    "a route of Litestar": "from litestar import get\n\n@get('/models')\nasync def models() -> str:\n    return said",
    "a route that is added": "def models():\n    return said\n\napp.add_api_route('/models', models)",
    "a socket": "from fastapi import WebSocket\n\nasync def talk(ws: WebSocket):\n    await ws.send_text(said)",
    "a socket that is closed": (
        "from fastapi import WebSocket\n\nasync def talk(ws: WebSocket):\n    await ws.close(1011, reason=said)"
    ),
    "a served socket": (
        "import websockets\n\nasync def talk(ws):\n    await ws.send(said)\n\nasync def main():\n"
        "    await websockets.serve(talk, 'h', 1)"
    ),
    "NATS": "import nats\n\nasync def handle(msg):\n    await msg.respond(said)",
    "NATS by the reply subject": "async def handle(msg):\n    await nc.publish(msg.reply, said)",
    "gRPC": "import grpc\n\ndef Ask(self, request, context):\n    context.abort(grpc.StatusCode.INTERNAL, said)",
    "details of gRPC": "def Ask(self, request, context):\n    context.set_details(said)",
    "a handler of tornado": (
        "from tornado.web import RequestHandler\n\nclass A(RequestHandler):\n    def get(self):\n"
        "        self.write(said)"
    ),
    "the standard library's server": (
        "from http.server import BaseHTTPRequestHandler\n\nclass A(BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n        self.send_error(500, said)"
    ),
    "a stream": (
        "from fastapi.responses import StreamingResponse\n\nasync def events():\n    yield said\n\n"
        "async def stream():\n    return StreamingResponse(events())"
    ),
    "an event": "async def events():\n    yield f'data: {said}\\n\\n'",
    "socket.io": (
        "import socketio\nsio = socketio.AsyncServer()\n\nasync def tell():\n    await sio.emit('error', said)"
    ),
}
NOT_ANSWERED = {
    "a status": "from fastapi import HTTPException\nraise HTTPException(status_code=said)",
    "headers": "from fastapi.responses import JSONResponse\nanswer = JSONResponse({}, headers=said)",
    "a response of a client": "import httpx\nanswer = httpx.Response(200, text=said)",
    "an exception of a client": "from http.client import HTTPException\nraise HTTPException(said)",
    "an own exception": "class Gone(Exception): ...\nraise Gone(said)",
    "credentials": (
        "from fastapi.security import HTTPAuthorizationCredentials\n"
        "who = HTTPAuthorizationCredentials(scheme='b', credentials=said)"
    ),
    "a function that is no route": "def models():\n    return said",
    "a getter of a cache": "@cache.get('models')\ndef models():\n    return said",
    "a socket on which this is the client": (
        "import aiohttp\n\nasync def talk():\n    async with aiohttp.ClientSession() as s, s.ws_connect(u) as ws:\n"
        "        await ws.send_json(said)"
    ),
    "a message to others": "async def handle(msg):\n    await nc.publish('jobs', said)",
    "a file": "with open('x', 'w') as file:\n    file.write(said)",
    "a generator": "def lines():\n    yield said",
    "sending to a coroutine": "def go(worker):\n    worker.send(said)",
}  # fmt: skip


def answers(code: str) -> list[Answer]:
    file = PythonFile("service.py", ast.parse(code), code.encode())
    return [each for each in Answers(file).every if says(each)]


def says(answer: Answer) -> bool:
    made_of = (inner.node for part in answer.parts for inner in parts(part))
    return any(isinstance(node, ast.Name) and node.id == "said" for node in made_of)


@pytest.mark.parametrize("code", ANSWERED.values(), ids=ANSWERED)
def test_an_answer_is_found_once(code: str) -> None:
    assert len(answers(code)) == 1


@pytest.mark.parametrize("code", NOT_ANSWERED.values(), ids=NOT_ANSWERED)
def test_what_is_no_answer(code: str) -> None:
    assert not answers(code)


def test_a_response_that_a_route_returns_is_one_answer() -> None:
    code = "from fastapi.responses import JSONResponse\n\n@app.get('/')\ndef f():\n    return JSONResponse(said)"
    assert len(answers(code)) == 1


def test_what_is_raised_is_told_from_what_is_made() -> None:
    code = "from fastapi import HTTPException\nraise HTTPException(500, said)"
    assert answers(code)[0].raised
    assert not answers("@app.get('/')\ndef f():\n    return said")[0].raised


def test_a_function_that_answers_with_what_it_is_given() -> None:
    code = (
        "from fastapi.responses import JSONResponse\n\ndef fail(text):\n    return JSONResponse({'error': text})\n\n"
        "def tell(text):\n    print(text)\n\nfail(said)\ntell(said)"
    )
    file = PythonFile("service.py", ast.parse(code), code.encode())
    fail, tell = file.calls.named("fail")[0], file.calls.named("tell")[0]
    found = Answers(file).through(fail)
    assert found is not None
    assert says(found)
    assert Answers(file).through(tell) is None

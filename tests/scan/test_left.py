"""Applications of which the rules about a whole service say that they cannot tell."""

from pathlib import Path

import pytest

from tests.scan.harness import of, scanned

CHAT = "    @app.post('/v1/chat/completions')\n    async def chat(body: dict):\n        return {}\n\n"
LIMIT = "python/no-rate-limit"
BODY = "python/no-body-limit"
LEFT = {
    "an address of this machine": (
        (
            f"import uvicorn\nfrom fastapi import FastAPI\n\nasync def catch():\n    app = FastAPI()\n\n{CHAT}"
            "    await uvicorn.Server(uvicorn.Config(app, host='127.0.0.1')).serve()\n"
        ),
        (LIMIT, BODY),
    ),
    "a limiter of its own": (
        (
            "from aiohttp import web\n\ndef check_rate_limit():\n    return attempts < 3\n\n"
            "async def join(request):\n    if not check_rate_limit():\n"
            "        return web.json_response({}, status=401)\n"
            "    return web.json_response({})\n\napp = web.Application()\napp.router.add_post('/join', join)\n"
        ),
        (LIMIT,),
    ),
    "most routes open": (
        (
            "from fastapi import FastAPI\nfrom slowapi import Limiter\n\napp = FastAPI()\nlimiter = Limiter(key)\n\n"
            "@app.post('/login')\n@limiter.limit('5/minute')\ndef login(request):\n    return {}\n\n"
            "@app.get('/users')\ndef users():\n    return []\n\n@app.get('/groups')\ndef groups():\n    return []\n"
        ),
        (LIMIT,),
    ),
    "inside of Tornado": (
        (
            "from flask import Flask, request\nimport tornado.web\nfrom tornado.wsgi import WSGIContainer\n\n"
            "app = Flask(__name__)\n\n@app.post('/files')\ndef files():\n    return request.get_data()\n\n"
            "outer = tornado.web.Application([('.*', tornado.web.FallbackHandler, {'fallback': WSGIContainer(app)})])\n"
        ),
        (BODY,),
    ),
    "made for others": (
        (f"from fastapi import FastAPI\n\ndef board(queues):\n    app = FastAPI()\n\n{CHAT}    return app\n"),
        (LIMIT, BODY),
    ),
    "handlers of others": (
        "from fastapi import FastAPI\n\napp = FastAPI()\napp.add_api_route('/ask', handler_of(1), methods=['POST'])\n",
        (LIMIT,),
    ),
}


@pytest.mark.parametrize(("code", "rules"), LEFT.values(), ids=LEFT)
def test_what_cannot_be_read_is_left(code: str, rules: tuple[str, ...], tmp_path: Path) -> None:
    run = scanned(tmp_path, {"main.py": code})
    for rule in rules:
        said = of(run, rule)
        assert said.note
        assert said.unseen == said.note
        assert not said.findings
        assert not said.examined


def test_an_application_called_through_another_one_is_part_of_it(tmp_path: Path) -> None:
    code = (
        "from fastapi import FastAPI\nfrom fastapi_mcp import FastApiMCP\n\napp = FastAPI(max_body_size=1000)\n"
        "inner = FastAPI()\n\n@inner.post('/check')\nasync def check(body: dict):\n    return {}\n\n"
        "FastApiMCP(inner).mount(app)\n"
    )
    said = of(scanned(tmp_path, {"main.py": code}), BODY)
    assert said.examined == 1


def test_what_stands_in_for_a_service_is_left(tmp_path: Path) -> None:
    code = f"from fastapi import FastAPI\n\nif True:\n    app = FastAPI()\n\n{CHAT}"
    for rule in (LIMIT, BODY):
        assert not of(scanned(tmp_path, {"app/mock/main.py": code}), rule).findings


def test_a_framework_is_no_service(tmp_path: Path) -> None:
    code = (
        "from starlette.applications import Starlette\n\nclass FastAPI(Starlette):\n"
        "    def setup(self):\n        self.add_route('/users', self.users)\n\n"
        "    async def users(self, request):\n        return await request.json()\n"
    )
    run = scanned(tmp_path, {"fastapi/applications.py": code})
    assert not of(run, LIMIT).findings
    assert of(scanned(tmp_path, {"shop/api.py": code.replace("FastAPI", "Shop")}), LIMIT).findings


APART = {
    "hooks/__init__.py": "VERSION = '1'\n",
    "hooks/cli.py": (
        "import click\nimport uvicorn\nfrom hooks import pretended, server\n\n"
        "@click.command()\ndef serve():\n    uvicorn.run(server.app)\n\n"
        "@click.command()\ndef pretend():\n    uvicorn.run(pretended.app)\n"
    ),
    "hooks/pretended.py": (
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/health')\ndef health():\n    return {}\n"
    ),
    "hooks/server.py": (
        "from fastapi import FastAPI\napp = FastAPI()\n\n"
        "@app.post('/hooks/{name}')\ndef take(name: str):\n    return {}\n"
    ),
}


def test_the_health_of_an_application_that_is_served_apart_is_left(tmp_path: Path) -> None:
    said = of(scanned(tmp_path, APART), "python/no-health-endpoint")
    assert not said.findings
    assert said.left_out is not None
    assert said.left_out.startswith("hooks/pretended.py:2: whether its health endpoint")


def test_the_health_of_an_application_that_is_brought_in_counts(tmp_path: Path) -> None:
    joined = {**APART, "hooks/server.py": "from hooks import pretended\n" + APART["hooks/server.py"]}
    said = of(scanned(tmp_path, joined), "python/no-health-endpoint")
    assert (said.examined, said.left_out) == (1, None)

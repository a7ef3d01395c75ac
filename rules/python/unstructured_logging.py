"""Logs are lines of text.

Whoever searches them for one request, one model or one error then needs a pattern for each message, and the collector
cuts a traceback into as many entries as it has lines. Write one JSON object a line, with time, level, message and the
id of the request: structlog, python-json-logger, loguru with `serialize=True`, or a Formatter of your own that dumps
JSON, set on the handler that really writes.

Judged by the formatter that is really set: one that is defined or imported but never set does not count; where one of a
library for JSON is made and handed out, who sets it cannot be read. What only this machine reaches, or no program of the
project gets to, is left open.
"""

from readiness.model import Location
from readiness.scan import Service, ServiceRule
from readiness.scan.service.facts import Habit, Use
from readiness.scan.service.traffic import LOGS, begins
from readiness.scan.service.upkeep import Upkeep

WRITERS = (
    "pythonjsonlogger", "json_log_formatter", "ecs_logging", "json_logging", "logging_loki", "google.cloud.logging", "structlog.stdlib",
    "structlog.processors", "logstash_formatter", "logstash", "jsonformatter", "jsonlogger", "logstash_async", "uvicorn_json_logger",
    "opentelemetry",
)  # fmt: skip
"""Formatters and handlers that write JSON, or send records with all their fields."""
APPLIED = {"logfire.configure", "json_logging.init_fastapi"}
RENDERED = ("structlog.configure", "structlog.configure_once", "structlog.stdlib.ProcessorFormatter")
"""What writes JSON if its processors end with what renders JSON, and text unless it is given any."""
SETTING = {"logging.basicConfig", "logging.config.dictConfig", "loguru.logger.add", "loguru.logger.configure"}


class Rule(ServiceRule):
    item = "structured-logging"
    good = [
        "import structlog\nfrom fastapi import FastAPI\nstructlog.configure(processors=[structlog.processors.JSONRenderer()])\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import sys\nfrom loguru import logger\nfrom fastapi import FastAPI\nlogger.add(sys.stdout, serialize=True)\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import logging\nfrom pythonjsonlogger.json import JsonFormatter\nfrom fastapi import FastAPI\nhandler = logging.StreamHandler()\nhandler.setFormatter(JsonFormatter())\nlogging.getLogger().addHandler(handler)\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import logging\nimport structlog\nfrom fastapi import FastAPI\nstructlog.configure(processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter])\nhandler = logging.StreamHandler()\nhandler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer()))\nlogging.getLogger().addHandler(handler)\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        {
            "logs.py": "import json\nimport logging\n\nclass Lines(logging.Formatter):\n    def format(self, record):\n        return json.dumps({'message': record.getMessage()})\n\ndef set_up():\n    handler = logging.StreamHandler()\n    handler.setFormatter(Lines())\n    logging.basicConfig(handlers=[handler])\n",
            "app.py": "from fastapi import FastAPI\nfrom logs import set_up\nset_up()\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        },
        "import logging.config\nfrom fastapi import FastAPI\nlogging.config.dictConfig({'version': 1, 'formatters': {'json': {'()': 'pythonjsonlogger.json.JsonFormatter'}}})\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
    ]
    bad = [
        "import structlog\nfrom fastapi import FastAPI\nstructlog.configure(processors=[structlog.processors.TimeStamper(fmt='iso'), structlog.dev.ConsoleRenderer()])\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import logging\nimport structlog\nfrom fastapi import FastAPI\nhandler = logging.StreamHandler()\nhandler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=structlog.dev.ConsoleRenderer()))\nlogging.getLogger().addHandler(handler)\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import logging\nfrom fastapi import FastAPI\nlogging.basicConfig(level='INFO')\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from fastapi import FastAPI\nimport structlog\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    print('asked')  # json\n    return []\n",
        "import json\nimport logging\nfrom fastapi import FastAPI\n\nclass Lines(logging.Formatter):\n    def format(self, record):\n        return json.dumps({'message': record.getMessage()})\n\ndef set_up_lines():\n    handler = logging.StreamHandler()\n    handler.setFormatter(Lines())\n\nlogging.basicConfig()\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import asyncio\nimport nats\n\nclass Worker:\n    async def start(self):\n        self.nc = await nats.connect()\n        await self.nc.subscribe('work', cb=self.take)\n\n    async def take(self, msg):\n        await msg.respond(msg.data)\n\nasync def main():\n    worker = Worker()\n    await worker.start()\n    await asyncio.Event().wait()\n\nif __name__ == '__main__':\n    asyncio.run(main())\n",
    ]
    silent = [
        "import structlog\nfrom fastapi import FastAPI\nfrom shared_logs import chain\nstructlog.configure(processors=chain())\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        {
            "bus/services.py": "import nats\n\nclass Services:\n    def __init__(self):\n        self.made = {}\n\n    async def serve(self, subject, cb):\n        self.nc = await nats.connect()\n        await self.nc.subscribe(subject, cb=cb)\n\n    async def start(self):\n        for each in self.made.values():\n            await each()\n",
            "bus/cli.py": "import asyncio\nfrom importlib import import_module\nfrom bus.services import Services\n\nasync def start(name):\n    services = Services()\n    import_module(name).declare(services)\n    await services.serve('own', cb=getattr(services, name))\n    await asyncio.Event().wait()\n\nif __name__ == '__main__':\n    asyncio.run(start('mine'))\n",
        },
        {
            "peers/meet.py": "from aiohttp import web\n\nclass Meeting:\n    def __init__(self):\n        self.app = web.Application()\n        self.app.router.add_post('/hello', self.hello)\n\n    async def hello(self, request):\n        return web.json_response({})\n",
            "peers/__init__.py": "from peers.meet import Meeting\n",
        },
        {
            "bus/client.py": "import nats\n\nclass Bus:\n    async def hear(self, subject, handler):\n        self.nc = await nats.connect()\n\n        async def taken(msg):\n            await handler(msg.data)\n        await self.nc.subscribe(subject, cb=taken)\n",
            "bus/cli.py": "import asyncio\nfrom bus.client import Bus\n\nasync def listen():\n    async def show(data):\n        print(data)\n    await Bus().hear('>', show)\n    await asyncio.Event().wait()\n\nif __name__ == '__main__':\n    asyncio.run(listen())\n",
        },
        {
            "devices/simulator/pages.py": "from aiohttp import web\n\nasync def turn(request):\n    return web.json_response({})\n\napp = web.Application()\napp.router.add_post('/turn', turn)\n",
        },
        "import logging\nlogging.basicConfig()\n",
        "import asyncio\nimport nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect()\n\n    async def listen(self, subject, handler):\n        async def taken(msg):\n            await handler(msg.data)\n        await self.nc.subscribe(subject, cb=taken)\n\n    def run(self):\n        asyncio.run(self.start())\n",
        "from fastapi import FastAPI, Request\n\nclass Driver:\n    def __init__(self):\n        self.app = FastAPI()\n\n    def listen(self, spec):\n        async def take(request: Request):\n            return await spec.handle(await request.json())\n        self.app.add_api_route(spec.path, take, methods=[spec.method])\n",
        "from fastapi import FastAPI\nfrom pythonjsonlogger.json import JsonFormatter\napp = FastAPI()\n\ndef lines():\n    return JsonFormatter('%(levelname)s %(message)s')\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from connector.common.logging_config import configure_from_file\nfrom fastapi import FastAPI\nconfigure_from_file()\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\n\ndef overview(root, queues):\n    return Starlette(routes=[Route('/queues', show), Route('/queues/{queue}', show)])\n",
        "from fastapi import FastAPI\n\nclass App(FastAPI):\n    def __init__(self, **kwargs):\n        super().__init__(**kwargs)\n\n    def add_file(self, path, file):\n        @self.get(path)\n        def read():\n            return file\n\napp = App()\n\n@app.get('/_parts/{name}')\ndef part(name: str):\n    return name\n",
    ]

    def judge(self, service: Service) -> None:
        upkeep = Upkeep(service)
        if not upkeep.places:
            for reason in upkeep.open:
                self.leave(reason)
            return
        uses = upkeep.used(LOGS)
        found = [each.at for each in uses if is_structured(each)] + list(formatted(upkeep))
        for at in found:
            self.clear(at)
        if found or any(each.function in upkeep.led_to for each in upkeep.habits("json-line")):
            return
        # a formatter that is made, and handed out to whoever starts the service, may be set there
        made = any(each.origin.endswith("Formatter") and rendered(each) != "text" for each in service.used(WRITERS))
        made = made or any(rendered(each) == "*" for each in uses)
        if made or upkeep.habits("unread-format") or upkeep.set_up_elsewhere("log"):
            self.leave("how logs are written stands in something that is not read")
            return
        self.flag(
            place(upkeep, uses), "logs are lines of text: nothing makes a JSON object of a record; format them as JSON"
        )


def place(upkeep: Upkeep, uses: list[Use]) -> Location:
    """Where the service sets its logs up; if it does not, where the application is made."""
    at = upkeep.places[0]
    near = upkeep.near(at.path)
    setting = [each.at for each in uses if each.origin in SETTING and each.at.path in near]
    return min(setting, key=lambda each: (each.path != at.path, each.path, each.line), default=at)


def is_structured(use: Use) -> bool:
    """Whether a call has records written with all their fields."""
    if use.origin.startswith("loguru"):
        return any(name == "serialize" and value not in {"False", "None"} for name, value in use.given)
    if use.origin in RENDERED[:2]:
        return rendered(use) == "json"
    return use.origin in APPLIED or (
        begins(use.origin, ("google.cloud.logging",)) and use.origin.endswith("setup_logging")
    )


def rendered(use: Use) -> str:
    """What structlog makes of records there: `json`, `text`, or `*` if that cannot be read; empty for other libraries."""
    path = use.origin.rpartition("~")[2].removesuffix("()")
    if path not in RENDERED:
        return ""
    return next((value for name, value in use.given if name in {"processor", "processors"}), "text")


def formatted(upkeep: Upkeep) -> list[Location]:
    """Where a formatter or handler that writes JSON is set."""
    own = {ref for each in upkeep.habits("json-format") for ref in each.what}
    rendering = [rendered(each) for each in upkeep.service.used(WRITERS) if each.origin == RENDERED[2]]
    writers = WRITERS if not rendering or "json" in rendering else tuple(e for e in WRITERS if e != "structlog.stdlib")
    return [
        each.at
        for each in upkeep.habits("format")
        if upkeep.service.is_run(each.function) and _is_json(each, own, writers, upkeep)
    ]


def _is_json(habit: Habit, own: set[str], writers: tuple[str, ...], upkeep: Upkeep) -> bool:
    for ref in habit.what:
        line = upkeep.service.line(ref)
        if (
            ref == "json"
            or set(line) & own
            or any(begins(each, writers) or each.partition(".")[0] in writers for each in line)
        ):
            return True
    return False

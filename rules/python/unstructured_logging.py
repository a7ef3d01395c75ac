"""Logs are lines of text.

Whoever searches them for one request, one model or one error then needs a pattern for each message, and the collector
cuts a traceback into as many entries as it has lines. Write one JSON object a line, with time, level, message and the
id of the request: structlog, python-json-logger, loguru with `serialize=True`, or a Formatter of your own that dumps
JSON, set on the handler that really writes.

Judged by the formatter that is really set: one that is defined or imported but never set does not count.
"""

from readiness.model import Location
from readiness.scan import Service, ServiceRule
from readiness.scan.facts import Habit, Use
from readiness.scan.traffic import LOGS, begins
from readiness.scan.upkeep import Upkeep

WRITERS = (
    "pythonjsonlogger", "json_log_formatter", "ecs_logging", "json_logging", "logging_loki", "google.cloud.logging", "structlog.stdlib",
    "structlog.processors", "logstash_formatter", "logstash", "jsonformatter", "jsonlogger", "logstash_async", "uvicorn_json_logger",
    "opentelemetry",
)  # fmt: skip
"""Formatters and handlers that write JSON, or send records with all their fields."""
APPLIED = {"structlog.configure", "structlog.configure_once", "logfire.configure", "json_logging.init_fastapi"}
SETTING = {"logging.basicConfig", "logging.config.dictConfig", "loguru.logger.add", "loguru.logger.configure"}


class Rule(ServiceRule):
    item = "structured-logging"
    good = [
        "import structlog\nfrom fastapi import FastAPI\nstructlog.configure(processors=[structlog.processors.JSONRenderer()])\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import sys\nfrom loguru import logger\nfrom fastapi import FastAPI\nlogger.add(sys.stdout, serialize=True)\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "import logging\nfrom pythonjsonlogger.json import JsonFormatter\nfrom fastapi import FastAPI\nhandler = logging.StreamHandler()\nhandler.setFormatter(JsonFormatter())\nlogging.getLogger().addHandler(handler)\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        {
            "logs.py": "import json\nimport logging\n\nclass Lines(logging.Formatter):\n    def format(self, record):\n        return json.dumps({'message': record.getMessage()})\n\ndef set_up():\n    handler = logging.StreamHandler()\n    handler.setFormatter(Lines())\n    logging.basicConfig(handlers=[handler])\n",
            "app.py": "from fastapi import FastAPI\nfrom logs import set_up\nset_up()\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        },
        "import logging.config\nfrom fastapi import FastAPI\nlogging.config.dictConfig({'version': 1, 'formatters': {'json': {'()': 'pythonjsonlogger.json.JsonFormatter'}}})\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
    ]
    bad = [
        "import logging\nfrom fastapi import FastAPI\nlogging.basicConfig(level='INFO')\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
        "from fastapi import FastAPI\nimport structlog\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    print('asked')  # json\n    return []\n",
        "import json\nimport logging\nfrom fastapi import FastAPI\n\nclass Lines(logging.Formatter):\n    def format(self, record):\n        return json.dumps({'message': record.getMessage()})\n\ndef set_up_lines():\n    handler = logging.StreamHandler()\n    handler.setFormatter(Lines())\n\nlogging.basicConfig()\napp = FastAPI()\n\n@app.get('/v1/models')\ndef models():\n    return []\n",
    ]
    silent = ["import logging\nlogging.basicConfig()\n"]

    def judge(self, service: Service) -> None:
        upkeep = Upkeep(service)
        if not upkeep.places:
            return
        uses = upkeep.used(LOGS)
        found = [each.at for each in uses if is_structured(each)] + list(formatted(upkeep))
        for at in found:
            self.clear(at)
        if found or any(each.function in upkeep.led_to for each in upkeep.habits("json-line")):
            return
        if upkeep.habits("unread-format") or upkeep.set_up_elsewhere("log"):
            self.leave("how logs are written stands in something that is not read")
            return
        self.flag(place(upkeep, uses), "logs are lines of text: nothing makes a JSON object of a record")


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
    return use.origin in APPLIED or (
        begins(use.origin, ("google.cloud.logging",)) and use.origin.endswith("setup_logging")
    )


def formatted(upkeep: Upkeep) -> list[Location]:
    """Where a formatter or handler that writes JSON is set."""
    own = {ref for each in upkeep.habits("json-format") for ref in each.what}
    return [
        each.at
        for each in upkeep.habits("format")
        if upkeep.service.is_run(each.function) and _is_json(each, own, upkeep)
    ]


def _is_json(habit: Habit, own: set[str], upkeep: Upkeep) -> bool:
    for ref in habit.what:
        line = upkeep.service.line(ref)
        if (
            ref == "json"
            or set(line) & own
            or any(begins(each, WRITERS) or each.partition(".")[0] in WRITERS for each in line)
        ):
            return True
    return False

"""The value of a secret is shown.

What is logged, printed, put into an exception, an argument list or a URL ends in files, consoles, tickets and access
logs of others, and stays there when the secret is long forgotten. Log whether it is set, its length or its last four
characters; send it in a header, hand it to a process through its environment or stdin; answer with the fields that the
client needs.

The value decides, not the words round it: `logger.info("token refreshed")` and `bool(api_key)` show nothing. Secrets are
found by the head of their names and by where they come from; what is masked, cut or hashed is fine. Shown as advice: a
secret in `params=` of a call, and the address of a proxy, which may hold its password. Secrets written into the code are
bandit's business.
"""

import ast
import builtins
import re
from collections.abc import Iterator
from itertools import pairwise

from readiness.scan import PythonFile, PythonRule
from readiness.scan.code.names import PARAMETER
from readiness.scan.code.parts import HANDED_ON, METHODS, Part, parts
from readiness.scan.code.passing import passed_for
from readiness.scan.code.scopes import How, decorated
from readiness.scan.code.tree import FunctionDef, argument, below, last_name, text_of
from readiness.scan.data import fields
from readiness.scan.data.answers import Answers
from readiness.scan.data.secrecy import DENYING, Secrecy, called, denies, hides, secrecy, words
from readiness.scan.data.secret_values import Secrets

LEVELS = {
    "debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "trace", "success", "notice", "log",
}  # fmt: skip
ENVIRONMENT = "the whole environment"
LOGGERS = ("logging.", "loguru.", "structlog.", "logbook.", "eliot.")
ASIDE = {"exc_info", "stack_info", "stacklevel", "file", "sep", "end", "flush", "level"}
"""Arguments of logging that are not written."""
STARTING = {
    "run", "Popen", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell", "system",
    "popen", "run_process", "open_process",
}  # fmt: skip
STARTERS = (
    "subprocess.", "asyncio.create_subprocess_", "asyncio.subprocess.", "os.system", "os.popen", "anyio.run_process",
    "anyio.open_process",
)  # fmt: skip
SESSIONS = ("requests.Session()", "httpx.Client()", "httpx.AsyncClient()", "aiohttp.ClientSession()")
OPTIONS = {"options": "nats.", "connection_kwargs": "redis."}
"""What a client keeps of how it was connected, and whose clients do."""
SAYING = {"detail", "message", "msg", "reason", "text", "error", "description"}
BUILTIN = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)}
LABELLING = {"labels", "set_attribute", "set_tag", "set_extra"}
SENDING = {
    "get", "post", "put", "patch", "delete", "head", "request", "stream", "ws_connect", "urlopen", "Request", "fetch", "connect",
    "send", "websocket_connect", "build_request", "create_connection",
}  # fmt: skip
CLIENTS = (
    "httpx.", "httpx2.", "requests.", "aiohttp.ClientSession", "aiohttp.request", "urllib.", "urllib3.", "websockets.",
    "niquests.", "curl_cffi.", "tornado.httpclient.", "websocket.",
)  # fmt: skip
LISTED = "is an argument of a process, which everybody on the machine can list: pass it in the environment or by stdin"
IN_ADDRESS = re.compile(r"://[^/@\s]*:$")
"""What stands before the password in an address, values left out: `https://x-access-token:`."""
IN_QUERY = re.compile(r"[?&]([a-z_-]*(?:key|token|password|passwd|secret))=$", re.IGNORECASE)
GENERIC = {"key", "token"}
"""Names in a query that mean a secret only where the value is called one."""
PROTECTED = {"password", "passwd", "passphrase", "secret"}
"""What no answer gives back, however it came by it; keys and tokens may have been made for the client."""
HELD = {"credentials", "credential"}
SETTINGS = {"settings", "config", "conf", "cfg", "env"}
QUERIES = ("starlette.", "fastapi.", "flask.", "quart.", "aiohttp.web", "sanic.", "litestar.", PARAMETER)
PASSED_IN_QUERY = {"token", "access_token", "api_key", "apikey", "password", "secret", "auth_token", "client_secret"}
ONCE = {
    "reset", "verify", "confirm", "invite", "invitation", "activate", "unsubscribe", "callback", "magic", "email", "download",
    "oauth", "share", "shared", "signup", "register", "verification", "confirmation", "rss", "feed", "ical", "calendar",
}  # fmt: skip
"""What the name of a function says that is reached by a link with a token for this one purpose."""
PURPOSE = {"purpose", "endpoint", "action", "salt", "max_age"}
"""Arguments of what checks a token that is good for one thing, as those in links that are sent to people."""
MASK = re.compile(r"redact|mask|hidden|censor|removed|filtered|\*\*\*|xxx", re.IGNORECASE)
"""Texts that are put in the place of a secret."""
INTERACTIVE = (
    b"argparse",
    b"click",
    b"typer",
    b"__main__",
    b"docopt",
    b"input(",
    b"getpass",
    b"questionary",
    b"traitlets",
)
"""What stands in a file whose prints speak to the one who started it."""


class Rule(PythonRule):
    item = "secrets-managed"
    tokens = (
        "oken", "TOKEN", "assw", "ASSW", "ecret", "SECRET", "api_key", "API_KEY", "apikey", "apiKey", "redential", "uthorization",
        "headers", "environ", "proxy", "private_key", "key=", ".options", "}@",
    )  # fmt: skip
    good = [
        {
            "app/names.py": "API_KEY = 'APP_API_KEY'\n",
            "app/main.py": "from app import names\n\ndef check():\n    raise ValueError(f'{names.API_KEY} is not set')\n",
        },
        "import logging, os\nlogger = logging.getLogger(__name__)\napi_key = os.environ['API_KEY']\nlogger.info('key set: %s', bool(api_key))\n",
        "import logging\nlogger = logging.getLogger(__name__)\n\ndef email(flow):\n    access_token = flow.access_token\n    try:\n        return flow.id_token['email']\n    except KeyError:\n        logger.error('no address in %s', flow.id_token)\n",
    ]
    bad = [
        "import logging\nfrom dataclasses import dataclass\n\n@dataclass\nclass Account:\n    user: str\n    password: str\n\ndef start(account: Account):\n    logging.info('starting as %s', account)\n",
        "import logging\nfrom pydantic import BaseModel\n\nclass Access(BaseModel):\n    api_key: str\n\nclass Options(BaseModel):\n    access: Access\n\ndef start(options: Options):\n    logging.info('starting with %s', options.model_dump())\n",
        "import logging, nats\n\nasync def connect(options):\n    client = await nats.connect(**options)\n    logging.info('connected: %s', client.options)\n",
        "import logging, requests\n\ndef sign_in(session: requests.Session, token):\n    session.headers['Authorization'] = f'Bearer {token}'\n    logging.debug('asking with %s', session.headers)\n",
        "import logging\n\nclass Client:\n    def __init__(self, host, password):\n        self.host = host\n        self.password = password\n\n    def connect(self):\n        logging.info('connecting: %s', vars(self))\n",
        "import logging\n\ndef sign_in(**given):\n    logging.debug('signing in: %s', given)\n\nsign_in(user='a', password=read())\n",
        "import os\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get('/debug')\ndef debug():\n    return {'environment': dict(os.environ)}\n",
        "import os\nfrom flask import Flask, jsonify\n\napp = Flask(__name__)\n\n@app.get('/config')\ndef config():\n    return jsonify({'openai_api_key': os.environ['OPENAI_API_KEY']})\n",
        "import logging, os\nlogger = logging.getLogger(__name__)\napi_key = os.environ['API_KEY']\nlogger.info('key: %s', api_key)\n",
        "import logging\nlogger = logging.getLogger(__name__)\n\ndef refresh(client):\n    token = client.refresh_token()\n    if token['expires_at'] < 10:\n        logger.warning('expired: %s', token)  # access_token\n",
        {
            "app/conf.py": "import os\nAPI_KEY = os.environ['APP_API_KEY']\n",
            "app/main.py": "from app import conf\n\ndef check():\n    raise ValueError(f'{conf.API_KEY} is not good')\n",
        },
        "from starlette.websockets import WebSocket\n\nasync def talk(websocket: WebSocket):\n    if websocket.query_params.get('token'):\n        await check(websocket.query_params.get('token'))\n",
        "import asyncio, os, subprocess\n\nasync def clone(slug):\n    github_token = os.environ['GITHUB_TOKEN']\n    url = f'https://git:{github_token}@github.com/{slug}.git'\n    await asyncio.to_thread(subprocess.run, ['git', 'clone', url], timeout=300)\n",
        "import subprocess\n\ndef clone(slug, token):\n    url = f'https://x-access-token:{token}@github.com/{slug}.git'\n    subprocess.run(['git', 'clone', url], timeout=300, check=True)\n",
        "import logging\n\ndef connect(user, word, host):\n    address = f'amqp://{user}:{word}@{host}'\n    logging.info('connecting to %s', address)\n",
    ]
    silent = [
        "import logging\nfrom pydantic import BaseModel, SecretStr\n\nclass Access(BaseModel):\n    api_key: SecretStr\n\ndef start(access: Access):\n    logging.info('starting with %s', access)\n",
        "import logging\nfrom dataclasses import dataclass, field\n\n@dataclass\nclass Account:\n    user: str\n    password: str = field(repr=False)\n\ndef start(account: Account):\n    logging.info('starting as %s', account)\n",
        "import os\nfrom flask import Flask, jsonify\n\napp = Flask(__name__)\n\n@app.get('/config')\ndef config():\n    return jsonify({'region': os.environ['REGION'], 'key_is_set': 'API_KEY' in os.environ})\n",
        "import logging\nlogger = logging.getLogger(__name__)\n\ndef save(token):\n    access_token = token['access_token']\n    shown = {}\n    shown.update(token)\n    for key in ('access_token', 'refresh_token'):\n        shown[key] = 'REDACTED'\n    logger.debug('saved %s', shown)\n",
        "import logging\nlogger = logging.getLogger(__name__)\nlogger.info('token refreshed')\n",
        "import logging\nlogger = logging.getLogger(__name__)\n\ndef expire(user, now):\n    # Authorization\n    for token in sorted(user.api_tokens, key=str):\n        if token.expires_at < now:\n            logger.warning('%s is too old', token)\n",
        "import os\n\ndef place(folder, challenge):\n    # Authorization\n    path = os.path.join(folder, challenge['token'])\n    raise ValueError(f'could not read {path}')\n",
        "import os\n\ndef place():\n    token = os.environ.get('APP_SERVICE')\n    raise ValueError(f'cannot read {token}')\n",
        "from aiohttp import web\n\nasync def form(request):\n    return web.Response(text=str(check(request.query.get('token'), purpose='sign in')))\n",
        "import asyncio, subprocess\n\nasync def clone(slug, github_token):\n    await asyncio.to_thread(subprocess.run, ['git', 'clone', slug], env={'GIT_TOKEN': github_token})\n",
        "import logging, subprocess\n\ndef connect(user, host, masked_word, port):\n    logging.info(f'amqp://{user}:***@{host}:{port}')\n    logging.info(f'amqp://{user}:{masked_word}@{host}')\n    subprocess.run(['ssh', f'ssh://{user}@{host}:{port}'], timeout=9)\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.secrets = Secrets(file.names, file.data)
        self.told: set[ast.AST] = set()
        lower = file.data.lower()
        self.for_a_terminal = any(word in lower for word in INTERACTIVE)

    def begin(self) -> None:
        self.logged()
        self.raised()
        self.handed_out()
        self.answered()
        self.in_urls()
        self.in_queries()

    # ---- outlets

    def logged(self) -> None:
        for call in self.file.calls.named(*LEVELS, "print", "pprint"):
            if self.is_logging(call):
                values = [*call.args, *(each.value for each in call.keywords if each.arg not in ASIDE)]
                self.judge(
                    call,
                    values,
                    "is written to the log: say whether it is set, or show its last four characters",
                    dumps=True,
                )

    def is_logging(self, call: ast.Call) -> bool:
        if isinstance(call.func, ast.Name):
            return call.func.id in {"print", "pprint"} and not self.for_a_terminal
        function = self.tree.function_of(call)
        if isinstance(function, FunctionDef) and decorated(function, "command"):
            return False
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        return "log" in last_name(receiver).lower() or any(each.startswith(LOGGERS) for each in self.names(receiver))

    def raised(self) -> None:
        """Texts of exceptions: what an own class makes of values that it is given, nobody knows."""
        for node in self.tree.all(ast.Raise):
            if isinstance(node.exc, ast.Call) and last_name(node.exc.func)[:1].isupper():
                given = [*node.exc.args, *(each.value for each in node.exc.keywords if each.arg in SAYING)]
                texts = [each for each in given if is_text(each) or last_name(node.exc.func) in BUILTIN]
                self.judge(
                    node.exc, texts, "is in the text of an exception, which ends in logs and answers: leave it out"
                )

    def handed_out(self) -> None:
        """Argument lists of processes, labels of metrics and traces."""
        for call in self.file.calls.named(*STARTING):
            if any(map(starts, self.names(call.func))):
                self.judge(call, call.args, LISTED)
        for given, call in self.started_elsewhere():
            self.judge(call, given, LISTED)
        for call in self.file.calls.named(*LABELLING):
            values = [*call.args, *(each.value for each in call.keywords)]
            self.judge(call, values, "is a label of a metric or trace: label by a number of the client")

    def started_elsewhere(self) -> Iterator[tuple[list[ast.expr], ast.Call]]:
        """`to_thread(subprocess.run, ["git", "clone", url])`: what is given to the function that a thread is handed."""
        for use in self.file.calls.mentions(*STARTING):
            call = self.tree.parents[use]
            if isinstance(call, ast.Call) and use in call.args and any(map(starts, self.names(use))):
                yield call.args[call.args.index(use) + 1 :], call

    def answered(self) -> None:
        """Passwords in answers, what comes from settings, and the whole environment."""
        for answer in Answers(self.file).every if self.mentions_secrets() else ():
            for part in answer.parts:
                said = ((each, self.told_in_answer(each)) for each in parts(part, self.goes_on))
                shown = [(each, what) for each, what in said if what]
                for each, what in shown[:1]:
                    node = each.node if each.names is self.file.names else answer.node
                    self.flag(node, f"{what} is in an answer: give the client the fields that it needs")

    def told_in_answer(self, part: Part) -> str:
        if self.is_protected(part):
            return f"the value of {called(part.node)}"
        return ENVIRONMENT if is_environment(part) else ""

    def mentions_secrets(self) -> bool:
        named = any(secrecy(name) for name in self.file.calls.uses)
        return named or any(each in self.file.data for each in (b"redentials", b"environ", b"getenv"))

    def is_protected(self, part: Part) -> bool:
        name = self.secrets.named(part)
        if not name:
            return False
        of_settings = isinstance(part.node, ast.Attribute) and last_name(part.node.value).lower() in SETTINGS
        if {"otp", "totp", "mfa"} & set(words(name)) or (
            words(name)[-1] in HELD and not isinstance(part.node, ast.Subscript)
        ):
            return False
        return (
            words(name)[-1] in PROTECTED | HELD or of_settings or self.secrets.comes_from_outside(part.names, part.node)
        )

    # ---- URLs

    def in_urls(self) -> None:
        for text in self.tree.all(ast.JoinedStr):
            for before, value in zip(text.values, text.values[1:], strict=False):
                match = IN_QUERY.search(text_of(before) or "")
                if (
                    match
                    and isinstance(value, ast.FormattedValue)
                    and self.is_secret_in_query(match[1], value.value)
                    and self.is_requested(text)
                ):
                    self.flag(
                        text,
                        f"a secret is part of the URL ({match[1]}=), which clients, proxies and servers log: send it in a header",
                    )
        for call in self.file.calls.named(*SENDING):
            given = argument(call, "params")
            if given is None or not any(each.startswith(CLIENTS) for each in self.names(call.func)):
                continue
            for part in parts(Part(self.file.names, given), self.goes_on):
                if self.secrets.named(part):
                    self.flag(
                        given,
                        "a secret is part of the URL, which clients, proxies and servers log: send it in a header if the peer takes it",
                        advisory=True,
                    )
                    break

    def is_secret_in_query(self, name: str, value: ast.expr) -> bool:
        if self.secrets.named(Part(self.file.names, value)):
            return True
        return (
            words(name)[-1:] != ["key"]
            and secrecy(name) is Secrecy.SURE
            and not isinstance(value, ast.Constant)
            and not self.secrets.shows_nothing(self.file.names, value)
        )

    def is_requested(self, text: ast.expr) -> bool:
        """Whether a client is given the URL, at once or by its name."""
        statement = self.tree.statement_of(text)
        uses: list[ast.AST] = [text]
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            around = self.tree.function_of(text) or self.tree.module
            name = statement.targets[0].id
            uses += [
                each
                for each in below(around)
                if isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load)
            ]
        return any(
            isinstance(parent, ast.Call) and self.is_client(parent)
            for use in uses
            for parent in self.tree.ancestors(use)
            if not isinstance(parent, ast.stmt)
        )

    def is_client(self, call: ast.Call) -> bool:
        return last_name(call.func) in SENDING and any(each.startswith(CLIENTS) for each in self.names(call.func))

    def in_queries(self) -> None:
        """Secrets that clients are to send in the URL, each once in a function."""
        told: set[tuple[ast.AST | None, str]] = set()
        for attribute in self.file.calls.mentions("query_params", "args", "query"):
            key = called(self.taken(attribute))
            if (
                key in PASSED_IN_QUERY
                and isinstance(attribute, ast.Attribute)
                and any(each.startswith(QUERIES) for each in self.names(attribute.value))
            ):
                function = self.tree.function_of(attribute)
                name = function.name if isinstance(function, FunctionDef) else ""
                if ONCE & set(words(name)) or (function, key) in told or self.is_for_one_purpose(attribute):
                    continue
                told.add((function, key))
                socket = any("WebSocket" in each for each in self.names(attribute.value))
                where = "a header, or from the first message" if socket else "a header"
                self.flag(
                    attribute, f"{key} is taken from the URL, which proxies and servers log: take it from {where}"
                )

    def is_for_one_purpose(self, attribute: ast.expr) -> bool:
        """Whether the token is checked together with what it is for."""
        value = self.taken(attribute)
        parent = self.tree.parents[value]
        given: list[ast.expr] = [value, *(parent.targets if isinstance(parent, ast.Assign) else ())]
        texts = {ast.unparse(each) for each in given}
        around = self.tree.function_of(attribute) or self.tree.module
        checks = (
            each for each in below(around) if isinstance(each, ast.Call) and PURPOSE & {of.arg for of in each.keywords}
        )
        return any(ast.unparse(each) in texts for call in checks for each in call.args)

    def taken(self, attribute: ast.expr) -> ast.expr:
        """`x.query_params["token"]` and `x.query_params.get("token")` round `x.query_params`."""
        parent = self.tree.parents[attribute]
        if isinstance(parent, ast.Subscript):
            return parent
        call = self.tree.parents[parent]
        return (
            call
            if isinstance(parent, ast.Attribute) and isinstance(call, ast.Call) and parent.attr == "get"
            else attribute
        )

    # ---- what is shown

    def judge(self, node: ast.AST, values: list[ast.expr], where: str, *, dumps: bool = False) -> None:
        for value in values:
            for part, name, advisory in self.shown(value, dumps=dumps):
                if part.node not in self.told:
                    self.flag(node, f"{name} {where}", advisory=advisory)
                self.told.add(part.node)
                return
        if any(self.is_mentioned(each) for value in values for each in below(value)):
            self.clear(node)

    def is_mentioned(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name | ast.Attribute) and secrecy(last_name(node)) is Secrecy.SURE

    def shown(self, value: ast.expr, *, dumps: bool) -> Iterator[tuple[Part, str, bool]]:
        """What survives of secrets in a value, and whether that is only advice."""
        for part in parts(Part(self.file.names, value), self.goes_on):
            if name := self.secrets.named(part) or self.secrets.keyed(part) or in_address(part.node):
                yield part, f"the value of {name}", False
            elif dumps and (what := self.dumped(part)):
                yield part, what, False
            elif dumps and (name := fields.dumped(part) or fields.printed(part)):
                yield part, f"the value of {name}, a field of {last_name(part.node) or 'what is dumped'},", False
            elif dumps and self.is_proxy(part):
                yield part, "the address of a proxy, which may hold its password,", True
        if dumps:
            yield from self.passed_in(value)

    def goes_on(self, part: Part) -> bool:
        node = part.node
        if self.secrets.named(part) or (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)):
            return False
        if isinstance(node, ast.Name) and any(is_mask(each.value) for each in part.names.scopes.stored(node)):
            return False
        if not isinstance(node, ast.Call):
            return not denies(called(node))
        return last_name(node.func) in HANDED_ON | METHODS and not hides(node)

    def dumped(self, part: Part) -> str:
        """A whole that holds secrets: headers of a request, the environment, settings."""
        node, names = part.node, part.names
        if isinstance(node, ast.Attribute) and words(node.attr)[-1:] == ["headers"]:
            of_request = any("Request()" in each or "WebSocket()" in each for each in names.origins(node.value))
            if of_request or last_name(node.value) in {"request", "websocket", *SETTINGS}:
                return f"all of {last_name(node.value)}.{node.attr}, credentials included,"
            if self.secrets.authorizes and any(each.endswith(SESSIONS) for each in names.origins(node.value)):
                return f"all of {last_name(node.value)}.{node.attr}, credentials included,"
        if isinstance(node, ast.Attribute) and any(
            each.startswith(OPTIONS.get(node.attr, "?")) for each in names.origins(node.value)
        ):
            return f"all of {last_name(node.value)}.{node.attr}, its password included,"
        return ENVIRONMENT if is_environment(part) else ""

    def is_proxy(self, part: Part) -> bool:
        """Whether what is shown is also handed to a client as its proxy."""
        if not isinstance(part.node, ast.Name) or "proxy" not in part.node.id.lower():
            return False
        around = part.names.tree.function_of(part.node) or part.names.tree.module
        given = (
            each.value for each in below(around) if isinstance(each, ast.keyword) and each.arg in {"proxy", "proxies"}
        )
        return any(isinstance(each, ast.Name) and each.id == part.node.id for value in given for each in below(value))

    def passed_in(self, value: ast.expr) -> Iterator[tuple[Part, str, bool]]:
        """Secrets in what the callers of this file pass for a parameter that is shown whole."""
        shown = (
            [each.value for each in value.values if isinstance(each, ast.FormattedValue)]
            if isinstance(value, ast.JoinedStr)
            else [value]
        )
        for each in shown:
            function = self.tree.function_of(value)
            if not isinstance(each, ast.Name) or not isinstance(function, FunctionDef):
                continue
            if any(binding.how is How.PARAMETER for binding in self.file.names.bindings(each)):
                for call in self.callers(function):
                    given = passed_for(call, function, each.id)
                    for part in parts(Part(self.file.names, given), self.goes_on) if given is not None else ():
                        if name := self.secrets.keyed(part):
                            yield part, f"the value of {name}, passed in line {call.lineno},", False


def in_address(node: ast.expr) -> str:
    """What an address has as its password: `token` of `f"https://git:{token}@host"`."""
    pieces = node.values if isinstance(node, ast.JoinedStr) else []
    before = ""
    for piece, after in pairwise(pieces):
        held = piece.value if isinstance(piece, ast.FormattedValue) else None
        if isinstance(held, ast.Name | ast.Attribute) and IN_ADDRESS.search(before) and is_host(after):
            return "" if DENYING & set(words(called(held))) else called(held)
        before += text_of(piece) or ""
    return ""


def is_host(piece: ast.expr) -> bool:
    return (text_of(piece) or "").startswith("@")


def starts(origin: str) -> bool:
    """Whether this starts a process."""
    return origin.startswith(STARTERS)


def is_mask(value: ast.expr) -> bool:
    return bool(MASK.search(text_of(value) or ""))


def is_environment(part: Part) -> bool:
    """`os.environ` as a whole."""
    return isinstance(part.node, ast.Name | ast.Attribute) and "os.environ" in part.names.origins(part.node)


def is_text(value: ast.expr) -> bool:
    """Whether a value is put together to a text where it stands, or a name that may hold one."""
    formatted = isinstance(value, ast.Call) and last_name(value.func) in {"format", "join"}
    return (
        formatted
        or isinstance(value, ast.JoinedStr | ast.BinOp)
        or (isinstance(value, ast.Name) and secrecy(value.id) is Secrecy.NONE)
    )

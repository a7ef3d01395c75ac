"""A network call waits for ever.

One hung peer then holds the request, the worker or the loop for good, and enough of them are an outage. Pass a timeout
to the call or to the client.

What waits for ever depends on the library (figures read from the installed packages, November 2026): requests, urllib3,
the standard library's clients, gRPC stubs and redis before 8 have no deadline; httpx has 5 s and aiohttp 300 s, so there
only an explicit None waits for ever. openai and anthropic clients wait 600 s and try three times, asyncpg queries have
no limit of their own: shown as advice. So is what a command at a console does once: somebody sees it hang. A child process
is judged where a handler of requests waits for it. A deadline from outside counts: asyncio.timeout, asyncio.wait_for,
anyio.fail_after.
"""

import ast
from collections.abc import Callable, Collection, Iterable

from readiness.model import Edit
from readiness.scan import PythonFile, PythonRule
from readiness.scan.code.names import PARAMETER
from readiness.scan.code.project import Project
from readiness.scan.code.reach import PASSING, handed_over, is_on_a_request_path, is_one_shot
from readiness.scan.code.tree import argument, below, is_none, last_name, splats
from readiness.scan.fix import importing, segment, with_argument, with_arguments
from readiness.scan.waiting import waits
from readiness.scan.waiting.addresses import opens_data
from readiness.scan.waiting.deadlines import is_under_deadline
from readiness.scan.waiting.handed_in import asks, handed_in
from readiness.scan.waiting.stubs import is_stream, stub_calls
from readiness.scan.waiting.timeouts import Given, Timeouts

SOON = "30"
"""Seconds in which a call that is made once is answered, or is not worth waiting for."""
LATE = "600"
"""Seconds of silence after which even a model is given up: what the clients of openai and anthropic wait."""
PROCESS = "300"
"""Seconds after which nobody waits any more for the answer to a request."""
LONG_COMMANDS = (
    "blpop", "brpop", "blmove", "blmpop", "brpoplpush", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup", "pubsub",
    "monitor",
)  # fmt: skip
"""Of redis: the server is silent until there is something to say."""


class Rule(PythonRule):
    item = "requests-timed"
    tokens = (
        "requests", "urlopen", "urllib.request", "http.client", "smtplib", "ftplib", "poplib", "imaplib", "telnetlib",
        "create_connection", "socket", "urllib3", "httpx", "aiohttp", "openai", "anthropic", "_pb2_grpc", "redis", "asyncpg",
        "subprocess", "select", "run_coroutine_threadsafe", "queue", "session.",
    )  # fmt: skip
    good = [
        "import socket\n\ndef talk(host):\n    line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n    line.settimeout(5)\n    line.connect((host, 80))\n",
        "import functools, requests\nfetch = functools.partial(requests.get, timeout=5)\n\ndef ask(url):\n    return fetch(url)\n",
        "import requests\n\nclass Api:\n    def __init__(self, timeout=5):\n        self.timeout = timeout\n\n    def users(self):\n        return requests.get('http://a', timeout=self.timeout)\n",
        "import asyncio, httpx\n\nasync def ask(url):\n    async with httpx.AsyncClient() as client, asyncio.timeout(5):\n        return await client.get(url, timeout=None)\n",
        "import requests\nrequests.get(url, timeout=5)\n",
        "import requests as r\ns = r.Session()\ns.post(url, timeout=(3, 30))\n",
        "import requests\noptions = {'timeout': 5}\nrequests.get(url, **options)\n",
        "import requests\n\ndef get(url, timeout=None):\n    return requests.get(url, timeout=timeout if timeout is not None else 30)\n",
        "import requests\n\ndef get(url, timeout=10):\n    return requests.get(url, timeout=timeout)\n",
        "import requests\n\ndef get(url, timeout=None):\n    if timeout is None:\n        timeout = 10\n    return requests.get(url, timeout=timeout)\n",
        "import requests\n\ndef get(url, **options):\n    return requests.get(url, **options)\n\nget('http://a', timeout=3)\n",
        "import asyncio, requests\n\nasync def get(url):\n    return await asyncio.to_thread(requests.get, url, timeout=5)\n",
        "from urllib.request import urlopen\nurlopen(url, None, 5)\n",
        "import socket, urllib.request\nsocket.setdefaulttimeout(10)\nurllib.request.urlopen(url)\n",
        "import httpx\nhttpx.AsyncClient()\n",
        "import aiohttp\naiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)\n",
        "import asyncio, httpx\n\nasync def ask(url):\n    async with asyncio.timeout(5):\n        async with httpx.AsyncClient(timeout=None) as client:\n            return await client.get(url)\n",
        "import asyncio, httpx\n\nasync def _ask(url):\n    async with httpx.AsyncClient(timeout=None) as client:\n        return await client.get(url)\n\nasync def ask(url):\n    return await asyncio.wait_for(_ask(url), 5)\n",
        "import httpx\nclient = httpx.Client(timeout=None)\nclient.get(url, timeout=3)\n",
        "import urllib3\npool = urllib3.PoolManager(timeout=5)\npool.request('GET', url)\n",
        "import openai\nclient = openai.OpenAI()\nclient.with_options(timeout=20).chat.completions.create(model=model)\n",
        "import chat_pb2_grpc\n\ndef ask(channel, question):\n    stub = chat_pb2_grpc.ChatStub(channel)\n    return stub.Ask(question, timeout=10)\n",
        "import subprocess\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef convert():\n    return subprocess.run(['convert'], timeout=20)\n",
    ]
    fixed = [
        ("import requests\nrequests.get(url)  # kept\n", "import requests\nrequests.get(url, timeout=30)  # kept\n"),
        (
            "import requests\n\ndef send(url, body):\n    with requests.Session() as session:\n        return session.post(\n            url,\n            json=body,  # as it came\n        )\n",
            "import requests\n\ndef send(url, body):\n    with requests.Session() as session:\n        return session.post(\n            url,\n            json=body,  # as it came\n            timeout=30,\n        )\n",
        ),
        (
            "import asyncio, requests\n\nasync def get(url):\n    return await asyncio.to_thread(requests.get, url)\n",
            "import asyncio, requests\n\nasync def get(url):\n    return await asyncio.to_thread(requests.get, url, timeout=30)\n",
        ),
        (
            "from urllib.request import Request, urlopen\nwith urlopen(Request(url)) as answer:\n    answer.read()\n",
            "from urllib.request import Request, urlopen\nwith urlopen(Request(url), timeout=30) as answer:\n    answer.read()\n",
        ),
        ("import smtplib\nsmtplib.SMTP('mail', 25)\n", "import smtplib\nsmtplib.SMTP('mail', 25, timeout=30)\n"),
        (
            "import urllib3\npool = urllib3.PoolManager()\npool.request('GET', url)\n",
            "import urllib3\npool = urllib3.PoolManager()\npool.request('GET', url, timeout=30)\n",
        ),
        (
            "import httpx\nclient = httpx.AsyncClient(timeout=None)\n",
            "import httpx\nclient = httpx.AsyncClient(timeout=httpx.Timeout(10, read=600))\n",
        ),
        (
            "from httpx import AsyncClient\n\nclient = AsyncClient(base_url=url, timeout=None)\n",
            "import httpx\nfrom httpx import AsyncClient\n\nclient = AsyncClient(base_url=url, timeout=httpx.Timeout(10, read=600))\n",
        ),
        (
            "import aiohttp\naiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))\n",
            "import aiohttp\naiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=600))\n",
        ),
        (
            "import openai\nclient = openai.AsyncOpenAI(api_key=key, timeout=None)\n",
            "import openai\nclient = openai.AsyncOpenAI(api_key=key, timeout=600)\n",
        ),
        (
            {"service.py": "import redis\ncache = redis.Redis(host='cache')\n", "requirements.txt": "redis==5.2.1\n"},
            "import redis\ncache = redis.Redis(host='cache', socket_timeout=5, socket_connect_timeout=5)\n",
        ),
        (
            "import subprocess\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef convert():\n    return subprocess.run(['convert'], check=True)\n",
            "import subprocess\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef convert():\n    return subprocess.run(['convert'], check=True, timeout=300)\n",
        ),
    ]
    bad = [
        {
            "api.py": "class Api:\n    def __init__(self, session):\n        self.session = session\n\n    def users(self):\n        return self.session.get('http://a/users', params={'page': 1})\n",
            "main.py": "import requests\nfrom api import Api\n\napi = Api(requests.Session())\n",
        },
        "import requests\n\ndef again(session, ask):\n    return ask(session) or ask(session)\n\ndef users(session):\n    return session.get('http://a', verify=False)\n\ndef work():\n    return again(requests.Session(), users)\n",
        "import functools, requests\nfetch = functools.partial(requests.get, headers={})\n\ndef ask(url):\n    return fetch(url)\n",
        "import requests\nfrom concurrent.futures import ThreadPoolExecutor\n\ndef ask(urls):\n    with ThreadPoolExecutor() as pool:\n        return list(pool.map(requests.get, urls))\n",
        "import requests\nfrom dataclasses import dataclass, field\n\n@dataclass\nclass Api:\n    session: requests.Session = field(default_factory=requests.Session)\n\n    def users(self):\n        return self.session.get('http://a')\n",
        "import requests\n\nclass Api:\n    def __init__(self, timeout=None):\n        self.timeout = timeout\n\n    def users(self):\n        return requests.get('http://a', timeout=self.timeout)\n\napi = Api()\n",
        "import aiohttp\naiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0))\n",
        "import socket\n\ndef talk(host):\n    line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n    line.connect((host, 80))\n    return line.recv(10)\n",
        "import httpx\n\nasync def ask(url):\n    async with httpx.AsyncClient() as client:\n        return await client.get(url, timeout=None)\n",
        "import aiohttp\n\nasync def ask(url):\n    async with aiohttp.ClientSession() as session, session.get(url, timeout=None) as answer:\n        return await answer.text()\n",
        "import requests\nrequests.get(url)\n",
        "import requests\nfrom dash import Dash\napp = Dash()\n\n@app.callback(out, given)\ndef show(value):\n    return requests.get(value).text\n",
        "import requests as r\n\ndef ask(url):\n    with r.Session() as s:\n        return s.post(url, json={})\n",
        "import requests\nrequests.get(url, timeout=None)\n",
        "import requests\n\ndef get(url, timeout=None):\n    return requests.get(url, timeout=timeout)\n",
        "import requests\noptions = {'headers': {}}\nrequests.get(url, **options)\n",
        "import requests\n\ndef get(url, **options):\n    return requests.get(url, **options)\n\nget('http://a')\n",
        "import asyncio, requests\n\nasync def get(url):\n    return await asyncio.to_thread(requests.get, url)\n",
        "import requests\n\ndef send(prepared):\n    return requests.Session().send(prepared)\n",
        "from urllib.request import urlopen\nurlopen(url)\n",
        "import smtplib\nsmtplib.SMTP('mail')\n",
        "import httpx\n\nasync def ask(url):\n    async with httpx.AsyncClient(timeout=None) as client:\n        return await client.get(url)\n",
        "import httpx\nhttpx.get(url, timeout=httpx.Timeout(None))\n",
        "import httpx\nhttpx.Client(timeout=httpx.Timeout(5, read=None))\n",
        "import aiohttp\naiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))\n",
        "import urllib3\npool = urllib3.PoolManager()\npool.request('GET', url)\n",
        "import httpx\n\nclass Api:\n    def options(self, timeout):\n        return {'timeout': timeout}\n    def client(self, timeout=None):\n        options = self.options(timeout=timeout)\n        return httpx.AsyncClient(**options)\n",
        "import chat_pb2_grpc\n\ndef ask(channel, question):\n    stub = chat_pb2_grpc.ChatStub(channel)\n    return stub.Ask(question).text\n",
        "import subprocess\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef convert():\n    return subprocess.run(['convert'])\n",
    ]
    silent = [
        {
            "api.py": "class Api:\n    def __init__(self, session):\n        self.session = session\n\n    def users(self):\n        return self.session.get('http://a/users', params={'page': 1})\n",
            "main.py": "import httpx, requests\nfrom api import Api\n\ndef make(client: httpx.Client):\n    return Api(client)\n",
        },
        "import requests\n\ndef pick(options, key):\n    return options.get(key)\n\npick({}, 'a')\n",
        "import socket\n\ndef own_address():\n    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n    line.connect(('198.51.100.1', 80))\n    return line.getsockname()[0]\n",
        "from ftplib import FTP\nftp = FTP()\nftp.connect('host', 21, timeout=5)\n",
        "import requests\n\ndef get(url, **options):\n    return requests.get(url, **options)\n",
        "# requests.get(url) would wait for ever\n",
        "def get(requests):\n    return requests.get('x')\n",
        "import subprocess\nsubprocess.run(['make'])\n",
        "import redis\nredis.Redis()\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.timeouts = Timeouts(file)
        kinds: tuple[tuple[str, Collection[str], Callable[[ast.Call, str], None]], ...] = (
            ("urllib", waits.URLLIB, self.standard),
            ("lib", waits.MAIL, self.standard),
            ("http.client", waits.CONNECTIONS, self.standard),
            ("socket", waits.SOCKETS, self.standard),
            ("socket", waits.PLAIN_SOCKETS, self.socket),
            ("requests", waits.REQUESTS, self.judge),
            ("requests", waits.SESSIONS, self.session),
            ("urllib3", waits.POOL_CALLS, self.pool),
            ("redis", waits.REDIS, self.redis),
            ("httpx", waits.HTTPX, self.httpx),
            ("aiohttp", waits.AIOHTTP_SESSIONS | waits.AIOHTTP_LIMITS, self.aiohttp),
            ("httpx", waits.HTTPX_CALLS, self.untimed),
            ("aiohttp", waits.AIOHTTP_CALLS, self.untimed),
            ("openai", waits.MODEL_CLIENTS, self.model_client),
            ("anthropic", waits.MODEL_CLIENTS, self.model_client),
            ("asyncpg", waits.POOLS_OF_QUERIES, self.postgres),
            ("subprocess", waits.PROCESSES, self.process),
            ("select", {waits.SELECT}, self.thread),
            ("run_coroutine_threadsafe", waits.THREADS, self.thread),
            ("Queue(", waits.THREADS, self.thread),
        )
        self.kinds = [(names, judge) for mark, names, judge in kinds if mark.encode() in file.data]

    def end(self) -> None:
        for node in self.file.calls.named(*waits.last_names(*(names for names, _ in self.kinds))):
            self.look(node)
        for call, at in handed_over(self.file, waits.PLAIN):
            name = min(self.names(call.func) & waits.PLAIN)
            self.judge(call, name, waits.STANDARD.get(name), at)
        for node in stub_calls(self.file):
            self.stub(node)
        for node in self.file.calls.named(*waits.VERBS):
            if asks(node) and isinstance(node.func, ast.Attribute) and PARAMETER in self.names(node.func.value):
                self.given(node, node.func.value)

    def given(self, node: ast.Call, client: ast.expr) -> None:
        """A client that is handed in: judged where some caller surely passes a session of requests."""
        last = last_name(node.func)
        passed = ((f"{origin}.{last}", file) for file, origin in handed_in(self.file, client))
        waiting = (name for name, file in passed if name in waits.SESSIONS and not is_timed_session(file))
        name = next(waiting, None)
        if name is not None:
            self.judge(node, name)

    def look(self, node: ast.Call) -> None:
        for name in sorted(self.names(node.func)):
            for names, judge in self.kinds:
                if name in names:
                    judge(node, name)
                    return

    def standard(self, node: ast.Call, name: str) -> None:
        if (node.args or name not in waits.LATE) and not self.is_local(node, name):
            self.judge(node, name, waits.STANDARD[name])

    def socket(self, node: ast.Call, _: str) -> None:
        """A socket of TCP that connects, in a file in which no socket is given a timeout."""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else node
        made = [each for each in self.file.names.values(owner) if isinstance(each, ast.Call)]
        kinds = {last_name(kind) for each in made for kind in each.args[:2]}
        if not made or not kinds <= {"AF_INET", "AF_INET6", "SOCK_STREAM"}:
            return
        if self.file.calls.named("settimeout", "setblocking") or self.has_default():
            self.clear(node)
        elif not is_under_deadline(self.file, node):
            self.say(node, "a socket waits for ever unless it is given a timeout: call settimeout() before it connects")

    def is_local(self, node: ast.Call, name: str) -> bool:
        """A `data:` address needs no network, and a connection may be given a socket that is open already."""
        if name.endswith("urlopen"):
            return opens_data(self.file, node)
        nodes = below(self.tree.function_of(node) or node)
        stored = (each for each in nodes if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
        return name.startswith("http.client.") and any(each.attr == "sock" for each in stored)

    def judge(self, call: ast.Call, name: str, position: int | None = None, at: ast.Call | None = None) -> None:
        """`at` is the call that runs it, where it is handed to one."""
        given, node = self.timeouts.given(call, position), at or call
        if given is Given.BOUNDED or (name in waits.STANDARD and given is not Given.UNKNOWN and self.has_default()):
            self.clear(node)
        elif given is not Given.UNKNOWN and not is_under_deadline(self.file, node):
            message = (
                f"{plain(name)} has no timeout by itself and none is passed, so that it can wait for ever: pass one"
            )
            if name == "socket.create_connection":
                message += "; the timeout holds for what is read later too, unless settimeout() says otherwise"
            mends = given is Given.ABSENT and self.may_be_cut(node, name)
            self.say(node, message, [with_argument(self.file, node, "timeout", SOON)] if mends else ())

    def say(self, node: ast.AST, message: str, fix: Iterable[Edit] = ()) -> None:
        self.flag(node, message, advisory=is_one_shot(self.file, node), fix=fix)

    def may_be_cut(self, node: ast.Call, name: str) -> bool:
        """Whether 30 s are surely right: a stream and a socket that is kept may well be silent for longer."""
        lasting = argument(node, "stream") is not None or name == "socket.create_connection"
        passing = name in self.names(node.func) or last_name(node.func) in PASSING
        return passing and not lasting and not splats(node)

    def has_default(self) -> bool:
        """Whether the project gives every socket a timeout."""
        project = self.file.finder
        files = project.holding("setdefaulttimeout") if isinstance(project, Project) else [self.file]
        calls = ((file, call) for file in files for call in file.calls.named("setdefaulttimeout"))
        return any("socket.setdefaulttimeout" in file.names.origins(call.func) for file, call in calls)

    def session(self, node: ast.Call, name: str) -> None:
        """A session with an adapter that times, or that sends in its own way, is left to itself."""
        if is_timed_session(self.file):
            self.clear(node)
        elif isinstance(node.func, ast.Attribute) and not self.sends_by_itself(node.func):
            self.judge(node, name)

    def sends_by_itself(self, func: ast.Attribute) -> bool:
        names = {"request", "send", func.attr}
        for each in self.file.names.classes(func.value):
            if isinstance(each.node, ast.ClassDef) and any(each.names.members(each.node, name) for name in names):
                return True
        by_hand = (each for each in self.tree.all(ast.Assign) if last_name(each.targets[0]) in names)
        return any(isinstance(one, ast.keyword) and one.arg == "timeout" for each in by_hand for one in below(each))

    def pool(self, node: ast.Call, name: str) -> None:
        made = self.file.calls.named("PoolManager", "ProxyManager")
        if made and all(self.timeouts.given(call) is Given.BOUNDED for call in made):
            self.clear(node)
        elif made:
            self.judge(node, name)

    def redis(self, node: ast.Call, _: str) -> None:
        given = Timeouts(self.file, "socket_timeout").given(node)
        project = self.file.finder
        majors = project.majors(self.file.name, "redis") if isinstance(project, Project) else None
        if argument(node, "connection_pool") is not None:
            return
        if given is Given.BOUNDED or (given is Given.ABSENT and majors and majors[0] >= waits.REDIS_IS_BOUNDED):
            self.clear(node)
        elif given is Given.ENDLESS or (given is Given.ABSENT and majors and majors[-1] < waits.REDIS_IS_BOUNDED):
            message = "redis before 8 waits for ever: pass socket_timeout and socket_connect_timeout"
            self.say(node, message, self.redis_limits(node) if given is Given.ABSENT else ())

    def redis_limits(self, node: ast.Call) -> list[Edit]:
        """The 5 s that redis 8 has by itself, unless something waits for the server to speak."""
        project = self.file.finder
        waiting = not isinstance(project, Project) or any(project.naming(each) for each in LONG_COMMANDS)
        if waiting or splats(node) or argument(node, "socket_connect_timeout") is not None:
            return []
        return [with_arguments(self.file, node, {"socket_timeout": "5", "socket_connect_timeout": "5"})]

    def stub(self, node: ast.Call) -> None:
        """A stream of answers lasts as long as it is wanted."""
        given = self.timeouts.given(node, 1)
        if given is Given.BOUNDED:
            self.clear(node)
        elif given is not Given.UNKNOWN and not is_stream(self.file, node) and not is_under_deadline(self.file, node):
            message = f"{last_name(node.func)} has no deadline, and a gRPC call then waits for ever: pass timeout="
            self.say(node, message)

    def httpx(self, node: ast.Call, name: str) -> None:
        library = name.partition(".")[0]
        calls = waits.HTTPX_CALLS if name in waits.HTTPX_MAKERS else set[str]()
        if self.timeouts.given(node) is not Given.ENDLESS or self.is_bounded_later(node, calls):
            self.clear(node)
        else:
            message = f"timeout=None takes away the 5 s that {library} has by itself: give it seconds"
            self.say(node, message, self.httpx_limit(node, library))

    def httpx_limit(self, node: ast.Call, library: str) -> list[Edit]:
        """Seconds for each step in place of None, where None is written there."""
        given = argument(node, "timeout")
        if given is None or not is_none(given):
            return []
        direct = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        module = segment(self.file, node.func.value) if direct and isinstance(node.func, ast.Attribute) else library
        limit = with_argument(self.file, node, "timeout", f"{module}.Timeout(10, read={LATE})")
        return [limit, *([] if direct else importing(self.file, f"import {library}"))]

    def untimed(self, node: ast.Call, name: str) -> None:
        """A single call that takes away what its client has; limits of aiohttp are judged where they are made."""
        value = argument(node, "timeout")
        ours = value is not None and (is_none(value) or not name.startswith("aiohttp."))
        if value is None or not ours or self.timeouts.of(value) is not Given.ENDLESS:
            return
        if not is_under_deadline(self.file, node):
            self.say(node, "timeout=None takes away what the client has by itself: give it seconds")

    def aiohttp(self, node: ast.Call, name: str) -> None:
        if name in waits.AIOHTTP_SESSIONS:
            if argument(node, "timeout") is None and not splats(node):
                self.clear(node)  # 300 s by itself
            return
        steps = [argument(node, each, at) for at, each in enumerate(("total", "connect", "sock_read", "sock_connect"))]
        if any(each is not None and not is_zero(each) and self.timeouts.of(each) is Given.BOUNDED for each in steps):
            self.clear(node)
        elif not splats(node) and not self.is_bounded_later(node, waits.AIOHTTP_CALLS):
            message = "an answer that never comes is waited for for ever: set a total, or sock_read and sock_connect"
            self.say(node, message, self.aiohttp_limits(node))

    def aiohttp_limits(self, node: ast.Call) -> list[Edit]:
        """A limit for connecting and one for silence: a stream may go on for as long as it says something."""
        if len(node.args) > 1 or any(each.arg in {"sock_connect", "sock_read"} for each in node.keywords):
            return []
        return [with_arguments(self.file, node, {"sock_connect": "10", "sock_read": LATE})]

    def is_bounded_later(self, node: ast.Call, calls: set[str]) -> bool:
        """Whether it is used under a deadline, or each call of the client brings a timeout or is made under one."""
        named = self.file.calls.named(*waits.last_names(calls))
        made = [call for call in named if self.names(call.func) & calls]
        if made and all(
            self.timeouts.given(call) is Given.BOUNDED or is_under_deadline(self.file, call) for call in made
        ):
            return True
        return is_under_deadline(self.file, node)

    def model_client(self, node: ast.Call, name: str) -> None:
        given = self.timeouts.given(node)
        if given is Given.ENDLESS:
            message = f"timeout=None takes away the 600 s that {name} has by itself: give it seconds"
            value = argument(node, "timeout")
            written = value is not None and is_none(value)
            self.say(node, message, [with_argument(self.file, node, "timeout", LATE)] if written else ())
        elif given is Given.BOUNDED or self.is_timed_later():
            self.clear(node)
        elif given is Given.ABSENT and argument(node, "http_client") is None:
            self.flag(node, f"{name} waits 600 s and tries three times unless told otherwise", advisory=True)

    def is_timed_later(self) -> bool:
        """`client.with_options(timeout=20)`, and requests that all carry their own."""
        changed = self.file.calls.named("with_options", "copy")
        asked = [each for each in self.file.calls.named("create", "parse", "stream") if argument(each, "model")]
        timed = [argument(each, "timeout") is not None for each in asked]
        return any(argument(each, "timeout") is not None for each in changed) or (bool(timed) and all(timed))

    def postgres(self, node: ast.Call, name: str) -> None:
        given = Timeouts(self.file, "command_timeout").given(node)
        if given is Given.BOUNDED:
            self.clear(node)
        elif given is not Given.UNKNOWN:
            self.flag(node, f"queries of {name} have no limit: pass command_timeout", advisory=True)

    def process(self, node: ast.Call, name: str) -> None:
        given = self.timeouts.given(node, waits.PROCESSES[name])
        if given is Given.BOUNDED:
            self.clear(node)
        elif given is Given.UNKNOWN or self.is_ended_before(node) or not is_on_a_request_path(self.file, node):
            return
        elif not is_under_deadline(self.file, node):
            message = f"a handler waits for ever if the process of {plain(name)} does not end: "
            runs = name.startswith("subprocess.") and "()" not in name
            if runs:
                mends = given is Given.ABSENT and not splats(node)
                fix = [with_argument(self.file, node, "timeout", PROCESS)] if mends else []
                self.flag(node, f"{message}pass a timeout, after which it is killed", fix=fix)
            elif name.startswith("subprocess."):
                self.flag(node, f"{message}pass a timeout, and kill it when that is over")
            else:
                self.flag(node, f"{message}put asyncio.timeout() round it, and kill it when that is over")

    def is_ended_before(self, node: ast.Call) -> bool:
        """`process.kill()` further up in the function: what remains is a moment."""
        function = self.tree.function_of(node)
        ended = self.file.calls.named("kill", "terminate", "killpg", "send_signal")
        return any(each.lineno < node.lineno and self.tree.function_of(each) is function for each in ended)

    def thread(self, node: ast.Call, name: str) -> None:
        selects = name == waits.SELECT
        given = self.timeouts.given(node, 3 if selects else waits.THREADS[name])
        if given is Given.BOUNDED or (node.args and not selects) or argument(node, "block") is not None:
            self.clear(node)
        elif given is not Given.UNKNOWN and is_on_a_request_path(self.file, node, threads=selects, far=selects):
            message = f"{plain(name)} waits for ever where a handler leads to it: give it a timeout"
            self.flag(node, message, advisory=not selects)


def is_timed_session(file: PythonFile) -> bool:
    """Whether the sessions of a file are given an adapter that times."""
    mounted = (each for call in file.calls.named("mount") for each in below(call))
    return any(isinstance(each, ast.Call) and argument(each, "timeout") is not None for each in mounted)


def is_zero(value: ast.expr) -> bool:
    """`total=0`, which aiohttp takes for no limit."""
    return isinstance(value, ast.Constant) and value.value == 0


def plain(name: str) -> str:
    """An origin as one would write it."""
    return name.replace("()", "")

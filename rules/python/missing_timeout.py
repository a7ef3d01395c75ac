"""A network call waits for ever.

One hung peer then holds the request, the worker or the loop for good, and enough of them are an outage. Pass a timeout
to the call or to the client.

What waits for ever depends on the library (figures read from the installed packages, November 2026): requests, urllib3,
the standard library's clients, gRPC stubs and redis before 8 have no deadline; httpx has 5 s and aiohttp 300 s, so there
only an explicit None waits for ever. openai and anthropic clients wait 600 s and try three times, asyncpg queries have
no limit of their own: shown as advice. A child process is judged where a handler of requests waits for it. A deadline
from outside counts: asyncio.timeout, asyncio.wait_for, anyio.fail_after.
"""

import ast
from collections.abc import Callable, Collection

from readiness.scan import PythonFile, PythonRule, waits
from readiness.scan.addresses import opens_data
from readiness.scan.deadlines import is_under_deadline
from readiness.scan.fix import with_argument
from readiness.scan.project import Project
from readiness.scan.reach import PASSING, handed_over, is_on_a_request_path
from readiness.scan.stubs import is_stream, stub_calls
from readiness.scan.timeouts import Given, Timeouts
from readiness.scan.tree import argument, below, last_name, splats


class Rule(PythonRule):
    item = "requests-timed"
    tokens = (
        "requests", "urlopen", "urllib.request", "http.client", "smtplib", "ftplib", "poplib", "imaplib", "telnetlib",
        "create_connection", "urllib3", "httpx", "aiohttp", "openai", "anthropic", "_pb2_grpc", "redis", "asyncpg",
        "subprocess", "select", "run_coroutine_threadsafe", "queue",
    )  # fmt: skip
    good = [
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
    bad = [
        "import requests\nrequests.get(url)\n",
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
            ("requests", waits.REQUESTS, self.judge),
            ("requests", waits.SESSIONS, self.session),
            ("urllib3", waits.POOL_CALLS, self.pool),
            ("redis", waits.REDIS, self.redis),
            ("httpx", waits.HTTPX, self.httpx),
            ("aiohttp", waits.AIOHTTP_SESSIONS | waits.AIOHTTP_LIMITS, self.aiohttp),
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

    def look(self, node: ast.Call) -> None:
        for name in sorted(self.names(node.func)):
            for names, judge in self.kinds:
                if name in names:
                    judge(node, name)
                    return

    def standard(self, node: ast.Call, name: str) -> None:
        if (node.args or name not in waits.LATE) and not self.is_local(node, name):
            self.judge(node, name, waits.STANDARD[name])

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
            message = f"{plain(name)} has no timeout by itself and none is passed: it can wait for ever"
            mends = given is Given.ABSENT and self.may_be_cut(node, name)
            self.flag(node, message, fix=[with_argument(self.file, node, "timeout", "30")] if mends else ())

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
        mounted = (each for call in self.file.calls.named("mount") for each in below(call))
        if any(isinstance(each, ast.Call) and argument(each, "timeout") is not None for each in mounted):
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
            self.flag(node, "redis before 8 waits for ever: pass socket_timeout and socket_connect_timeout")

    def stub(self, node: ast.Call) -> None:
        """A stream of answers lasts as long as it is wanted."""
        given = self.timeouts.given(node, 1)
        if given is Given.BOUNDED:
            self.clear(node)
        elif given is not Given.UNKNOWN and not is_stream(self.file, node) and not is_under_deadline(self.file, node):
            self.flag(node, f"{last_name(node.func)} has no deadline: a gRPC call without timeout waits for ever")

    def httpx(self, node: ast.Call, name: str) -> None:
        library = name.partition(".")[0]
        calls = waits.HTTPX_CALLS if name in waits.HTTPX_MAKERS else set[str]()
        if self.timeouts.given(node) is not Given.ENDLESS or self.is_bounded_later(node, calls):
            self.clear(node)
        else:
            self.flag(node, f"timeout=None takes away the 5 s that {library} has by itself: give it seconds")

    def aiohttp(self, node: ast.Call, name: str) -> None:
        if name in waits.AIOHTTP_SESSIONS:
            if argument(node, "timeout") is None and not splats(node):
                self.clear(node)  # 300 s by itself
            return
        steps = [argument(node, each, at) for at, each in enumerate(("total", "connect", "sock_read", "sock_connect"))]
        if any(each is not None and self.timeouts.of(each) is Given.BOUNDED for each in steps):
            self.clear(node)
        elif not splats(node) and not self.is_bounded_later(node, waits.AIOHTTP_CALLS):
            self.flag(node, "no total, sock_read or sock_connect: an answer that never comes is waited for for ever")

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
            self.flag(node, f"timeout=None takes away the 600 s that {name} has by itself: give it seconds")
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
            self.flag(node, f"a handler waits for ever if the process of {plain(name)} does not end: pass a timeout")

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


def plain(name: str) -> str:
    """An origin as one would write it."""
    return name.replace("()", "")

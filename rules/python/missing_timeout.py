"""A network call waits for ever.

One hung peer then holds the request, the worker or the loop for good, and enough of them are an outage. Pass a timeout
to the call or to the client.

What waits for ever depends on the library (figures read from the installed packages, November 2026): requests, urllib
and the standard library's clients have no deadline; httpx has 5 s and aiohttp 300 s, so there only an explicit None
waits for ever. openai and anthropic clients wait 600 s and try three times: shown as advice. A deadline from outside
counts: asyncio.timeout, asyncio.wait_for, anyio.fail_after.
"""

import ast

from readiness.scan import PythonFile, PythonRule
from readiness.scan.scopes import How
from readiness.scan.tree import FunctionDef, argument, below, is_none, splats, text_of

VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request"})
SESSIONS = {
    f"{session}().{verb}" for session in ("requests.Session", "requests.session", "requests.sessions.Session") for verb in VERBS
}  # fmt: skip
POOLS = ("urllib3.PoolManager()", "urllib3.ProxyManager()")
POOL_CALLS = {f"{pool}.{verb}" for pool in POOLS for verb in ("request", "urlopen")}

WAITS = {
    "urllib.request.urlopen": 2,
    "http.client.HTTPConnection": 2,
    "http.client.HTTPSConnection": 4,
    "smtplib.SMTP": 3,
    "smtplib.SMTP_SSL": 5,
    "ftplib.FTP": 4,
    "poplib.POP3": 2,
    "imaplib.IMAP4": 2,
    "imaplib.IMAP4_SSL": 4,
    "telnetlib.Telnet": 2,
    "socket.create_connection": 1,
}
"""Calls of the standard library without a deadline of their own, and where their timeout stands by position."""

LATE = {"ftplib.FTP", "smtplib.SMTP", "smtplib.SMTP_SSL"}
"""Constructors that connect only when they are given a host."""

HTTPX = {f"{module}.{name}" for module in ("httpx", "httpx2") for name in (*VERBS, "stream", "Client", "AsyncClient")}
HTTPX_CALLS = {
    f"{module}.{client}().{verb}"
    for module in ("httpx", "httpx2")
    for client in ("Client", "AsyncClient")
    for verb in (*VERBS, "stream", "send")
}
MODEL_CLIENTS = {
    f"{module}.{name}"
    for module, names in {
        "openai": ("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI"),
        "anthropic": ("Anthropic", "AsyncAnthropic"),
    }.items()
    for name in names
}
DEADLINES = {
    "asyncio.timeout", "asyncio.timeout_at", "asyncio.timeouts.timeout", "async_timeout.timeout", "anyio.fail_after",
    "anyio.move_on_after", "trio.fail_after", "trio.move_on_after",
}  # fmt: skip
WAIT_FOR = {"asyncio.wait_for", "asyncio.wait"}


LAST = {name.rpartition(".")[2] for name in (*WAITS, *HTTPX, *HTTPX_CALLS, *MODEL_CLIENTS, *POOL_CALLS, *SESSIONS)}


class Rule(PythonRule):
    item = "requests-timed"
    tokens = (
        "requests", "urlopen", "http.client", "smtplib", "ftplib", "poplib", "imaplib", "telnetlib", "create_connection",
        "urllib3", "httpx", "aiohttp", "openai", "anthropic",
    )  # fmt: skip
    callees = (*sorted(LAST), "ClientTimeout", "ClientSession")
    good = [
        "import requests\nrequests.get(url, timeout=5)\n",
        "import requests as r\ns = r.Session()\ns.post(url, timeout=(3, 30))\n",
        "import requests\noptions = {'timeout': 5}\nrequests.get(url, **options)\n",
        "import requests\n\ndef get(url, timeout=None):\n    return requests.get(url, timeout=timeout if timeout is not None else 30)\n",
        "import requests\n\ndef get(url, timeout=10):\n    return requests.get(url, timeout=timeout)\n",
        "import requests\n\ndef get(url, timeout=None):\n    if timeout is None:\n        timeout = 10\n    return requests.get(url, timeout=timeout)\n",
        "from urllib.request import urlopen\nurlopen(url, None, 5)\n",
        "import socket, urllib.request\nsocket.setdefaulttimeout(10)\nurllib.request.urlopen(url)\n",
        "import httpx\nhttpx.AsyncClient()\n",
        "import aiohttp\naiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)\n",
        "import asyncio, httpx\n\nasync def ask(url):\n    async with asyncio.timeout(5):\n        async with httpx.AsyncClient(timeout=None) as client:\n            return await client.get(url)\n",
        "import asyncio, httpx\n\nasync def _ask(url):\n    async with httpx.AsyncClient(timeout=None) as client:\n        return await client.get(url)\n\nasync def ask(url):\n    return await asyncio.wait_for(_ask(url), 5)\n",
        "import httpx\nclient = httpx.Client(timeout=None)\nclient.get(url, timeout=3)\n",
        "import urllib3\npool = urllib3.PoolManager(timeout=5)\npool.request('GET', url)\n",
    ]
    bad = [
        "import requests\nrequests.get(url)\n",
        "import requests as r\n\ndef ask(url):\n    with r.Session() as s:\n        return s.post(url, json={})\n",
        "import requests\nrequests.get(url, timeout=None)\n",
        "import requests\n\ndef get(url, timeout=None):\n    return requests.get(url, timeout=timeout)\n",
        "import requests\noptions = {'headers': {}}\nrequests.get(url, **options)\n",
        "from urllib.request import urlopen\nurlopen(url)\n",
        "import smtplib\nsmtplib.SMTP('mail')\n",
        "import httpx\n\nasync def ask(url):\n    async with httpx.AsyncClient(timeout=None) as client:\n        return await client.get(url)\n",
        "import httpx\nhttpx.get(url, timeout=httpx.Timeout(None))\n",
        "import httpx\nhttpx.Client(timeout=httpx.Timeout(5, read=None))\n",
        "import aiohttp\naiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))\n",
        "import urllib3\npool = urllib3.PoolManager()\npool.request('GET', url)\n",
        "import httpx\n\nclass Api:\n    def options(self, timeout):\n        return {'timeout': timeout}\n    def client(self, timeout=None):\n        options = self.options(timeout=timeout)\n        return httpx.AsyncClient(**options)\n",
    ]
    silent = [
        "from ftplib import FTP\nftp = FTP()\nftp.connect('host', 21, timeout=5)\n",
        "import requests\n\ndef get(url, **options):\n    return requests.get(url, **options)\n",
        "# requests.get(url) would wait for ever\n",
        "def get(requests):\n    return requests.get('x')\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.deciding: set[ast.expr] = set()

    def visit_Call(self, node: ast.Call) -> None:
        for name in sorted(self.names(node.func)):
            if name in WAITS and (node.args or name not in LATE):
                self.judge(node, self.given(node, WAITS[name]), name, process_wide=True)
            elif name.removeprefix("requests.") in VERBS and name.startswith("requests."):
                self.judge(node, self.given(node, None), name)
            elif name in SESSIONS:
                self.session(node, name)
            elif name in POOL_CALLS:
                self.pool(node, name)
            elif name in HTTPX:
                self.httpx(node, name)
            elif name in {"aiohttp.ClientTimeout", "aiohttp.client.ClientTimeout"}:
                self.aiohttp(node)
            elif name == "aiohttp.ClientSession" and not argument(node, "timeout") and not splats(node):
                self.clear(node)
            elif name in MODEL_CLIENTS:
                self.model_client(node, name)
            else:
                continue
            return

    def judge(self, node: ast.Call, given: str, name: str, *, process_wide: bool = False) -> None:
        if given == "unknown":
            return
        if given == "bounded" or (process_wide and self.called("setdefaulttimeout", "socket.setdefaulttimeout")):
            self.clear(node)
        else:
            self.flag(
                node, f"{name.replace('()', '')} has no timeout by itself and none is passed: it can wait for ever"
            )

    def session(self, node: ast.Call, name: str) -> None:
        mounted = (
            each for call in self.file.calls.named("mount") for each in below(call) if isinstance(each, ast.Call)
        )
        if any(argument(each, "timeout") for each in mounted):
            self.clear(node)
        else:
            self.judge(node, self.given(node, None), name)

    def pool(self, node: ast.Call, name: str) -> None:
        made = self.file.calls.named("PoolManager", "ProxyManager")
        if made and all(self.given(call, None) == "bounded" for call in made):
            self.clear(node)
        else:
            self.judge(node, self.given(node, None), name)

    def httpx(self, node: ast.Call, name: str) -> None:
        given = self.given(node, None)
        if (
            given != "none"
            or not self.passes_timeout(node)
            or self.under_deadline(node)
            or (name.endswith("Client") and self.every_call_is_bounded())
        ):
            self.clear(node)
        else:
            self.flag(node, f"timeout=None takes away the 5 s that {name.partition('.')[0]} has by itself")

    def passes_timeout(self, node: ast.Call) -> bool:
        return argument(node, "timeout") is not None or any(
            self.in_splat(each) not in {"none", "unknown"} or (self.in_splat(each) == "none" and self.splat_names(each))
            for each in splats(node)
        )

    def splat_names(self, value: ast.expr) -> bool:
        """Whether a splat carries a timeout at all, be it None."""
        return any(self.timeout_in(each) is not None for each in self.file.names.values(value))

    def every_call_is_bounded(self) -> bool:
        last = {name.rpartition(".")[2] for name in HTTPX_CALLS}
        calls = [call for call in self.file.calls.named(*last) if self.names(call.func) & HTTPX_CALLS]
        return bool(calls) and all(argument(call, "timeout") and self.given(call, None) == "bounded" for call in calls)

    def aiohttp(self, node: ast.Call) -> None:
        bounds = [argument(node, "total", 0), argument(node, "sock_read"), argument(node, "sock_connect")]
        if splats(node):
            return
        if any(each is not None and self.bound(each) != "none" for each in bounds) or self.under_deadline(node):
            self.clear(node)
        else:
            self.flag(node, "no total, sock_read or sock_connect: an answer that never comes is waited for for ever")

    def model_client(self, node: ast.Call, name: str) -> None:
        given = self.given(node, None)
        if given == "bounded":
            self.clear(node)
        elif given == "none":
            self.flag(node, f"{name} waits 600 s and tries three times unless told otherwise", advisory=True)

    # ---- what is passed

    def given(self, node: ast.Call, position: int | None) -> str:
        """`bounded`, `none` or `unknown`."""
        value = argument(node, "timeout", position)
        if value is not None:
            return self.bound(value)
        found = [self.in_splat(each) for each in splats(node)]
        return "bounded" if "bounded" in found else "unknown" if "unknown" in found else "none"

    def in_splat(self, value: ast.expr) -> str:
        if isinstance(value, ast.Name) and self.set_later(value):
            return "bounded"
        found = set()
        for each in self.file.names.values(value):
            inner = each.value if isinstance(each, ast.Await) else each
            timeout = self.timeout_in(inner)
            if timeout is not None:
                found.add(self.bound(timeout))
            else:
                found.add("none" if isinstance(inner, ast.Dict) and None not in inner.keys else "unknown")
        return "none" if "none" in found else "unknown" if "unknown" in found else "bounded"

    def timeout_in(self, value: ast.expr) -> ast.expr | None:
        """The timeout in a dict literal, or handed to the call that builds the options."""
        inner = value.value if isinstance(value, ast.Await) else value
        if isinstance(inner, ast.Call):
            return argument(inner, "timeout")
        if isinstance(inner, ast.Dict):
            return next(
                (each for key, each in zip(inner.keys, inner.values, strict=True) if text_of(key) == "timeout"), None
            )
        return None

    def set_later(self, name: ast.Name) -> bool:
        """`options.setdefault("timeout", 10)` or `options["timeout"] = 10` in the same function."""
        function = self.tree.function_of(name) or self.tree.module
        for node in below(function):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="setdefault"), args=[first, *_]):
                    pass
                case ast.Subscript(value=ast.Name(id=owner), slice=first, ctx=ast.Store()):
                    pass
                case _:
                    continue
            if owner == name.id and text_of(first) == "timeout":
                return True
        return False

    def bound(self, value: ast.expr) -> str:
        """Whether a timeout value bounds anything. A value defined by itself ends as bounded."""
        if value in self.deciding:
            return "bounded"
        self.deciding.add(value)
        try:
            return self._bound(value)
        finally:
            self.deciding.discard(value)

    def _bound(self, value: ast.expr) -> str:
        match value:
            case ast.Constant(value=None):
                return "none"
            case ast.Name():
                return self.bound_of_name(value)
            case ast.BoolOp(op=ast.Or(), values=[*_, last]):
                return self.bound(last)
            case ast.IfExp(test=test, body=one, orelse=other):
                return self.bound_of_choice(test, one, other)
            case ast.Call():
                return self.bound_of_call(value)
            case _:
                return "bounded"

    def bound_of_choice(self, test: ast.expr, *branches: ast.expr) -> str:
        """`x if x is not None else 30`: a name that the test looks at is not None where it is taken."""
        asked = [each for each in below(test) if isinstance(each, ast.Name)]
        names = {each.id for each in asked}
        taken = [each for each in branches if not self.mentions(each, names)]
        if any(is_none(each) for each in taken):
            return "none" if any(self.bound(each) == "none" for each in asked) else "bounded"
        return "none" if any(self.bound(each) == "none" for each in taken) else "bounded"

    def mentions(self, value: ast.expr, names: set[str]) -> bool:
        return any(isinstance(each, ast.Name) and each.id in names for each in below(value))

    def bound_of_name(self, name: ast.Name) -> str:
        bindings = self.file.names.bindings(name)
        params = [each.node for each in bindings if isinstance(each.node, ast.arg)]
        values = [each.node for each in bindings if each.how is How.VALUE and isinstance(each.node, ast.expr)]
        if values:
            kinds = {self.bound(each) for each in values if each is not name}
            return "none" if kinds == {"none"} and not params else "bounded"
        return self.bound_of_param(params[0]) if params else "bounded"

    def bound_of_param(self, param: ast.arg) -> str:
        """A parameter that is None unless somebody says otherwise, and nobody in this file does."""
        function = self.tree.parents[self.tree.parents[param]]
        if not isinstance(function, FunctionDef | ast.Lambda):
            return "bounded"
        default = default_of(function.args, param)
        if default is None or self.bound(default) != "none":
            return "bounded"
        calls = self.callers(function) if isinstance(function, FunctionDef) else []
        return "bounded" if calls and all(argument(call, param.arg) for call in calls) else "none"

    def bound_of_call(self, call: ast.Call) -> str:
        """httpx.Timeout(None), httpx.Timeout(5, read=None)."""
        if not self.names(call.func) & {"httpx.Timeout", "httpx2.Timeout"} or splats(call):
            return "bounded"
        read = argument(call, "read")
        decisive = read if read is not None else argument(call, "timeout", 0)
        return "bounded" if decisive is None else self.bound(decisive)

    # ---- deadlines from outside

    def under_deadline(self, node: ast.AST, depth: int = 0) -> bool:
        """Inside asyncio.timeout and its like, or inside the call that asyncio.wait_for bounds."""
        for parent in self.tree.ancestors(node):
            if isinstance(parent, ast.With | ast.AsyncWith) and any(
                self.is_deadline(item.context_expr) for item in parent.items
            ):
                return True
            if isinstance(parent, ast.Call) and self.names(parent.func) & WAIT_FOR:
                return len(parent.args) + len(parent.keywords) > 1
            if isinstance(parent, FunctionDef):
                calls = self.callers(parent)
                return bool(calls) and depth < 3 and all(self.under_deadline(call, depth + 1) for call in calls)
        return False

    def is_deadline(self, value: ast.expr) -> bool:
        return isinstance(value, ast.Call) and bool(self.names(value.func) & DEADLINES)

    def called(self, last: str, name: str) -> bool:
        return any(name in self.names(call.func) for call in self.file.calls.named(last))


def default_of(arguments: ast.arguments, param: ast.arg) -> ast.expr | None:
    """The default value of a parameter."""
    named = [*arguments.posonlyargs, *arguments.args]
    if param in named:
        position = named.index(param) - len(named)
        return arguments.defaults[position] if -position <= len(arguments.defaults) else None
    return arguments.kw_defaults[arguments.kwonlyargs.index(param)] if param in arguments.kwonlyargs else None

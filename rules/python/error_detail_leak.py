"""The text of an internal error goes to the client.

What an exception says was written for the log: paths, host names, SQL, URLs with keys, the answer of an upstream. A
client cannot act on it, an attacker can. Log it with its trace, and answer with a constant text, a code and the id of
the request; tell the client only what your own exception classes say.

Flagged where the caught class is broad or comes from a library (Exception, OSError, httpx, SQLAlchemy, ...) and its text
is part of a response, an error response, an event of a stream, or a reply over a socket or NATS. Own exception classes
and those that speak of the client's input (ValueError, KeyError, validation errors) are not. An upstream's error that is
passed on whole is shown as advice.

A handler that catches the HTTP exception of its own block turns a 404 into a 500: catch that class first and raise it
again.
"""

import ast

from readiness.scan import PythonFile, PythonRule
from readiness.scan.answers import FRAMEWORKS, Answer, Answers
from readiness.scan.exceptions import canonical, family
from readiness.scan.names import Names
from readiness.scan.parts import Part, parts
from readiness.scan.tree import FunctionDef, argument, below, inside, last_name, within

INTERNAL = {
    "Exception",
    "BaseException",
    "RuntimeError",
    "SystemError",
    "MemoryError",
    "ImportError",
    "ModuleNotFoundError",
}
SPOKEN = {
    "TimeoutError",
    "FileNotFoundError",
    "FileExistsError",
    "PermissionError",
    "NotADirectoryError",
    "IsADirectoryError",
}
"""Classes of the operating system whose text is empty, or that services raise by themselves."""
LIBRARIES = (
    "httpx.", "requests.", "aiohttp.Client", "aiohttp.Server", "urllib.error.", "urllib3.", "http.client.", "sqlalchemy.",
    "asyncpg.", "psycopg.", "psycopg2.", "pymongo.", "redis.", "botocore.", "boto3.", "google.api_core.", "googleapiclient.",
    "azure.", "docker.", "kubernetes.", "subprocess.", "sqlite3.", "aiosqlite.", "pymysql.", "MySQLdb.", "elasticsearch.",
    "opensearchpy.", "paramiko.", "asyncssh.", "grpc.", "smtplib.", "ldap.", "ldap3.", "openai.", "anthropic.", "tortoise.",
    "peewee.", "qdrant_client.", "pymilvus.", "chromadb.", "cassandra.", "kafka.", "aiokafka.", "pika.", "aio_pika.",
)  # fmt: skip
"""Whose exceptions speak of what lies behind the service."""
TRACES = {
    "traceback.format_exc", "traceback.format_exception", "traceback.format_tb", "traceback.format_stack", "sys.exc_info",
    "traceback.format_exception_only",
}  # fmt: skip
TELLING = {"args", "stderr", "stdout", "output", "cmd", "orig", "statement"}
"""Attributes of an exception that hold its text."""
BODIES = {"text", "content", "json", "read", "body"}
CLIENTS = ("httpx.", "httpx2.", "requests.", "aiohttp.ClientSession", "aiohttp.request", "urllib.request.")
DEBUG = (
    "debug",
    "verbose",
    "development",
    "dev_mode",
    "expose",
    "show_error",
    "show_detail",
    "include_detail",
    "show_trace",
)
"""What a switch is called that lets out details on purpose."""
PARSING = {
    "loads", "json", "body", "form", "model_validate", "model_validate_json", "parse_obj", "parse_raw", "validate_python",
    "validate_json", "validate", "b64decode", "fromisoformat", "strptime", "decode", "encode", "strip", "get", "split", "UUID",
    "int", "float", "str", "bool", "dict", "list", "isinstance", "len", "safe_load", "from_json", "read", "lower", "upper",
    "compile", "parse", "literal_eval", "ip_address", "Decimal", "urlparse", "format", "join", "type",
}  # fmt: skip
"""Calls that fail because of what the client sent."""
LOGGING = {
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "critical",
    "log",
    "print",
    "isinstance",
    "str",
    "repr",
    "type",
}
"""Calls that are given exceptions and answer nobody."""


class Rule(PythonRule):
    item = "error-format"
    tokens = (
        "HTTPException", "Response", "jsonify", "json_response", "abort", "aiohttp.web", "websocket", "WebSocket", "nats",
        "fastapi", "starlette", "flask", "quart", "litestar", "sanic", "tornado", "grpc", "socketio", "http.server",
    )  # fmt: skip
    good = [
        "from fastapi import HTTPException\ntry:\n    work()\nexcept Exception:\n    raise HTTPException(500, detail='internal error')\n",
    ]
    bad = [
        "from fastapi import HTTPException\ntry:\n    work()\nexcept Exception as e:\n    raise HTTPException(500, detail=str(e))\n",
    ]
    silent = [
        "try:\n    work()\nexcept Exception as e:\n    log(str(e))\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.told: set[ast.AST] = set()
        self.examining: dict[tuple[ast.AST, str], bool] = {}

    def begin(self) -> None:
        handlers = self.tree.all(ast.ExceptHandler)
        if not handlers:
            return
        answers = Answers(self.file)
        for answer in answers.every:
            self.judge(answer)
        made = {each.node for each in answers.every}
        for handler in handlers:
            for node in inside(handler.body):
                if isinstance(node, ast.Call) and node not in made and self.is_told(node, handler):
                    answer = answers.through(node)
                    if answer is not None:
                        self.judge(answer)

    def is_told(self, call: ast.Call, handler: ast.ExceptHandler) -> bool:
        """Whether a function of the project is given the exception or its text."""
        if handler.name is None or last_name(call.func) in LOGGING:
            return False
        given = [*call.args, *(each.value for each in call.keywords)]
        return any(isinstance(node, ast.Name) and node.id == handler.name for each in given for node in below(each))

    def judge(self, answer: Answer) -> None:
        if is_for_developers(answer.node, self.file.names):
            return
        found = [(part, kind) for each in answer.parts for part, kind in self.leaks(each, answer)]
        for part, kind in found:
            self.report(part, kind, answer)
        handler = self.handler_of(answer.node)
        if found or handler is None:
            return
        if line := self.changes_status(answer, handler):
            message = (
                f"this also catches the HTTP exception of line {line} and changes its status: raise that one again"
            )
            self.flag(answer.node, message)
        else:
            self.clear(answer.node)

    def report(self, part: Part, kind: str, answer: Answer) -> None:
        """Flag where the text is taken, or the answer if that is in another file; each place once."""
        if part.node in self.told:
            return
        self.told.add(part.node)
        here = part.names is self.file.names
        node, where = (part.node, "") if here else (answer.node, f", put in at {part.names.path}:{part.node.lineno}")
        if kind == "upstream":
            message = f"the upstream's error goes to the client as it is{where}: it may hold keys and addresses"
            self.flag(node, message, advisory=True)
        else:
            message = f"the client is told what the exception says{where}: log it, and answer with a text of your own"
            self.flag(node, message)

    # ---- what is told

    def leaks(self, answered: Part, answer: Answer) -> list[tuple[Part, str]]:
        """The parts of an answer that are the text of an internal exception, or what an upstream said."""
        found = []
        for part in parts(answered, self.goes_on):
            kind = self.tells(part, answer)
            if kind and not is_for_developers(part.node, part.names):
                found.append((part, kind))
        return found

    def goes_on(self, part: Part) -> bool:
        """A function that looks at the class of what it is given, or has a switch, says on purpose what it says."""
        if part.frame is None:
            return True
        if is_for_developers(part.node, part.names):
            return False
        return not isinstance(part.node, ast.Name) or not self.examines(part.frame.function, part.node.id)

    def examines(self, function: FunctionDef, name: str) -> bool:
        key = (function, name)
        if key not in self.examining:
            self.examining[key] = any(looks_at_class(node, name) for node in below(function))
        return self.examining[key]

    def tells(self, part: Part, answer: Answer) -> str:
        match part.node:
            case ast.Name() as name:
                return "exception" if is_internal(part.names, name) else ""
            case ast.Attribute(value=ast.Name() as name, attr=attr) if attr in TELLING:
                return "exception" if is_internal(part.names, name) else ""
            case ast.Attribute(value=value, attr=attr) | ast.Call(func=ast.Attribute(value=value, attr=attr)) if (
                attr in BODIES
            ):
                origins = part.names.origins(value) if answer.raised else ()
                return "upstream" if any(origin.startswith(CLIENTS) for origin in origins) else ""
            case ast.Call(func=func) if last_name(func).startswith(("format_", "exc_info")):
                return "exception" if part.names.origins(func) & TRACES else ""
            case _:
                return ""

    # ---- an HTTP exception of its own that is caught

    def handler_of(self, node: ast.AST) -> ast.ExceptHandler | None:
        """The handler in which an answer is given."""
        for parent in self.tree.ancestors(node):
            if isinstance(parent, FunctionDef | ast.Lambda):
                return None
            if isinstance(parent, ast.ExceptHandler):
                return parent
        return None

    def changes_status(self, answer: Answer, handler: ast.ExceptHandler) -> int:
        """The line of an HTTP exception that the block raises, this handler catches and answers with another status."""
        block, now = self.tree.parents[handler], status(answer.node)
        if not isinstance(block, ast.Try) or not now or any(map(goes_around, inside(handler.body))):
            return 0
        for node in inside(block.body):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and self.is_http(node.exc.func):
                if status(node.exc) not in {"", now} and self.catcher(node) is handler:
                    return node.lineno
        return 0

    def is_http(self, kind: ast.expr) -> bool:
        return last_name(kind).startswith("HTTP") and any(each.startswith(FRAMEWORKS) for each in self.names(kind))

    def catcher(self, node: ast.Raise) -> ast.ExceptHandler | None:
        """The first handler round a raised HTTP exception that catches it, if only for being broad."""
        child: ast.AST = node
        for parent in self.tree.ancestors(node):
            if isinstance(parent, ast.Try) and within(child, parent.body):
                for each in parent.handlers:
                    kinds = {"Exception"} if each.type is None else caught(self.file.names, each.type)
                    if kinds & {"Exception", "BaseException"}:
                        return each
                    if any("HTTP" in kind for kind in kinds):
                        return None
            child = parent
        return None


def fills(call: ast.Call) -> bool:
    """`Model(**data)`: a model that validates what was sent."""
    return last_name(call.func)[:1].isupper() and not call.args and any(each.arg is None for each in call.keywords)


def asks_for_details(node: ast.AST) -> bool:
    name = last_name(node).lower()
    return any(word in name for word in DEBUG)


def looks_at_class(node: ast.AST, name: str) -> bool:
    """Whether a node asks for the class of what a name holds."""
    match node:
        case ast.Call(func=ast.Name(id="isinstance" | "type"), args=[ast.Name(id=found), *_]):
            return found == name
        case ast.Match(subject=ast.Name(id=found)) | ast.Attribute(value=ast.Name(id=found), attr="__class__"):
            return found == name
        case _:
            return False


def goes_around(node: ast.AST) -> bool:
    """A handler that raises again, or asks for the class, has thought of it."""
    return (isinstance(node, ast.Raise) and node.exc is None) or (
        isinstance(node, ast.Name) and node.id == "isinstance"
    )


def status(answer: ast.AST) -> str:
    """The status of a response or an error, as far as it is a constant: its digits."""
    given = argument(answer, "status_code", 0) if isinstance(answer, ast.Call) else None
    if isinstance(given, ast.Constant) and isinstance(given.value, int):
        return str(given.value)
    return "".join(each for each in last_name(given) if each.isdigit())[:3] if given is not None else ""


def is_for_developers(node: ast.AST, names: Names) -> bool:
    """Whether this happens only when somebody asked for details."""
    for parent in names.tree.ancestors(node):
        if isinstance(parent, FunctionDef):
            return False
        if isinstance(parent, ast.If | ast.IfExp) and any(asks_for_details(each) for each in below(parent.test)):
            return True
    return False


def is_internal(names: Names, name: ast.Name) -> bool:
    """Whether a name holds an exception whose text was not written for clients."""
    for parent in names.tree.ancestors(name):
        if isinstance(parent, ast.ExceptHandler) and parent.name == name.id and parent.type is not None:
            kinds = narrowed(names, name, parent) or [parent.type]
            told = any(speaks_of_insides(each) for kind in kinds for each in caught(names, kind))
            return told and not only_parses(names, parent)
    return False


def only_parses(names: Names, handler: ast.ExceptHandler) -> bool:
    """Whether all that the block does is to read what the client sent: then the text speaks of that."""
    block = names.tree.parents[handler]
    calls = [each for each in inside(getattr(block, "body", [])) if isinstance(each, ast.Call)]
    return bool(calls) and all(last_name(each.func) in PARSING or fills(each) for each in calls)


def narrowed(names: Names, name: ast.Name, handler: ast.ExceptHandler) -> list[ast.expr]:
    """The classes of which an exception is one where it is used, by an `isinstance` round the use."""
    child: ast.AST = name
    for parent in names.tree.ancestors(name):
        if parent is handler:
            return []
        if isinstance(parent, ast.If | ast.IfExp):
            body = parent.body if isinstance(parent.body, list) else [parent.body]
            if any(child is each for each in body) and (kinds := asked(parent, name.id)):
                return kinds
        child = parent
    return []


def asked(node: ast.If | ast.IfExp, name: str | None) -> list[ast.expr]:
    """The classes of `isinstance(name, ...)` and `type(name) is ...`."""
    found: list[ast.expr] = []
    for each in below(node.test):
        match each:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=asked), kind]) if asked == name:
                found.append(kind)
            case ast.Compare(left=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=asked)]), comparators=kinds) if (
                asked == name
            ):
                found += kinds
    return found


def caught(names: Names, kind: ast.expr) -> set[str]:
    """The classes that an `except` or an `isinstance` names."""
    found: set[str] = set()
    for value in names.values(kind):
        if isinstance(value, ast.Tuple):
            found |= {each for element in value.elts for each in caught(names, element)}
        else:
            found |= {canonical(each) for each in names.origins(value)}
    return found


def speaks_of_insides(name: str) -> bool:
    """Whether exceptions of a class say what is none of the client's business."""
    if name in INTERNAL or name.startswith(LIBRARIES):
        return True
    return "OSError" in family(name) and name not in SPOKEN and not name.startswith("<")

"""A call blocks the event loop.

While a coroutine waits without `await`, or computes for long, the loop serves nobody: every request, heartbeat and
timeout of the process stands still, and deadlines do not fire. Use the library's async version, or hand the call to a
thread: `await asyncio.to_thread(...)`.

Judged is what waits without bound or for more than about 50 ms: networks, databases, child processes, other threads,
sleeping, and work that is large by its nature. Small files are not. A plain function counts where a coroutine calls it;
what runs in a thread, a plain route of FastAPI, and generators of a stream do not. Before the loop serves anybody, and at
a console, it is advice only.
"""

import ast
from ipaddress import ip_address
from typing import NamedTuple

from readiness.scan import PythonFile, PythonRule
from readiness.scan.code.calls import RUNNING_HERE
from readiness.scan.code.reach import coroutine_of, handed_over, is_one_shot, is_starting
from readiness.scan.code.registration import decorators
from readiness.scan.code.tree import FunctionDef, argument, below, dotted, last_name
from readiness.scan.fix import importing, replace, segment
from readiness.scan.waiting.addresses import opens_data

FETCHED = (".execute()", ".scalars()")
"""Results that hold what they were asked for."""


class Blocker(NamedTuple):
    """Calls `head.last` of one kind."""

    mark: str
    """Stands in a file that has such a call, or that makes the object."""
    heads: tuple[str, ...]
    """What comes before the last name. One that ends with `*` stands for all that begins so."""
    lasts: str
    does: str
    advice: bool = False
    """It seldom takes long."""

    def matches(self, head: str, last: str) -> bool:
        heads = (head.startswith(each[:-1]) if each.endswith("*") else head == each for each in self.heads)
        return last in self.lasts.split() and any(heads) and not any(each in head for each in FETCHED)


WEB = "get post put patch delete head options request"
QUERIES = "execute executemany executescript fetchone fetchall fetchmany commit rollback"
ORM = "execute exec commit flush refresh scalar scalars query rollback"
REDIS = (
    "get set setex setnx mget mset delete exists expire ttl incr decr hget hset hgetall hdel hmget hmset lpush rpush lpop "
    "rpop blpop brpop lrange llen sadd srem smembers zadd zrange zrem publish xadd xread xreadgroup ping keys execute_command"
)
AWS = (
    "get_object put_object upload_file upload_fileobj download_file download_fileobj delete_object head_object list_objects "
    "list_objects_v2 copy_object invoke_model invoke_model_with_response_stream converse converse_stream send_message "
    "receive_message delete_message publish get_item put_item update_item delete_item query scan invoke get_secret_value "
    "get_parameter send_email assume_role get_caller_identity"
)
MODELS = "create parse generate stream generate_content"
MONGO = (
    "find_one insert_one insert_many update_one update_many delete_one delete_many replace_one count_documents aggregate "
    "find_one_and_update find_one_and_delete bulk_write create_index distinct"
)
PASSWORDS = "hash verify hashpw checkpw kdf verify_and_update"
SERVER, DATABASE, MODEL, THREAD = (
    "waits for a server",
    "waits for a database",
    "waits for a model",
    "waits for a thread",
)
HASHING = "computes for long, on purpose"

BLOCKERS = (
    Blocker("sleep", ("time",), "sleep", "sleeps"),
    Blocker("requests", ("requests", "requests.api"), WEB, SERVER),
    Blocker("requests", ("requests.Session()", "requests.session()", "requests.sessions.Session()"), f"{WEB} send", SERVER),
    Blocker("httpx", ("httpx", "httpx2", "httpx.Client()", "httpx2.Client()"), f"{WEB} send stream", SERVER),
    Blocker("urllib", ("urllib.request", "urllib3*"), "urlopen urlretrieve request", SERVER),
    Blocker("http.client", ("http.client*",), "getresponse request", SERVER),
    Blocker("smtplib", ("smtplib", "smtplib.SMTP()", "smtplib.SMTP_SSL()"), "SMTP_SSL SMTP sendmail send_message login", SERVER),
    Blocker("socket", ("socket",), "create_connection getaddrinfo gethostbyname gethostbyaddr getfqdn", "waits for the network"),
    Blocker("paramiko", ("paramiko.SSHClient()", "paramiko.client.SSHClient()"), "connect exec_command", SERVER),
    Blocker("pika", ("pika",), "BlockingConnection", "waits for a broker"),
    Blocker("paho", ("paho.mqtt.client.Client()",), "connect reconnect", "waits for a broker, up to 5 s", advice=True),
    Blocker("boto3", ("boto3.client()", "boto3.resource()*", "boto3.Session().client()", "boto3.session.Session().client()"), AWS, SERVER),
    Blocker("docker", ("docker.from_env()*", "docker.DockerClient()*"), "run get list pull build stop remove wait exec_run", SERVER),
    Blocker("subprocess", ("subprocess",), "run call check_call check_output getoutput getstatusoutput", "waits for a process"),
    Blocker("Popen", ("subprocess.Popen()",), "wait communicate", "waits for a process"),
    Blocker("os.system", ("os",), "system", "waits for a process"),
    Blocker("input", ("",), "input", "waits for somebody to type", advice=True),
    Blocker("psycopg", ("psycopg2*", "psycopg", "psycopg.connect()*", "psycopg.Connection*"), f"{QUERIES} connect", DATABASE),
    Blocker("mysql", ("pymysql*", "mysql.connector*"), f"{QUERIES} connect", DATABASE),
    Blocker("ession", ("sqlalchemy.orm*", "sqlmodel.Session*", "sqlmodel.orm*"), ORM, DATABASE),
    Blocker("mongo", ("pymongo.MongoClient*", "pymongo.mongo_client.MongoClient*"), MONGO, DATABASE),
    Blocker("redis", ("redis.Redis()", "redis.StrictRedis()", "redis.from_url()", "redis.Redis.from_url()"), REDIS, "waits for Redis"),
    Blocker("openai", ("openai.OpenAI()*", "openai.AzureOpenAI()*"), MODELS, MODEL),
    Blocker("anthropic", ("anthropic.Anthropic()*", "anthropic.AnthropicBedrock()*", "anthropic.AnthropicVertex()*"), MODELS, MODEL),
    Blocker("groq", ("groq.Groq()*",), MODELS, MODEL),
    Blocker("ollama", ("ollama", "ollama.Client()"), "chat generate embed embeddings pull", MODEL),
    Blocker("litellm", ("litellm", "litellm.main"), "completion embedding image_generation transcription speech", MODEL),
    Blocker("genai", ("google.generativeai.GenerativeModel()", "google.genai.Client().models"), MODELS, MODEL),
    Blocker("zeroconf", ("zeroconf.ServiceInfo()",), "request", "waits for the network (and raises RuntimeError on an event loop)"),
    Blocker("eroconf", ("zeroconf.Zeroconf()",), "get_service_info register_service", "waits for the network (and raises RuntimeError on an event loop)"),
    Blocker("submit", ("concurrent.futures.ThreadPoolExecutor().submit()", "concurrent.futures.ProcessPoolExecutor().submit()"), "result", THREAD),
    Blocker("result", ("concurrent.futures.Future()", "asyncio.run_coroutine_threadsafe()"), "result", THREAD),
    Blocker("futures", ("concurrent.futures",), "wait", THREAD),
    Blocker("Queue(", ("queue.Queue()", "queue.SimpleQueue()", "queue.PriorityQueue()", "multiprocessing.Queue()"), "get join", THREAD),
    Blocker("hread", ("threading.Thread()", "multiprocessing.Process()"), "join", THREAD),
    Blocker("threading", ("threading.Event()", "threading.Condition()", "threading.Barrier()"), "wait", THREAD),
    Blocker("threading", ("threading.Lock()", "threading.RLock()", "threading.Semaphore()"), "acquire", THREAD),
    Blocker("bcrypt", ("bcrypt",), PASSWORDS, HASHING),
    Blocker("passlib", ("passlib*",), PASSWORDS, HASHING),
    Blocker("argon2", ("argon2.PasswordHasher()", "argon2"), PASSWORDS, HASHING),
    Blocker("pwdlib", ("pwdlib.PasswordHash()", "pwdlib.PasswordHash.recommended()"), PASSWORDS, HASHING),
    Blocker("hashlib", ("hashlib",), "pbkdf2_hmac scrypt", HASHING),
    Blocker("werkzeug", ("werkzeug.security",), "generate_password_hash check_password_hash", HASHING),
    Blocker("readlines", ("open()", "io.open()"), "readlines", "reads a whole file for its end"),
    Blocker("shutil", ("shutil",), "copytree make_archive unpack_archive", "works through a tree of files"),
    Blocker("shutil", ("shutil",), "rmtree", "works through a tree of files", advice=True),
    Blocker("extract", ("zipfile.ZipFile()", "tarfile.open()", "tarfile.TarFile.open()"), "extractall", "unpacks an archive"),
    Blocker("pandas", ("pandas",), "read_csv read_excel read_parquet read_json read_sql read_sql_query", "reads a table"),
    Blocker("PIL", ("PIL.Image.open()*",), "resize thumbnail save filter rotate", "works on an image"),
)  # fmt: skip
MARKS = tuple({each.mark for each in BLOCKERS})
EXACT = {
    f"{head}.{last}"
    for each in BLOCKERS
    for head in each.heads
    if head and head[-1] not in "*)"
    for last in each.lasts.split()
}
SHORT = 0.05
"""Seconds that a sleep or wait may last."""
WAITS = {"sleep", "acquire", "get", "join", "wait", "result"}
LEVELS = 3
"""Plain functions between a coroutine and the call."""


class Rule(PythonRule):
    item = "requests-timed"
    tokens = MARKS
    good = [
        "import asyncio, requests\n\nasync def ask(url):\n    return await asyncio.to_thread(requests.get, url, timeout=5)\n",
        "import asyncio, time\n\ndef work():\n    time.sleep(5)\n\nasync def main():\n    await asyncio.get_running_loop().run_in_executor(None, work)\n",
        "import asyncio, subprocess\n\nasync def main():\n    await asyncio.to_thread(lambda: subprocess.run(['make']))\n",
        "import requests\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef index():\n    return requests.get('http://a', timeout=5).text\n\n@app.get('/live')\nasync def live():\n    return {}\n",
    ]
    bad = [
        "import time\n\nasync def handler(request):\n    time.sleep(1)\n",
        "from time import sleep as nap\n\nasync def handler(request):\n    nap(1)\n",
        "import requests\n\nasync def ask(url):\n    return requests.get(url, timeout=5)\n",
        "import requests\n\ndef fetch(url):\n    return requests.get(url, timeout=5)\n\nasync def ask(url):\n    return fetch(url)\n",
        "import redis\ncache = redis.Redis()\n\nasync def look(key):\n    return cache.get(key)\n",
        "from openai import OpenAI\nclient = OpenAI(timeout=20)\n\nasync def chat(text):\n    return client.chat.completions.create(model='m', messages=[text])\n",
        "import subprocess\n\nasync def convert(path):\n    subprocess.run(['convert', path])\n",
        "from fastapi import Depends\nfrom sqlalchemy.orm import Session\n\nasync def users(db: Session = Depends(make)):\n    return db.execute(query).all()\n",
        "import bcrypt\n\nasync def login(password, stored):\n    return bcrypt.checkpw(password, stored)\n",
        "import socket\n\nasync def find(host):\n    return socket.getaddrinfo(host, 443)\n",
        "from sqlmodel import Session, select\n\nasync def users(engine):\n    with Session(engine) as session:\n        return session.exec(select(User)).all()\n",
        "import requests\nfrom discord.ext import commands\nbot = commands.Bot('!')\n\n@bot.command()\nasync def cat(ctx):\n    await ctx.send(requests.get('http://cats', timeout=5).text)\n",
        "async def tail(path):\n    with open(path) as file:\n        return file.readlines()[-50:]\n",
        "import asyncio\n\nasync def ask(work, loop):\n    return asyncio.run_coroutine_threadsafe(work(), loop).result()\n",
    ]
    silent = [
        "import asyncio, functools, time\n\ndef threaded(work):\n    @functools.wraps(work)\n    async def wrapper(*args):\n        loop = asyncio.get_running_loop()\n        return await loop.run_in_executor(None, work, *args)\n    return wrapper\n\n@threaded\ndef save():\n    time.sleep(1)\n\nasync def handler(request):\n    await save()\n",
        "import time\nfrom asgiref.sync import sync_to_async\n\n@sync_to_async\ndef save():\n    time.sleep(1)\n\nasync def handler(request):\n    await save()\n",
        "import socket\nFIGURES = socket.AI_NUMERICHOST\n\nasync def parse(host):\n    return socket.getaddrinfo(host, 443, flags=FIGURES), socket.getaddrinfo('127.0.0.1', 443)\n",
        "import asyncio\n\nasync def ask(work, loop, seen):\n    future = asyncio.run_coroutine_threadsafe(work(), loop)\n    future.add_done_callback(seen.set)\n    await seen.wait()\n    return future.result()\n",
        "import socket\n\nasync def me():\n    name = socket.gethostname()\n    return socket.gethostbyname(name), socket.getfqdn()\n",
        "import time\n\ndef work():\n    time.sleep(1)\n\nasync def other():\n    return 1\n",
        "import time, threading\n\nasync def start():\n    def work():\n        time.sleep(1)\n    threading.Thread(target=work).start()\n",
        "import asyncio\n\nasync def handler(request):\n    await asyncio.sleep(1)\n",
        "import redis.asyncio as redis\ncache = redis.Redis()\n\nasync def look(key):\n    return await cache.get(key)\n",
        "import json\n\nasync def handler(request):\n    with open('config.json') as file:\n        return json.load(file)\n",
        "async def hosts(path):\n    with open(path) as file:\n        return file.readlines()\n",
        "import threading\nlock = threading.Lock()\n\nasync def handler(request):\n    if lock.acquire(blocking=False):\n        return 1\n",
        "import time\n\ndef lines():\n    while True:\n        time.sleep(1)\n        yield 'x'\n\nasync def stream():\n    return StreamingResponse(lines())\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.said: set[tuple[ast.AST, str]] = set()
        self.routes: dict[ast.AST, tuple[PythonFile, ast.Call] | None] = {}
        marks = {each for each in MARKS if each.encode() in file.data}
        self.present = [each for each in BLOCKERS if each.mark in marks]

    def end(self) -> None:
        for node in self.file.calls.named(*{last for each in self.present for last in each.lasts.split()}):
            self.look(node)
        for _, at in handed_over(self.file, EXACT):
            if isinstance(self.tree.function_of(at), ast.AsyncFunctionDef):
                self.clear(at)

    def look(self, node: ast.Call) -> None:
        function = self.tree.function_of(node)
        on_constant = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Constant | ast.JoinedStr)
        if function is None or on_constant or isinstance(self.tree.parents[node], ast.Await):
            return
        blocker = self.blocker(node)
        if blocker is None or is_short(node) or self.is_small(node, blocker):
            return
        if isinstance(function, ast.Lambda):
            user = self.tree.parents[function]
            if isinstance(user, ast.Call) and last_name(user.func) in RUNNING_HERE | {"submit"}:
                self.clear(node)
        elif isinstance(function, ast.AsyncFunctionDef):
            self.blame(node, blocker, function)
        else:
            self.look_for_coroutine(node, blocker, function)

    def is_small(self, node: ast.Call, blocker: Blocker) -> bool:
        """An address without a network, a result that is there, or a file that is not read for its last lines only."""
        if blocker.mark == "urllib":
            return opens_data(self.file, node)
        if blocker.mark == "socket":
            return self.asks_nobody(node)
        if last_name(node.func) == "result":
            return self.is_done(node)
        if blocker.mark != "readlines":
            return False
        parent = self.tree.parents[node]
        name = parent.targets[0] if isinstance(parent, ast.Assign) else None
        inside = below(self.tree.function_of(node) or node)
        cut = (each for each in inside if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Slice))
        ends = (
            each.value
            for each in cut
            if isinstance(each.slice, ast.Slice) and isinstance(each.slice.lower, ast.UnaryOp)
        )
        return not any(
            each is node or (isinstance(each, ast.Name) and last_name(name or node) == each.id) for each in ends
        )

    def is_done(self, node: ast.Call) -> bool:
        """Whether it was asked before whether a future is done, or the future was to say so."""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else node
        asked = (each for name in ("done", "add_done_callback") for each in self.file.calls.named(name))
        return any(
            isinstance(each.func, ast.Attribute)
            and ast.dump(each.func.value) == ast.dump(owner)
            and each.lineno <= node.lineno
            and self.tree.function_of(each) is self.tree.function_of(node)
            for each in asked
        )

    def asks_nobody(self, node: ast.Call) -> bool:
        """Whether a name is not looked up on the network: an address in figures, or the machine's own name."""
        flags = argument(node, "flags", 5)
        if flags is not None and any("AI_NUMERICHOST" in ast.unparse(each) for each in self.values(flags)):
            return True
        host = argument(node, "host", 0) or argument(node, "name", 0)
        if host is None:
            return last_name(node.func) == "getfqdn"
        return all(self.is_here(each) for each in self.values(host))

    def is_here(self, host: ast.expr) -> bool:
        if isinstance(host, ast.Constant):
            return host.value in {None, "", "localhost"} or is_address(str(host.value))
        return isinstance(host, ast.Call) and bool(self.names(host.func) & {"socket.gethostname", "socket.getfqdn"})

    def values(self, value: ast.expr) -> list[ast.expr]:
        """What stands in it, or in the name that it is."""
        bound = [each.node for each in self.file.names.bindings(value)] if isinstance(value, ast.Name) else []
        known = [each for each in bound if isinstance(each, ast.expr)]
        return known if known and len(known) == len(bound) else [value]

    def blocker(self, node: ast.Call) -> Blocker | None:
        for name in sorted(self.names(node.func)):
            head, _, last = name.rpartition(".")
            found = next((each for each in self.present if each.matches(head, last)), None)
            if found is not None:
                return found
        return None

    def look_for_coroutine(self, node: ast.Call, blocker: Blocker, function: ast.FunctionDef) -> None:
        if function not in self.routes:
            self.routes[function] = coroutine_of(self.file, node, LEVELS)
        found = self.routes[function]
        if found is not None:
            self.blame(node, blocker, function, found)
        elif any(last_name(call.func) in RUNNING_HERE for call in self.callers(function)) or self.is_threaded(function):
            self.clear(node)

    def is_threaded(self, function: FunctionDef) -> bool:
        """A plain route of FastAPI, which runs in a thread."""
        return any(name.startswith("fastapi.") for each in decorators(function) for name in self.names(each))

    def blame(
        self,
        node: ast.Call,
        blocker: Blocker,
        function: FunctionDef,
        through: tuple[PythonFile, ast.Call] | None = None,
    ) -> None:
        """Say it once a function; `through` is the call in a coroutine that leads to a plain one."""
        if (function, blocker.does) in self.said:
            return
        self.said.add((function, blocker.does))
        file, place = through or (self.file, node)
        coroutine = file.tree.function_of(place)
        name = coroutine.name if isinstance(coroutine, FunctionDef) else ""
        route = f" (called by the coroutine {name}, {file.name}:{place.lineno})" if through is not None else ""
        called = dotted(node.func) or last_name(node.func)
        message = (
            f"{called} {blocker.does}, and the event loop stands still{route}: await an async version, or use a thread"
        )
        advisory = blocker.advice or is_starting(file, place) or is_one_shot(file, place)
        if (
            through is None
            and blocker.does == "sleeps"
            and len(node.args) == 1
            and isinstance(self.tree.parents[node], ast.Expr)
        ):
            text = f"await asyncio.sleep({segment(self.file, node.args[0])})"
            self.flag(
                node,
                message,
                advisory=advisory,
                fix=[replace(self.file, node, text), *importing(self.file, "import asyncio")],
            )
        else:
            self.flag(node, message, advisory=advisory)


def is_address(host: str) -> bool:
    """`127.0.0.1`, `::1`."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_short(node: ast.Call) -> bool:
    """`lock.acquire(blocking=False)`, `queue.get(timeout=0)`, `time.sleep(0.01)`."""
    if last_name(node.func) not in WAITS:
        return False
    given = [each for each in (*node.args, *(each.value for each in node.keywords)) if isinstance(each, ast.Constant)]
    return any(isinstance(each.value, bool | int | float) and each.value <= SHORT for each in given)

"""A file that holds credentials can be read by others.

A file is made with the mode that the umask leaves, on most machines readable by everybody. A `chmod` afterwards leaves a
window in which others can open it, and who has it open goes on reading. Make it 0600 from the first byte: `os.open` with
the mode, or `open` with an opener that does; `tempfile` makes private files by itself and `os.replace` keeps their mode.
A file that is there already keeps the mode it has, with the opener as well: change it once.

What is written decides, together with where: tokens, keys and passwords by their names and origins, private keys of
cryptography, and paths such as `credentials.json` or `token_file`. A private folder, a umask of 0077 and a file that was
made private before anything was written are fine.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from readiness.model import Edit
from readiness.scan import PythonFile, PythonRule
from readiness.scan.code.parts import HANDED_ON, METHODS, Part, parts
from readiness.scan.code.passing import passed_for
from readiness.scan.code.tree import FunctionDef, argument, below, children, is_none, last_name, text_of
from readiness.scan.data.fields import dumped
from readiness.scan.data.secrecy import Secrecy, hides, secrecy, words
from readiness.scan.data.secret_values import Secrets
from readiness.scan.fix import INDENT, importing, replace, segment, with_argument

OPENERS = {"open", "io.open", "codecs.open", "aiofiles.open", "anyio.open_file", "os.fdopen"}
OPENER = "lambda name, flags: os.open(name, flags, 0o600)"
TEMPORARY = ("tempfile.",)
OTHER_PATHS = (b"upath", b"cloudpathlib", b"aiopath", b"anyio.Path", b"AsyncPath", b"fsspec")
"""What stands in a file whose paths may be of something other than the disk."""
JOINING = {
    "join",
    "joinpath",
    "Path",
    "PurePath",
    "str",
    "fspath",
    "expanduser",
    "abspath",
    "with_suffix",
    "with_name",
    "resolve",
}
SERIALISERS = {"dump", "safe_dump", "save", "dump_all"}
"""Calls `dump(value, file)`."""
KEY_TEXTS = {"private_bytes", "export_key", "exportKey", "private_bytes_raw", "save_pkcs1", "dump_privatekey"}
"""Calls that give a key as text, a private one unless it is called public."""
SURE_FILE = re.compile(
    r"(^|[/\\._-])(credentials?|client[_-]secrets?|id_rsa|id_ed25519|id_ecdsa|netrc|pgpass|htpasswd|pypirc|kubeconfig|private[_-]?key|"
    r"privkey)(\.(json|ya?ml|toml|txt|pickle|pkl|ini|cfg|conf|pem|key))?$|(^|[/\\])\.env$",
    re.IGNORECASE,
)
"""Names of files that hold credentials."""
LIKELY_FILE = re.compile(
    r"(^|[/\\._-])(tokens?|secrets?|passwords?|passwd|api[_-]?keys?|auth|oauth)(\.(json|ya?ml|toml|txt|pickle|pkl|ini|cfg|db))?$|\.key$",
    re.IGNORECASE,
)
"""Names of files that do so where the code deals with authorization."""
HOME_FILE = re.compile(r"(^~|(^|[/\\\\])\.\w).*(token|secret|passw|credential|auth|api[_-]?key)", re.IGNORECASE)
"""Names of hidden files and of files at home that hold what is called a token: no words of a text are kept there."""
PLACES = {"path", "file", "filename", "filepath", "location", "fname", "fp"}
HELD = {
    "credential",
    "credentials",
    "token",
    "tokens",
    "secret",
    "secrets",
    "password",
    "passwords",
    "netrc",
    "auth",
    "oauth",
    "apikey",
}
"""What a path's name says of the file: `token_path`, `CREDENTIALS_FILE`."""
ABOUT = HELD | {"keyring", "vault", "keystore", "login", "oauth2", "keys"}
"""What a class or module says that keeps credentials."""
WRITING = re.compile(r"(?=.*[wax+])[rwaxbt+]+")
OWNER = {"S_IRUSR": 0o400, "S_IWUSR": 0o200, "S_IRWXU": 0o700, "S_IXUSR": 0o100}


@dataclass(frozen=True, slots=True)
class Writing:
    """A file that is made, and what is written into it."""

    call: ast.Call
    path: ast.expr
    values: tuple[ast.expr, ...]
    first: int
    """The line of the first write."""


class Rule(PythonRule):
    item = "credential-files-private"
    tokens = ("open", "write_text", "write_bytes", "storage_state")
    good = [
        "import json, os\n\ndef save(token_path, token):\n    with open(token_path, 'w', opener=lambda path, flags: os.open(path, flags, 0o600)) as file:\n        json.dump(token, file)\n",
        "import contextlib, os\nfrom pathlib import Path\n\n@contextlib.contextmanager\ndef only_mine():\n    before = os.umask(0)\n    os.umask(before | 0o077)\n    try:\n        yield\n    finally:\n        os.umask(before)\n\ndef save(path: Path, key):\n    with only_mine():\n        path.write_bytes(key.private_bytes())\n",
        "import json, stat\nfrom pathlib import Path\n\nHOME = Path.home() / '.tool'\n\nclass Store:\n    path = HOME / 'credentials.json'\n\n    def save(self, credentials):\n        self.prepare()\n        self.path.write_text(json.dumps(credentials))\n        self.path.chmod(0o600)\n\n    def prepare(self):\n        HOME.mkdir(parents=True, exist_ok=True)\n        HOME.chmod(stat.S_IRWXU)\n",
    ]
    fixed = [
        (
            "import json\nimport os\n\ndef save(token_path, token):\n    with open(token_path, 'w', encoding='utf-8') as file:  # kept\n        json.dump(token, file)\n",
            "import json\nimport os\n\ndef save(token_path, token):\n    with open(token_path, 'w', encoding='utf-8', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:  # kept\n        json.dump(token, file)\n",
        ),
        (
            "def save(api_key):\n    file = open('key.txt', 'w')\n    file.write(api_key)\n    file.close()\n",
            "import os\n\ndef save(api_key):\n    file = open('key.txt', 'w', opener=lambda name, flags: os.open(name, flags, 0o600))\n    file.write(api_key)\n    file.close()\n",
        ),
        (
            "from pathlib import Path\n\ndef save(folder: Path, password):\n    (folder / 'login').write_text(password, encoding='utf-8')\n",
            "import os\nfrom pathlib import Path\n\ndef save(folder: Path, password):\n    with open(folder / 'login', \"w\", encoding='utf-8', opener=lambda name, flags: os.open(name, flags, 0o600)) as private:\n        private.write(password)\n",
        ),
        (
            "from pathlib import Path\n\ndef save(path, key):\n    Path(path).write_bytes(\n        key.private_bytes(\n            PEM,\n            PKCS8,\n        )\n    )\n",
            'import os\nfrom pathlib import Path\n\ndef save(path, key):\n    with open(Path(path), "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as private:\n        private.write(\n            key.private_bytes(\n                PEM,\n                PKCS8,\n            )\n        )\n',
        ),
        (
            "import json, os\nfrom pathlib import Path\n\ndef save(credentials):\n    path = Path.home() / 'login.json'\n    with path.open('w') as file:\n        json.dump(credentials, file)\n    path.chmod(0o600)\n",
            "import json, os\nfrom pathlib import Path\n\ndef save(credentials):\n    path = Path.home() / 'login.json'\n    with open(path, 'w', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:\n        json.dump(credentials, file)\n    path.chmod(0o600)\n",
        ),
        (
            "import os\n\ndef save(secret_key):\n    open('secret', 'w').write(secret_key)\n    os.chmod('secret', 0o600)\n",
            "import os\n\ndef save(secret_key):\n    open('secret', 'w', opener=lambda name, flags: os.open(name, flags, 0o600)).write(secret_key)\n    os.chmod('secret', 0o600)\n",
        ),
        (
            "import aiofiles\n\nasync def save(access_token):\n    async with aiofiles.open('login', 'w') as file:\n        await file.write(access_token)\n",
            "import os\nimport aiofiles\n\nasync def save(access_token):\n    async with aiofiles.open('login', 'w', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:\n        await file.write(access_token)\n",
        ),
    ]
    bad = [
        "def save(private_key_pem):\n    with open('server.pem', 'wb') as file:\n        file.write(private_key_pem)\n",
        "import json\nfrom pathlib import Path\n\ndef save(state):\n    Path('state.json').write_text(json.dumps(state))\n\nasync def sign_in(context):\n    state = {'at': 1}\n    state['cookies'] = await context.cookies()\n    save(state)\n",
        "import yaml\nfrom pydantic import BaseModel\n\nclass Provider(BaseModel):\n    api_key: str\n\nclass Options(BaseModel):\n    providers: list[Provider]\n\ndef save(options: Options, path):\n    with open(path, 'w') as file:\n        yaml.dump(options.model_dump(), file)\n",
        "import json\n\ndef save(path, token):\n    options = {'env': {}}\n    options['env']['AUTH_TOKEN'] = token\n    with open(path, 'w') as file:\n        json.dump(options, file)\n",
        "from playwright.async_api import BrowserContext\n\nasync def keep(context: BrowserContext):\n    await context.storage_state(path='state.json')\n",
        "import json\n\ndef save(token):\n    with open('credentials.json', 'w') as file:\n        json.dump(token, file)\n",
        "import json\nfrom pathlib import Path\n\nasync def keep(context):\n    cookies = await context.cookies()\n    Path('session.json').write_text(json.dumps({'cookies': cookies}))\n",
        "import json\nimport requests\n\ndef log_in(name):\n    session = requests.Session()\n    session.post('https://a', data={'name': name}, timeout=3)\n    with open('state.json', 'w') as file:\n        json.dump(session.cookies.get_dict(), file)\n",
        "import os\n\ndef login(token):\n    open(os.path.expanduser('~/.mytoken'), 'w').write(token)\n",
        "from pathlib import Path\n\nSETTINGS = '.env'\n\ndef write(folder: Path, text):\n    path = folder / SETTINGS\n    path.write_text(text)\n    path.chmod(0o600)\n",
    ]
    silent = [
        "import yaml\nfrom pydantic import BaseModel, SecretStr\n\nclass Provider(BaseModel):\n    api_key: SecretStr\n\ndef save(provider: Provider, path):\n    with open(path, 'w') as file:\n        yaml.dump(provider.model_dump(), file)\n",
        "def save(public_key_pem):\n    with open('server.pub.pem', 'wb') as file:\n        file.write(public_key_pem)\n",
        "import json\nfrom pathlib import Path\n\ndef keep(recipes):\n    cookies = [each for each in recipes if each.sweet]\n    Path('recipes.json').write_text(json.dumps({'cookies': cookies}))\n",
        "def save(report):\n    with open('report.txt', 'w') as file:\n        file.write(report)\n",
        "def save(path, pub_key):\n    with open(path, 'wb') as file:\n        file.write(pub_key.save_pkcs1('PEM'))\n",
        "def save(archive, token_path, token):\n    with archive.open('auth.json') as file:\n        file.write(token)\n",
        "def save(tokens):\n    with open('tokens.txt', 'w') as file:\n        for token in tokens:\n            file.write(token)\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.secrets = Secrets(file.names, file.data)

    def begin(self) -> None:
        for writing in self.writings():
            function = self.tree.function_of(writing.call)
            modes = list(self.modes(function or self.tree.module))
            late = any(line > writing.first for line, _ in modes)
            if not self.holds_credentials(writing, late=late) or self.is_public(writing, function or self.tree.module):
                continue
            if self.is_private(writing, modes):
                self.clear(writing.call)
            elif late:
                self.flag(
                    writing.call,
                    "the file gets its private mode after the credentials were written: others can open it in between. Make it 0600 from the first byte",
                    fix=self.fix(writing),
                )
            else:
                self.flag(
                    writing.call,
                    "credentials are written to a file with the mode that the umask leaves: make it 0600 from the first byte",
                    fix=self.fix(writing),
                )

    # ---- files that are made

    def writings(self) -> Iterator[Writing]:
        for call in self.file.calls.named("open", "open_file", "fdopen", "NamedTemporaryFile"):
            path = self.opened(call)
            if path is None:
                continue
            written = list(self.written(call))
            if written:
                yield Writing(call, path, tuple(value for _, value in written), min(line for line, _ in written))
        for call in self.file.calls.named("write_text", "write_bytes"):
            value = argument(call, "data", 0)
            if isinstance(call.func, ast.Attribute) and value is not None:
                yield Writing(call, call.func.value, (value,), call.lineno)
        for call in self.file.calls.named("storage_state") if b"playwright" in self.file.data else ():
            path = argument(call, "path", 0)
            if path is not None and not is_none(path):
                yield Writing(call, path, (call,), call.lineno)

    def opened(self, call: ast.Call) -> ast.expr | None:
        """The path of a file that is opened to be written."""
        origins = self.names(call.func)
        if any(each.startswith(TEMPORARY) for each in origins):
            return call
        if "os.fdopen" in origins:
            return (
                self.path_of_descriptor(call) if WRITING.fullmatch(text_of(argument(call, "mode", 1)) or "") else None
            )
        if origins & OPENERS:
            mode, path = argument(call, "mode", 1), argument(call, "file", 0)
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "open" and "os.open" not in origins:
            mode, path = argument(call, "mode", 0), call.func.value
        else:
            return None
        return path if WRITING.fullmatch(text_of(mode) or "") else None

    def path_of_descriptor(self, call: ast.Call) -> ast.expr | None:
        """The path that `os.open` was given, or the call that made a temporary file."""
        for value in self.file.names.values(call.args[0]) if call.args else ():
            if isinstance(value, ast.Call) and value.args and "os.open" in self.names(value.func):
                return value.args[0]
            if any(each.startswith(TEMPORARY) for each in self.names(value)):
                return value
        return None

    def written(self, call: ast.Call) -> Iterator[tuple[int, ast.expr]]:
        """The lines and values of what is written into an opened file."""
        parent = self.tree.parents[call]
        parent = self.tree.parents[parent] if isinstance(parent, ast.Await) else parent
        if isinstance(parent, ast.Attribute) and parent.attr == "write":
            around = self.tree.parents[parent]
            yield from ((call.lineno, each) for each in (around.args if isinstance(around, ast.Call) else ()))
            return
        target = (
            parent.optional_vars
            if isinstance(parent, ast.withitem)
            else parent.targets[0]
            if isinstance(parent, ast.Assign)
            else None
        )
        if not isinstance(target, ast.Name):
            return
        scope = (
            self.tree.parents[parent]
            if isinstance(parent, ast.withitem)
            else self.tree.function_of(call) or self.tree.module
        )
        for node in below(scope):
            if isinstance(node, ast.Call):
                yield from ((node.lineno, value) for value in put_into(node, target.id))

    # ---- credentials

    def holds_credentials(self, writing: Writing, *, late: bool) -> bool:
        values = [part for value in writing.values for part in parts(Part(self.file.names, value), self.goes_on)]
        if any(self.is_secret(part) for part in [*values, *self.passed(values)]):
            return True
        if all(isinstance(value, ast.Constant) for value in writing.values):
            return False
        if any(secrecy(last_name(part.node)) is Secrecy.MAYBE for part in values) and self.is_at_home(writing.path):
            return True
        return self.is_credential_path(writing.path) or (late and self.is_about_credentials(writing.call))

    def passed(self, values: list[Part]) -> Iterator[Part]:
        """What the calls in this file pass for the parameters that are written."""
        for part in values:
            bound = part.names.bindings(part.node) if isinstance(part.node, ast.Name) and part.frame is None else []
            function = self.tree.function_of(part.node)
            if not isinstance(function, FunctionDef) or not any(isinstance(each.node, ast.arg) for each in bound):
                continue
            for call in self.callers(function):
                given = passed_for(call, function, last_name(part.node))
                if given is not None:
                    yield from parts(Part(self.file.names, given), self.goes_on)

    def is_public(self, writing: Writing, scope: ast.AST) -> bool:
        """Whether everybody is let in on purpose."""
        for node in below(scope):
            if isinstance(node, ast.Call) and last_name(node.func) == "chmod" and len(node.args) > 1:
                bits = bits_of(node.args[1])
                if bits is not None and bits & 0o004 and same(node.args[0], writing.path):
                    return True
        return False

    def goes_on(self, part: Part) -> bool:
        return not isinstance(part.node, ast.Call) or (
            last_name(part.node.func) in HANDED_ON | METHODS and not hides(part.node)
        )

    def is_secret(self, part: Part) -> bool:
        if isinstance(part.node, ast.Call) and last_name(part.node.func) in KEY_TEXTS:
            return not is_public_key(part.node.func)
        if (isinstance(part.node, ast.Call) and last_name(part.node.func) == "storage_state") or dumped(part):
            return True
        name = self.secrets.named(part)
        if name:
            return secrecy(name) is Secrecy.SURE
        return bool(self.secrets.keyed(part)) or self.is_session(part)

    def is_session(self, part: Part) -> bool:
        """The cookies of a browser or client, which let in whoever has them."""
        pairs = zip(part.node.keys, part.node.values, strict=True) if isinstance(part.node, ast.Dict) else ()
        values = [value for key, value in pairs if text_of(key) == "cookies"]
        stored = part.names.scopes.stored(part.node) if isinstance(part.node, ast.Name) else ()
        values += [each.value for each in stored if each.key == "cookies"]
        values += [part.node] if isinstance(part.node, ast.Call | ast.Name | ast.Attribute) else []
        calls = (
            each.value if isinstance(each, ast.Await) else each for value in values for each in part.names.values(value)
        )
        return any(isinstance(each, ast.Call | ast.Attribute) and is_of_cookies(each) for each in calls)

    def is_credential_path(self, path: ast.expr) -> bool:
        for value in self.file.names.values(path):
            for node in in_path(value):
                if any(map(self.is_credential_name, self.texts(node))):
                    return True
                if isinstance(node, ast.Name | ast.Attribute) and names_credentials(last_name(node)):
                    return True
        return False

    def is_at_home(self, path: ast.expr) -> bool:
        pieces = (node for value in self.file.names.values(path) for node in in_path(value))
        return any(HOME_FILE.search(text) for node in pieces for text in self.texts(node))

    def texts(self, node: ast.AST) -> list[str]:
        """What a piece of a path says: itself, or the constant that it names."""
        values = self.file.names.values(node) if isinstance(node, ast.Name) else [node]
        return [text for each in values if (text := text_of(each)) is not None]

    def is_credential_name(self, text: str) -> bool:
        return bool(SURE_FILE.search(text) or (self.secrets.authorizes and LIKELY_FILE.search(text)))

    def is_about_credentials(self, node: ast.AST) -> bool:
        """Whether the class or the module keeps credentials, by what they are called."""
        around = [each for each in self.tree.ancestors(node) if isinstance(each, ast.ClassDef | FunctionDef)]
        names = [each.name for each in around] + [
            last_name(below_)
            for each in around
            if isinstance(each, ast.ClassDef)
            for base in each.bases
            for below_ in below(base)
        ]
        return any(ABOUT & set(words(name)) for name in [*names, *self.file.name.split("/")])

    # ---- modes

    def is_private(self, writing: Writing, modes: list[tuple[int, ast.expr | None]]) -> bool:
        call = writing.call
        if any(each.startswith(TEMPORARY) for each in self.names(call.func)) or argument(call, "opener") is not None:
            return True
        path = self.file.names.values(writing.path)
        if any(self.is_temporary(each) for value in path for each in below(value)):
            return True
        for line, target in modes:
            if line <= writing.first and (target is None or any(same(target, each) for each in [writing.path, *path])):
                return True
        return self.is_in_private_block(call)

    def is_in_private_block(self, call: ast.Call) -> bool:
        """Whether it stands in a `with` of a function of the project that sets the umask."""
        return any(
            private_mask(node)
            for block in self.tree.ancestors(call)
            if isinstance(block, ast.With | ast.AsyncWith)
            for item in block.items
            if isinstance(item.context_expr, ast.Call)
            for each in self.file.names.functions(item.context_expr.func)
            for node in below(each.node)
        )

    def is_temporary(self, node: ast.AST) -> bool:
        """A file or folder of tempfile, which only its owner may enter."""
        return isinstance(node, ast.Name | ast.Call) and any(each.startswith(TEMPORARY) for each in self.names(node))

    def modes(self, scope: ast.AST) -> Iterator[tuple[int, ast.expr | None]]:
        """Where something is made private, and what: None is all that comes after. Own helpers are looked into."""
        yield from self.modes_in(scope)
        for call in (each for each in below(scope) if isinstance(each, ast.Call)):
            for helper in self.functions(call.func):
                if helper.names is self.file.names and helper.node is not scope:
                    yield from ((call.lineno, None) for _, target in self.modes_in(helper.node) if target is None)

    def modes_in(self, scope: ast.AST) -> Iterator[tuple[int, ast.expr | None]]:
        """Where a path is given a private mode: the line and the path; no path where it holds for all, or nobody knows."""
        for node in below(scope):
            if not isinstance(node, ast.Call):
                continue
            last, receiver = last_name(node.func), node.func.value if isinstance(node.func, ast.Attribute) else None
            of_os = receiver is not None and last_name(receiver) == "os"
            match last:
                case "umask" if private_mask(node):
                    yield node.lineno, None
                case "fchmod" if private(argument(node, "mode", 1)):
                    yield node.lineno, None
                case "chmod" if of_os and private(argument(node, "mode", 1)):
                    yield node.lineno, None if is_of_folder(node.args[1:]) else node.args[0]
                case "chmod" if not of_os and receiver is not None and private(argument(node, "mode", 0)):
                    yield node.lineno, None if is_of_folder(node.args) else receiver
                case "touch" if private(argument(node, "mode", 0)):
                    yield node.lineno, receiver
                case "open" if of_os and private(argument(node, "mode", 2)):
                    yield node.lineno, node.args[0]
                case "mkdir" | "makedirs" if private(argument(node, "mode", 1 if of_os else 0)):
                    yield node.lineno, None

    # ---- the fix

    def fix(self, writing: Writing) -> list[Edit]:
        """The same file, made 0600 by an opener. An existing file keeps its mode."""
        call, origins = writing.call, self.names(writing.call.func)
        if origins & {"open", "io.open", "aiofiles.open", "anyio.open_file"}:
            return [with_argument(self.file, call, "opener", OPENER), *importing(self.file, "import os")]
        if not isinstance(call.func, ast.Attribute) or origins & OPENERS or not self.is_of_pathlib(call):
            return []
        if call.func.attr == "open":
            path, given = segment(self.file, call.func.value), [*call.args, *call.keywords]
            text = ", ".join([path, *(segment(self.file, each) for each in given), f"opener={OPENER}"])
            return [replace(self.file, call, f"open({text})"), *importing(self.file, "import os")]
        return self.fix_of_write(call)

    def is_of_pathlib(self, call: ast.Call) -> bool:
        """Whether the path of a method is one of the disk, as far as the file tells: other libraries have such methods too."""
        parent = self.tree.parents[call]
        if isinstance(parent, ast.Await) or isinstance(self.tree.parents.get(parent), ast.AsyncWith):
            return False
        origins = self.names(call.func.value) if isinstance(call.func, ast.Attribute) else ()
        if any(each.startswith("pathlib.") for each in origins):
            return True
        return not origins and b"pathlib" in self.file.data and not any(each in self.file.data for each in OTHER_PATHS)

    def fix_of_write(self, call: ast.Call) -> list[Edit]:
        """`path.write_text(value)` as a statement of its own becomes a `with`."""
        statement = self.tree.parents[call]
        if not isinstance(statement, ast.Expr) or len(call.args) != 1 or not isinstance(call.func, ast.Attribute):
            return []
        indent = self.file.lines[statement.lineno - 1][: statement.col_offset]
        if indent.strip() or any(not each.arg for each in call.keywords):
            return []
        mode = "w" if call.func.attr == "write_text" else "wb"
        given = [
            segment(self.file, call.func.value),
            f'"{mode}"',
            *(segment(self.file, each) for each in call.keywords),
        ]
        opened = ", ".join([*given, f"opener={OPENER}"])
        value = self.moved(call, call.args[0], indent)
        text = f"with open({opened}) as private:\n{indent}{INDENT}private.write({value})"
        return [replace(self.file, statement, text), *importing(self.file, "import os")]

    def moved(self, call: ast.Call, value: ast.expr, indent: str) -> str:
        """The text of an argument one level deeper; lines within a text stay where they are."""
        lines = segment(self.file, value).split("\n")
        fixed = {
            number
            for each in below(value)
            if isinstance(each, ast.Constant | ast.JoinedStr)
            for number in range(each.lineno + 1, (each.end_lineno or each.lineno) + 1)
        }
        deeper = [
            line if number in fixed or not line.strip() else INDENT + line
            for number, line in enumerate(lines[1:], value.lineno + 1)
        ]
        text = "\n".join([lines[0], *deeper])
        apart = value.lineno > (call.func.end_lineno or call.lineno)
        return f"\n{indent}{INDENT * 2}{text}\n{indent}{INDENT}" if apart else text


def is_of_cookies(value: ast.Call | ast.Attribute) -> bool:
    """`await context.cookies()`, `driver.get_cookies()`, `session.cookies`, `session.cookies.get_dict()`."""
    while isinstance(value, ast.Call | ast.Attribute):
        if last_name(value) in {"cookies", "get_cookies"}:
            return True
        value = value.func if isinstance(value, ast.Call) else value.value  # type: ignore[assignment]
    return False


def put_into(call: ast.Call, name: str) -> Iterator[ast.expr]:
    """What a call writes into the file of this name."""
    func = call.func
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == name:
        if func.attr in {"write", "writelines"}:
            yield from call.args[:1]
    elif any(isinstance(each, ast.Name) and each.id == name for each in call.args):
        if last_name(func) in SERIALISERS and len(call.args) > 1:
            yield call.args[0]
        elif isinstance(func, ast.Attribute) and func.attr == "write":
            yield func.value
    elif last_name(func) == "print" and any(
        each.arg == "file" and last_name(each.value) == name for each in call.keywords
    ):
        yield from call.args


def in_path(path: ast.expr) -> Iterator[ast.AST]:
    """What a path is put together from; what unknown calls are given is not of it."""
    stack: list[ast.AST] = [path]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.Call) or last_name(node.func) in JOINING:
            stack += children(node)


def names_credentials(name: str) -> bool:
    """`token_path`, `CREDENTIALS_FILE`, `private_key_file`: a path by its head, and what is kept there."""
    found = words(name)
    if len(found) < 2 or found[-1] not in PLACES:
        return False
    return bool(HELD & set(found[:-1])) or secrecy("_".join(found[:-1])) is Secrecy.SURE


def is_public_key(getter: ast.expr) -> bool:
    """Whether `key.public_key().export_key` or `pub_key.save_pkcs1` is of the half that anybody may have."""
    return any(
        word.startswith("pub")
        for node in below(getter)
        if not isinstance(node, ast.expr_context)
        for word in words(last_name(node))
    )


def private(mode: ast.expr | None) -> bool:
    """Whether a mode lets nobody but the owner in."""
    bits = bits_of(mode)
    return bits is not None and bits & 0o077 == 0


def is_of_folder(modes: list[ast.expr]) -> bool:
    """Whether a mode lets its owner pass, as one of a folder does."""
    return any((bits_of(each) or 0) & 0o100 for each in modes)


def private_mask(node: ast.AST) -> bool:
    """`os.umask(0o077)`, also where more is taken away: `os.umask(before | 0o077)`."""
    if not isinstance(node, ast.Call) or last_name(node.func) != "umask":
        return False
    mask = argument(node, "mask", 0)
    added = below(mask) if isinstance(mask, ast.BinOp) and isinstance(mask.op, ast.BitOr) else [mask]
    return any((bits_of(each) or 0) & 0o077 == 0o077 for each in added if isinstance(each, ast.expr))


def bits_of(mode: ast.expr | None) -> int | None:
    match mode:
        case ast.Constant(value=int(bits)):
            return bits
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            one, other = bits_of(left), bits_of(right)
            return one | other if one is not None and other is not None else None
        case ast.Name() | ast.Attribute():
            return OWNER.get(last_name(mode))
        case _:
            return None


def same(one: ast.expr, other: ast.expr) -> bool:
    """Whether two expressions are one path, `str(path)` and `Path(path)` looked through."""
    return ast.dump(bare(one)) == ast.dump(bare(other))


def bare(path: ast.expr) -> ast.expr:
    while isinstance(path, ast.Call) and last_name(path.func) in {"str", "Path", "fspath"} and path.args:
        path = path.args[0]
    return path

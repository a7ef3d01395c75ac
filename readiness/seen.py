"""What the code of a project tells of it to somebody who has never seen it: framework, application, NATS."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from readiness import settings
from readiness.scan import files


class Framework(NamedTuple):
    kind: str
    """The class of its applications."""
    served: str
    """The command line of one, as the documentation of its server has it."""
    beside: str = ""
    """The option of that server that names the folder of the modules, where they do not lie in the project's own."""


SRC = "src"
AS_PACKAGE = re.compile(rb"^\s*(?:from|import)\s+src\b", re.MULTILINE)
"""The folder is imported by its name, and so is no place where modules are looked for."""
ASGI = "uvicorn {app} --host 127.0.0.1 --port {{port}}"
WSGI = "gunicorn {app} --bind 127.0.0.1:{{port}}"
FRAMEWORKS = {
    "fastapi": Framework("FastAPI", ASGI, "--app-dir"),
    "starlette": Framework("Starlette", ASGI, "--app-dir"),
    "litestar": Framework("Litestar", ASGI, "--app-dir"),
    "quart": Framework("Quart", "hypercorn {app} --bind 127.0.0.1:{{port}}"),
    "flask": Framework("Flask", WSGI, "--pythonpath"),
    "aiohttp": Framework("Application", f"{WSGI} --worker-class aiohttp.GunicornWebWorker", "--pythonpath"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the code of a project tells of it."""

    framework: str
    app: str
    """As a server is told it: `package.module:name`; empty where there is none."""
    uses_nats: bool
    code: bool = True
    """Whether there was any."""
    below: str = ""
    """The folder in which the module of the application is looked for; empty for the project's own."""

    @property
    def launch(self) -> str:
        """The command line that serves the application; empty where there is none."""
        if not self.app:
            return ""
        framework = FRAMEWORKS[self.framework]
        option = f" {framework.beside} {self.below}" if framework.beside and self.below else ""
        return framework.served.format(app=self.app) + option


def look(root: Path) -> Seen:
    """Read the code without running any of it."""
    found = files.collect([root], settings.Settings(root, root))
    imported: set[str] = set()
    apps: list[tuple[str, str, str]] = []
    unread = b""
    package = any(each.name == f"{SRC}/__init__.py" or AS_PACKAGE.search(each.data) for each in found.sources)
    for source in found.sources:
        try:
            tree = ast.parse(source.data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            unread += source.data
            continue
        names = set(_imports(tree))
        imported |= names
        below = SRC if source.name.startswith(f"{SRC}/") and not package else ""
        if module := _module(source.name.removeprefix(f"{below}/")):
            apps += [(library, f"{module}:{name}", below) for library, name in _apps(tree) if library in names]
    order = list(FRAMEWORKS)
    apps.sort(key=lambda each: (order.index(each[0]), each[1].count("."), each[1]))
    framework, app, below = apps[0] if apps else (next((each for each in order if each in imported), ""), "", "")
    return Seen(framework, app, "nats" in imported or b"nats" in unread, code=bool(found.sources), below=below)


def _imports(tree: ast.Module) -> Iterator[str]:
    """The words of the modules that are imported: `faststream.nats` and `taskiq_nats` speak NATS too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        else:
            continue
        for module in modules:
            yield from re.split(r"[._]", module)


def _apps(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Applications that a module binds: the library, and the name."""
    makers = {each.name: kind for each in tree.body if isinstance(each, ast.FunctionDef) if (kind := _made_by(each))}
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Call):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        library = _made(node.value) or makers.get(getattr(node.value.func, "id", ""))
        if library and isinstance(target, ast.Name):
            yield library, target.id


def _made_by(function: ast.FunctionDef) -> str:
    """The library whose application a function makes and returns, as in `create_app`."""
    made = ""
    bound: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            bound[node.targets[0].id] = _made(node.value)
    for node in ast.walk(function):
        if isinstance(node, ast.Return):
            given = node.value
            made = made or (_made(given) if isinstance(given, ast.Call) else bound.get(getattr(given, "id", ""), ""))
    return made


def _made(call: ast.Call) -> str:
    """The library whose application a call makes; empty for other calls."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return next((library for library, each in FRAMEWORKS.items() if each.kind == called), "")


def _module(name: str) -> str:
    """The dotted name of a file; empty for one that cannot be imported, which is put into no command."""
    parts = name.removesuffix(".py").removesuffix("/__init__").split("/")
    return ".".join(parts) if all(each.isidentifier() and each.isascii() for each in parts) else ""

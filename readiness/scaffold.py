"""What a project needs to use the tool every day: settings, a hook, a workflow. Nothing is ever overwritten."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from readiness import HOME, console, origin, settings
from readiness.errors import UsageError
from readiness.origin import MAIN
from readiness.places import project_root
from readiness.scan import files

FRAMEWORKS = {
    "fastapi": ("FastAPI", "uvicorn {app} --host 127.0.0.1 --port {{port}}"),
    "starlette": ("Starlette", "uvicorn {app} --host 127.0.0.1 --port {{port}}"),
    "litestar": ("Litestar", "uvicorn {app} --host 127.0.0.1 --port {{port}}"),
    "quart": ("Quart", "hypercorn {app} --bind 127.0.0.1:{{port}}"),
    "flask": ("Flask", "gunicorn {app} --bind 127.0.0.1:{{port}}"),
}
"""Library -> the class of its applications, and how one is served."""
NATS_ITEMS = ("nats-connection-checked", "nats-requests-timed")
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the code of a project tells of it."""

    framework: str
    app: str
    """As a server is told it: `package.module:name`; empty where there is none."""
    uses_nats: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A file to write, or one that is there already and stays as it is."""

    path: Path
    content: str
    why: str

    @property
    def taken(self) -> bool:
        return os.path.lexists(self.path)


def init(where: Path, *, yes: bool) -> None:
    """Show what would be written, ask where there is somebody to ask, and write what is not there yet."""
    if not where.is_dir():
        raise UsageError(f"{where}: no such folder")
    root = project_root(where)
    proposals = list(propose(root))
    console.print_text("".join(_shown(each, root) for each in proposals))
    wanted = [each for each in proposals if not each.taken]
    if not wanted:
        console.say("everything is there already; nothing was written")
    elif yes or _agreed(len(wanted)):
        for each in wanted:
            _write(each)
        console.say(f"wrote {', '.join(each.path.relative_to(root).as_posix() for each in wanted)}")
    else:
        console.say("nothing was written; readiness init --yes writes it")


def _agreed(count: int) -> bool:
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        said = input(f"Write {count} file{'s'[: count != 1]}? [y/N] ")
    except EOFError:
        return False
    return said.strip().lower() in {"y", "yes"}


def _write(proposal: Proposal) -> None:
    try:
        proposal.path.parent.mkdir(parents=True, exist_ok=True)
        with proposal.path.open("x", encoding="utf-8") as file:
            file.write(proposal.content)
    except OSError as problem:
        raise UsageError(f"{proposal.path}: cannot be written: {problem.strerror}") from problem


def _shown(proposal: Proposal, root: Path) -> str:
    name = console.plain(proposal.path.relative_to(root).as_posix())
    if proposal.taken:
        return f"{name}: there already, left as it is. To add by hand:\n\n{_indented(proposal.content)}\n"
    return f"{name}: {proposal.why}\n\n{_indented(proposal.content)}\n"


def _indented(text: str) -> str:
    return "".join(f"    {console.plain(line)}\n" if line else "\n" for line in text.splitlines())


def propose(root: Path) -> Iterator[Proposal]:
    """The files that fit the project."""
    seen = look(root)
    if not _has_settings(root):
        yield Proposal(root / "readiness.toml", _settings(seen), _because(seen))
    yield Proposal(root / ".pre-commit-config.yaml", _template("pre-commit.yml"), "audits changed files at each commit")
    if (root / ".gitlab-ci.yml").is_file():
        yield Proposal(root / ".gitlab" / "readiness.yml", _template("gitlab.yml"), "audits each merge request")
    else:
        path = root / ".github" / "workflows" / "readiness.yml"
        yield Proposal(path, _template("github.yml"), "audits each pull request")


def _has_settings(root: Path) -> bool:
    shared = root / "pyproject.toml"
    return (root / "readiness.toml").is_file() or (shared.is_file() and bool(settings.written(shared)))


def _template(name: str) -> str:
    text = (TEMPLATES / name).read_text("utf-8")
    ours = origin.find()
    action = HOME.removeprefix("https://github.com/")
    for usual, own in (
        (f"git+{HOME}@{MAIN}", f"git+{ours.repo}@{ours.rev}"),
        (f"repo: {HOME}\n    rev: {MAIN}", f"repo: {ours.repo}\n    rev: {ours.rev}"),
        (f"uses: {action}@{MAIN}", f"uses: {ours.action}"),
    ):
        text = text.replace(usual, own)
    return text


def look(root: Path) -> Seen:
    """Read the code without running any of it."""
    found = files.collect([root], settings.Settings(root, root))
    imported: set[str] = set()
    apps: list[tuple[str, str]] = []
    for source in found.sources:
        try:
            tree = ast.parse(source.data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        imported |= set(_imports(tree))
        if module := _module(source.name):
            apps += [(library, f"{module}:{name}") for library, name in _apps(tree)]
    order = list(FRAMEWORKS)
    apps.sort(key=lambda each: (order.index(each[0]), each[1].count("."), each[1]))
    framework, app = apps[0] if apps else (next((each for each in order if each in imported), ""), "")
    return Seen(framework, app, "nats" in imported)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _apps(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Applications that a module binds: the library, and the name."""
    classes = {kind: library for library, (kind, _) in FRAMEWORKS.items()}
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if not isinstance(value, ast.Call):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        if called in classes and isinstance(targets[0], ast.Name):
            yield classes[called], targets[0].id


def _module(name: str) -> str:
    """The dotted name of a file; empty for one that cannot be imported, which is put into no command."""
    parts = name.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").split("/")
    return ".".join(parts) if all(each.isidentifier() and each.isascii() for each in parts) else ""


def _because(seen: Seen) -> str:
    served = f"{seen.framework} serves {seen.app}" if seen.app else f"{seen.framework} is used"
    told = [served] if seen.framework else []
    return ", ".join(["the settings", *told, "NATS is used" if seen.uses_nats else "NATS is not used"])


def _settings(seen: Seen) -> str:
    return "\n".join(_settings_lines(seen)) + "\n"


def _settings_lines(seen: Seen) -> Iterator[str]:
    yield "# What readiness audits here, and how the service is started for its probes. `readiness config` shows all."
    if not seen.uses_nats:
        yield from ("", "[not_applicable]")
        yield from (f'{item} = "no file of the project imports nats"' for item in NATS_ITEMS)
    yield from ("", "[target]")
    if seen.app:
        command = FRAMEWORKS[seen.framework][1].format(app=seen.app)
        yield f'launch = "{command}"'
    else:
        yield '# launch = "my-gateway --port {port}"  # how the service is started; then: readiness audit'
        yield '# env = { UPSTREAM = "{upstream}/v1", UPSTREAM_KEY = "{canary}" }  # the scripted upstream and its key'
        yield '# headers = { Authorization = "Bearer {env:GATEWAY_KEY}" }  # what its clients carry'
        yield '# model = "gpt-4o-mini"  # what its clients ask for'
    if seen.uses_nats:
        yield '# nats = { subject = "llm.chat" }  # where it takes requests'

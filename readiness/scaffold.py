"""What a project needs to use the tool every day: settings, a hook, a workflow. Nothing is ever overwritten."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from readiness import HOME, console, origin, tables
from readiness.errors import UsageError
from readiness.origin import MAIN
from readiness.places import project_root, repository_root, within_repository
from readiness.seen import Seen, look

NATS_ITEMS = ("nats-connection-checked", "nats-requests-timed")
TEMPLATES = Path(__file__).parent / "templates"


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
        console.say(f"wrote {', '.join(_name(each, root) for each in wanted)}")
        console.say("next: readiness scan . shows what there is to mend; pre-commit install puts the hook in force")
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
    name = _name(proposal, root)
    if proposal.taken:
        return f"{name}: there already, left as it is. To add by hand:\n\n{_indented(proposal.content)}\n"
    return f"{name}: {proposal.why}\n\n{_indented(proposal.content)}\n"


def _name(proposal: Proposal, root: Path) -> str:
    return console.plain(os.path.relpath(proposal.path, root))


def _indented(text: str) -> str:
    return "".join(f"    {console.plain(line)}\n" if line else "\n" for line in text.splitlines())


def propose(root: Path) -> Iterator[Proposal]:
    """The files that fit the project. Hooks and workflows are read in the root of its repository alone."""
    seen = look(root)
    top, within = repository_root(root) or root, within_repository(root)
    if not _has_settings(root):
        yield Proposal(root / "readiness.toml", _settings(seen), _because(seen))
    hook = _hook(within)
    yield Proposal(top / ".pre-commit-config.yaml", hook, "audits changed files at each commit")
    if (top / ".gitlab-ci.yml").is_file():
        job = _job(within)
        yield Proposal(top / ".gitlab" / "readiness.yml", job, "audits each merge request")
    else:
        path = top / ".github" / "workflows" / "readiness.yml"
        yield Proposal(path, _workflow(within), "audits each pull request")


def _has_settings(root: Path) -> bool:
    shared = root / "pyproject.toml"
    return (root / "readiness.toml").is_file() or (shared.is_file() and bool(tables.written(shared)))


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


def _hook(within: str) -> str:
    text = _template("pre-commit.yml")
    return f"{text}        files: {_quoted(f'^{re.escape(within)}/')}\n" if within else text


def _workflow(within: str) -> str:
    text = _template("github.yml")
    first = "          fail-on: "
    return text.replace(first, f"          paths: {_quoted(within)}\n{first}") if within else text


def _job(within: str) -> str:
    text = _template("gitlab.yml")
    return text.replace("readiness scan . ", f"readiness scan {shlex.quote(within)} ") if within else text


def _quoted(text: str) -> str:
    """A scalar of YAML: JSON's strings are some."""
    return json.dumps(text)


def _because(seen: Seen) -> str:
    if not seen.code:
        return "the settings; no Python file was found, so the code says nothing"
    served = f"{seen.framework} serves {seen.app}" if seen.app else f"{seen.framework} is used"
    told = [served] if seen.framework else []
    return ", ".join(["the settings", *told, "NATS is used" if seen.uses_nats else "NATS is not used"])


def _settings(seen: Seen) -> str:
    return "\n".join(_settings_lines(seen)) + "\n"


def _settings_lines(seen: Seen) -> Iterator[str]:
    yield "# What readiness audits here, and how the service is started for its probes. `readiness config` shows all."
    if seen.code and not seen.uses_nats:
        yield from ("", "[not_applicable]")
        yield from (f'{item} = "no file of the project imports nats"' for item in NATS_ITEMS)
    yield from ("", "[target]")
    if seen.launch:
        yield f'launch = "{seen.launch}"'
    else:
        yield '# launch = "my-gateway --port {port}"  # how the service is started; then: readiness audit'
    yield '# env = { UPSTREAM = "{upstream}/v1", UPSTREAM_KEY = "{canary}" }  # the scripted upstream and its key'
    yield '# headers = { Authorization = "Bearer {env:GATEWAY_KEY}" }  # what its clients carry'
    yield '# model = "gpt-4o-mini"  # what its clients ask for; else the first that it lists'
    if seen.uses_nats or not seen.code:
        yield '# nats = { subject = "llm.chat" }  # where it takes requests'

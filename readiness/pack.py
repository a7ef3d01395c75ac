"""Packs: folders of rules, found by walking and loaded by path.

A pack holds `python/*.py`, `files/*.py` and `live/*.py`, one rule a file, and may bring `checklist.toml` and
`bandit.toml`. What a catalogue needs of a rule is read from its syntax tree, so listing a hundred rules imports none.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from readiness.errors import UsageError
from readiness.looks import looked_at
from readiness.model import Kind, RuleInfo

PLAIN = re.compile(rb'"""([^\\\r]+?)"""\n.*?\n\nclass Rule\(\w+\):\n    item = "([\w-]+)"', re.DOTALL)
"""How a rule of ours begins. To make syntax trees of them all takes longer than to scan a small file."""


class RuleFile(NamedTuple):
    """A rule on disk, and what it says of itself; read without running it."""

    info: RuleInfo
    language: str
    """The folder it lies in: python, files, live."""

    @property
    def constants(self) -> dict[str, Any]:
        """What its class says in literals, examples included."""
        return _parsed(Path(self.info.path))[1]

    def examples(self, name: str) -> list[Any]:
        """The elements of a list of its class; those that can only be run, as they are written."""
        body = _class(_tree(Path(self.info.path)), Path(self.info.path))
        for node in body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.List)
                and ast.unparse(node.targets[0]) == name
            ):
                return [_example(each) for each in node.value.elts]
        return []

    @property
    def fixable(self) -> bool:
        """Whether it has fixes, read off its examples."""
        return bool(self.examples("fixed"))

    def load(self) -> type[Any]:
        """Import the file and hand out its `Rule` class.

        Raises UsageError when the file cannot be imported or defines no `Rule`.
        """
        try:
            module = _import(Path(self.info.path), self.info.id)
        except Exception as problem:
            raise UsageError(f"{self.info.path}: the rule cannot be loaded: {problem!r}") from problem
        rule: type[Any] = module.Rule
        rule.id = self.info.id
        return rule


def builtin() -> Path:
    """The folder of the rules that come with the tool: in the wheel beside this file, in a checkout one folder up."""
    here = Path(__file__).resolve().parent
    for candidate in (here / "rules", here.parent / "rules"):
        if (candidate / "checklist.toml").is_file():
            return candidate
    raise UsageError(f"the rules that belong to this tool are missing beside {here}: install it again")


def paths(packs: Iterable[Path]) -> list[Path]:
    """Every file of rules. Raises UsageError for a pack that is missing."""
    found: list[Path] = []
    for pack in packs:
        if not pack.is_dir():
            raise UsageError(f"{pack}: no such rule pack; `packs` names folders with python/, files/ or live/ in them")
        for folder in (pack, *filter(Path.is_dir, pack.iterdir())):
            looked_at(folder)
        found += sorted(path for path in pack.glob("*/*.py") if not path.name.startswith("_"))
    return found


def rule_files(packs: Iterable[Path]) -> tuple[RuleFile, ...]:
    """All rules of all packs, by id. Raises UsageError for two rules with one id and for a file that is no rule."""
    found: dict[str, RuleFile] = {}
    ours = builtin()
    for path in paths(packs):
        rule = _read(path, ours)
        if rule.info.id in found:
            raise UsageError(f"two rules are called {rule.info.id}: {found[rule.info.id].info.path} and {path}")
        found[rule.info.id] = rule
    return tuple(found.values())


def _read(path: Path, ours: Path) -> RuleFile:
    page, item = _first_look(path) if path.is_relative_to(ours) else (None, None)
    if item is None:
        page, constants = _parsed(path)
        item = constants.get("item")
    if not isinstance(item, str) or not page:
        raise UsageError(f'{path}: a rule has a docstring and says which checklist item it feeds: item = "..."')
    language = path.parent.name
    title, _, rest = page.partition("\n")
    info = RuleInfo(
        id=f"{language}/{path.stem.replace('_', '-')}",
        item=item,
        kind=Kind.LIVE if language == "live" else Kind.STATIC,
        title=title.strip().rstrip("."),
        page=rest.strip(),
        path=str(path),
    )
    return RuleFile(info, language)


def _first_look(path: Path) -> tuple[str, str] | tuple[None, None]:
    """Docstring and item of a rule that is written as ours are, None for any other."""
    try:
        found = PLAIN.match(path.read_bytes())
        return (inspect.cleandoc(found[1].decode()), found[2].decode()) if found else (None, None)
    except (OSError, ValueError):
        return None, None


def _parsed(path: Path) -> tuple[str, dict[str, Any]]:
    """The docstring of a rule file, and what its class binds to literals."""
    module = _tree(path)
    return ast.get_docstring(module) or "", dict(_literals(_class(module, path)))


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as problem:
        raise UsageError(f"{path}: the rule cannot be read: {problem}") from problem


def _class(module: ast.Module, path: Path) -> list[ast.stmt]:
    body = next((node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Rule"), None)
    if body is None:
        raise UsageError(f"{path}: a rule file defines a class called Rule")
    return body


def _example(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return ast.unparse(node)


def _literals(body: list[ast.stmt]) -> Iterable[tuple[str, Any]]:
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                yield node.targets[0].id, ast.literal_eval(node.value)
            except (ValueError, TypeError):
                continue


def _import(path: Path, rule: str) -> ModuleType:
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_file_location

    class Quiet(SourceFileLoader):
        """Nothing is written beside the rules of a project."""

        def set_data(self, *written: Any, **how: Any) -> None:
            pass

    name = f"readiness_rule_{rule.replace('/', '_').replace('-', '_')}"
    loader = SourceFileLoader if path.is_relative_to(builtin()) else Quiet
    spec = spec_from_file_location(name, path, loader=loader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module

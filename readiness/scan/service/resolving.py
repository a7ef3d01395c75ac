"""What references stand for, once all files are known: imports led to files, parameters to what is passed.

The common cases are answered by facts. For the rest (what a factory returns, what is passed for a parameter) the
file in question is looked at again, through the project.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from readiness.scan.code.tree import FunctionDef, argument
from readiness.scan.service.deeds import deeds
from readiness.scan.service.facts import Deeds, Fact, Imports, Kin, Made, Named, Passed

if TYPE_CHECKING:
    from readiness.scan.code.file import PythonFile
    from readiness.scan.code.project import Project

DEEPEST = 14
"""Steps after which following stops."""
MOST = 20
"""Objects that one parameter may be, and files that may pass it, beyond which it is not followed."""
BUDGET = 1_000_000
"""Bytes of source that are looked at again."""
ASKED = 400_000
"""Bytes of the files in which one name is looked for."""
STARTED = {
    "main",
    "amain",
    "async_main",
    "cli",
    "run",
    "serve",
    "start",
    "create_app",
    "make_app",
    "get_app",
    "build_app",
}
"""Functions that a command or a server may start, which no file tells."""
NOTHING: frozenset[str] = frozenset()


class Resolver:
    """Answers for one project."""

    def __init__(self, facts: Sequence[Fact], project: Project | None) -> None:
        self.project = project
        self.deeds: dict[str, Deeds] = {}
        self.methods: dict[str, list[str]] = defaultdict(list)
        self.kin: dict[str, Kin] = {}
        self.named: dict[str, set[str]] = defaultdict(set)
        self.made: set[str] = set()
        self.imports: dict[str, Imports] = {}
        self._files: dict[str, PythonFile | None] = {}
        self._left = BUDGET
        self._calls = [each for each in facts if isinstance(each, Passed)]
        self._memo: dict[str, frozenset[str]] = {}
        self._passed: dict[str, frozenset[str]] = {}
        self._asked: set[str] = set()
        self._mentioned: dict[str, bool] = {}
        self._bases: dict[str, list[str]] = {}
        self.learnt = 0
        """How often facts came in: what was worked out before may have changed."""
        self._take(facts)

    def _take(self, facts: Sequence[Fact]) -> None:
        self._bases.clear()
        self.learnt += 1
        for fact in facts:
            match fact:
                case Deeds():
                    self.deeds[fact.key] = fact
                    self.methods[fact.key[:-1].rpartition(":")[2].rpartition(".")[2]].append(fact.key)
                case Imports():
                    self.imports[fact.file] = fact
                case Kin():
                    self.kin[fact.key] = fact
                case Named():
                    self.named[fact.name] |= set(fact.refs)
                case Made():
                    self.made.add(fact.ref)

    def all(self, refs: Iterable[str], *, passed: bool = False) -> frozenset[str]:
        """What several references stand for; with `passed`, parameters are led to what is passed for them."""
        return NOTHING.union(*(self.one(each, passed=passed) for each in refs))

    def one(self, ref: str, *, passed: bool = False, depth: int = 0) -> frozenset[str]:
        """What a reference stands for. A parameter of which nothing is known stays what it is."""
        key = f"{ref}!" if passed else ref
        if key not in self._memo:
            if depth > DEEPEST:
                return NOTHING
            self._memo[key] = NOTHING  # what leads to itself ends here
            self._memo[key] = frozenset(self._one(ref, passed, depth + 1))
        return self._memo[key]

    def _one(self, ref: str, passed: bool, depth: int) -> Iterator[str]:
        head, tail = split(ref)
        if head[0] == "~":
            yield from self._imported(head, tail, passed, depth)
        elif not tail and not (passed and is_parameter(head)):
            yield head
        else:
            found = frozenset({head})
            if passed and is_parameter(head):
                found = (
                    NOTHING.union(*(self.one(each, passed=True, depth=depth) for each in self.passed(head))) or found
                )
            for step in steps(tail):
                found = NOTHING.union(*(self._step(each, step, passed, depth) for each in found))
            yield from found

    def _step(self, ref: str, step: str, passed: bool, depth: int) -> frozenset[str]:
        """An attribute, or what a call hands out."""
        if ref[0] == "<":
            return self._call(ref, passed, depth) if step == "()" else self._member(ref, step[1:], passed, depth)
        if is_parameter(ref):
            return frozenset({f"{ref}{step}"})
        return NOTHING if ref in self.made or is_site(ref) else frozenset({f"{ref}{step}"})

    # ---- from other files

    def _imported(self, head: str, tail: str, passed: bool, depth: int) -> Iterator[str]:
        _, importer, dotted = head.split("~", 2)
        found = self.project.located(dotted, importer) if self.project is not None else None
        if found is None:
            yield f"{dotted.lstrip('.')}{tail}"
            return
        path, rest = found
        first, _, more = rest.partition(".")
        refs = self.exported(path, first, depth) if first else NOTHING
        refs = NOTHING.union(*(self.one(each, passed=passed, depth=depth) for each in refs))
        for step in [*(f".{each}" for each in more.split(".") if each), *steps(tail)]:
            refs = NOTHING.union(*(self._step(each, step, passed, depth) for each in refs))
        yield from refs

    def exported(self, path: str, name: str, depth: int) -> frozenset[str]:
        """What a name of a module of the project holds."""
        key = f"{path}:{name}"
        if key in self.named:
            return frozenset(self.named[key])
        if f"<{key}>" in self.deeds or f"<{key}>" in self.kin:
            return frozenset({f"<{key}>"})
        imports = self.imports.get(path)
        if imports is None and self.learn(path):
            return self.exported(path, name, depth)
        if imports is not None:
            known = [f"~{path}~{dotted}" for imported, dotted in imports.names if imported == name]
            starred = [f"~{path}~{star}{'' if star.endswith('.') else '.'}{name}" for star in imports.stars]
            return frozenset(known or starred)
        return NOTHING

    def imported(self) -> dict[str, set[str]]:
        """The files that each file imports, or takes something from."""
        found: dict[str, set[str]] = {}
        for path, imports in self.imports.items() if self.project is not None else ():
            dotted = {each for _, each in imports.names} | set(imports.stars)
            located = (self.project.located(each, path) for each in dotted) if self.project is not None else ()
            found[path] = {each[0] for each in located if each is not None}
        return found

    # ---- files that are looked at again, or for the first time

    def file(self, path: str) -> PythonFile | None:
        """A file of the project, as long as not too many were asked for."""
        if path not in self._files:
            size = self.project.size(path) if self.project is not None else 0
            self._left -= size
            self._files[path] = self.project.file(path) if self.project is not None and self._left > 0 else None
        return self._files[path]

    def learn(self, path: str) -> bool:
        """Collect the facts of a file in which nothing said that it holds any."""
        if path in self.imports:
            return False
        file = self.file(path)
        self.imports[path] = Imports(path, (), ())
        self._take(tuple(deeds(file)) if file is not None else ())
        return True

    def is_mentioned(self, function: str) -> bool:
        """Whether a function's name stands anywhere but in its definition and in imports; True where nobody knows."""
        if function not in self._mentioned:
            self._mentioned[function] = self._is_mentioned(function)
        return self._mentioned[function]

    def _is_mentioned(self, function: str) -> bool:
        path, _, qualified = function[1:-1].rpartition(":")
        word = qualified.rpartition(".")[2]
        if self.project is None or word.startswith("__") or word in STARTED:
            return True
        holding = self.project.naming(word)
        # bounded for each question by itself: an answer never hangs on what was asked before
        if not holding or len(holding) > MOST or sum(map(self.project.size, holding)) > ASKED:
            return True
        home = self.project.file(path)
        if home is None or any(
            isinstance(each, FunctionDef) and each.decorator_list for each in home.names.definitions.get(qualified, ())
        ):
            return True
        files = map(self.project.file, sorted(holding, key=self.project.size))
        return any(each is None or each.calls.mentions(word) for each in files)

    # ---- classes and functions

    def _member(self, ref: str, name: str, passed: bool, depth: int) -> frozenset[str]:
        for key in self.line(ref.removesuffix("()")):
            method = f"{key[:-1]}.{name}>"
            if method in self.deeds or method in self.kin:
                return frozenset({method})
            if known := self.named.get(f"{key[1:-1]}.{name}"):
                return NOTHING.union(*(self.one(each, passed=passed, depth=depth) for each in known))
            path, _, qualified = key[1:-1].rpartition(":")
            file = self.file(path) if key in self.kin and depth <= DEEPEST else None
            found = file.objects.attribute(qualified, name) if file is not None else NOTHING
            if found:
                return NOTHING.union(
                    *(self.one(each, passed=passed, depth=depth) for each in found if each != f"{ref}.{name}")
                )
        outside = [base for key in self.line(ref.removesuffix("()")) for base in self.bases(key) if base[0] != "<"]
        return frozenset(f"{base}().{name}" for base in outside)

    def line(self, key: str, depth: int = 0) -> Iterator[str]:
        """A class and its bases in the project, the nearest first."""
        yield key
        for base in self.bases(key) if depth < DEEPEST else ():
            if base[0] == "<" and base != key:
                yield from self.line(base, depth + 1)

    def bases(self, key: str) -> list[str]:
        """What a class derives from; asked again and again, and the same until a file is learnt."""
        if key not in self._bases:
            kin = self.kin.get(key)
            self._bases[key] = sorted(self.all(kin.bases)) if kin is not None else []
        return self._bases[key]

    def _call(self, ref: str, passed: bool, depth: int) -> frozenset[str]:
        if ref in self.kin:
            return frozenset({f"{ref}()"})
        path, _, qualified = ref.removesuffix("()")[1:-1].rpartition(":")
        file = self.file(path) if depth <= DEEPEST and not ref.endswith("()") else None
        found = file.objects.returned(qualified) if file is not None else NOTHING
        if (
            file is not None
            and not found
            and any(isinstance(each, ast.ClassDef) for each in file.names.definitions.get(qualified, ()))
        ):
            return frozenset({f"{ref}()"})
        return NOTHING.union(*(self.one(each, passed=passed, depth=depth) for each in found))

    # ---- parameters

    def passed(self, parameter: str) -> frozenset[str]:
        """What the calls of a function, or of a class, give for a parameter or a field."""
        if parameter not in self._passed:
            self._passed[parameter] = NOTHING
            self._passed[parameter] = frozenset(self._given.get(parameter, ()))
        return self._passed[parameter]

    @cached_property
    def _given(self) -> dict[str, set[str]]:
        """What is known by facts: of applications and routers."""
        found: dict[str, set[str]] = defaultdict(set)
        for each in self._calls:
            for key in self.all(each.called):
                called = key if key in self.deeds else f"{key[:-1]}.__init__>"
                names = self.deeds[called].parameters if called in self.deeds else ()
                at = each.parameter
                name = names[int(at)] if at.isdigit() and int(at) < len(names) else at
                found[f"{called[1:-1]}({name})"] |= set(each.given)
        return found

    def looked_up(self, parameter: str) -> None:
        """Look at every call of a function, or of a class, in the files themselves."""
        if parameter not in self._asked:
            self._asked.add(parameter)
            found = frozenset(self._in_files(parameter)) - self.passed(parameter)
            self._passed[parameter] |= found
            for key in [key for key in self._memo if key.endswith("!")] if found else ():
                del self._memo[key]

    def followed(self, ref: str) -> frozenset[str]:
        """What a reference to a parameter, or to something of one, stands for, whoever passes it."""
        found = frozenset({ref})
        for _ in range(DEEPEST):
            open_ones = {head for each in found if is_parameter(head := split(each)[0])} - self._asked
            for each in sorted(open_ones):
                self.looked_up(each)
            found = self.all(found, passed=True)
            if not open_ones or len(found) > MOST:
                break
        return found

    def _in_files(self, parameter: str) -> Iterator[str]:
        function, name = parameter[:-1].split("(")
        path, _, qualified = function.rpartition(":")
        file = self.file(path)
        if file is None or self.project is None:
            return
        for node in file.names.definitions.get(qualified, ()):
            params, key = _parameters(node), f"<{path}:{qualified.removesuffix('.__init__')}>"
            at = params.index(name) if name in params else None
            word = key[:-1].rpartition(":")[2].rpartition(".")[2]
            holding = self.project.naming(word)
            for each in map(self.file, holding if len(holding) <= MOST else ()):
                for call in each.calls.named(word) if each is not None else ():
                    value = argument(call, name, at)
                    if each is not None and value is not None and key in self.all(each.objects.refs(call.func)):
                        yield from each.objects.refs(value)


def _parameters(node: ast.AST) -> list[str]:
    """The names that positional arguments are bound to: of a function, or of the fields of a class."""
    if isinstance(node, FunctionDef):
        named = [each.arg for each in [*node.args.posonlyargs, *node.args.args]]
        return named[1:] if named[:1] in (["self"], ["cls"]) else named
    body = node.body if isinstance(node, ast.ClassDef) else []
    return [each.target.id for each in body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)]


def is_parameter(ref: str) -> bool:
    """Whether a reference is to what is passed for a parameter, and nothing else."""
    return ref[0] not in "<~" and ref.endswith(")") and not ref.endswith("()") and ":" in ref


def is_site(ref: str) -> bool:
    """Whether it is to what a constructor makes at a place."""
    return ref[0] not in "<~" and "(" not in ref and ref.rpartition(":")[2].isdigit()


def split(ref: str) -> tuple[str, str]:
    """A reference, and the attributes and calls that follow it."""
    if ref[0] == "<":
        end = ref.index(">") + 1
        if ref[end : end + 2] == "()":
            end += 2
        return ref[:end], ref[end:]
    if ref[0] == "~":
        end = ref.find("(")
        return (ref, "") if end < 0 else (ref[:end], ref[end:])
    if ":" in ref and "(" in ref:
        end = ref.index(")") + 1
        return ref[:end], ref[end:]
    return ref, ""


def steps(tail: str) -> Iterator[str]:
    """`().get` as `()` and `.get`."""
    while tail:
        if tail.startswith("()"):
            yield "()"
            tail = tail[2:]
        else:
            end = min((at for at in (tail.find(".", 1), tail.find("(")) if at > 0), default=len(tail))
            yield tail[:end]
            tail = tail[end:]

"""The project as a whole: its files by import, and who calls a function that lets an exception out."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from readiness.scan.code.calls import RUNNING_HERE
from readiness.scan.code.file import PythonFile
from readiness.scan.code.guards import UNGUARDED, Guard, Judgement
from readiness.scan.code.guards import leaving as leaving_of
from readiness.scan.code.names import PARAMETER, Defined, Names
from readiness.scan.code.tree import FunctionDef, last_name
from readiness.scan.files import Source
from readiness.scan.outcomes import Deferred, Hangs, Leaving
from readiness.scan.parsing import parse
from readiness.scan.requirements import Requirements

PLAIN_BASES = {"object", "ABC", "Generic", "Protocol"}
KEPT = 4_000_000
"""Bytes of source whose syntax trees are kept between files; a tree takes some fifty times its source."""
MANY = 30
"""Files in which a name stands, above which nobody looks for who calls it: it names too many things."""
ROUNDS = 4
"""Callers of callers in other files that are followed."""
IMPLICIT = {
    "__call__", "__enter__", "__aenter__", "__iter__", "__aiter__", "__next__", "__anext__", "__getattr__", "__await__",
    "__getitem__", "__exit__", "__aexit__",
}  # fmt: skip
"""Methods that are called without their name."""
DEFINED = re.compile(rb"\b(?:def|class)\s+([A-Za-z_]\w*)")
WORDS = re.compile(rb"[A-Za-z_]\w*")
LETTERS = frozenset(bytes([each]) for each in range(128) if chr(each).isalnum() or chr(each) == "_")
"""Bytes that go on with a name."""
ASKING = {"isinstance", "issubclass", "cast", "super", "type", "hasattr"}
"""Calls that look at a class or function and do not keep it."""
KEEPING = (ast.keyword, ast.Assign, ast.AnnAssign, ast.Dict, ast.List, ast.Tuple, ast.Set, ast.Return, ast.IfExp)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a deferred place. None: the project does not tell."""

    deferred: Deferred
    guarded: bool | None


class Project:
    """The files of a project, each parsed once and only when something in it is asked for."""

    def __init__(self, sources: Iterable[Source], others: Callable[[], Iterable[Source]] = lambda: ()) -> None:
        """`others` brings the files that were not asked for but may be imported, or may call."""
        self._given = list(sources)
        self._others = others
        self._files: dict[str, PythonFile | None] = {}
        self._held = 0
        """Bytes of source of the files that are parsed just now."""
        self._imported: dict[tuple[str, str], tuple[str, str] | None] = {}
        self._looked_into: dict[str, set[str]] = defaultdict(set)
        self._followed: set[str] = set()
        self._asked_metadata: set[str] = set()
        self._requirements = Requirements()
        self.known: dict[tuple[str, str], frozenset[str]] = {}
        """What was worked out of names, by the file or class and the name in it."""
        self._looking_at: str | None = None
        self._whole: set[str] = set()
        self._naming: dict[str, list[str]] = {}
        self._callers: dict[str, Callers | None] = {}

    @cached_property
    def _sources(self) -> dict[str, Source]:
        return {source.name: source for source in [*self._others(), *self._given]}

    @cached_property
    def _tails(self) -> dict[tuple[str, ...], list[str]]:
        """Each ending of each module's dotted name -> the files that may be meant by it."""
        found: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in self._sources:
            parts = _module(name)
            for start in range(len(parts)):
                found[parts[start:]].append(name)
        return found

    @cached_property
    def _heads(self) -> set[str]:
        return {tail[0] for tail in self._tails}

    # ---- files

    def file(self, path: str) -> PythonFile | None:
        """A file by the name that the report gives it; None where it is not of the project or cannot be parsed."""
        if path in self._files:
            self._files[path] = self._files.pop(path)  # the last used stands last
        else:
            self._files[path] = self._parsed(path)
        return self._files[path]

    def _parsed(self, path: str) -> PythonFile | None:
        source = self._sources.get(path)
        module = parse(source) if source is not None else None
        if source is None or not isinstance(module, ast.Module):
            return None
        self._held += len(source.data)
        return PythonFile(path, module, source.data, self)

    def add(self, source: Source, module: ast.Module) -> PythonFile:
        """Take in a file that is parsed already."""
        found = self._files.get(source.name)
        if found is None:
            self._held += len(source.data)
            found = self._files[source.name] = PythonFile(source.name, module, source.data, self)
        return found

    def module(self, path: str) -> ast.Module | None:
        """The syntax tree of a file that is parsed just now; None for every other."""
        file = self._files.get(path)
        return file.tree.module if file is not None else None

    def imported(self, origin: str, importer: str) -> tuple[PythonFile, str] | None:
        """The file of a module that a dotted import of `importer` names, and the rest of the name within it."""
        located = self.located(origin, importer)
        file = self.file(located[0]) if located else None
        return (file, located[1]) if file is not None and located else None

    def located(self, origin: str, importer: str) -> tuple[str, str] | None:
        """Where a dotted import leads, and the rest of the name; by the names of the files alone."""
        head = origin.partition(".")[0]
        if origin[0] != "." and head in sys.stdlib_module_names:
            return None
        self._followed.add(importer)
        if origin[0] != "." and head not in self._heads:
            return None
        key = (origin, importer)
        if key not in self._imported:
            self._imported[key] = self._find(origin, importer)
        found = self._imported[key]
        if found:
            self._looked_into[importer].add(found[0])
        return found

    def prepare(self) -> None:
        """Work out where names stand and what imports may mean: for one file that is too much, for many it pays."""
        _ = self._words, self._heads

    def holds(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self._sources

    def says(self, path: str, word: bytes) -> bool:
        """Whether a word stands in the text of a file."""
        return path in self._sources and _holds(self._sources[path].data, word)

    def text(self, path: str) -> bytes:
        """What stands in a file; nothing where it is not of the project."""
        return self._sources[path].data if path in self._sources else b""

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return len(self._sources[path].data) if path in self._sources else 0

    def begin(self, path: str) -> None:
        """From now on what is asked is asked for this file."""
        self._looking_at = path

    def end(self) -> None:
        """What was asked for is known, and the file is not needed any more."""
        if self._looking_at in self._whole:
            self._whole |= self.needs(self._looking_at)
        self._looking_at = None
        self.rest()

    def rest(self) -> None:
        """Forget the other files that were not used for longest, down to KEPT; nobody may hold on to a part of one."""
        self._let_go(KEPT)

    def clear(self) -> None:
        """Forget all files; what is asked from now on parses them again."""
        self._let_go(0)

    def _let_go(self, kept: int) -> None:
        if self._held <= kept:
            return
        self._callers.clear()
        for path in [each for each in self._files if each != self._looking_at]:
            if self._held <= kept:
                break
            gone = self._files.pop(path)
            if gone is not None:
                self._held -= len(gone.data)
                gone.forget()

    def hangs(self, path: str) -> Hangs:
        """What came out for a file hangs on these things."""
        files = self.needs(path)
        bearing = {path, *files}
        return Hangs(
            tuple(sorted(files)),
            imports=not self._followed.isdisjoint(bearing),
            everybody=not self._whole.isdisjoint(bearing),
            metadata=not self._asked_metadata.isdisjoint(bearing),
        )

    def needs(self, path: str) -> frozenset[str]:
        """The files that a file's names were followed into so far, and those that these were followed into."""
        found: set[str] = set()
        pending = [path]
        while pending:
            new = self._looked_into[pending.pop()] - found
            found |= new
            pending += new
        return frozenset(found - {path})

    def _find(self, origin: str, importer: str) -> tuple[str, str] | None:
        folder = _parts(importer)[:-1]
        bare = origin.lstrip(".")
        parts = tuple(bare.split(".")) if bare else ()
        dots = len(origin) - len(bare)
        for length in range(len(parts), -1 if dots else 0, -1):
            rest = ".".join(parts[length:])
            if dots:
                name = self._at((*folder[: len(folder) - dots + 1], *parts[:length]))
            else:
                name = self._nearest(parts[:length], folder)
            if name is not None and name != importer:
                return name, rest
        return None

    def _at(self, module: tuple[str, ...]) -> str | None:
        base = "/".join(module)
        return next((each for each in (f"{base}.py", f"{base}/__init__.py") if each in self._sources), None)

    def _nearest(self, module: tuple[str, ...], folder: tuple[str, ...]) -> str | None:
        """The module of that name that shares most of its folders with the importer."""

        def shared(name: str) -> int:
            parts = _parts(name)
            return next(
                (at for at, (one, two) in enumerate(zip(parts, folder, strict=False)) if one != two), len(folder)
            )

        roots = (name for name in self._tails.get(module, ()) if self._is_root(name, len(module)))
        return max(roots, key=lambda name: (shared(name), -len(name)), default=None)

    def _is_root(self, name: str, length: int) -> bool:
        """Whether imports may begin at the folder above the first part of a module: it is no package itself."""
        parts = _module(name)
        above = "/".join(_parts(name)[: len(parts) - length])
        return not above or f"{above}/__init__.py" not in self._sources

    def majors(self, path: str, library: str) -> range | None:
        """The major versions of a library that the metadata around a file allows; None where nothing says."""
        self._asked_metadata.add(path)
        source = self._sources.get(path)
        return self._requirements.majors(source, library) if source is not None else None

    # ---- callers

    def settle(self, deferred: Sequence[Deferred]) -> list[Settled]:
        """Decide each place by its callers: guarded if all catch, not if one does not or if nobody calls at all."""
        settled = []
        for each in deferred:
            settled.append(Settled(each, self._decide(each)))
            self.end()
        return settled

    def _decide(self, deferred: Deferred) -> bool | None:
        pending = list(deferred.left)
        seen: set[tuple[str, bool]] = set()
        for _ in range(ROUNDS):
            following: list[Leaving] = []
            for each in pending:
                if (each.origin, each.called) in seen:
                    continue
                seen.add((each.origin, each.called))
                verdict, more = self._ask_callers(each)
                if not verdict:
                    return verdict
                following += more
            if not following:
                return True
            pending = following
        return None

    def _ask_callers(self, leaving: Leaving) -> tuple[bool | None, list[Leaving]]:
        """Whether the callers of one function catch, and which functions of theirs let it out in turn."""
        calls = self.callers(leaving.origin)
        if calls is None or calls.untraceable:
            return leaving.called or None, []
        if not calls.sure and not calls.maybe:
            return leaving.called or (None if calls.overrides else False), []
        sure = [(file, self._judge(file, node, leaving.raises)) for file, node in calls.sure]
        maybe = [(file, self._judge(file, node, leaving.raises)) for file, node in calls.maybe]
        said = [*sure, *([] if leaving.called else maybe)]
        if any(each.guard is Guard.UNGUARDED for _, each in sure):
            return False, []
        if any(each.guard is Guard.UNKNOWN for _, each in said):
            return None, []
        if any(each.guard is Guard.UNGUARDED for _, each in said):
            alone = not sure and not calls.overrides and all(each.guard is Guard.UNGUARDED for _, each in maybe)
            return (False if alone else None), []
        return True, [each for file, judgement in said for each in leaving_of(file.names, judgement)]

    def _judge(self, file: PythonFile, node: ast.AST, raises: frozenset[str]) -> Judgement:
        if isinstance(node, ast.Call) and file.calls.detached(node):
            return UNGUARDED
        return file.guards.judge(node, raises)

    def callers(self, origin: str) -> Callers | None:
        """Who calls a function of the project outside its own file; None where nobody can tell.

        That is so where there is no such function, and where its name stands in so many files that it names too much.
        """
        if self._looking_at is not None:
            self._whole.add(self._looking_at)
        if origin not in self._callers:
            self._callers[origin] = self._find_callers(origin)
        return self._callers[origin]

    def _find_callers(self, origin: str) -> Callers | None:
        path, _, qualified = origin[1:-1].rpartition(":")
        outer, _, name = qualified.rpartition(".")
        if len(self.naming(outer.rpartition(".")[2] if name == "__init__" else name)) > MANY:
            return None
        home = self.file(path)
        found = home.names.defined(origin) if home is not None else []
        return Callers(self, path, origin, found[-1]) if found else None

    def naming(self, word: str) -> list[str]:
        """The files in whose text a word stands."""
        if self._looking_at is not None:
            self._whole.add(self._looking_at)
        if word not in self._naming:
            token = word.encode()
            known = self._words.get(token)
            texts = self._sources if known is None else known
            self._naming[word] = [name for name in texts if known or _holds(self._sources[name].data, token)]
        return self._naming[word]

    @cached_property
    def _words(self) -> dict[bytes, list[str]]:
        """The names that a file of the project defines -> the files in whose text they stand."""
        found: dict[bytes, list[str]] = {}
        for source in self._sources.values():
            found.update((each, []) for each in DEFINED.findall(source.data))
        for name, source in self._sources.items():
            for word in found.keys() & set(WORDS.findall(source.data)):
                found[word].append(name)
        return found

    def holding(self, name: str, *, member: bool = False) -> Iterator[PythonFile]:
        """The files in which a name stands; `member`: behind a dot."""
        behind_a_dot = re.compile(rb"\.[\s\\]*%b\b" % name.encode()) if member else None
        for path in self.naming(name):
            if behind_a_dot is not None and not behind_a_dot.search(self._sources[path].data):
                continue
            if (file := self.file(path)) is not None:
                yield file


def _holds(data: bytes, word: bytes) -> bool:
    """Whether a word stands in a text as a whole."""
    at = data.find(word)
    while at >= 0:
        end = at + len(word)
        if data[at - 1 : at] not in LETTERS and data[end : end + 1] not in LETTERS:
            return True
        at = data.find(word, end)
    return False


@cache
def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


@cache
def _module(path: str) -> tuple[str, ...]:
    parts = _parts(path.rpartition(".")[0])
    return parts[:-1] if parts and parts[-1] == "__init__" else parts


class Callers:
    """Calls of one function in other files: those that are surely meant, and those of a method of that name."""

    def __init__(self, project: Project, path: str, origin: str, defined: Defined) -> None:
        self.origin = origin
        function = defined.node
        owner = defined.names.tree.parents.get(function)
        self.owner = owner if isinstance(owner, ast.ClassDef) else None
        constructor = self.owner is not None and function.name == "__init__"
        self.name = self.owner.name if self.owner is not None and constructor else function.name
        self.meant = {defined.names.key(self.owner)} if self.owner is not None and constructor else {origin}
        self.inherited = (
            set() if self.owner is None or constructor else _overridden(defined.names, self.owner, self.name)
        )
        """The methods of bases in the project that it stands in for: a call of one may be a call of it."""
        self.sure: list[tuple[PythonFile, ast.AST]] = []
        self.maybe: list[tuple[PythonFile, ast.AST]] = []
        self.untraceable = function.name in IMPLICIT
        self.overrides = not constructor and self.owner is not None and _derives(defined.names, self.owner)
        """The class has bases of which nobody knows, so that a call on any of those may be meant."""
        if isinstance(defined.names.tree.scope_of(function), FunctionDef):
            return  # nobody else can name what is defined within a function
        for file in project.holding(self.name, member=self.owner is not None and not constructor):
            for use in file.calls.mentions(self.name):
                if file.name != path or file.names.origins(use) & self.inherited:
                    self._sort(file, use)

    def _sort(self, file: PythonFile, use: ast.expr) -> None:
        parent = file.tree.parents[use]
        origins = file.names.origins(use)
        if isinstance(parent, ast.Call) and parent.func is use:
            if origins & (self.meant | self.inherited):
                self.sure.append((file, parent))
            elif self.owner is not None and isinstance(use, ast.Attribute) and may_be(file, use):
                self.maybe.append((file, parent))
        elif origins & self.meant and not isinstance(parent, ast.Attribute):
            self._hand(file, parent)

    def _hand(self, file: PythonFile, parent: ast.AST) -> None:
        """A function handed to a call: run there, or kept by somebody who may run it anywhere."""
        if isinstance(parent, ast.Call) and last_name(parent.func) in RUNNING_HERE:
            self.sure.append((file, parent))
        elif isinstance(parent, ast.Call):
            self.untraceable |= last_name(parent.func) not in ASKING
        elif isinstance(parent, KEEPING):
            self.untraceable |= self.name != (self.owner.name if self.owner else "")


def _derives(names: Names, owner: ast.ClassDef, depth: int = 0) -> bool:
    """Whether a class has a base that the project does not hold."""
    for base in owner.bases:
        known = [found for origin in names.origins(base) for found in names.defined(origin)]
        above = [each for each in known if isinstance(each.node, ast.ClassDef) and each.node is not owner]
        if not above and last_name(base) not in PLAIN_BASES:
            return True
        if depth < ROUNDS and any(_derives(each.names, each.node, depth + 1) for each in above):  # type: ignore[arg-type]
            return True
    return False


def _overridden(names: Names, owner: ast.ClassDef, method: str, depth: int = 0) -> set[str]:
    """The methods of that name of the bases that the project holds, by origin."""
    found: set[str] = set()
    for base in names.bases(owner):
        if isinstance(base.node, ast.ClassDef) and base.node is not owner and depth < ROUNDS:
            found |= {f"{base.names.key(base.node)[:-1]}.{method}>"} if method in _methods(base) else set()
            found |= _overridden(base.names, base.node, method, depth + 1)
    return found


def _methods(defined: Defined) -> set[str]:
    return {each.name for each in defined.node.body if isinstance(each, FunctionDef)}


def may_be(file: PythonFile, use: ast.Attribute) -> bool:
    """A method of that name on something that the file cannot tell, or of a class of the project."""
    known = file.names.origins(use.value)
    return not known or any(
        origin == PARAMETER or origin.startswith((f"{PARAMETER}.", ".")) or _undefined(file, origin) for origin in known
    )


def _undefined(file: PythonFile, origin: str) -> bool:
    """Something that hangs on a class of the project without the class saying what it is."""
    return origin.startswith("<") and not file.names.defined(origin.removesuffix("()"))

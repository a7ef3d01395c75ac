"""What a file's functions do that matters to a service: whom they call, what they answer, how they take a body in."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from readiness.scan.code.frameworks import MAKING
from readiness.scan.code.tree import FunctionDef, below, choices, last_name
from readiness.scan.service.bodies import body_of
from readiness.scan.service.callees import Callees, Doing
from readiness.scan.service.facts import Deeds, Fact, Imports, Kin, Passed
from readiness.scan.service.marks import Marks
from readiness.scan.service.replies import Replies

if TYPE_CHECKING:
    from readiness.scan.code.file import PythonFile

APPLICATIONS = {"app", "application", "router", "api", "blueprint", "bp", "web_app", "asgi_app", "fastapi_app"}
"""Names under which applications and routers are passed on."""
MAKERS = tuple(sorted({each.rpartition(".")[2] for each in MAKING}))
WIDE = {"Exception", "BaseException", "KeyError", "LookupError"}
DEPENDING = {"Depends", "Security"}
MOST = 120
"""Calls that are kept of one function."""


def deeds(file: PythonFile) -> Iterator[Fact]:
    """What each function and class of a file does."""
    return _File(file).facts()


class _File:
    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.tree = file.tree
        self.names = file.names
        self.callees = Callees(file)
        self.doing: dict[ast.AST, Doing] = defaultdict(Doing)
        self.marks = Marks(self.callees, self.doing)
        self.replies = Replies(self.callees, self.doing)

    def facts(self) -> Iterator[Fact]:
        yield Imports(self.file.name, tuple(self.callees.imports.items()), tuple(self.names.scopes.stars))
        yield from self.passed()
        self.calls()
        self.chosen()
        self.aliases()
        self.replies.gather()
        self.marks.gather()
        for function in self.tree.functions:
            outer = self.callees.function(function)
            if outer is not None:
                self.doing[outer].to.setdefault(self.names.key(function), function.lineno)
        yield from map(self.told, self.tree.functions)
        for owner in self.tree.all(ast.ClassDef):
            bases = tuple(ref for each in owner.bases for ref in self.callees.refs(each, owner))
            yield Kin(self.names.key(owner), bases, tuple(sorted(self.replies.of_classes[owner])))

    def told(self, function: FunctionDef) -> Deeds:
        done = self.doing[function]
        return Deeds(
            key=self.names.key(function),
            parameters=parameters(function),
            to=tuple(list(done.to.items())[:MOST]),
            caught=tuple(ref for ref in done.to if ref not in done.open),
            needs=tuple(done.needs),
            answers=tuple(done.answers),
            raises=tuple(done.raises.items()),
            fills=tuple(done.fills),
            body=body_of(self.names, function),
            marks=tuple(sorted(done.marks)),
            at=self.file.location(function),
        )

    # ---- calls

    def calls(self) -> None:
        guarded = self.guarded()
        for call in self.tree.all(ast.Call):
            if self.callees.is_plain(call.func):
                continue
            function = self.callees.function(call)
            if function is not None:
                done = self.doing[function]
                last = last_name(call.func)
                if last in DEPENDING and self.callees.in_signature(call, function):
                    done.needs.update(dict.fromkeys(self.depended(call)))
                else:
                    self.called(call, last, done, is_open=call.lineno not in guarded)

    def called(self, call: ast.Call, last: str, done: Doing, *, is_open: bool) -> None:
        refs = self.callees.refs(call.func, call)
        for ref in refs:
            done.to.setdefault(ref, call.lineno)
        if is_open:
            done.open.update(refs)
        if last[:1].isupper() and any(each.arg is None for each in call.keywords):
            done.fills.update(dict.fromkeys(refs))
        for given in [*call.args, *(each.value for each in call.keywords)]:
            if isinstance(given, ast.Name | ast.Attribute):
                for ref in self.callees.handed(given, call):
                    done.to.setdefault(ref, call.lineno)
        self.marks.of_call(call, last, done)

    def chosen(self) -> None:
        """`answer = stream if asked else plain`, `ANSWERS[kind]`: functions of which one is called by another name."""
        tables: dict[str, list[str]] = {}
        for assign in self.tree.all(ast.Assign):
            function = self.callees.function(assign)
            refs = [ref for each in options(assign.value) for ref in self.callees.handed(each, assign)]
            if function is not None:
                for ref in refs:
                    self.doing[function].to.setdefault(ref, assign.lineno)
            elif refs and isinstance(assign.value, ast.Dict):
                tables |= {last_name(each): refs for each in assign.targets}
        for name in self.tree.all(ast.Name) if tables else ():
            function = self.callees.function(name)
            if function is not None and name.id in tables:
                for ref in tables[name.id]:
                    self.doing[function].to.setdefault(ref, name.lineno)

    def depended(self, call: ast.Call) -> frozenset[str]:
        """What `Depends(x)` asks for."""
        given = call.args[:1] or [each.value for each in call.keywords if each.arg == "dependency"]
        return frozenset(ref for each in given for ref in self.file.objects.refs(each))

    def guarded(self) -> set[int]:
        """The lines of bodies of `try` whose handlers catch all exceptions, or those of a missing key."""
        found: set[int] = set()
        for node in self.tree.all(ast.Try):
            kinds = [each.type for each in node.handlers]
            flat = [one for each in kinds for one in (each.elts if isinstance(each, ast.Tuple) else [each])]
            if any(each is None or last_name(each) in WIDE for each in flat):
                found.update(range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1))
        return found

    def aliases(self) -> None:
        """`user: CurrentUser`, where that is `Annotated[User, Depends(...)]` here or in another file."""
        for param in self.tree.all(ast.arg):
            function = self.tree.parents.get(self.tree.parents[param])
            match param.annotation:
                case ast.Name(id=name) if isinstance(function, FunctionDef):
                    refs = [f"~{self.file.name}~{self.callees.imports[name]}"] if name in self.callees.imports else []
                    known = [] if refs else self.names.values(param.annotation)
                    refs += [ref for each in known for ref in self.annotated(each)]
                    self.doing[function].needs.update(dict.fromkeys(refs))

    def annotated(self, value: ast.expr) -> Iterator[str]:
        """What `Annotated[T, Depends(x)]` depends on."""
        if isinstance(value, ast.Subscript) and last_name(value.value) == "Annotated":
            for each in below(value):
                if isinstance(each, ast.Call) and last_name(each.func) in DEPENDING:
                    yield from self.depended(each)

    def passed(self) -> Iterator[Passed]:
        """Calls that are given something which has the name of an application or router."""
        names = APPLICATIONS | made_names(self.file)
        for call in self.tree.all(ast.Call):
            given = [*enumerate(call.args), *((each.arg, each.value) for each in call.keywords if each.arg)]
            for at, value in given:
                if isinstance(value, ast.Name | ast.Attribute) and last_name(value) in names:
                    called = tuple(ref for ref in self.callees.refs(call.func, call) if ref[0] in "<~")
                    refs = self.file.objects.refs(value) if called else ()
                    if refs:
                        yield Passed(called, str(at), tuple(sorted(refs)))


def options(value: ast.expr) -> list[ast.expr]:
    """The names that a value may stand for: itself, one of two, one of a table."""
    found = value.values if isinstance(value, ast.Dict) else choices(value) or [value]
    return [each for each in found if isinstance(each, ast.Name | ast.Attribute)]


def parameters(function: FunctionDef) -> tuple[str, ...]:
    """The names that positional arguments are bound to."""
    named = [each.arg for each in [*function.args.posonlyargs, *function.args.args]]
    return tuple(named[1:] if named[:1] in (["self"], ["cls"]) else named)


def made_names(file: PythonFile) -> set[str]:
    """The names, and names of attributes, that hold an application or router that the file makes."""
    found: set[str] = set()
    for call in file.calls.named(*MAKERS):
        assign = file.tree.parents.get(call)
        if isinstance(assign, ast.Assign | ast.AnnAssign):
            targets = assign.targets if isinstance(assign, ast.Assign) else [assign.target]
            found |= {last_name(each) for each in targets}
    return found - {""}

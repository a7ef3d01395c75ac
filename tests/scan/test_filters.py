"""What rules leave out to save time holds nothing: with every filter taken away, a scan says the same.

Filters are the `tokens` by which files are left out, and the last names (`callees`) by which calls are.
"""

import ast
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from readiness.scan import PythonRule
from readiness.scan.code.project import Project
from readiness.scan.examiner import Examiner
from readiness.scan.files import Source
from readiness.scan.outcomes import Outcome
from tests.scan.harness import RULES, of, scanned

Files = Mapping[str, str]
Said = dict[tuple[str, str], Outcome]
"""By file and rule; without what says nothing."""

STATIC = [rule for rule in RULES if rule.language == "python"]
EXAMPLES: list[tuple[str, Files]] = [
    (rule.info.id, {"service.py": example} if isinstance(example, str) else example)
    for rule in STATIC
    for kind in ("bad", "good", "silent")
    for example in rule.constants[kind]
]
SINGLE = [(rule, files["service.py"]) for rule, files in EXAMPLES if set(files) == {"service.py"}]


FILTERED = Examiner(STATIC, Project([]), None).rules
BARE = [type("Rule", (rule,), {"tokens": (), "callees": ()}) for rule in FILTERED]


def said(files: Files, *sets: Sequence[type[PythonRule]]) -> list[Said]:
    """What each set of rules says of a project of these files."""
    sources = [Source(Path(f"/{name}"), name, code.encode()) for name, code in files.items()]
    examiner = Examiner([], Project(sources), None)
    found: list[Said] = [{} for _ in sets]
    for source in sources:
        module = ast.parse(source.data)
        for told, rules in zip(found, sets, strict=True):
            examiner.rules = list(rules)
            for outcome in examiner.apply(source, module):
                if outcome != Outcome(outcome.rule):
                    told[source.name, outcome.rule] = outcome
    return found


def lost(projects: Iterable[Files], rules: Sequence[type[PythonRule]] = FILTERED) -> list[tuple[str, str, str]]:
    """Where the filters change what is said: rule, file and code."""
    wrong = []
    for files in projects:
        few, all_of_them = said(files, rules, BARE)
        wrong += [
            (rule, name, files[name])
            for name, rule in sorted(few.keys() | all_of_them.keys())
            if few.get((name, rule)) != all_of_them.get((name, rule))
        ]
    return wrong


# ---- other ways to write an example


class Renamed(ast.NodeTransformer):
    """Expressions, by how they are written, as other ones."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit(self, node: ast.AST) -> ast.AST:
        read = isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
        other = self.names.get(ast.unparse(node)) if read else None
        return ast.parse(other, mode="eval").body if other else self.generic_visit(node)


def imports(module: ast.Module) -> list[ast.alias]:
    return [alias for node in ast.walk(module) if isinstance(node, ast.Import) for alias in node.names]


def imports_from(module: ast.Module) -> list[tuple[ast.ImportFrom, ast.alias]]:
    froms = [node for node in ast.walk(module) if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    return [(node, alias) for node in froms for alias in node.names if alias.name != "*"]


def aliased(module: ast.Module) -> Mapping[str, str]:
    """`from json import loads as given_0`."""
    names = {}
    for number, (_, alias) in enumerate(imports_from(module)):
        names[alias.asname or alias.name] = alias.asname = f"given_{number}"
    return names


def module_aliased(module: ast.Module) -> Mapping[str, str]:
    """`import json as given_0`."""
    names = {}
    for number, alias in enumerate(imports(module)):
        names[alias.asname or alias.name] = alias.asname = f"given_{number}"
    return names


def chained(module: ast.Module) -> Mapping[str, str]:
    """`import nats.aio.client` and `nats.aio.client.Client()` for a `from` import."""
    names = {}
    for node, alias in imports_from(module):
        if not node.level and node.module:
            module.body.insert(0, ast.Import([ast.alias(node.module)]))
            names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def assigned(module: ast.Module) -> Mapping[str, str]:
    """`given_0 = json.loads`, and that is called."""
    roots = {alias.asname or alias.name.partition(".")[0] for alias in imports(module)}
    called = {
        ast.unparse(node.func)
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func).partition(".")[0] in roots
        and ast.unparse(node.func).replace(".", "").isidentifier()
    }
    return {path: f"given_{number}" for number, path in enumerate(sorted(called))}


def rewritten(code: str, how: Callable[[ast.Module], Mapping[str, str]]) -> str | None:
    """The code written in another way; None where that changes nothing."""
    module = ast.parse(code)
    names = how(module)
    if not names:
        return None
    Renamed(names).visit(module)
    if how is assigned:
        last = max(number for number, each in enumerate(module.body) if isinstance(each, ast.Import | ast.ImportFrom))
        given = [f"{name} = {path}" for path, name in names.items()]
        module.body[last + 1 : last + 1] = ast.parse("\n".join(given)).body
    return ast.unparse(ast.fix_missing_locations(module))


def test_filters_change_nothing_of_the_examples() -> None:
    assert lost(files for _, files in EXAMPLES) == []


@pytest.mark.parametrize("how", [aliased, module_aliased, chained, assigned], ids=lambda how: how.__name__)
def test_nor_where_they_are_written_in_another_way(how: Callable[[ast.Module], Mapping[str, str]]) -> None:
    written = [rewritten(code, how) for _, code in SINGLE]
    others = [{"service.py": code} for code in written if code]
    assert len(others) > 50
    assert lost(others) == []


def test_nor_where_several_of_them_stand_in_one_file() -> None:
    chance = random.Random(1)
    plain = [(rule, code) for rule, code in SINGLE if "__future__" not in code]
    joined = []
    for _ in range(100):
        (rule, one), (other_rule, other) = chance.sample(plain, 2)
        if rule != other_rule:
            joined.append({"service.py": f"{one}\n{other}"})
    assert len(joined) > 50
    assert lost(joined) == []


FILTERS = [(rule, name) for rule in FILTERED for name in ("tokens", "callees") if getattr(rule, name)]


@pytest.mark.parametrize(("rule", "filters"), FILTERS, ids=lambda each: getattr(each, "id", each))
def test_a_wrong_filter_is_seen(rule: type[PythonRule], filters: str) -> None:
    """What the tests above are worth: each rule with a filter says something that a wrong one would lose."""
    wrong = type("Rule", (rule,), {filters: ("no such word",)})
    others = [wrong if each is rule else each for each in FILTERED]
    told = lost((files for name, files in EXAMPLES if name == rule.id), others)
    assert {name for name, _, _ in told} == {rule.id}


IMPORTS = ["from aiohttp import client, web", "from aiohttp import (\n    ClientSession,\n    web,\n)", "import time"]


@pytest.mark.parametrize("imported", IMPORTS)
@pytest.mark.parametrize("declared", ["@routes.view('/b')", "@routes.head('/b')", "@routes.get('/b')"])
def test_a_route_that_is_added_to_what_another_file_made_is_read(imported: str, declared: str, tmp_path: Path) -> None:
    files = {
        "base.py": "from aiohttp import web\nroutes = web.RouteTableDef()\n",
        "main.py": "from aiohttp import web\nimport more\nfrom base import routes\n\n"
        "@routes.get('/a')\nasync def a(request): ...\n\n"
        "app = web.Application()\napp.add_routes(routes)\nweb.run_app(app)\n",
        "more.py": f"{imported}\nfrom base import routes\n\n{declared}\nasync def b(request): ...\n",
    }
    (finding,) = of(scanned(tmp_path, files), "python/no-rate-limit").findings
    assert finding.message.startswith("2 of 2 routes")

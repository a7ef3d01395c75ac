"""What is left out of bandit's tests finds nothing: our loop and bandit's own visitor say the same of everything."""

import ast
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.scan.bandit import Bandit, nosec_lines
from readiness.scan.files import Source

OURS = Bandit().plugins  # before bandit is imported by itself, which warns of a library of its own
ALL = OURS.all

from bandit.core import metrics, node_visitor, test_properties  # noqa: E402
from bandit.core.extension_loader import MANAGER  # noqa: E402
from bandit.core.issue import Issue  # noqa: E402

from readiness.scan.bandit.gate import Gates  # noqa: E402
from readiness.scan.bandit.loop import BARE, Loop, Plugins  # noqa: E402

IMPORTS = """\
import datasets, flask, hashlib, huggingface_hub, jinja2, os, paramiko, requests, ssl, subprocess, tarfile, torch, yaml
import crypt as crypting, httpx as web, pysnmp.hlapi as snmp
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from Crypto.PublicKey import RSA
from django.db.models.expressions import RawSQL
from django.utils.safestring import mark_safe
from mako.template import Template
from markupsafe import Markup
from os import system as run_it
from transformers import AutoModel
"""
CALLS = """\
app.run(debug=True)
requests.get(url, verify=False, timeout=3)
web.AsyncClient(verify=False)
requests.post(url)
web.get(url, timeout=None)
User.objects.extra(where=[f"a = {a}"])
User.objects.extra(select={k: v})
RawSQL(f"select {a}")
mark_safe(text)
mark_safe("<b>%s</b>" % text)
exec(text)
os.chmod("a", 0o777)
path.lchmod("a", 511)
connect(password="hunter2", token=token)
hashlib.md5(a)
hashlib.new("sha1", a, usedforsecurity=True)
crypting.crypt(a, "METHOD_MD5")
AutoModel.from_pretrained("a/b")
datasets.load_dataset("a", revision=main)
huggingface_hub.snapshot_download("a", revision="abc")
client.exec_command(text)
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
subprocess.run(text, shell=True)
subprocess.Popen(["ls", "-l"])
subprocess.call("ls", shell=False)
anything(text, shell=1)
self.runner(shell=[text])
run_it("ls")
os.popen(text)
os.execv("/bin/ls", a)
os.system("tar xf *")
subprocess.check_output("chown a *", shell=True)
ssl.wrap_socket(a)
ssl.wrap_socket(a, ssl_version=ssl.PROTOCOL_SSLv3)
anything(method=SSL.TLSv1_METHOD)
jinja2.Environment(autoescape=False)
jinja2.Environment()
logging.config.listen(9)
Template(text)
Markup(text)
torch.load(a)
snmp.CommunityData("a", mpModel=0)
snmp.UsmUserData("a")
tarfile.open(a).extractall()
tarfile.open(a).extractall(members=choose(a))
tarfile.open(a).extractall(filter="data")
dsa.generate_private_key(512, a)
rsa.generate_private_key(65537, key_size=1024)
ec.generate_private_key(ec.SECT163K1, a)
RSA.generate(bits=512)
yaml.load(a)
yaml.load(a, Loader=yaml.SafeLoader)
__import__("pickle")
__import__(name)
importlib.import_module("telnetlib")
importlib.import_module(name="xml.sax")
"""
REST = """\
def login(user, password="hunter2", mode=ssl.PROTOCOL_TLSv1, *, token="t"):
    "/tmp/documented"
    secret = "s"
    self.pwd = "s"
    d["password"] = "s"
    x = {"token": "s", "other": "/tmp/a"}
    if password == "s" or self.token != "s":
        return open("/var/tmp/a", "0.0.0.0")
    q = "select a from b where c = '%s'" % a
    q = "insert into t values (" + a + ")"
    cursor.execute(f"delete from {t} where a = {b}")
    cursor.execute("update t set a = {}".format(a))
    cursor.execute("select a from b".replace("a", c))


class Login:
    async def again(self, password="hunter2"):
        assert password
        try:
            pass
        except Exception:
            pass
        for each in each:
            try:
                each()
            except:
                continue
        import pickle
        pickle.loads(each)
"""
MARKS = "name = 'a\u202eb'\n"


def fields(issues: Iterable[Any]) -> list[tuple[Any, ...]]:
    """All that bandit tells of its issues."""
    told = ("test_id", "lineno", "linerange", "col_offset", "end_col_offset", "severity", "confidence", "text", "ident")
    return sorted((*(getattr(each, name) for name in told), each.cwe.id) for each in issues)


def by_bandit(code: str) -> list[tuple[Any, ...]]:
    data = code.encode()
    nosec = nosec_lines(data)
    visitor = node_visitor.BanditNodeVisitor("a/b.py", io.BytesIO(data), None, ALL, False, nosec, metrics.Metrics())
    visitor.process(data)
    return fields(visitor.tester.results)


def by_us(code: str, tests: Plugins = OURS) -> list[tuple[Any, ...]]:
    data = code.encode()
    loop = Loop(Source(Path("a/b.py"), "b.py", data), tests, nosec_lines(data))
    return fields(loop.issues(ast.parse(data)))


def listed() -> str:
    """Every name that bandit warns of, called or imported."""
    calls = {name for each in MANAGER.blacklist["Call"] for name in each["qualnames"]}
    modules = {name for each in MANAGER.blacklist["Import"] for name in each["qualnames"]}
    imports = [f"import {name}\nfrom {name} import x as y{number}" for number, name in enumerate(sorted(modules))]
    return "\n".join([*(f"{name}(a)" for name in sorted(calls)), *imports, ""])


def test_every_test_of_bandit_finds_what_it_finds_by_itself() -> None:
    code = IMPORTS + CALLS + REST + listed() + MARKS
    told = by_us(code)
    assert told == by_bandit(code)
    assert {test for test, *_ in told} >= {*MANAGER.plugins_by_id, *MANAGER.blacklist_by_id}


LATE = "yaml.load(a)\nif a:\n    import yaml\nyaml.load(a)\n"


@pytest.mark.parametrize("code", [CALLS + IMPORTS, CALLS, f"def f():\n    import yaml\n{CALLS}", LATE, REST, ""])
def test_nor_does_it_matter_what_is_imported_where(code: str) -> None:
    assert by_us(code) == by_bandit(code)


NAMES = [line.partition("(")[0] for line in CALLS.splitlines()] + [
    "f",
    "a.b.c",
    "x().load",
    "",
    "self.yaml.load",
    "extra",
]
VALUES = ["a", "'s'", "0", "True", "None", "['a *', b]", "f'{a}'", "f(1)", "*a", "0o777", "{}", "a.SSLv3_METHOD"]
KEYWORDS = ["shell", "verify", "timeout", "debug", "password", "method", "where", "filter", "Loader", "usedforsecurity"]
calls = st.builds(
    lambda name, values, keywords: f"{name or 'a[0]'}({', '.join([*values, *keywords])})",
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(VALUES), max_size=3),
    st.lists(
        st.builds("{}={}".format, st.sampled_from(KEYWORDS), st.sampled_from([v for v in VALUES if v[0] != "*"])),
        max_size=2,
        unique_by=lambda each: each.partition("=")[0],
    ),
)


@given(st.lists(calls, max_size=6), st.sets(st.sampled_from(IMPORTS.splitlines()), max_size=3))
def test_whatever_is_called_with_whatever(lines: list[str], imports: set[str]) -> None:
    code = "\n".join([*sorted(imports), *lines, ""])
    assert by_us(code) == by_bandit(code)


PLACES = """\
ONE
x = ONE
x.WORD = ONE
WORD = ONE
d[ONE] = TWO
x = {ONE: TWO, a: ONE}
WORD == ONE
f(ONE)
f(WORD=ONE)
q = ONE + a
q = ONE % a
q = a + ONE + TWO
f'{a}' ONE
f"{a} b {ONE}"
ONE.format(a)
c.execute(ONE.replace(a, b))
def f(WORD=ONE): pass
x = [ONE, TWO]
x: ONE = TWO
assert a, ONE
lambda WORD=ONE: TWO
[a for a in b if a == ONE]
with f(ONE): pass
""".splitlines()
TEXTS = ["", "0.0.0.0", "/tmp", "/tmp/a", "/var/tmp", "password", "select a from b ", "insert into a values (", "x"]
WORDS = ["password", "my_token", "x", "pwd", "secret_", "passphrase"]
strings = st.builds(
    lambda place, one, two, word: place.replace("ONE", repr(one)).replace("TWO", repr(two)).replace("WORD", word),
    st.sampled_from(PLACES),
    st.sampled_from(TEXTS),
    st.sampled_from(TEXTS),
    st.sampled_from(WORDS),
)


@given(st.lists(strings, max_size=8))
def test_whatever_text_stands_wherever(lines: list[str]) -> None:
    code = "\n".join([*lines, ""])
    assert by_us(code) == by_bandit(code)


@pytest.mark.parametrize(
    "code",
    [
        "# coding: utf-7\nx = '+IC4-'\n",  # a mark in letters of ASCII
        "# coding: unicode_escape\nx = '\\u202e'\n",
        "\n# coding: utf-8\nx = '\u202e'\n",
        "x = '\u2066'  # nosec\n",
        "x = 'é'\n",
    ],
)
def test_marks_of_direction_are_found_in_every_encoding(code: str) -> None:
    assert by_us(code) == by_bandit(code)
    assert bool(by_us(code)) == ("é" not in code and "nosec" not in code)


def test_most_places_need_no_test_at_all() -> None:
    gates = Gates(ALL.tests)
    bare = gates.of_call((1, False, True))
    assert not bare.always
    assert not bare.wanted_for_call("work", "work")
    assert not bare.opened({"asyncio", "json"})
    assert not gates.of_string(ast.Call).wanted_for_string("text")
    assert not gates.of_file(b"x = 1\n")


def test_a_file_that_was_looked_at_is_freed_at_once() -> None:
    module = ast.parse(IMPORTS + CALLS + REST)
    Loop(Source(Path("a/b.py"), "b.py", b""), OURS, {}).issues(module)
    nodes = [node for node in ast.walk(module) if not isinstance(node, BARE)]  # which all trees share
    assert not any(hasattr(node, "_bandit_parent") for node in nodes)


def foreign(*kinds: str) -> Any:
    """A test as others add them to bandit, which tells what it is shown."""

    def look(context: Any) -> Issue:
        raw = context._context
        known = () if isinstance(context.node, BARE) else ("parent", "sibling")  # of nodes that are not everywhere
        around = [type(getattr(context.node, f"_bandit_{name}", None)).__name__ for name in known]
        shown = [
            type(context.node).__name__,
            around,
            raw.get("qualname"),
            raw["linerange"],
            len(raw["imports"]),
            "mine" in raw,
        ]
        raw["mine"] = "each test is given a context of its own"
        return Issue(severity="LOW", confidence="LOW", text=repr(shown), lineno=1, col_offset=1)

    return test_properties.checks(*kinds)(test_properties.test_id("X100")(look))


@pytest.mark.parametrize(
    "kinds", [("Call", "Str"), ("Name", "Load", "Add"), ("comprehension", "arguments"), ("FunctionDef",), ("ClassDef",)]
)
def test_a_test_that_others_have_written_is_run_everywhere(
    kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    nested = "class A:\n  def b():\n    def c(): pass\n  def d(): pass\ndef e(): pass\n"
    code = IMPORTS + CALLS + REST + nested + "[a + b for a in b for c in a if c]\n"
    for kind in kinds:
        monkeypatch.setitem(ALL.tests, kind, [*ALL.tests.get(kind, []), foreign(kind), foreign(kind)])
    told = by_us(code, Plugins(ALL))
    assert told == by_bandit(code)
    assert any(test == "X100" for test, *_ in told) == (kinds != ("ClassDef",))  # for which bandit runs none


def test_what_others_have_written_is_not_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    times = 0

    def look(context: Any) -> Issue | None:
        nonlocal times
        times += 1
        return Issue(severity="LOW", confidence="LOW", text="late") if times > 2 else None

    monkeypatch.setitem(ALL.tests, "Call", [test_properties.test_id("X100")(look)])
    assert [line for test, line, *_ in by_us("a()\nb()\nc()\nd()\n", Plugins(ALL)) if test == "X100"] == [3, 4]

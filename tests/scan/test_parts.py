"""What a value is made of. In each case it is the value that `look(...)` is given; the question is after `secret`."""

import ast
from pathlib import Path

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.parts import Part, parts
from readiness.scan.code.project import Project
from readiness.scan.files import Source

SURVIVES = {
    "a name": "look(secret)",
    "an f-string": "look(f'key: {secret!r:>10}')",
    "a sum": "look('key: ' + secret)",
    "a percent sign": "look('%s: %s' % (name, secret))",
    "format": "look('{}'.format(secret))",
    "join": "look(', '.join([name, secret]))",
    "str": "look(str(secret))",
    "bytes": "look(secret.encode())",
    "JSON": "import json\nlook(json.dumps({'key': secret}))",
    "a list": "look([1, (2, secret)])",
    "a spread dict": "look({**{'a': 1}, 'key': secret})",
    "merged dicts": "look({'a': 1} | {'key': secret})",
    "a comprehension": "look([f'{each}{secret}' for each in names])",
    "one of two": "look(secret if known else 'none')",
    "or": "look(secret or 'none')",
    "the last of and": "look(known and secret)",
    "await": "async def f():\n    look(await asyncio.wait_for(secret, 3))",
    "a walrus": "look((text := secret))",
    "a slice": "look(secret[:4])",
    "another name": "text = secret\nlook(text)",
    "a name bound in a branch": "def f():\n    text = ''\n    if known:\n        text = secret\n    look(text)",
    "a name bound later in a loop": (
        "def f():\n    text = ''\n    while True:\n        look(text)\n        text = secret"
    ),
    "what is added": "def f():\n    text = 'key: '\n    text += secret\n    look(text)",
    "what is appended": "def f():\n    texts = []\n    texts.append(secret)\n    look(texts)",
    "what is stored": "def f():\n    texts = {}\n    texts['key'] = secret\n    look(texts)",
    "the key that is taken": "def f():\n    texts = {'a': 1, 'key': secret}\n    look(texts['key'])",
    "a key that nobody knows": "def f():\n    texts = {'a': 1, 'key': secret}\n    look(texts[name])",
    "get": "def f():\n    texts = {'key': secret}\n    look(texts.get('key'))",
    "the default of get": "look(texts.get('key', secret))",
    "the default of getattr": "look(getattr(thing, 'message', secret))",
    "an object": "look(Answer(400, text=secret))",
    "the field of an object": "answer = Answer(code=400, text=secret)\nlook(answer.text)",
    "a function": "def make():\n    return f'key {secret}'\nlook(make())",
    "what is passed": "def make(text):\n    return {'text': text}\nlook(make(secret))",
    "what is passed by name": "def make(code, *, text):\n    return {'text': text}\nlook(make(1, text=secret))",
    "what is passed to a method": "class A:\n    def make(self, text):\n        return text\n\nlook(A().make(secret))",
    "what is passed on": (
        "def one(text):\n    return text\ndef two(text):\n    return one(text + '.')\nlook(two(secret))"
    ),
    "what is passed with a star": "def make(*texts):\n    return ' '.join(texts)\nlook(make(1, secret))",
    "what is passed as an option": "def make(**texts):\n    return texts\nlook(make(key=secret))",
    "a generator": "def make():\n    yield secret\nlook(list(make()))",
}
LOST = {
    "a call that nobody knows": "look(mask(secret))",
    "a number": "look(len(secret))",
    "a comparison": "look(secret == other)",
    "a condition": "look('set' if secret else 'not set')",
    "the first of and": "look(secret and 'set')",
    "another key": "def f():\n    texts = {'a': 1, 'key': secret}\n    look(texts['a'])",
    "another key that is stored": "def f():\n    texts = {}\n    texts['key'] = secret\n    look(texts['a'])",
    "another field": "answer = Answer(code=400, text=secret)\nlook(answer.code)",
    "an attribute of an object made from it": "client = Client(secret)\nlook(client.version)",
    "another parameter": "def make(code, text):\n    return code\nlook(make(1, secret))",
    "an own exception": "look(str(BadKeyError(secret)))",
    "a name bound afterwards": "def f():\n    text = ''\n    look(text)\n    text = secret",
    "the other branch": (
        "def f():\n    if known:\n        text = secret\n    else:\n        text = ''\n        look(text)"
    ),
    "another handler": (
        "def f():\n    try:\n        work()\n    except KeyError:\n        text = secret\n"
        "    except ValueError:\n        look(text)"
    ),
    "an annotation": "secret: str\nlook(text)",
    "a name of another scope": "def g():\n    text = secret\ndef f(text):\n    look(text)",
    "a function that calls itself": "def make(text):\n    return make(text)\nlook(make(secret))",
}


def looked_at(files: dict[str, str]) -> list[str]:
    """The parts of what `look` is given in the first of the files."""
    sources = [Source(Path(name), name, code.encode()) for name, code in files.items()]
    project = Project(sources)
    file = project.file(sources[0].name)
    assert isinstance(file, PythonFile)
    call = file.calls.named("look")[0]
    return [ast.unparse(part.node) for part in parts(Part(file.names, call.args[0]))]


@pytest.mark.parametrize("code", SURVIVES.values(), ids=SURVIVES)
def test_what_survives(code: str) -> None:
    assert "secret" in looked_at({"service.py": code})


@pytest.mark.parametrize("code", LOST.values(), ids=LOST)
def test_what_is_lost(code: str) -> None:
    assert "secret" not in looked_at({"service.py": code})


def test_functions_of_other_files_are_gone_through() -> None:
    files = {
        "service.py": "from words import say\nlook(say(secret))\n",
        "words.py": "def say(text):\n    return {'text': text}\n",
    }
    assert "secret" in looked_at(files)


def test_nothing_below_a_part_that_is_not_followed() -> None:
    code = b"look(f'{hidden[0]} {shown}')\n"
    file = PythonFile("service.py", ast.parse(code), code)
    call = file.calls.named("look")[0]
    found = parts(Part(file.names, call.args[0]), lambda part: not isinstance(part.node, ast.Subscript))
    assert [ast.unparse(each.node) for each in found][1:] == ["hidden[0]", "shown"]

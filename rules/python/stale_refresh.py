"""A refresh throws the last good data away before it has anything better.

A catalogue, a list of models, a configuration or a token is loaded again and again from somebody who may be gone, or may
answer an error or nothing at all. Where the old data is cleared first, or whatever came is taken without a look, one bad
answer leaves the service with nothing until the next good one, or for ever. Load into a new object, look at it, swap it
in with one assignment, and keep the last good one.
"""

import ast

from readiness.scan import PythonRule
from readiness.scan.code.tree import FunctionDef
from readiness.scan.data.copies import endless_caches, loaded_at_import, stale_imports
from readiness.scan.data.refreshes import BEGINNING, Emptied, emptied, holds_connection, states
from readiness.scan.data.replacements import Replacement, replacements
from readiness.scan.held.ways import FAILED, How, Ways
from readiness.scan.running.lifetimes import is_once


class Rule(PythonRule):
    item = "catalog-refresh-guarded"
    good = [
        "import json\n\nclass Session:\n    def __init__(self):\n        self.path, self.data = None, {}\n\n    def load(self, path):\n        self.path = path\n        self.data = {}\n        with open(path) as file:\n            self.data = json.load(file)\n\n    def find(self, name):\n        return self.data.get(name)\n",
        "class Catalogue:\n    def __init__(self):\n        self.models = {}\n\n    def load(self, client):\n        if not self.models:\n            self.models = client.get('/models').json().get('data', [])\n        return self.models\n",
        "class Catalogue:\n    def __init__(self):\n        self.models = {}\n\n    def load(self, client):\n        answer = client.get('/models')\n        if not answer:\n            return\n        self.models = answer.json().get('data', {})\n\n    def find(self, name):\n        return self.models.get(name)\n",
        "class Catalogue:\n    def __init__(self):\n        self.last_answer = {}\n        self.models = {}\n\n    async def refresh(self, client):\n        self.last_answer = {}\n        self.last_answer = await client.get('/models')\n        self.models = await client.get('/models')\n\n    def find(self, name):\n        return self.models.get(name), self.last_answer\n",
        "class Token:\n    def __init__(self):\n        self.text, self.until = '', None\n\n    async def refresh(self, client):\n        text = (await client.get('/token')).text\n        self.text = text\n        self.until = until(text)\n\n    def find(self):\n        return self.text, self.until\n\ndef until(text):\n    try:\n        return int(text)\n    except ValueError:\n        return None\n",
        "import httpx\n\nclass Catalogue:\n    def __init__(self):\n        self.models = {}\n\n    async def refresh(self, client):\n        answer = await client.get('/models')\n        answer.raise_for_status()\n        self.models = {each['id']: each for each in answer.json()['data']}\n\n    def find(self, name):\n        return self.models.get(name)\n",
    ]
    bad = [
        "class Catalogue:\n    def __init__(self):\n        self.models = {}\n\n    async def refresh(self, client):\n        self.models = (await client.get('/models')).json().get('data', {})\n\n    def find(self, name):\n        return self.models.get(name)\n",
        "import time\n\nclass Catalogue:\n    def __init__(self):\n        self.models, self.at = None, 0\n\n    async def find(self, client, name):\n        if self.models is not None and time.time() - self.at < 60:\n            return self.models.get(name)\n        self.models = await self.load(client)\n        return self.models.get(name)\n\n    async def load(self, client):\n        try:\n            return (await client.get('/models')).json()\n        except Exception:\n            return {}\n",
        "class Catalogue:\n    def __init__(self):\n        self.models = {}\n\n    async def refresh(self, client):\n        self.models.clear()\n        answer = await client.get('/models')\n        for each in answer.json()['data']:\n            self.models[each['id']] = each\n\n    def find(self, name):\n        return self.models.get(name)\n",
        "import json\n\nclass Prices:\n    def __init__(self, table=None):\n        self.table = table or {}\n\nclass Shop:\n    def __init__(self):\n        self.prices = Prices()\n\n    def refresh(self, path):\n        self.prices = read(path)\n\n    def price(self, name):\n        return self.prices.table[name]\n\ndef read(path):\n    try:\n        with open(path) as file:\n            return Prices(json.load(file))\n    except (OSError, ValueError):\n        return Prices()\n",
    ]
    silent = [
        "import json\nfrom pydantic import BaseModel\n\nclass Files(BaseModel):\n    known: dict[str, str] = {}\n\n    def model_post_init(self, context):\n        self.index()\n\n    def index(self):\n        self.known = {}\n        with open('files.json') as kept:\n            for each in json.load(kept):\n                self.known[each['id']] = each['name']\n\n    def find(self, name):\n        return self.known.get(name)\n",
        "import json\n\nclass Policy:\n    def __init__(self, path):\n        self.path, self.stamp = path, None\n\n    def save(self, rules):\n        self.path.write_text(json.dumps(rules))\n        self.stamp = stamp_of(self.path)\n\n    def is_old(self):\n        return stamp_of(self.path) != self.stamp\n\ndef stamp_of(path):\n    try:\n        return hash(path.read_bytes())\n    except OSError:\n        return None\n",
        "class Writer:\n    def __init__(self, session):\n        self.session, self.tab = session, None\n\n    async def show(self, text):\n        self.tab = await spawn_tab(self.session)\n        if self.tab is not None:\n            await self.tab.write(text)\n\nasync def spawn_tab(session):\n    try:\n        return await session.new_tab()\n    except Exception:\n        return None\n",
        "def half(x):\n    return x / 2\n",
        "class Pages:\n    def __init__(self, client):\n        self.client, self.next = client, '/models'\n\n    def __iter__(self):\n        return self\n\n    def __next__(self):\n        if self.next is None:\n            raise StopIteration\n        answer = self.client.get(self.next).json()\n        self.next = answer.get('next', None)\n        return answer\n",
        "class Orders:\n    def __init__(self):\n        self.paths = {}\n\n    def initialize(self, client):\n        self.paths = {}\n        for each in client.get('/paths').json():\n            self.paths[each['id']] = each\n\n    def find(self, name):\n        return self.paths.get(name)\n",
    ]

    def end(self) -> None:
        told: set[ast.AST] = set()
        for state in states(self.file):
            for place in emptied(state):
                if place.function not in told and self.judge_emptied(place):
                    told.add(place.function)
            for replaced in replacements(state):
                self.judge_replacement(replaced)
        for statement, name, module, line in stale_imports(self.file):
            self.flag(
                statement,
                f"{name} is the one of import time here: {module} binds it anew on line {line}; read it from its module",
            )
        for function in endless_caches(self.file):
            self.flag(
                function, f"{function.name}() asks once, and gives the same answer until the service is restarted"
            )
        for each in loaded_at_import(self.file):
            self.flag(
                each,
                "this is asked for while the module is imported: a peer that is down keeps the service from starting",
            )

    def judge_emptied(self, place: Emptied) -> bool:
        """Whether it is flagged; a function that empties several things at once is told so once."""
        ways = Ways(self.file.failures, self.file.guards, place)
        out = ways.out(place.function)
        if not ways.closed or holds_connection(place.state):
            return False
        lost = [each for each in out if each.how is How.RAISE or each.state & FAILED]
        if not (lost or ways.turned & FAILED) or not self.comes_again(place.opening, place.function):
            return False
        self.flag(
            place.opening,
            f"{place.text} is emptied first: when what fills it fails, nothing is left; fill a new one, then swap",
        )
        return True

    def judge_replacement(self, place: Replacement) -> None:
        if not place.fault:
            self.clear(place.node)
        elif self.comes_again(place.node, place.function) and not holds_connection(place.state):
            self.flag(
                place.node, f"{place.fault}, and that replaces the last good {place.state.name}; look at it first"
            )

    def comes_again(self, place: ast.AST, function: FunctionDef) -> bool:
        """Whether there is something to lose: not where data is loaded once, when the service comes up."""
        if self.tree.loop_of(place) is not None:
            return True
        return not self.is_initial(function) and not is_once(self.file, function)

    def is_initial(self, function: FunctionDef) -> bool:
        """Whether only the constructor leads to a function."""
        around = [self.tree.function_of(each) for each in self.callers(function)]
        return bool(around) and all(
            isinstance(each, FunctionDef) and each is not function and (each.name in BEGINNING or self.is_initial(each))
            for each in around
        )

"""Which of bandit's tests can find something at a place, learnt from the tests themselves.

A test is run once on a place of which hardly anything is known (`blank`): each question it asks about names,
keywords and imports is answered with no and written down. If it finds nothing then, it finds nothing wherever all these
answers are no, and need not be run there. A test that asks for more, such as an argument's value, is run everywhere.

So nothing of a test is copied here, and the tests of another version of bandit bring their own questions. Only bandit's
own tests are ever left out; what others add to it may do more than ask.
"""

import ast
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from bandit.core.context import Context

from readiness.scan.bandit.blank import BlankCall, BlankString, Question, Shape, Unknown

Test = Callable[..., Any]
Blank = Callable[[set[Question], str | None], Context]
"""Makes a place that writes the questions into a set; its name may be known."""
Relation = Callable[[str, str], bool]
RELATIONS: dict[str, Relation] = {"has": str.__contains__, "starts": str.startswith, "ends": str.endswith}
KEPT = 20_000
"""Names for which a gate remembers its answer."""


class Gate:
    """The tests of one kind of place, by number, with what each has to hear a yes to before it can find anything."""

    def __init__(self, tests: Sequence[Test], blank: Blank) -> None:
        self.tests = tests
        self.blank = blank
        self.always: set[int] = set()
        self.by_name: set[int] = set()
        """Tests that look a name up in a table cannot be told no: they are asked for each name anew."""
        self.exact: dict[tuple[str, str], set[int]] = {}
        self.others: dict[str, list[tuple[Relation, str, int]]] = {}
        self.imports: list[tuple[Question, int]] = []
        self.known: dict[tuple[str, str], frozenset[int]] = {}
        for number, test in enumerate(tests):
            asked: set[Question] = set()
            if _finds_nothing(test, blank(asked, None)):
                self._add(number, asked)
            elif self._finds_nothing_by_name(number, "name"):
                self.by_name.add(number)
            else:
                self.always.add(number)

    def _add(self, number: int, asked: Iterable[Question]) -> None:
        for question in asked:
            of, relation, word = question
            if of == "imports":
                self.imports.append((question, number))
            elif relation == "is":
                self.exact.setdefault((of, word), set()).add(number)
            else:
                self.others.setdefault(of, []).append((RELATIONS[relation], word, number))

    def _finds_nothing_by_name(self, number: int, name: str) -> bool:
        asked: set[Question] = set()
        return _finds_nothing(self.tests[number], self.blank(asked, name)) and not asked

    def opened(self, imports: Collection[str]) -> frozenset[int]:
        """The tests that look further because of what the file imports."""
        joined = "\0".join(imports)
        return frozenset(
            number
            for question, number in self.imports
            if (question.word in imports if question.relation == "is" else question.word in joined)
        )

    def wanted_for_call(self, name: str, identifier: str) -> frozenset[int]:
        """The tests to run on a call, by its dotted name and by the plain name that stands there."""
        numbers = self.known.get((name, identifier))
        if numbers is None:
            parts = name.split(".")
            texts = [("whole", name), ("first", parts[0]), ("last", parts[-1]), ("identifier", identifier)]
            numbers = self._wanted([*texts, *(("part", part) for part in parts)])
            numbers |= {number for number in self.by_name if not self._finds_nothing_by_name(number, name)}
            if len(self.known) >= KEPT:
                self.known.clear()
            self.known[name, identifier] = numbers
        return numbers

    def wanted_for_string(self, text: str) -> Collection[int]:
        """The tests to run on a string."""
        if ("whole", text) in self.exact:
            return self._wanted([("whole", text)])
        for holds, word, _ in self.others.get("whole", ()):
            if holds(text, word):
                return self._wanted([("whole", text)])
        return self.always

    def _wanted(self, texts: Iterable[tuple[str, str]]) -> frozenset[int]:
        numbers = self.always.copy()
        for each in texts:
            of, text = each
            numbers.update(self.exact.get(each, ()))
            numbers.update(number for holds, word, number in self.others.get(of, ()) if holds(text, word))
        return frozenset(numbers)


class Gates:
    """All gates of a run, each made when it is first asked for."""

    def __init__(self, tests: Mapping[str, Sequence[Test]]) -> None:
        self.tests = tests
        self.calls: dict[tuple[int, bool, bool], Gate] = {}
        self.strings: dict[type[ast.AST], Gate] = {}

    def of_call(self, shape: tuple[int, bool, bool]) -> Gate:
        """By the fields of a Shape: to make one for each call takes longer than the look-up."""
        gate = self.calls.get(shape)
        if gate is None:
            known = Shape(*shape)
            gate = Gate(self.tests.get("Call", ()), lambda asked, name: BlankCall(asked, known, name))
            self.calls[shape] = gate
        return gate

    def of_string(self, parent: type[ast.AST]) -> Gate:
        """For the strings directly below nodes of a type."""
        gate = self.strings.get(parent)
        if gate is None:
            gate = Gate(self.tests.get("Str", ()), lambda asked, _: BlankString(asked, parent))
            self.strings[parent] = gate
        return gate

    def of_file(self, data: bytes) -> list[int]:
        """The tests to run on the text of a file."""
        tests = self.tests.get("File", ())
        return [number for number, test in enumerate(tests) if not (is_own(test) and _finds_no_marks(test, data))]


def is_own(test: Test) -> bool:
    """Whether it comes with bandit."""
    return test.__module__.partition(".")[0] == "bandit"


def _finds_nothing(test: Test, place: Context) -> bool:
    if not is_own(test):
        return False
    try:
        given = [test._config] if hasattr(test, "_config") else []  # noqa: SLF001  so bandit hands it over
        return test(place, *given) is None
    except (Unknown, Exception):  # noqa: BLE001  whatever it does: it has to be run on what is really there
        return False


def _finds_no_marks(test: Test, data: bytes) -> bool:
    """Whether it looks for characters that turn the direction of writing, and there are none.

    Its own way, each character in each line, takes longer than all other tests together.
    """
    marks: Sequence[str] = getattr(sys.modules.get(test.__module__), "BIDI_CHARACTERS", ())
    if not marks or b"coding" in b"".join(data.split(b"\n", 2)[:2]):
        return False
    return data.isascii() or not any(mark.encode() in data for mark in marks)

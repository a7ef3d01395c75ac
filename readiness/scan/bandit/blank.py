"""A place in code of which hardly anything is known, shown to a test of bandit to learn what the test asks.

Questions about names, keywords and imports are answered with no and written down. Whatever else is asked is Unknown.
"""

import ast
from typing import Any, NamedTuple, NoReturn

from bandit.core import context as bandit_context


class Unknown(BaseException):
    """A test asks for what is not known. No Exception, so that no test takes it for a problem of its own."""


class Question(NamedTuple):
    """Whether a text `is` a word, `has` it, or `starts` or `ends` with it."""

    of: str
    """`whole`, its `first`, `last` or any `part`; `identifier`, where a plain name is called; `keyword`; `imports`."""
    relation: str
    word: str


class Shape(NamedTuple):
    """What is known of a call beforehand."""

    arguments: int
    keywords: bool
    plain: bool
    """A name is called, nothing with a dot."""


def _unknown(*_: object) -> NoReturn:
    raise Unknown


_UNKNOWN: Any = _unknown


class _Something:
    """A thing of a known type; all else about it is unknown."""

    def __init__(self, kind: type, **known: object) -> None:
        self.__dict__.update(known, kind=kind)

    asked: set[Question]

    @property  # type: ignore[misc]  # what isinstance looks at
    def __class__(self) -> type:
        return self.__dict__["kind"]  # type: ignore[no-any-return]

    __getattr__ = __getitem__ = __iter__ = __len__ = __bool__ = __contains__ = __call__ = _UNKNOWN
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __hash__ = _UNKNOWN
    __str__ = __repr__ = __format__ = __add__ = __radd__ = __mod__ = _UNKNOWN


class _Text(_Something):
    """A text unlike every other. It writes down what it was compared with."""

    of: str

    def __init__(self, of: str, asked: set[Question]) -> None:
        super().__init__(str, of=of, asked=asked)

    def no(self, relation: str, word: object) -> bool:
        if not isinstance(word, str):
            raise Unknown
        self.asked.add(Question(self.of, relation, word))
        return False

    def __eq__(self, other: object) -> bool:
        return self.no("is", other)

    def __ne__(self, other: object) -> bool:
        return not self.no("is", other)

    __hash__ = _UNKNOWN

    def __contains__(self, word: object) -> bool:
        return self.no("has", word)

    def startswith(self, word: object) -> bool:
        return self.no("starts", word)

    def endswith(self, word: object) -> bool:
        return self.no("ends", word)

    def split(self, separator: object) -> "_Parts":
        if separator != "." or self.of != "whole":
            raise Unknown
        return _Parts(list, asked=self.asked)


class _Parts(_Something):
    """The parts of a dotted name."""

    def __getitem__(self, index: object) -> _Text:
        if index not in {0, -1}:
            raise Unknown
        return _Text("last" if index else "first", self.asked)

    def __contains__(self, word: object) -> bool:
        return _Text("part", self.asked).no("is", word)


class _Several(_Something):
    """Arguments: how many there are is known."""

    length: int

    def __len__(self) -> int:
        return self.length

    def __bool__(self) -> bool:
        return len(self) > 0


class _Keywords(_Something):
    """Arguments with names: which names is asked."""

    def __contains__(self, word: object) -> bool:
        return _Text("keyword", self.asked).no("is", word)


class _Blank(bandit_context.Context):  # type: ignore[misc]  # bandit has no types
    """Nothing is known but what a child says: all that bandit itself says comes out of `_context`."""

    _context = property(_UNKNOWN)

    def __init__(self, asked: set[Question]) -> None:
        self.asked = asked

    def is_module_imported_exact(self, module: str) -> bool:
        return _Text("imports", self.asked).no("is", module)

    def is_module_imported_like(self, module: str) -> bool:
        return _Text("imports", self.asked).no("has", module)


class BlankCall(_Blank):
    """A call of a shape, and of a name or of one that is unlike every other."""

    def __init__(self, asked: set[Question], shape: Shape, name: str | None) -> None:
        super().__init__(asked)
        self.shape = shape
        self.name = name
        called = _Something(ast.Name, id=_Text("identifier", asked)) if shape.plain else _Something(ast.Attribute)
        keywords: object = _Something(list) if shape.keywords else []
        self.known = _Something(ast.Call, func=called, keywords=keywords, args=self.call_args)

    @property
    def node(self) -> _Something:
        return self.known

    @property
    def call_function_name(self) -> _Text | str:
        return _Text("last", self.asked) if self.name is None else self.name.split(".")[-1]

    @property
    def call_function_name_qual(self) -> _Text | str:
        return _Text("whole", self.asked) if self.name is None else self.name

    @property
    def call_args(self) -> object:
        return _Several(list, length=self.shape.arguments) if self.shape.arguments else []

    @property
    def call_args_count(self) -> int:
        return self.shape.arguments

    @property
    def call_keywords(self) -> object:
        return _Keywords(dict, asked=self.asked) if self.shape.keywords else {}


class BlankString(_Blank):
    """A string directly below a node of a type."""

    def __init__(self, asked: set[Question], parent: type[ast.AST]) -> None:
        super().__init__(asked)
        self.known = _Something(ast.Constant, _bandit_parent=_Something(parent))

    @property
    def node(self) -> _Something:
        return self.known

    @property
    def string_val(self) -> _Text:
        return _Text("whole", self.asked)

"""Which values are secrets: by what they are called, and by what is known of the value.

The head of a name decides: `api_key` is a secret, `api_key_name`, `token_count` and `has_password` are none. A bare
`token` may be a word of a text as well: it counts only where it comes from the environment, a header or a settings
object, or where the file deals with authorization.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from enum import IntEnum
from functools import cache

from readiness.scan.code.names import Names
from readiness.scan.code.parts import Part
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import below, last_name, text_of


class Secrecy(IntEnum):
    """How sure a name is to stand for a secret."""

    NONE = 0
    MAYBE = 1
    """A token, of which nobody knows whether it opens anything."""
    SURE = 2


SECRETS = {
    "password", "passwords", "passwd", "passphrase", "passcode", "secret", "secrets", "credential", "credentials",
    "apikey", "apikeys", "authorization", "bearer", "accesstoken", "refreshtoken", "authtoken", "apitoken",
    "privatekey",
}  # fmt: skip
KEYS = {
    "api", "secret", "private", "access", "signing", "encryption", "auth", "master", "subscription", "admin", "jwt",
    "hmac", "fernet", "service", "ssh", "rsa",
}  # fmt: skip
"""What stands before `key` in the name of a secret."""
TOKENS = {
    "access", "refresh", "auth", "bearer", "session", "api", "bot", "jwt", "oauth", "oauth2", "admin", "client",
    "service", "security", "personal", "hf", "github", "gitlab", "slack", "discord", "telegram", "login", "secret",
    "webhook", "sas", "identity", "installation", "deploy", "id", "user", "device", "registration", "agent",
    "authorization", "jupyter", "request", "decrypted", "provider", "upstream", "gateway", "workspace", "cloud",
    "mqtt", "vault", "root", "management",
}  # fmt: skip
"""What stands before `token` in the name of a secret."""
AMBIGUOUS = (["token"], ["secret"])
"""A token may be a word of a text, a secret the name of one."""
DENYING = {
    "has", "have", "is", "are", "use", "uses", "using", "needs", "need", "require", "requires", "required", "no",
    "not", "missing", "invalid", "valid", "should", "can", "with", "without", "show", "allow", "enable", "enabled",
    "disable", "disabled", "num", "n", "max", "min", "count", "total", "hashed", "hash", "encrypted", "masked",
    "redacted", "obfuscated", "hidden", "public", "safe", "supports", "expected", "conf", "attr", "env", "default",
    "forgot", "dummy", "fake", "sanitized", "censored", "skip", "unknown", "wrong", "if", "verify", "verified",
    "validate", "check", "bad",
}  # fmt: skip
"""What a name begins with that says something about a secret."""
JOINTS = {"by", "for", "of", "from", "per", "with", "without", "to", "in", "on", "as", "or", "and", "via"}
"""What ends the head of a name: `hash_by_api_key` is a hash."""
TRAILING = {"str", "value", "raw", "plain", "plaintext", "text", "string", "bytes"}
GETTING = {"get", "fetch", "load", "read", "generate", "create", "decrypt", "retrieve", "resolve", "make", "new"}
HIDING = (
    "mask", "redact", "hash", "sanit", "obfus", "anonym", "censor", "hide", "scrub", "fingerprint", "digest",
    "encrypt", "safe", "trunc", "preview", "shorten", "abbrev", "partial", "conceal", "strip_secret", "secure",
    "sha256", "md5", "clean", "filter", "hmac", "checksum", "last4", "last_four", "remove_", "without_",
)  # fmt: skip
"""What is in the name of a function that hides what it is given."""
PLAIN = {
    "bool", "int", "float", "len", "isinstance", "type", "hash", "id", "any", "all", "sum", "min", "max", "round",
    "callable", "hasattr", "issubclass", "range", "object", "complex", "enumerate", "zip",
}  # fmt: skip
"""Builtins whose result is no text of their arguments."""
OPENING = {"open", "isfile", "exists", "Path", "expanduser", "from_file", "load_cert_chain", "is_file"}
"""Calls that are given the path of a file."""
OF_REPLIES = {"access_token", "refresh_token", "id_token", "token_type", "expires_in", "expires_at", "scope"}
"""Keys of the reply that a token comes in: who shows that reply shows the token."""
OPEN = {"challenge", "chall", "csrf", "page", "pagination"}
"""What has tokens that are shown to whoever asks: the challenges of ACME, pages of a list."""
SHORT = {"token", "secret", "pat", "key", "pass", "pwd", "auth", "pw"}
"""What a secret may be called at the end of the name of a variable of the environment."""
FROM_OUTSIDE = ("os.environ", "os.getenv", "getpass.getpass", "keyring.get_password")


def words(name: str) -> list[str]:
    """`api`, `key` of `apiKey`, `API_KEY`, `x-api-key`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [each for each in re.split(r"[^a-zA-Z0-9]+", spaced.lower()) if each]


@cache
def secrecy(name: str) -> Secrecy:
    """What a name says of its value."""
    found = words(name)
    joint = next((at for at, word in enumerate(found) if at and word in JOINTS), len(found))
    found = found[:joint]
    while found and (found[-1] in TRAILING or found[-1].isdigit()):
        found.pop()
    if (
        not found
        or found[0] in DENYING
        or (len(found) > 1 and found[-2] in {"hashed", "encrypted", "masked", "public"})
    ):
        return Secrecy.NONE
    last, before = found[-1], found[-2] if len(found) > 1 else ""
    if found in AMBIGUOUS:
        return Secrecy.MAYBE
    several = {"access", "refresh", "api", "auth", "bearer"}
    sure = (
        last in SECRETS
        or (last in {"key", "keys"} and before in KEYS)
        or (last == "token" and before in TOKENS)
        or (last == "tokens" and before in several)
    )
    return Secrecy.SURE if sure else Secrecy.NONE


@cache
def denies(name: str) -> bool:
    """Whether a name speaks of a secret and stands for something else: `api_key_hash`, `token_count`."""
    found = words(name)
    return not secrecy(name) and any(secrecy("_".join(found[:end])) for end in range(1, len(found)))


def called(node: ast.expr) -> str:
    """What a value is called where it stands: a name, an attribute, a key, what a getter gets."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=index):
            return text_of(index) or last_name(index).removeprefix("CONF_")
        case ast.Call(func=ast.Attribute(value=value, attr="get_secret_value")):
            return called(value) or "secret"
        case ast.Call(func=ast.Attribute(attr="get" | "pop" | "getenv"), args=[first, *_]):
            return text_of(first) or last_name(first).removeprefix("CONF_")
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
            return name
        case ast.Call(func=ast.Name(id="getenv"), args=[ast.Constant(value=str(name)), *_]):
            return name
        case ast.Call(func=func, args=args):
            verb, _, rest = last_name(func).partition("_")
            asked = text_of(args[0]) if args else None
            return (asked or rest) if verb in GETTING else ""
        case ast.Await(value=inner):
            return called(inner)
        case _:
            return ""


def hides(call: ast.Call) -> bool:
    """Whether a call's name says that its result shows little of what it is given."""
    name = last_name(call.func)
    return name in PLAIN or any(word in name.lower() for word in HIDING)


class Secrets:
    """Which expressions of a file are secrets."""

    def __init__(self, names: Names, data: bytes) -> None:
        self.names = names
        lower = data.lower()
        deals = any(
            word in lower for word in (b"authorization", b"bearer", b"oauth", b"jwt", b"access_token", b"api_key")
        )
        reads_text = any(word in lower for word in (b"tokeniz", b"lexer", b"tiktoken", b"parser.token"))
        self.authorizes = deals and not reads_text

    def named(self, part: Part) -> str:
        """What a secret is called; empty for what is none, or not surely one."""
        node = part.node
        name = called(node)
        found = secrecy(name) if name else Secrecy.NONE
        if found is Secrecy.NONE or self.is_plain(part.names, node) or self.is_record(part.names, node, name):
            return ""
        if found is Secrecy.MAYBE and not self.comes_from_outside(part.names, node):
            return name if self.authorizes and words(name) == ["token"] else ""
        return name

    def keyed(self, part: Part) -> str:
        """The key of a dict under which a secret is kept, whatever the value is called."""
        pairs: Iterable[tuple[str, ast.expr]] = ()
        if isinstance(part.node, ast.Dict):
            pairs = ((text_of(key) or "", value) for key, value in zip(part.node.keys, part.node.values, strict=True))
        elif isinstance(part.node, ast.Name):
            pairs = ((each.key or "", each.value) for each in part.names.scopes.stored(part.node))
        return next((key for key, value in pairs if self.keeps(part.names, key, value)), "")

    def keeps(self, names: Names, key: str, value: ast.expr) -> bool:
        if secrecy(key) is not Secrecy.SURE and words(key) != ["pass"]:
            return False
        plain = self.shows_nothing(names, value) or self.is_plain(names, value) or denies(called(value))
        return not plain

    def comes_from_outside(self, names: Names, node: ast.expr) -> bool:
        if not any(origin.startswith(FROM_OUTSIDE) for origin in names.origins(node)):
            return False
        asked = [called(each) for each in names.values(node)]
        return not all(each.isupper() and is_harmless(each) for each in asked)

    def is_record(self, names: Names, node: ast.expr, name: str) -> bool:
        """Whether what is called a token is a record about one: the claims in it, or an object with its dates."""
        if words(name)[-1] not in {"token", "authorization"} or not isinstance(node, ast.Name | ast.Attribute):
            return False
        around, this = names.tree.function_of(node) or names.tree.module, ast.unparse(node)
        taken = [
            each
            for each in below(around)
            if isinstance(each, ast.Subscript | ast.Attribute)
            and type(each.value) is type(node)
            and last_name(each.value) == last_name(node)
            and ast.unparse(each.value) == this
        ]
        keys = {text_of(each.slice) or "" for each in taken if isinstance(each, ast.Subscript)}
        if keys:
            return not any(not key or key in OF_REPLIES or secrecy(key) for key in keys)
        fields = {
            each.attr
            for each in taken
            if isinstance(each, ast.Attribute) and not isinstance(names.tree.parents[each], ast.Call)
        }
        return bool(fields) and secrecy(name) is Secrecy.MAYBE and not any(secrecy(each) for each in fields)

    def is_plain(self, names: Names, node: ast.expr, depth: int = 0) -> bool:
        """Whether the value is known to be no secret: a constant, a flag, a number, an object, a masked text."""
        origins = names.origins(node)
        if (origins and all(is_object(origin) for origin in origins)) or is_open(node):
            return True
        match node:
            case ast.Name():
                return self.is_plain_name(names, node, depth)
            case ast.Attribute(attr=attr) if attr.isupper():
                return self.is_plain_constant(names, node)
            case _:
                return False

    def is_plain_constant(self, names: Names, node: ast.Attribute) -> bool:
        """`Kind.PASSWORD`: a member of a class that is bound to a text, or of one that nobody knows."""
        owners = [each for origin in names.origins(node.value) for each in names.defined(origin.removesuffix("()"))]
        members = [
            found
            for each in owners
            if isinstance(each.node, ast.ClassDef)
            for _, found in each.names.members(each.node, node.attr)
        ]
        members += names.of_module(node)
        if members:
            return all(isinstance(value, ast.Constant) for value in members)
        return last_name(node.value)[:1].isupper() and not self.comes_from_outside(names, node)

    def is_plain_name(self, names: Names, node: ast.Name, depth: int) -> bool:
        bindings = names.bindings(node)
        kinds = {each.how for each in bindings}
        if not bindings or kinds == {How.IMPORT}:
            return node.id.isupper() and not self.comes_from_outside(names, node)
        if kinds <= {How.FUNCTION, How.CLASS}:
            return True
        if kinds == {How.ELEMENT}:
            return secrecy(node.id) is Secrecy.MAYBE
        if kinds == {How.PARAMETER}:
            numbers = all(isinstance(each.node, ast.arg) and _is_number(each.node) for each in bindings)
            return numbers or self.is_opened(names, node)
        if depth > 3 or kinds != {How.VALUE}:
            return False
        return all(isinstance(each.node, ast.expr) and self.shows_nothing(names, each.node, depth) for each in bindings)

    def is_opened(self, names: Names, node: ast.Name) -> bool:
        """Whether the function opens what a parameter holds: then it is the path of a file."""
        function = names.tree.function_of(node) or names.tree.module
        calls = (each for each in below(function) if isinstance(each, ast.Call) and last_name(each.func) in OPENING)
        return any(isinstance(given, ast.Name) and given.id == node.id for call in calls for given in call.args)

    def shows_nothing(self, names: Names, value: ast.expr, depth: int = 0) -> bool:
        """Whether what a name is bound to is no secret, whatever the name says."""
        match value:
            case (
                ast.Constant()
                | ast.Compare()
                | ast.UnaryOp(op=ast.Not())
                | ast.Lambda()
                | ast.Subscript(slice=ast.Slice())
            ):
                return True
            case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
                return True  # what is in it decides
            case ast.Call(func=func, args=args):
                changed = last_name(func) in {"sub", "str"} and any(is_open(each) for each in args)
                return changed or hides(value) or last_name(func) in {"open", "compile", "set"}
            case ast.Subscript() | ast.Attribute():
                return is_open(value)
            case ast.IfExp(body=one, orelse=other):
                return self.shows_nothing(names, one, depth) and self.shows_nothing(names, other, depth)
            case ast.JoinedStr(values=values):
                shown = [each.value for each in values if isinstance(each, ast.FormattedValue)]
                return all(self.shows_nothing(names, each, depth) for each in shown)
            case ast.Name():
                return self.is_plain_name(names, value, depth + 1)
            case ast.Await(value=inner):
                return self.shows_nothing(names, inner, depth)
            case _:
                return False


def _is_number(param: ast.arg) -> bool:
    return isinstance(param.annotation, ast.Name) and param.annotation.id in {"bool", "int", "float"}


def is_open(value: ast.expr) -> bool:
    """`challenge["token"]`: of something that is shown to whoever asks."""
    return isinstance(value, ast.Subscript | ast.Attribute) and bool(OPEN & set(words(last_name(value.value))[-1:]))


def is_harmless(variable: str) -> bool:
    """Whether a variable of the environment is called after something else than a secret."""
    return not secrecy(variable) and not denies(variable) and not SHORT & set(words(variable)[-1:])


def is_object(origin: str) -> bool:
    """Whether what has this origin is an object that shows no secret when it is printed: no text and no container."""
    kind = origin.removesuffix("()")
    if kind == origin or origin.endswith(".get_secret_value()"):
        return False
    last = re.split(r"[.:]", kind.rstrip(">"))[-1]
    return kind in PLAIN or (last[:1].isupper() and kind not in {"typing.Any", "typing.Dict", "typing.Mapping"})

"""Which names stand for secrets.

The head of a name decides: `api_key` is a secret, `api_key_name`, `token_count` and `has_password` are none. A bare
`token` may be a word of a text as well: it counts only where it comes from the environment, a header or a settings
object, or where the file deals with authorization.
"""

from __future__ import annotations

import ast
import re
from enum import IntEnum
from functools import cache

from readiness.scan.code.tree import last_name, text_of


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
TRAILING = {
    "str", "value", "raw", "plain", "plaintext", "text", "string", "bytes", "pem", "der", "hex", "b64", "base64",
}  # fmt: skip
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

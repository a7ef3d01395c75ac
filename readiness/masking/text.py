"""What looks like a secret in a text: by how it begins, by what it is given to, by being random.

In doubt a value is masked; words that are no secret stay readable wherever the name tells (`max_tokens`, `author`).
"""

import re

MASK = "***"
OPENLY = frozenset("abcdefghijklmnopqrstuvwxyz ,.")
"""A text of these alone has no secret: none of the patterns fits one, and to compile them takes time."""

# Patterns are compiled when a text is first masked, which most scans of a hook never come to.
PREFIXED = (
    r"\b(?:(?:(?:sk|pk|rk)[-_]|hf_|gsk_|xai-|nvapi-|glpat-|npm_|pypi-|dop_v1_|shpat_|sq0\w{3}-|xox[a-z]-|gh[a-z]_|github_pat_)"
    r"(?=[\w-]*[0-9A-Z])[\w-]{10,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{10,}|eyJ[\w-]{8,}(?:\.[\w-]*){0,2}"
    r"|hooks\.slack\.com/services/[\w/]+)"
)
"""Keys and tokens that say by how they begin what they are."""
SCHEME = r"\b((?i:bearer|basic|token)\s+)(?=[\w.+/~-]*(?:\d|[a-z][A-Z]))[\w.+/~-]{6,}=*"
ALONE = r"(?i)(?<=['\"])((?:bearer|basic|token)\s+)([\w.+/~-]{6,}=*)(?=['\"])"
"""A literal of nothing but a scheme and what follows it."""
USERINFO = (
    r"(://[^\s:/@'\"]*:)(?!\d+(?:$|/)|\*)[^\s@'\"/]+(?=@|$)|((?:nats|tls)://)[\w-]+(?=@)"
    r"|(://)(?=\w*\d)\w{16,}(?=@)"
)
QUERY = r"(?i)([?&](?:sig|[\w-]*signature)=)[^&\s'\"*]+"
COOKIE = r"(?i)(\b(?:set-)?cookie\b\W{1,5}[\w.-]+=)[^\s;'\",*]+"
LOGIN = r"((?:\s-u|--user)[ =]['\"]?[\w.-]+:)[^\s'\"*{$<]+"
BLOCK = r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*"
CALLED = (
    r"(?i)((?:\bhmac\.new\(|\bFernet\(|\bjwt\.(?:en|de)code\([^'\",]*,|(?:\bauth\s*=\s*\(|Auth\()\s*['\"][^'\"]*['\"]\s*,)"
    r"\s*(?:key\s*=\s*)?[rbfu]{0,2})(['\"])((?:(?!\2).)+)"
)
"""What is given to a function that takes a key there."""
NAME = (
    r"(?<![\w-])-{0,2}(?=[\w-]*(?i:pass|pwd|secret|token|key|cred|auth))"
    r"(?P<name>[A-Za-z_][\w-]*(?<!-))"
)
QUOTED = (
    "(?i)" + NAME + r"(?P<joint>"
    r"(?:\\*['\"])?\]?\s*(?::\s*[\w.\[\]| ]+?\s*=(?!=)|[=!]=|:=|=|:|\bin\s)\s*"
    r"|(?<=Str|ord|ret|ken)\(|\\*['\"]\)\s*or\s+|\\*['\"]\s*,\s*(?:default\s*=\s*)?)"
    r"(?:\w*(?:Secret\w*|Field)\(\s*(?:default\s*=\s*)?|[(\[]\s*|\{\s*(?:'[^']*'|\"[^\"]*\")\s*:\s*)?[rbfu]{0,2}"
    r"(?P<quote>\\*(?:'''|\"\"\"|['\"]))(?P<value>(?:(?!(?P=quote))(?:\\.|.))+)"
)
"""A literal that is given to, or compared with, something that has a name."""
BEFORE = r"(['\"])(?P<value>(?:(?!\1)(?:\\.|.)){1,200})\1\s*[=!]=\s*(?:\w+\.)*(?P<name>\w+)\b"
"""A literal that stands before what it is compared with."""
BARE = (
    NAME + r"(?P<sign>\s*[=:]\s*|\s+)"
    r"(?P<value>[^\s'\"`,;&()\[\]{}<>$*=:\\][^\s'\"`,;&()\[\]{}<>$*]*)(?![\w([.])"
)
"""A value without quotes: of a query, a form, a header, the environment, a command line."""
CONDITION = r"\b(?:if|elif|not|while|and|or|is|in|lambda|with|for)\s+[\w.]*$"
LITERAL = r"(['\"])(?:\\.|(?!\1).)+(?:\1|$)"
LONG = r"(?<=['\"])[\w+/=-]{24,}(?=['\"]|$)"
UUID = r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TRACE = r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
STAND_IN = r"(?i)\{[^{}]*\}|<[^<>]*>|\$\{?\w+\}?|%\(?\w*\)?s|\*+|\b(?:bearer|basic|token)\b"
"""What stands for a value: placeholders of texts, of settings, of a shell."""

ENDS = ("password", "passwd", "passphrase", "passcode", "pwd", "secret", "apikey", "token", "credential")
"""How the last word of a secret's name ends, as in `dbpassword`."""
WORDS = {"pass", "auth", "authorization", "passwords", "secrets", "credentials", "apikeys", "creds"}
KEYS = {
    "api", "secret", "private", "access", "signing", "encryption", "auth", "master", "account", "admin", "jwt", "hmac",
    "service", "client", "upstream", "provider", "subscription", "billing",
}  # fmt: skip
"""What stands before `key` in the name of a secret."""
OF_TOKENS = {"access", "refresh", "api", "auth", "bearer", "session"}
"""What stands before `tokens` there."""
OF_TEXT = {
    "stop", "eos", "bos", "pad", "unk", "sep", "cls", "mask", "max", "min", "next", "first", "last", "special",
    "start", "end", "image", "page", "continuation", "per", "num", "prompt", "completion", "total",
}  # fmt: skip
"""Before `token`: a piece of a text, or a place in a list."""
TRAILING = {"str", "value", "raw", "plain", "text", "string", "bytes", "default", "id"}
OPEN = {
    "none", "null", "true", "false", "required", "optional", "missing", "invalid", "expired", "basic", "bearer",
    "oauth", "oauth2", "oidc", "jwt", "string", "str", "auth", "token", "password", "n", "x",
}  # fmt: skip
"""Values that open nothing."""
SHORTEST = 6
"""Characters of a value without quotes."""
LONGEST_WORD = 20
"""Letters from which a value without quotes is no word any more."""
MIXED = 16
"""Characters of letters and digits that no name has in one piece."""


def masked(text: str) -> str:
    """The text without what looks like a secret; masking twice changes nothing."""
    if OPENLY.issuperset(text):
        return text
    text = re.sub(BLOCK, MASK, text)
    text = re.sub(PREFIXED, MASK, text)
    text = re.sub(USERINFO, lambda found: f"{found[1] or found[2] or found[3]}{MASK}", text)
    text = re.sub(SCHEME, rf"\1{MASK}", text)
    text = re.sub(ALONE, lambda found: found[0] if harmless(found[2]) else f"{found[1]}{MASK}", text)
    for pattern in (QUERY, COOKIE, LOGIN):
        text = re.sub(pattern, rf"\1{MASK}", text)
    text = re.sub(CALLED, rf"\1\2{MASK}", text)
    text = re.sub(QUOTED, lambda found: _without(found) if _is_given(found) else found[0], text)
    text = re.sub(BEFORE, lambda found: _without(found) if _is_compared(found) else found[0], text)
    text = re.sub(BARE, lambda found: _without(found) if _is_bare(found) else found[0], text)
    return re.sub(LONG, lambda found: MASK if _is_random(found[0]) else found[0], text)


def names_secret(name: str) -> bool:
    """Whether what is called so is a secret: its last word tells."""
    found = words(name)
    while found and (found[-1] in TRAILING or found[-1].isdigit()):
        found.pop()
    if not found:
        return False
    last, before = found[-1], found[-2] if len(found) > 1 else ""
    if last in {"key", "keys"}:
        return before in KEYS
    if last in {"token", "tokens"} and (before in OF_TEXT or last == "tokens"):
        return before in OF_TOKENS
    return last in WORDS or last.endswith(ENDS)


def words(name: str) -> list[str]:
    """`api`, `key` of `apiKey`, `API_KEY`, `x-api-key`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [each for each in re.split(r"[^a-zA-Z0-9]+", spaced.lower()) if each]


def harmless(value: str) -> bool:
    """Whether a value that is given to a secret says nothing: a placeholder, a word of everyday use, an option."""
    return value.lower() in OPEN or value.startswith("-") or not re.search(r"\w", re.sub(STAND_IN, "", value))


def _without(found: re.Match[str]) -> str:
    """A match without its value."""
    start, end = (each - found.start() for each in found.span("value"))
    return f"{found[0][:start]}{MASK}{found[0][end:]}"


def _is_given(found: re.Match[str]) -> bool:
    if not names_secret(found["name"]) or harmless(found["value"]):
        return False
    before = found.string[: found.start()].rstrip("\\'\" ")
    joint = found["joint"].lstrip("\\'\"] ")
    if joint.startswith(":") and not joint.endswith("="):
        return not re.search(CONDITION, found.string[: found.start()])
    if joint.startswith("("):  # `Password("...")`; a function is asked about a secret, and not given one
        return found["name"][:1].isupper() and found["name"].endswith(("Str", "Password", "Secret", "Token"))
    if joint.startswith(","):
        return before.endswith("(") or found[0].startswith("-") or bool(re.search(r"[\w)\]]\s*,$", before))
    return True


def _is_compared(found: re.Match[str]) -> bool:
    return names_secret(found["name"]) and not harmless(found["value"])


def _is_bare(found: re.Match[str]) -> bool:
    name, sign, value = found["name"], found["sign"], found["value"]
    before, after = found.string[: found.start()], found.string[found.end() :]
    if not sign.strip():
        return found[0].startswith("--") and names_secret(name) and not harmless(value)
    given = name.isupper() and words(name)[-1:] == ["key"] and _is_mixed(value)
    if harmless(value) or not (given or names_secret(name)):
        return False
    if before.endswith(("?", "&")) or after.startswith("&"):
        return True
    if ":" in sign and re.match(r"\s*[=,)|]", after):  # what a parameter is declared to be
        return False
    return len(value) >= SHORTEST and (bool(re.search(r"\d", value)) or len(value) >= LONGEST_WORD)


def _is_random(value: str) -> bool:
    """Whether a literal is long and mixed, as keys are and names of models are not."""
    if re.search(UUID, value) or re.fullmatch(TRACE, value):
        return False
    mixed = [each for each in re.split(r"[-_/=+]", value) if _is_mixed(each)]
    return len(mixed) > 2 or any(len(each) >= MIXED for each in mixed)


def _is_mixed(piece: str) -> bool:
    return any(map(str.isdigit, piece)) and any(map(str.isalpha, piece))

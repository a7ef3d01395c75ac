"""A credential file can be read by others.

Whatever else runs on the machine, under whatever account, reads the file and is you from then on. The mode travels with
the file into archives, images and mounts. So: chmod 600 FILE, and renew the secret where others could have read it. A
file that is committed is read by everyone who has the repository, and every checkout gives it an open mode again: take
it out and renew what is in it.

Looked at are settings with secrets (.env and its kin, but not .env.example, .sample, .template, .dist), private keys
(*.pem, *.key, id_*), key stores, *credentials*.json and service accounts, .netrc, .pgpass, .pypirc, .npmrc and their
kin, NATS credentials and seeds, kubeconfigs and token files, hidden folders such as .ssh included. A link is judged by
what it leads to. What counts is what is in the file, within its first 64 KiB: a certificate, a public key, a .env of
plain settings and an empty file hold no secret. Nor does a placeholder ("changeme", "your-key-here"), a reference
(${VAULT_KEY}, op://..., a path, encrypted values) or what browsers are given anyway (NEXT_PUBLIC_...).

At fault is every right of the group or of others, with one exception: a file of root that its group may read and nobody
else (0640, 0440), as orchestrators mount secrets for a service that is not root. The rights of the folders around the
file do not count: they do not travel with it. A file that we may not read and nobody else may either is private.

No verdict, with the reason: systems other than POSIX, file systems that keep no modes (FAT, NTFS, network shares, the
Windows drives of WSL; told from the table of mounts on Linux), and files with open modes that we may not read.
"""

import re
import shlex
import stat
from collections.abc import Callable

from readiness.scan import FileRule

OTHERS = stat.S_IRWXG | stat.S_IRWXO
RIGHTS = {stat.S_IROTH: "read", stat.S_IWOTH: "change", stat.S_IXOTH: "run"}
TEMPLATE = {"example", "sample", "template", "tmpl", "tpl", "dist", "schema"}
"""Words in the name of a file that shows the form."""

Reader = Callable[[str], int | None]
"""Where in a text the first secret stands."""

PASSWORD = re.compile(r"(?:password|passwd|passphrase|secret|credential)s?$|^(?:pass|pwd)$")
KEY = re.compile(r"tokens?$|^keys?$|(?:api|access|private|signing|master)keys?$")
NO_SECRET = {
    "file", "path", "dir", "folder", "url", "uri", "host", "port", "endpoint", "header", "name", "names", "id", "ids",
    "arn", "ttl", "expire", "expires", "expiry", "expiration", "lifetime", "age", "timeout", "minutes", "seconds",
    "hours", "days", "limit", "limits", "budget", "max", "min", "length", "len", "size", "count", "rate", "per",
    "type", "kind", "format", "algorithm", "alg", "algo", "prefix", "suffix", "enabled", "enable", "required",
    "rotation", "interval", "policy", "issuer", "audience", "scope", "scopes", "version", "provider", "store",
    "manager", "backend", "driver", "source", "hash", "fingerprint", "model", "column", "field", "param", "index",
    "map", "mapping", "hint", "label", "title", "description", "region", "bucket", "vault", "class", "mode",
    "strategy", "usage", "ref", "refs",
}  # fmt: skip
"""After a word for a secret, one of these makes it something else: TOKEN_LIMIT, API_KEY_HEADER, SECRET_NAME."""
PUBLISHED = {"public", "publishable", "pub", "vite"}
PLACEHOLDER = re.compile(
    r"""^your | (?:^|[-_ ])your[-_ ] | (?:change|replace|fill)[-_ ]?(?:me|this|it|with|in) | (?:insert|enter|put|add)[-_ ]
    | placeholder | example | dummy | fake | redacted | todo | fixme | (?:^|[-_ ])(?:here|provided)$
    | \.\.\. | … | x{4} | \*{3}
    | not?[-_ ]?(?:key|set|needed|used|required) | ^test(?:ing)?(?:[-_]\w+)?$ | ^(.)\1*$
    | ^(?:true|false|yes|no|on|off|none|null|nil|undefined|unset|empty|disabled|n/?a)$""",
    re.VERBOSE | re.IGNORECASE,
)
REFERENCE = re.compile(
    r"""^\$(?:\{|\(|[a-z_]) | ^\{\{ | ^<.*>$ | ^%\( | ^%\w+%$ | ^!(?:vault|secret|env|ref|sub|include)\b
    | ^[a-z][a-z0-9+.-]*:// | ^projects/
    | ^(?:arn|vault|env|file|ref|secretref|sops|enc|encrypted)[:\[(] | ^[|>][-+]?$
    | ^(?:~|\.{1,2}|[a-z]:)?[/\\][^/\\\s]{0,36}(?:[/\\][^/\\\s]{0,36})*$
    | ^[\w./-]+\.(?:json|pem|key|txt|ya?ml|toml|p12|pfx|jks|crt|creds|nk)$""",
    re.VERBOSE | re.IGNORECASE,
)
LOGIN = re.compile(
    r"[a-z][a-z0-9+.-]{1,20}://[^\s/:@]*:(?P<url>[^\s/@]+)@"
    r"|(?:password|pwd|accountkey|accesskey)=(?P<value>[^;&\s\"']+)",
    re.IGNORECASE,
)
ISSUED = re.compile(
    r"(?:sk-|sk_live_|rk_live_|gsk_|hf_|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|npm_|pypi-|AIza)[\w-]{16,}$"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]+\.[\w-]+$"
)
"""Forms in which providers hand out keys, whatever the setting is called."""
ARMOR = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:(?!-----).){0,400}?[A-Za-z0-9+/=]{40}"
    r"|^PuTTY-User-Key-File-",
    re.DOTALL,
)


def is_real(value: str) -> bool:
    return bool(value) and not PLACEHOLDER.search(value) and not REFERENCE.search(value)


def is_secret(name: str, value: str) -> bool:
    """Whether a setting of that name gives away something with that value."""
    if ARMOR.search(value):
        return True
    if login := LOGIN.search(value):
        return is_real(login["url"] or login["value"])
    if re.search(r"\s", value) or not is_real(value):
        return False
    if ISSUED.match(value):
        return not is_published(name)
    sort = secret_word(name)
    number = value.replace(".", "").replace("_", "").isdigit()
    return sort is PASSWORD or (sort is KEY and len(value) >= 8 and not number)


def words(name: str) -> list[str]:
    """`clientSecret`, `CLIENT_SECRET` and `client-secret` alike."""
    return [each.lower() for each in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def is_published(name: str) -> bool:
    return bool(PUBLISHED & set(words(name))) or name.upper().startswith("REACT_APP_")


def secret_word(name: str) -> re.Pattern[str] | None:
    """PASSWORD or KEY, by the last word for a secret in the name."""
    if is_published(name):
        return None
    for word in reversed(words(name)):
        if word in NO_SECRET:
            return None
        for sort in (PASSWORD, KEY):
            if sort.search(word):
                return sort
    return None


SETTING = re.compile(
    r"""^[ \t]*(?:export[ \t]+|-[ \t]+)?["']?(?P<name>[A-Za-z_][\w.-]*)["']?[ \t]*[=:][ \t]*"""
    r"""(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\n]*))""",
    re.MULTILINE | re.DOTALL,
)
MEMBER = re.compile(r'"(?P<name>[^"\\\s]{1,80})"\s*:\s*"(?P<value>(?:[^"\\]|\\.)*)"')


def settings(text: str) -> int | None:
    """`NAME=value`, `name: value`, in .env files, ini, TOML and YAML."""
    for match in SETTING.finditer(text):
        bare = re.sub(r"(?:^|\s)#.*", "", match["bare"] or "").strip().rstrip(",;")
        if is_secret(match["name"], match["double"] or match["single"] or bare):
            return match.start("name")
    return None


def members(text: str) -> int | None:
    """`"name": "value"`, at any depth."""
    return next((match.start() for match in MEMBER.finditer(text) if is_secret(match["name"], match["value"])), None)


def values(form: str) -> Reader:
    """Values that stand where a secret belongs."""
    pattern = re.compile(form, re.MULTILINE)
    return lambda text: next((match.start() for match in pattern.finditer(text) if is_real(match["value"])), None)


def armored(text: str) -> int | None:
    found = ARMOR.search(text)
    return found.start() if found else None


def armored_at_once(text: str) -> int | None:
    """id_rsa, but not id_generator.js with a key in it."""
    return armored(text) if text.lstrip().startswith("-----BEGIN") else None


def binary(text: str) -> int | None:
    """A store is no text; a text in its place stands for one that is kept elsewhere."""
    return 0 if re.search(r"[\0-\x08\ufffd]", text) else None


def bare(text: str) -> int | None:
    """One word and nothing else."""
    word = text.strip()
    return 0 if re.fullmatch(r"[!-~]{8,4096}", word) and is_real(word) else None


READERS: dict[str, tuple[Reader, str]] = {
    "settings": (settings, "a password or a key"),
    "json": (members, "a password or a key"),
    "key": (armored, "a private key"),
    "ssh": (armored_at_once, "a private key"),
    "store": (binary, "a key store"),
    "nats": (values(r"(?<!\w)(?P<value>S[UAONCX][A-Z2-7]{56})(?!\w)"), "the seed of a NATS key"),
    "netrc": (values(r"\bpassword\s+(?P<value>\S+)"), "a password"),
    "pgpass": (values(r"^[^#\n:](?:[^:\n]*:){4}(?P<value>[^\n]+)"), "a password"),
    "git": (values(r"://[^\s/:@]*:(?P<value>[^\s/@]+)@"), "a password"),
    "npm": (values(r"^[^#;\n=]*_(?:authToken|auth|password)\s*=\s*[\"']?(?P<value>[^\s\"']+)"), "a token"),
    "docker": (values(r'"(?:auth|identitytoken)"\s*:\s*"(?P<value>[^"]{8,})"'), "a password"),
    "word": (bare, "a token or a password"),
}
"""By the sort of file: what finds a secret in it, and what that is."""
PUBLIC = {"public", "pub", "publickey", "truststore", "cacerts"}
"""Words in the name of a file that anyone may read: a bare public key, a store of certificates."""


class Rule(FileRule):
    item = "credential-files-private"
    names = {
        "settings": (
            ".env", ".env.*", "*.env", ".envrc", ".pypirc", ".yarnrc.yml", ".my.cnf", ".s3cfg", ".aws/credentials",
            ".cargo/credentials", "*credentials*.toml", "*credentials*.y*ml", "secrets.toml", "secrets.y*ml",
            "kubeconfig", "kubeconfig.y*ml", "*.kubeconfig", ".kube/config",
        ),
        "json": (
            "*credentials*.json", "*client_secret*.json", "*service-account*.json", "*service_account*.json",
            "*serviceaccount*.json", "secrets.json", "token.json",
            "*-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f].json",
        ),
        "key": ("*.pem", "*.key", "*.p8", "*.ppk"),
        "ssh": ("id_*",),
        "store": ("*.p12", "*.pfx", "*.jks", "*.keystore"),
        "nats": ("*.creds", "*.nk", "*.seed"),
        "netrc": (".netrc", "_netrc"), "pgpass": (".pgpass",), "git": (".git-credentials",), "npm": (".npmrc",),
        "docker": (".docker/config.json",),
        "word": (
            "token", ".token", "*.token", "*_token", "*-token", "*token.txt", ".vault-token", "*api_key.txt",
            "*api-key.txt", "*apikey.txt", "*_api_key", "*password.txt", "*_password", "*secret.txt", "*_secret", "*.key",
        ),
    }  # fmt: skip
    good = [
        {"0600 .env": "LOG_LEVEL=info\nOPENAI_API_KEY=Qm9vTHVjaWQxMjM0\n"},
        {
            "0400 run/gateway.creds": "-----BEGIN USER NKEY SEED-----\nSUAKH5ZQ7D3ROWNVXJ2TCE6GYB4MLSPFIA5UQ7ZD3KRHWOVN2XJT6ECGYB\n"
        },
        {"0600 .kube/config": "users:\n- name: ops\n  user:\n    client-key-data: LS0tLS1CRUdJTg==\n"},
    ]
    bad = [
        {"0644 .env": "LOG_LEVEL=info\nOPENAI_API_KEY=Qm9vTHVjaWQxMjM0\n"},
        {"0660 deploy/production.env": "export DATABASE_URL='postgresql://app:Tr0ub4dor@db/app'\n"},
        {"0602 .env": "JWT_SECRET=hunter2\n"},
        {"0644 server.key": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqir\n"},
        {"0604 .ssh/id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAA\n"},
        {"0644 credentials.json": '{"installed": {"client_id": "1", "client_secret": "GOCSPX-dGhlIHNlY3JldA"}}'},
        {"0644 .netrc": "machine registry.internal login ci password Tr0ub4dor\n"},
        {"0660 .pgpass": "db:5432:*:app:Tr0ub4dor\n"},
        {"0644 .npmrc": "//registry.npmjs.org/:_authToken=npm_Qm9vTHVjaWQxMjM0\n"},
        {"0644 nats/gateway.nk": "SUAKH5ZQ7D3ROWNVXJ2TCE6GYB4MLSPFIA5UQ7ZD3KRHWOVN2XJT6ECGYB\n"},
        {"0644 keys/client.p12": "0\x82\x04\x01"},
        {"0444 secrets/upstream_token": "Qm9vTHVjaWQxMjM0\n"},
    ]
    silent = [
        {"0644 .env": "DEBUG=1\nMAX_TOKENS=4096\nAPI_KEY_HEADER=X-Api-Key\nUPSTREAM_URL=http://localhost:8000/v1\n"},
        {"0644 .env": "API_KEY=\nTOKEN=changeme\nPASSWORD=${DB_PASSWORD}\nSECRET=<yours>\nKEY=/run/secrets/key\n"},
        {"0644 .env.example": "OPENAI_API_KEY=Qm9vTHVjaWQxMjM0\n"},
        {"0644 tls/ca.pem": "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUJ+DYvh6SEqVTm50DFtMDoQikTmiC\n"},
        {"0644 .ssh/id_ed25519.pub": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ+DYvh6SEqVTm50DFtMDoQikTmi ops\n"},
        {"0644 gateway.nk": "UAKH5ZQ7D3ROWNVXJ2TCE6GYB4MLSPFIA5UQ7ZD3KRHWOVN2XJT6ECGY\n"},
        {"0644 .npmrc": "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"},
        {"0644 service.txt": "API_KEY=Qm9vTHVjaWQxMjM0\n"},
    ]

    def look(self) -> None:
        if self.called(TEMPLATE):
            return
        try:
            found = self.secret()
        except OSError:
            if not self.private():
                raise
            self.clear()
            return
        if found and self.private():
            self.clear()
        elif found:
            line, what = found
            name = self.file.name
            path = shlex.quote(f"./{name}" if name.startswith("-") else name)
            self.flag(f"{self.rights()}, and it holds {what}: chmod 600 {path}", line)

    def called(self, some: set[str]) -> bool:
        return bool(some & set(re.split(r"[._-]", self.file.path.name.lower())))

    def private(self) -> bool:
        extra = self.file.mode & OTHERS
        return not extra or (extra == stat.S_IRGRP and self.file.status.st_uid == 0)

    def secret(self) -> tuple[int, str] | None:
        """The line of the first secret in the file, and what it is."""
        for sort in self.sorts():
            reader, what = READERS[sort]
            if sort in {"store", "word"} and self.called(PUBLIC):
                continue
            text = self.text()
            start = reader(text)
            if start is not None:
                return text.count("\n", 0, start) + 1, what
        return None

    def text(self) -> str:
        start = self.file.start
        wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))  # what PowerShell's > writes
        return start.decode("utf-16" if wide else "utf-8-sig", "replace")

    def rights(self) -> str:
        """Who may do what, as in "everyone may read it"."""
        everyone = self.file.mode & stat.S_IRWXO
        what = [word for bit, word in RIGHTS.items() if (everyone or self.file.mode >> 3) & bit]
        return f"{'everyone' if everyone else 'its group'} may {' and '.join(what)} it"

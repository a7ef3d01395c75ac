"""Rules about files on disk: which files are looked at, what counts as a secret, and what is said of each."""

import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.errors import UsageError
from readiness.model import Kind, Location, Outcome, Skipped
from readiness.pack import rule_files
from readiness.scan import disk
from readiness.scan.disk import Looked
from readiness.scan.search import READ
from tests.running import READINESS
from tests.scan.harness import RULES, of, scanned, settings, write

MODE = "files/credential-mode"
ON_DISK = [rule for rule in RULES if rule.language == "files"]
SECRET = "Qm9vTHVjaWQxMjM0"
KEY = f"API_KEY={SECRET}\n"
PEM = "-----BEGIN {} KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqir\n"
NKEY = "S" + "UAKH5ZQ7D3ROWNVXJ2TCE6GYB4MLSPFIA5UQ7ZD3KRHWOVN2XJT6ECGYB"
RULE = """'''A title.'''
from readiness.scan import FileRule

class Rule(FileRule):
    item = "input-sanitised"
    names = {}

    def look(self):
        {}
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
DROPPED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""Root without the right to read what is not readable."""


def looked(folder: Path, *names: str, rules: Any = ON_DISK, **given: Any) -> Looked:
    return disk.look([folder / name for name in names] or [folder], rules, settings(folder, **given))


def flagged(looked: Looked) -> list[str]:
    found = [finding.where for each in looked.evidence for finding in each.findings]
    return [where.path for where in found if isinstance(where, Location)]


def examined(looked: Looked) -> int:
    return sum(each.examined for each in looked.evidence)


def opened(folder: Path, *names: str, content: str | bytes = KEY, mode: int = 0o644) -> Path:
    """The folder with credential files that everyone may read."""
    write(folder, dict.fromkeys(names, content))
    for name in names:
        (folder / name).chmod(mode)
    return folder


# ---- what is said


def test_a_finding_says_who_may_do_what_and_how_to_mend_it_and_shows_no_secret(tmp_path: Path) -> None:
    (said,) = looked(opened(tmp_path, "deploy/.env", content=f"DEBUG=1\n{KEY}", mode=0o664)).evidence
    (found,) = said.findings
    assert (said.rule, said.item, said.kind, said.examined) == (MODE, "credential-files-private", Kind.STATIC, 1)
    assert said.outcome is Outcome.FAIL
    assert found.message == "everyone may read it, and it holds a password or a key: chmod 600 deploy/.env"
    assert found.where == Location("deploy/.env", 2, 1, 2, 1, "-rw-rw-r-- .env")
    assert found.rule == MODE
    assert found.id


@pytest.mark.parametrize(
    ("mode", "who"),
    [
        (0o640, "its group may read it"),
        (0o620, "its group may change it"),
        (0o660, "its group may read and change it"),
        (0o604, "everyone may read it"),
        (0o646, "everyone may read and change it"),
        (0o777, "everyone may read and change and run it"),
        (0o601, "everyone may run it"),
    ],
)
def test_every_right_of_others_is_one_too_many(mode: int, who: str, tmp_path: Path) -> None:
    opened(tmp_path, ".env", mode=mode)
    if os.geteuid() == 0:
        os.chown(tmp_path / ".env", 4711, 4711)
    (said,) = looked(tmp_path).evidence
    assert said.findings[0].message.startswith(f"{who}, and it holds")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700, 0o200])
def test_a_file_for_its_owner_alone_is_in_order(mode: int, tmp_path: Path) -> None:
    (said,) = looked(opened(tmp_path, ".env", mode=mode)).evidence
    assert (said.examined, said.outcome) == (1, Outcome.PASS)


@AS_ROOT
@pytest.mark.parametrize(
    ("mode", "owner", "private"),
    [(0o640, 0, True), (0o440, 0, True), (0o640, 4711, False), (0o660, 0, False), (0o644, 0, False), (0o650, 0, False)],
)
def test_a_secret_mounted_for_a_group_by_root_is_in_order(mode: int, owner: int, private: bool, tmp_path: Path) -> None:
    opened(tmp_path, "token", content=SECRET, mode=mode)
    os.chown(tmp_path / "token", owner, 4711)
    said = looked(tmp_path)
    assert examined(said) == 1
    assert bool(flagged(said)) is not private


@pytest.mark.parametrize("name", [".env", "a b.env", "-x.env", "it's $(x).env", "new\nline.env"])
def test_the_command_of_a_finding_mends_it(name: str, tmp_path: Path) -> None:
    (said,) = looked(opened(tmp_path, name)).evidence
    _, _, command = said.findings[0].message.partition(": ")
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True)
    mended = looked(tmp_path)
    assert examined(mended) == 1
    assert not flagged(mended)


@pytest.mark.parametrize("example", [each for rule in ON_DISK for each in rule.constants["bad"]])
def test_nothing_that_stands_in_a_file_is_told(example: dict[str, str], tmp_path: Path) -> None:
    told = json.dumps([asdict(each) for each in looked(write(tmp_path, example)).evidence])
    ((_, content),) = example.items()
    assert "finding" in told
    assert not [word for word in re.findall(r"[\w+/]*[A-Z\d][\w+/]{3,}", content) if word in told]


# ---- what is a secret


@pytest.mark.parametrize(
    "line",
    [
        "OPENAI_API_KEY=" + SECRET,
        "openai-key: " + SECRET,
        "OPENAI_API_KEY_2=" + SECRET,
        "API_KEYS=" + SECRET,
        "APIKEY='" + SECRET + "'",
        "  export HF_TOKEN=" + SECRET,
        "clientSecret=" + SECRET,
        "AWS_SECRET_ACCESS_KEY=" + SECRET,
        "SECRET_KEY_BASE=" + SECRET,
        "DB_PASSWORD=postgres",
        "DB_PASSWORD = 123456  # of the test machine",
        "SMTP_PASS=hunter2",
        "DATABASE_URL=postgresql://app:hunter2@db/app",
        "BROKER=nats://:hunter2@nats:4222",
        "JDBC=jdbc:postgresql://db/app?user=app&password=hunter2",
        "STORAGE=DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + SECRET,
        "OPENAI=sk-proj-" + SECRET,
        'SIGNING="' + PEM.format("EC PRIVATE") + '"',
        "SIGNING=" + PEM.format("PRIVATE").replace("\n", "\\n"),
        "TOKEN=\nPASSWORD=\nDEBUG=1\nREFRESH_TOKEN=" + SECRET,
    ],
)
def test_settings_with_a_secret_are_a_credential_file(line: str, tmp_path: Path) -> None:
    assert flagged(looked(opened(tmp_path, ".env", content=f"DEBUG=1\n{line}\n"))) == [".env"]


@pytest.mark.parametrize(
    "line",
    [
        "API_KEY=",
        'API_KEY=""',
        "# API_KEY=" + SECRET,
        "API_KEY=  # " + SECRET,
        "API_KEY=your-api-key",
        "API_KEY=<your key>",
        "API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxx",
        "API_KEY=sk-...",
        "API_KEY=put-your-key-here",
        "API_KEY=not-needed",
        "API_KEY=test-key",
        "API_KEY=user_provided",
        "PASSWORD=changeme",
        "PASSWORD=change-me-please",
        "PASSWORD=********",
        "PASSWORD=${DB_PASSWORD}",
        "PASSWORD=$DB_PASSWORD",
        "PASSWORD=$(pass show db)",
        "PASSWORD={{ db_password }}",
        "API_KEY=op://vault/openai/key",
        "API_KEY=vault:secret/data/openai#key",
        "API_KEY=ENC[AES256_GCM,data:abcdefghijk,iv:abc=]",
        "API_KEY=encrypted:BAbcdefghijklmnop",
        "API_KEY=arn:aws:secretsmanager:eu-central-1:1:secret:openai",
        "GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/key.json",
        "GOOGLE_APPLICATION_CREDENTIALS=key.json",
        "SECRET=../secrets/key",
        "API_KEY_FILE=" + SECRET,
        "API_KEY_HEADER=X-Gateway-Api-Key",
        "AWS_ACCESS_KEY_ID=" + SECRET,
        "MAX_TOKENS=16000000",
        "TOKEN_LIMIT=16_000_000",
        "TOKENIZER=llama-3-tokenizer",
        "TOKEN_URL=https://login.internal/token",
        "ACCESS_TOKEN_EXPIRE_MINUTES=30",
        "CORS_ALLOW_CREDENTIALS=true",
        "PASSWORD_MIN_LENGTH=12",
        "SECRET_NAME=gateway-upstreams",
        "KEYCLOAK_REALM=gateway-production",
        "MONKEY=gateway-production",
        "REACT_APP_API_KEY=" + SECRET,
        "JWT_PUBLIC_KEY=" + SECRET,
        "NEXT_PUBLIC_API_KEY=" + SECRET,
        "VITE_FIREBASE_API_KEY=AIza" + SECRET,
        "UPSTREAM=https://api.internal:8443/v1",
        "DATABASE_URL=postgresql://app@db/app",
        "DATABASE_URL=postgresql://app:${DB_PASSWORD}@db/app",
        "MAIL=ops@example.com:25",
        "PUBLIC=" + PEM.format("PUBLIC"),
    ],
)
def test_settings_without_a_secret_are_none(line: str, tmp_path: Path) -> None:
    said = looked(opened(tmp_path, ".env", content=f"DEBUG=1\n{line}\n"))
    assert examined(said) == 0
    assert said.evidence[0].found_no_place


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.local", KEY),
        (".ENV", KEY),
        (".envrc", "export " + KEY),
        ("gateway.env", KEY),
        (".pypirc", "[pypi]\nusername = __token__\npassword = pypi-" + SECRET),
        (".aws/credentials", "[default]\naws_secret_access_key = " + SECRET),
        ("secrets.yaml", "upstream:\n  api_key: " + SECRET),
        ("kubeconfig", "users:\n- name: ci\n  user:\n    token: " + SECRET),
        ("gcp-credentials.json", '{"private_key": "' + PEM.format("PRIVATE").replace("\n", "\\n") + '"}'),
        ("service-account.json", '{"a": {"refresh_token": "' + SECRET + '"}}'),
        ("project-0123456789ab.json", '{"private_key": "' + PEM.format("PRIVATE").replace("\n", "\\n") + '"}'),
        ("tls/bundle.pem", PEM.format("CERTIFICATE-").replace("KEY", "") + PEM.format("RSA PRIVATE")),
        ("tls/server.key", PEM.format("ENCRYPTED PRIVATE")),
        ("tls/cacerts.pem", PEM.format("PRIVATE")),
        ("master.key", "0123456789abcdef0123456789abcdef"),
        (".ssh/id_work", PEM.format("OPENSSH PRIVATE")),
        ("ops.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\n"),
        ("app.jks", b"\xfe\xed\xfe\xed\0\0\0\2"),
        ("app.pfx", b"0\x82\x09\x01"),
        ("user.creds", f"-----BEGIN NATS USER JWT-----\neyJ\n------\n{NKEY}\n"),
        ("operator.seed", NKEY),
        (".pgpass", "# one\ndb:5432:app:app:hunter2\n"),
        (".git-credentials", "https://ci:hunter2@git.internal\n"),
        (".docker/config.json", '{"auths": {"r.internal": {"auth": "Y2k6aHVudGVyMg=="}}}'),
        (".npmrc", "_auth = Y2k6aHVudGVyMg==\n"),
        ("run/upstream_token", SECRET),
        (".env", KEY.encode("utf-16")),
        (".env", b"\xef\xbb\xbf" + KEY.encode()),
        (".env", KEY.replace("\n", "\r\n").encode() + b"NAME=\xff\xfe\r\n"),
    ],
)
def test_each_sort_of_credential_file_is_known(name: str, content: str | bytes, tmp_path: Path) -> None:
    assert flagged(looked(opened(tmp_path, name, content=content))) == [name]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.sample", KEY),
        ("production.template.env", KEY),
        ("credentials.example.json", f'{{"api_key": "{SECRET}"}}'),
        (".env.keys.md", "Ask for the key.\n"),
        ("app.py", KEY),
        ("id_generator.js", f'KEY = """{PEM.format("PRIVATE")}"""\n'),
        (".ssh/id_rsa.pub", "ssh-rsa " + SECRET * 4),
        ("server.key", PEM.format("PUBLIC")),
        ("server.key", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"),
        (
            "server.key",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"
            + PEM.format("CERTIFICATE-").replace("KEY", ""),
        ),
        ("slides.key", b"PK\x03\x04" + bytes(100)),
        ("wireguard.pub.key", SECRET),
        ("truststore.jks", b"\xfe\xed\xfe\xed\0\0\0\2"),
        ("app.p12", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        ("app.p12", b""),
        (".env", ""),
        ("build_token", "42\n"),
        ("words.token", "the quick brown fox jumps over it\n"),
        ("locales/credentials.json", '{"password": "The password of an account", "token": "Token"}'),
        ("database.seed", "users: 3\n"),
        (".netrc", "machine a login b password changeme\n"),
        (".pgpass", "db:5432:*:app:\n"),
        (".docker/config.json", '{"auths": {"r.internal": {}}, "credsStore": "osxkeychain"}'),
        ("config.json", '{"auth": "Y2k6aHVudGVyMg=="}'),
    ],
)
def test_what_only_looks_like_a_credential_file_is_left(name: str, content: str | bytes, tmp_path: Path) -> None:
    said = looked(opened(tmp_path, name, content=content))
    assert said.evidence[0].found_no_place
    assert not said.skipped


def test_a_file_is_read_to_its_bound_and_no_further(tmp_path: Path) -> None:
    opened(tmp_path, "near.env", content="#" * (READ - len(KEY) - 1) + "\n" + KEY)
    opened(tmp_path, "far.env", content="#" * READ + "\n" + KEY)
    with (tmp_path / "vast.pem").open("wb") as vast:
        vast.truncate(1 << 40)
    assert flagged(looked(tmp_path)) == ["near.env"]


@pytest.mark.parametrize(
    "unit",
    ["a", "A1.", " ", "-", '"a":"', "'", '"', 'a="', "a://", "_", "password ", "-----BEGIN ", "x:", "\\", "/a", "- "],
)
def test_what_is_made_to_be_slow_to_read_is_not(unit: str, tmp_path: Path) -> None:
    """What takes time that grows with the square of a file runs into the time limit of the tests."""
    hostile = (unit * READ)[:READ]
    names = [".env", "credentials.json", "a.pem", "id_rsa", "a.p12", "a.creds", ".netrc", ".pgpass", ".npmrc", "token"]
    names += [".git-credentials", ".docker/config.json"]
    for content in (hostile, f"API_KEY={hostile}", f'{{"api_key": "{hostile}"}}'):
        (said,) = looked(opened(tmp_path, *names, content=content)).evidence
        assert not said.error


@hypothesis.settings(deadline=None)
@given(st.binary(max_size=400))
def test_nothing_in_a_file_breaks_the_rule(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = opened(
        tmp_path_factory.mktemp("any"), ".env", "credentials.json", "a.key", "id_a", ".npmrc", content=content
    )
    (said,) = looked(folder).evidence
    assert said.error is None
    shutil.rmtree(folder)


# ---- which files are looked at


def test_hidden_folders_are_entered_and_those_of_tools_are_not(tmp_path: Path) -> None:
    entered = [".ssh/id_rsa", ".config/gateway/.env", ".env", "src/.env"]
    left = [".git/.env", ".venv/.env", ".tox/py/.env", ".mypy_cache/.env", ".cache/.env", "node_modules/a/.env",
            "__pycache__/.env", "env/.env", "build/.env", "lib/site-packages/.env", "tests/.env"]  # fmt: skip
    opened(tmp_path, *entered[1:], *left)
    opened(tmp_path, entered[0], content=PEM.format("PRIVATE"))
    write(tmp_path, {"env/pyvenv.cfg": ""})
    said = looked(tmp_path)
    assert flagged(said) == sorted(entered)
    assert sorted(each.what for each in said.skipped) == ["build", "env", "lib/site-packages", "tests"]


def test_the_reasons_are_those_for_code(tmp_path: Path) -> None:
    folders = ["tests", "build", "vendor", "env"]
    write(
        tmp_path,
        {f"{each}/a.py": "VERSION = 1\n" for each in folders} | {"env/pyvenv.cfg": "", "a.py": "VERSION = 1\n"},
    )
    told = scanned(tmp_path, {}, exclude=("vendor",))
    assert len(told.skipped) == len(folders)
    assert looked(tmp_path, exclude=("vendor",)).skipped == told.skipped


@pytest.mark.parametrize(
    "name", [".env.test", "test.env", "gateway-test.key", "tests/.env", "test/server.pem", "x/fixtures/.env"]
)
def test_credentials_of_tests_are_looked_at_when_the_settings_say_so(name: str, tmp_path: Path) -> None:
    opened(tmp_path, name, content=KEY if "env" in name else PEM.format("PRIVATE"))
    said = looked(tmp_path)
    assert examined(said) == 0
    (skipped,) = said.skipped
    assert skipped.why == "test code (examine_tests = true looks at it)"
    assert not skipped.blind
    assert flagged(looked(tmp_path, examine_tests=True)) == [name]


def test_what_is_named_is_looked_at_whatever_the_excludes_say_and_nothing_else(tmp_path: Path) -> None:
    opened(tmp_path, "deploy/.env", "tests/.env", ".env")
    assert flagged(looked(tmp_path, exclude=("deploy", ".env"))) == []
    assert flagged(looked(tmp_path, "deploy/.env", "tests", exclude=("deploy",))) == ["deploy/.env", "tests/.env"]


def test_files_below_the_scanned_folders_only(tmp_path: Path) -> None:
    opened(tmp_path, ".env", "src/.env")
    assert flagged(looked(tmp_path, "src")) == ["src/.env"]
    assert disk.look([tmp_path / "src"], ON_DISK, settings(tmp_path / "app")).names == {"../src/.env"}


def test_a_file_is_judged_once_and_by_its_own_name(tmp_path: Path) -> None:
    opened(tmp_path, "z/.env")
    (tmp_path / ".env").symlink_to("z/.env")
    (tmp_path / "also.env").hardlink_to(tmp_path / "z" / ".env")
    said = looked(tmp_path, ".", "z", "z/.env")
    assert flagged(said) == ["also.env"]
    assert examined(said) == 1


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    opened(tmp_path, "shared/settings", "elsewhere/closed", content=KEY)
    (tmp_path / "elsewhere" / "closed").chmod(0o600)
    write(tmp_path, {"app/a.py": "VERSION = 1\n"})
    (tmp_path / "app" / ".env").symlink_to("../shared/settings")
    (tmp_path / "app" / "b.env").symlink_to("../elsewhere/closed")
    said = looked(tmp_path, "app")
    assert flagged(said) == ["app/.env"]
    assert examined(said) == 2


def test_secrets_that_are_mounted_are_known_by_the_names_of_their_links(tmp_path: Path) -> None:
    opened(tmp_path, "run/..2026_01_01/token", content=SECRET)
    (tmp_path / "run" / "..data").symlink_to("..2026_01_01")
    (tmp_path / "run" / "token").symlink_to("..data/token")
    assert flagged(looked(tmp_path)) == ["run/token"]


def test_links_in_circles_and_to_nowhere_end(tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to("gone")
    (tmp_path / "a.env").symlink_to("a.env")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "b.env").symlink_to(tmp_path)
    said = looked(tmp_path)
    assert sorted(said.skipped, key=lambda each: each.what) == [
        Skipped(".env", "a link that leads nowhere"),
        Skipped("a.env", "cannot be read: Too many levels of symbolic links", blind=True),
    ]
    assert said.evidence[0].outcome is Outcome.UNKNOWN


def test_pipes_and_sockets_are_named_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket has room for a short path only
    os.mkfifo(".env")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind("a.env")
        said = looked(tmp_path)
    assert said.skipped == (Skipped(".env", "not a regular file"), Skipped("a.env", "not a regular file"))
    assert said.evidence[0].found_no_place


def test_a_tree_may_be_deeper_than_calls_can_be(tmp_path: Path) -> None:
    top = folder = tmp_path / "deep"
    folder.mkdir()
    for _ in range(1200):
        folder /= "d"
        folder.mkdir()
    opened(folder, ".env")
    said = looked(tmp_path)
    subprocess.run(["rm", "-r", top], check=True)  # what pytest tidies up with calls itself for each folder
    assert flagged(said) == [(folder / ".env").relative_to(tmp_path).as_posix()]


@pytest.mark.parametrize("name", [b"new\nline.env", b"esc\x1b[31m.env", b"latin-\xff.env", "bidi\u202e.env".encode()])
def test_a_strange_name_is_kept_as_it_is(name: bytes, tmp_path: Path) -> None:
    opened(tmp_path, os.fsdecode(name))
    assert flagged(looked(tmp_path)) == [os.fsdecode(name)]


# ---- where there is no verdict


def test_modes_are_no_matter_where_systems_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "POSIX", False)
    (said,) = looked(opened(tmp_path, ".env")).evidence
    assert said.left_out == "modes and owners of files are judged on POSIX systems only"
    assert (said.examined, said.findings, said.outcome) == (0, (), Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("system", "kept"),
    [
        ("ext4 /dev/sda1 rw", True),
        ("vfat /dev/sdb1 rw,fmask=0022,dmask=0022", False),
        ("9p drvfs rw,aname=drvfs;path=C:\\;uid=1000;gid=1000,mmap,access=client", False),
        ("9p drvfs rw,aname=drvfs;path=C:\\;uid=1000;gid=1000;metadata,mmap", True),
        ("drvfs C:\\134 rw,noatime,uid=1000", False),
        ("9p hostshare rw,trans=virtio", True),
        ("cifs //server/share rw,file_mode=0755", False),
    ],
)
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_system_that_keeps_no_modes_leaves_the_item_open(
    system: str, kept: bool, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path.stat().st_dev
    mounts = f"21 1 0:9999 / /proc rw - proc proc rw\n29 1 {os.major(device)}:{os.minor(device)} / /m rw - {system}\n"
    monkeypatch.setattr(disk, "MOUNTS", write(tmp_path, {"mountinfo": mounts}) / "mountinfo")
    opened(tmp_path, ".env", mode=mode)
    opened(tmp_path, "plain.env", content="DEBUG=1\n")
    (said,) = looked(tmp_path).evidence
    if kept:
        assert (said.examined, said.left_out) == (1, None)
        return
    kind = system.partition(" ")[0]
    assert said.left_out == f"not judged: .env: its file system ({kind}) keeps no modes"
    assert (said.examined, said.findings, said.outcome) == (0, (), Outcome.UNKNOWN)


def test_without_a_table_of_mounts_modes_are_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "MOUNTS", tmp_path / "nowhere")
    assert flagged(looked(opened(tmp_path, ".env"))) == [".env"]


@pytest.mark.skipif(bool(DROPPED) and not shutil.which("setpriv"), reason="root may read everything")
def test_what_may_not_be_read_is_named_unless_nobody_else_may_either(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "VERSION = 1\n"})
    opened(tmp_path, "closed.env", mode=0o200)
    opened(tmp_path, "group.env", mode=0o060)
    opened(tmp_path, ".ssh/id_rsa")
    (tmp_path / ".ssh").chmod(0o000)
    done = subprocess.run(
        [*DROPPED, *READINESS, "scan", ".", "--format", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / ".ssh").chmod(0o700)
    told = json.loads(done.stdout)
    (said,) = [each for each in told["evidence"] if each["rule"] == MODE]
    assert (said["examined"], said["outcome"]) == (1, "unknown")
    assert said["left_out"] == "not judged: group.env and 1 more: cannot be read: Permission denied"
    assert [each for each in told["not_examined"] if each["of"] == "file"] == [
        {"of": "file", "what": ".ssh", "why": "cannot be listed: Permission denied", "blind": True},
        {"of": "file", "what": "group.env", "why": "cannot be read: Permission denied", "blind": True},
    ]


def test_a_rule_that_breaks_costs_no_other_rule_its_findings(tmp_path: Path) -> None:
    write(tmp_path, {"pack/files/broken.py": RULE.format('{"": ("*.env",)}', "raise KeyError(self.file.start)")})
    said = looked(opened(tmp_path, ".env"), rules=[*rule_files([tmp_path / "pack"]), *ON_DISK])
    assert said.evidence[0].error == ".env: KeyError"
    assert said.evidence[0].outcome is Outcome.ERROR
    assert flagged(said) == [".env"]


def test_a_rule_looks_at_no_file_but_those_of_its_names(tmp_path: Path) -> None:
    write(tmp_path, {"pack/files/seen.py": RULE.format('{"": ("compose.yml",)}', 'self.flag("seen", 3)')})
    opened(tmp_path, ".env", "compose.yml", "old-compose.yml", "compose.yml.bak")
    said, _ = looked(tmp_path, rules=[*rule_files([tmp_path / "pack"]), *ON_DISK]).evidence
    assert [each.where for each in said.findings] == [Location("compose.yml", 3, 1, 3, 1, "-rw-r--r-- compose.yml")]


def test_code_is_left_to_the_rules_for_code(tmp_path: Path) -> None:
    vague = rule_files([write(tmp_path, {"pack/files/vague.py": RULE.format("NAMES", "pass")}) / "pack"])
    opened(tmp_path, "id_rsa.py", content=PEM.format("PRIVATE"))
    assert looked(tmp_path, "id_rsa.py", rules=vague).evidence[0].found_no_place  # a hook waits for it: nothing is read
    assert not looked(tmp_path).names
    assert flagged(looked(opened(tmp_path, "folder.py/.env"), "folder.py")) == ["folder.py/.env"]


def test_a_rule_that_no_file_is_for_is_not_even_imported(tmp_path: Path) -> None:
    rule = RULE.format('{"": ("compose.yml",)}', "pass")
    write(tmp_path, {"pack/files/broken.py": rule.replace("from readiness", "raise RuntimeError\nfrom readiness")})
    (said,) = looked(opened(tmp_path, ".env"), rules=rule_files([tmp_path / "pack"])).evidence
    assert said.found_no_place


@pytest.mark.parametrize("names", ["NAMES", '("*.env",)'])
def test_a_rule_that_does_not_say_which_files_is_told_by_its_path(names: str, tmp_path: Path) -> None:
    write(tmp_path, {"pack/files/vague.py": RULE.format(names, "pass")})
    with pytest.raises(UsageError, match=r"vague\.py: a rule for files says which"):
        looked(tmp_path, rules=rule_files([tmp_path / "pack"]))


def test_without_rules_nobody_walks_and_without_names_nothing_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path, {"pack/files/idle.py": RULE.format("{}", "self.clear()")})
    assert not looked(tmp_path, rules=rule_files([tmp_path / "pack"])).names
    assert looked(write(tmp_path, {"tests/a.py": ""}), rules=[]) == Looked()


# ---- as a part of a scan


def test_a_scan_tells_of_credential_files_beside_the_code(tmp_path: Path) -> None:
    told = scanned(opened(tmp_path, ".env"), {"a.py": "VERSION = 1\n"})
    assert of(told, MODE).outcome is Outcome.FAIL


def test_a_scan_that_remembers_the_code_sees_that_a_mode_was_changed(tmp_path: Path) -> None:
    app, cache = opened(tmp_path / "app", ".env"), tmp_path / "cache"
    assert of(scanned(app, {"a.py": "VERSION = 1\n"}, cache=cache), MODE).failures
    (app / ".env").chmod(0o600)
    assert of(scanned(app, {}, cache=cache), MODE).outcome is Outcome.PASS


def test_a_credential_file_that_is_named_is_not_called_no_python(tmp_path: Path) -> None:
    told = scanned(opened(tmp_path, ".env"), {"notes.txt": ""}, ".env", "notes.txt")
    assert of(told, MODE).failures
    assert told.skipped == (Skipped("notes.txt", "not Python"),)

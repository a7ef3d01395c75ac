"""The project as it was at a revision, laid out in a folder, so that a scan can tell what a branch brought.

The files are taken from git's store as they are: nothing that the project configures is run, and neither the work tree
nor the index is touched.
"""

import io
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from readiness.errors import UsageError
from readiness.identity import identify
from readiness.model import Evidence, Finding, Location, Run

LARGEST = 2_000_000
"""Bytes. What is larger is no source that a scan would read."""
AT_ONCE = 200
"""Files that are asked for together."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Where a branch left the revision that was named."""

    name: str
    commit: str
    top: Path
    """The root of the work tree."""

    @property
    def shown(self) -> str:
        return f"{self.name} ({self.commit[:9]})"


def find(name: str, folder: Path) -> Revision:
    """The last commit that both the revision and HEAD have. Raises UsageError where there is none."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        raise UsageError(f"--since {name}: {folder} is not in a git repository")
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not commit:
        raise UsageError(f"--since {name}: git knows no such revision{_advice(name, folder)}")
    shared = _git(folder, "merge-base", commit.strip(), "HEAD")
    if not shared:
        raise UsageError(f"--since {name}: it shares no commit with HEAD{_advice(name, folder)}")
    return Revision(name, shared.strip(), Path(top.removesuffix("\n")))


def _advice(name: str, folder: Path) -> str:
    """What may help, told from the state of the repository."""
    if not _git(folder, "rev-parse", "--verify", "--quiet", "HEAD"):
        return ": the repository has no commit yet"
    if (_git(folder, "rev-parse", "--is-shallow-repository") or "").strip() == "true":
        return ": the clone is shallow. git fetch --unshallow gets the rest (fetch-depth: 0 for actions/checkout)"
    branch = (_git(folder, "for-each-ref", "--format=%(refname:short)", f"refs/remotes/*/{name}") or "").split()
    return f"; there is {branch[0]}" if branch else ""


def lay_out(revision: Revision, below: Path, folder: Path) -> None:
    """Write the files that the revision has below a folder of the work tree into `folder`."""
    prefix = below.relative_to(revision.top).as_posix()
    wanted = list(_listed(revision, "" if prefix == "." else f"{prefix}/"))
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        for (_, name), data in zip(some, _contents(revision, [blob for blob, _ in some]), strict=True):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def renamed(revision: Revision, folder: Path) -> dict[str, str]:
    """The files below a folder that have another name since, as far as git was told: the old name -> the new one."""
    told = ("--cached", "--find-renames", "--diff-filter=R", "--name-status", "--relative", "-z")
    words = _run(folder, "diff-index", *told, revision.commit, "--").decode("utf-8", "surrogateescape").split("\0")
    return dict(zip(words[1::3], words[2::3], strict=True))


def followed(run: Run, names: Mapping[str, str]) -> Run:
    """The run with what was found in files of old names as if it had been found under the new ones."""
    return replace(run, evidence=tuple(_followed(each, names) for each in run.evidence)) if names else run


def _followed(evidence: Evidence, names: Mapping[str, str]) -> Evidence:
    return replace(evidence, findings=identify(_in_place(each, names) for each in evidence.findings))


def _in_place(finding: Finding, names: Mapping[str, str]) -> Finding:
    where = finding.where
    if not isinstance(where, Location) or where.path not in names:
        return finding
    return replace(finding, where=replace(where, path=names[where.path]))


def _listed(revision: Revision, prefix: str) -> Iterator[tuple[str, str]]:
    """Id and name of each plain file."""
    listing = _run(revision.top, "ls-tree", "-r", "-l", "-z", "--full-tree", revision.commit)
    for row in listing.split(b"\0")[:-1]:
        head, _, raw = row.partition(b"\t")
        mode, _, blob, size = head.split()
        name = raw.decode("utf-8", "surrogateescape")
        plain = mode in {b"100644", b"100755"} and size.isdigit() and int(size) <= LARGEST
        inside = name.removeprefix(prefix)
        if plain and name.startswith(prefix) and not {"..", ".git", ""} & set(PurePosixPath(inside).parts):
            yield blob.decode(), inside


def _contents(revision: Revision, blobs: Sequence[str]) -> Iterator[bytes]:
    answer = io.BytesIO(
        _run(revision.top, "cat-file", "--batch", given="".join(f"{each}\n" for each in blobs).encode())
    )
    for _ in blobs:
        size = int(answer.readline().split()[2])
        yield answer.read(size)
        answer.read(1)


def _git(folder: Path, *words: str) -> str | None:
    """What git says, or None where it says no."""
    try:
        done = _call(folder, words, b"")
    except OSError as problem:
        raise UsageError(f"--since needs git: {problem.strerror}") from problem
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None


def _call(folder: Path, words: Sequence[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    local = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}  # what a partial clone lacks is not fetched
    return subprocess.run(["git", *words], cwd=folder, input=given, env=local, capture_output=True, check=False)  # noqa: S607


def _run(folder: Path, *words: str, given: bytes = b"") -> bytes:
    done = _call(folder, words, given)
    if done.returncode:
        raise UsageError(f"git {words[0]} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout

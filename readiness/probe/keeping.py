"""What is kept of a request so that it can be sent again: pieces counted and packed, and no secret in it."""

import base64
import re
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace

from readiness.errors import UsageError
from readiness.masking import masked
from readiness.model import Piece, Sent

PACKED = 500
"""Characters of a piece from which it is compressed."""
MOST = 20_000
"""Characters that are kept of a request, compressed."""
DISTINCT = 500_000
"""Bytes of different pieces that are remembered while a request is sent."""
LARGEST = 200_000_000
"""Bytes that a kept request may have once it is unpacked: what was saved may have been written by anybody."""
NAME = re.compile(r"<([^<>]{1,100})>")


class Recorder:
    """Notes the pieces of a request as they are asked for."""

    def __init__(self) -> None:
        self._pieces: list[tuple[bytes, int, float]] = []
        self._size = 0

    async def watch(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        asked = time.monotonic()
        async for data in pieces:
            self._note(data, round(time.monotonic() - asked, 1))
            yield data
            asked = time.monotonic()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        return tuple(Piece(text_of(data), times, after) for data, times, after in self._pieces)

    @property
    def lost(self) -> str:
        return f"it had more than {DISTINCT:,} bytes that do not repeat" if self._size > DISTINCT else ""

    def _note(self, data: bytes, after: float) -> None:
        if self._pieces and self._pieces[-1][0] == data and self._pieces[-1][2] == after:
            self._pieces[-1] = (data, self._pieces[-1][1] + 1, after)
        elif self._size <= DISTINCT:
            self._size += len(data)
            self._pieces.append((data, 1, after))


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def kept(sent: Sent, clean: Callable[[str], str], given: Mapping[str, str]) -> Sent:
    """The request with names for its secrets, and with a reason where it could not be sent again as it was.

    `clean` hides secrets behind names, `given` says what a name stands for.
    """
    bare = replace(sent, to=clean(sent.to), headers=(), pieces=())
    if sent.lost:
        return bare
    texts = [sent.to, *(value for _, value in sent.headers), *(piece.text for piece in sent.pieces)]
    hidden = [clean(_placed(text, sent, given)) for text in texts]
    if any(restored(now, given) != text for now, text in zip(hidden, texts, strict=True)):
        return replace(bare, lost="a secret in it is written in a form that its name cannot bring back")
    whole = "".join(piece.text for piece in sent.pieces)
    if clean(whole) != "".join(clean(piece.text) for piece in sent.pieces):
        return replace(bare, lost="a secret in it was sent in parts")
    if any(masked(text) != text for text in hidden):
        return replace(bare, lost="it holds something that looks like a secret, which no report may show")
    values, rest = hidden[1 : len(sent.headers) + 1], hidden[len(sent.headers) + 1 :]
    pieces = tuple(_packed(replace(piece, text=text)) for piece, text in zip(sent.pieces, rest, strict=True))
    if sum(len(piece.text) for piece in pieces) > MOST:
        return replace(bare, lost=f"it is too large to be kept: more than {MOST:,} characters, compressed")
    names = {name for text in hidden for name in NAME.findall(text) if name in given}
    headers = tuple((name, value) for (name, _), value in zip(sent.headers, values, strict=True))
    return replace(sent, to=hidden[0], headers=headers, pieces=pieces, secrets=tuple(sorted(names)))


def restored(text: str, given: Mapping[str, str]) -> str:
    """The text with what its names stand for."""
    return NAME.sub(lambda match: given.get(match[1], match[0]), text)


def again(sent: Sent, given: Mapping[str, str]) -> Sent:
    """A kept request as it is to be sent. Raises UsageError where it cannot be."""
    if sent.lost:
        raise UsageError(f"the request cannot be sent again: {sent.lost}")
    if missing := [name for name in sent.secrets if name not in given]:
        raise UsageError(
            f"the request holds {', '.join(f'<{name}>' for name in missing)}, which the settings of this run do not "
            "give: name the same headers, keys and target as for the run that found it"
        )
    known = {name: given[name] for name in sent.secrets}
    sent = opened(sent)
    pieces = tuple(replace(piece, text=restored(piece.text, known)) for piece in sent.pieces)
    headers = tuple((name, restored(value, known)) for name, value in sent.headers)
    return replace(sent, to=restored(sent.to, known), headers=headers, pieces=pieces)


def opened(sent: Sent) -> Sent:
    """The request with no piece packed. Raises UsageError for what is not as we pack, or larger than anything sent."""
    pieces = tuple(replace(piece, text=_unpacked(piece), packed=False) for piece in sent.pieces)
    if sum(len(piece.text) * piece.times for piece in pieces) > LARGEST:
        raise UsageError(f"the request cannot be sent again: no probe sends more than {LARGEST:,} bytes")
    return replace(sent, pieces=pieces)


def written(sent: Sent) -> Iterator[tuple[bytes, float]]:
    """What is to be written, and the seconds to wait before each."""
    for piece in sent.pieces:
        data = bytes_of(piece.text)
        for _ in range(piece.times):
            yield data, piece.after


def _placed(text: str, sent: Sent, given: Mapping[str, str]) -> str:
    """Where all bytes are the probe's own, the address of the target stands among them; it is another in each run."""
    place = given.get("target")
    return text.replace(place, "<target>") if sent.over == "socket" and place else text


def _packed(piece: Piece) -> Piece:
    if len(piece.text) < PACKED:
        return piece
    return replace(piece, text=base64.b64encode(zlib.compress(bytes_of(piece.text), 9)).decode(), packed=True)


def _unpacked(piece: Piece) -> str:
    """Raises UsageError for what was not packed by us, or is larger than anything that was."""
    if not piece.packed:
        return piece.text
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b64decode(piece.text, validate=True), DISTINCT + 1)
    except (ValueError, zlib.error) as problem:
        raise UsageError(f"the request cannot be sent again: a piece of it cannot be unpacked ({problem})") from problem
    if len(data) > DISTINCT or not unpacking.eof:
        raise UsageError("the request cannot be sent again: a piece of it is larger than any that was kept")
    return text_of(data)

"""What is read of an answer: the first token, the tokens, and whether it is whole."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.load.answer import Answer


def event(**table: Any) -> bytes:
    return b"data: " + json.dumps(table).encode() + b"\n\n"


def delta(finish: str | None = None, **said: Any) -> bytes:
    return event(choices=[{"delta": said, "finish_reason": finish}])


DONE = b"data: [DONE]\n\n"
WHOLE = [
    b": a comment\n\n",
    delta(role="assistant", content=""),
    delta(content="Four"),
    delta(content=" score"),
    delta(content=" and"),
    delta(finish="stop"),
    event(choices=[], usage={"completion_tokens": 5}),
    DONE,
]


def read(*pieces: bytes, stream: bool = True) -> Answer:
    """Each piece comes a second after the one before."""
    answer = Answer(stream=stream)
    for second, piece in enumerate(pieces):
        answer.feed(piece, float(second))
    return answer


def test_the_first_token_is_the_first_content_not_the_first_event() -> None:
    answer = read(*WHOLE)
    assert answer.wrong() is None
    assert answer.first == 2.0


def test_speed_counts_tokens_as_the_answer_does_and_only_after_the_first() -> None:
    assert read(*WHOLE).speed(0.0) == pytest.approx(4 / 2.0)
    assert read(*WHOLE[:6]).speed(0.0) == pytest.approx(2 / 2.0)


@given(st.lists(st.integers(1, 400), max_size=8))
def test_it_does_not_matter_where_the_pieces_are_cut(cuts: list[int]) -> None:
    raw = b"".join(WHOLE)
    edges = sorted({0, len(raw), *(cut % len(raw) for cut in cuts)})
    answer = read(*(raw[start:end] for start, end in itertools.pairwise(edges)))
    assert answer.wrong() is None
    assert answer.size == len(raw)


@pytest.mark.parametrize(
    ("pieces", "what"),
    [
        ([DONE], "a stream without content"),
        ([b""], "a stream without content"),
        ([delta(role="assistant", content=""), DONE], "a stream without content"),
        ([delta(content="a")], "a stream without an end"),
        ([delta(content="a"), event(error={"message": "broke"}), DONE], "an error in the stream"),
        ([b"data: nonsense\n\n", b"data: []\n\n", b'data: {"choices": 3}\n\n'], "a stream without content"),
    ],
)
def test_a_stream_that_is_not_whole_is_told(pieces: list[bytes], what: str) -> None:
    assert read(*pieces).wrong() == what


@pytest.mark.parametrize(
    "said", [{"content": "x"}, {"reasoning_content": "x"}, {"tool_calls": [{"id": "1"}]}, {"refusal": "no"}]
)
def test_whatever_a_model_says_is_content(said: dict[str, Any]) -> None:
    assert read(delta(**said), DONE).first == 0.0


def test_an_answer_in_one_piece() -> None:
    body = json.dumps({"choices": [{"message": {"content": "x"}}], "usage": {"completion_tokens": 6}}).encode()
    answer = read(body[:10], body[10:20], body[20:], stream=False)
    assert answer.wrong() is None
    assert answer.speed(-1.0) == pytest.approx(2.0)
    assert answer.first is None


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"choices": []}', b'{"choices": [{"message": {}}]}', b"<html>", b"[" * 9999]
)
def test_an_answer_without_content_is_told(body: bytes) -> None:
    assert read(body, stream=False).wrong() == "an answer without content"

"""What is small on the wire and huge once it is decompressed."""

import asyncio
import gzip
import json
import resource
import zlib

import httpx
import pytest

from readiness.probe import Target
from readiness.probe.upstream import Upstream
from tests.probe.asking import Ask, at, each_way
from tests.probe.harness import PATIENCE, run
from tests.probe.hostile import answer, read_request

SIZE = 600_000_000


def bomb() -> bytes:
    """SIZE bytes in less than a hundredth of it, made without having them."""
    packing = zlib.compressobj(9, wbits=31)
    return b"".join(packing.compress(b" " * 1_000_000) for _ in range(SIZE // 1_000_000)) + packing.flush()


BOMB = bomb()


def peak() -> int:
    """Bytes that this process has used at the same time, at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@each_way
@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate"])
def test_an_answer_is_never_decompressed(ask: Ask, encoding: str) -> None:
    async def throw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(200, BOMB, Content_Encoding=encoding))

    async def test(of: Target) -> None:
        before = peak()
        reply = await ask(of, PATIENCE)
        assert reply.status == 200
        assert reply.body == BOMB
        assert len(of.redactor.exchange(reply.exchange).excerpt) <= 300
        assert peak() - before < SIZE // 2

    at(throw, test)


def test_the_scripted_upstream_takes_no_bomb_in() -> None:
    async def work() -> None:
        async with Upstream(("one",)).serving() as upstream, httpx.AsyncClient(timeout=PATIENCE) as client:
            before = peak()
            url, headers = f"{upstream.url}/v1/chat/completions", {"content-encoding": "gzip"}
            await client.post(url, content=BOMB, headers=headers)
            assert peak() - before < SIZE // 2
            said = json.dumps({"messages": [{"role": "user", "content": "small"}]}).encode()
            assert (await client.post(url, content=gzip.compress(said), headers=headers)).status_code == 200
            assert [each.text for each in upstream.chats] == ["", "small"]

    run(work())

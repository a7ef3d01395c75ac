"""A stream is held back, ends without saying so, or hides that the upstream broke.

What shows up as a product that hangs: chunks that arrive all at once, no end marker, and a stream that the upstream cut
off which looks like a whole one. A gateway that does not stream may say so; it may not pretend.
"""

import json
from typing import Any

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.script import PACE, WORDS, Asked

SPREAD = PACE * (len(WORDS) - 1) / 2
"""Seconds between the first and the last word of a stream whose upstream takes twice as long, and between the first
word and the upstream's end: who waits for the whole answer may still hand it out in pieces."""
PATIENCE = 30.0
"""Seconds in which a stream must have ended whose upstream did; less where target.limits.timeout is."""
TRIES = 3
"""How often a stream may come late before it counts as held back: a busy machine also holds things back."""


class Rule(Probe):
    item = "streaming"
    needs = {"http", "upstream"}
    risk = "write"
    stains = True
    requests = 20
    asks = {"chat": 20}
    good = [toy.Toy(), toy.Toy(streams="refused")]
    bad = [
        toy.Toy(streams="ignored"),
        toy.Toy(streams="broken"),
        toy.Toy(streams="buffered"),
        toy.Toy(streams="opens-early"),
        toy.Toy(streams="pretends"),
        toy.Toy(streams="endless"),
        toy.Toy(streams="swallows"),
        toy.Toy(streams="hangs"),
        toy.Toy(streams="hides"),
        toy.Toy(streams="miscounts"),
    ]

    async def look(self, target: Target) -> None:
        reply = await self.stream(target, "paced")
        if not reply.ok:
            self.refused(target, reply)
            return
        if "text/event-stream" not in reply.headers.get("content-type", ""):
            self.flag(reply, "stream: true is answered with a whole answer, as if nobody had asked for a stream")
            return
        self.whole(reply)
        await self.promptly(target, reply)
        await self.broken(target)

    async def stream(self, target: Target, what: str) -> Reply:
        options, timeout = {"include_usage": True}, target.settings.limits.timeout
        text, patience = (
            unique(f"please [[upstream:{what}]]"),
            min(PATIENCE, timeout * 1.1 + 3 if timeout else PATIENCE),
        )
        return await target.chat(text, seconds=patience, stream=True, stream_options=options)

    def refused(self, target: Target, reply: Reply) -> None:
        """A 4xx that says that streams are not offered is an honest answer."""
        streamed = [each for each in self.asked(target, "paced") if each.stream and not each.left]
        if reply.status in {400, 404, 405, 422, 501} and "stream" in reply.text.lower():
            self.clear(reply, f"streams are not offered, and the answer says so: {reply}")
        elif streamed and not reply.timed_out and (reply.status is None or reply.status >= 500):
            self.flag(reply, f"the upstream streamed, and the client was answered {reply}")
        else:
            self.leave(f"a stream was not seen: it is answered {reply}")

    def asked(self, target: Target, what: str) -> list[Asked]:
        return target.parts.upstream.asked_for(f"[[upstream:{what}]]") if target.parts.upstream is not None else []

    def whole(self, reply: Reply) -> None:
        """Every word, the end marker, and the numbers that the upstream gave."""
        chunks = events(reply)
        said = "".join(each for chunk in chunks for each in words(chunk))
        if said != "".join(WORDS):
            self.flag(reply, f"the upstream streamed {''.join(WORDS)!r}, and {said[:80]!r} arrived")
        elif "[DONE]" not in reply.text:
            self.flag(reply, "the stream has no end marker: whether it is whole cannot be told")
        else:
            self.clear(reply)
        usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
        total = 1 + len(WORDS)
        if not usage:
            self.flag(reply, "usage was asked for with stream_options, and none arrived", advisory=True)
        elif usage[-1].get("total_tokens") != total:
            self.flag(reply, f"the upstream counted {total} tokens, and {usage[-1].get('total_tokens')} arrived")

    async def promptly(self, target: Target, reply: Reply) -> None:
        for _ in range(TRIES):
            first, last = when(reply, WORDS[0]), when(reply, WORDS[-1])
            took = self.seconds(target, "paced")
            if last - first >= SPREAD and first <= took - SPREAD:
                said = f"the words of a stream came over {last - first:.1f} s, at least {SPREAD:.1f} wanted"
                self.clear(reply, f"{said}; the first after {first:.2f} s")
                return
            reply = await self.stream(target, "paced")
        self.flag(
            reply,
            f"the stream is held back: its words came from {first:.2f} s to {last:.2f} s, its upstream took {took:.2f} s",
        )

    def seconds(self, target: Target, what: str) -> float:
        """What the upstream took for its last stream of a kind."""
        ended = [each.ended - each.began for each in self.asked(target, what) if each.ended is not None]
        return ended[-1] if ended else 0.0

    async def broken(self, target: Target) -> None:
        """An upstream that breaks off, and one that fails before its first chunk."""
        for what, fault in (("cut", "breaks off"), ("error", "fails before the first chunk")):
            reply = await self.stream(target, what)
            if not self.asked(target, what):
                self.leave(f"a stream whose upstream {fault} was not provoked: the upstream was never asked")
            elif reply.timed_out:
                self.flag(reply, f"a stream whose upstream {fault} is neither ended nor told of it: {reply.problem}")
            elif reply.ok and not told_of_error(reply):
                self.flag(
                    reply, f"an upstream that {fault} looks like a whole answer: no error event, no broken transfer"
                )
            else:
                self.clear(reply, f"a stream whose upstream {fault}: {reply.problem or reply}")


def events(reply: Reply) -> list[dict[str, Any]]:
    found = []
    for line in reply.text.splitlines():
        try:
            chunk = json.loads(line.removeprefix("data:")) if line.startswith("data:") else None
        except ValueError:
            continue
        found += [chunk] if isinstance(chunk, dict) else []
    return found


def words(chunk: dict[str, Any]) -> list[str]:
    choices = chunk.get("choices")
    deltas = [each.get("delta") for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []
    return [str(delta["content"]) for delta in deltas if isinstance(delta, dict) and delta.get("content")]


def when(reply: Reply, word: str) -> float:
    """Seconds after which a word had come; never is as late as the end."""
    place = reply.body.find(word.strip().encode())
    return next((seconds for seconds, size in reply.arrived if 0 <= place < size), reply.took)


def told_of_error(reply: Reply) -> bool:
    """An event that is an error, also one in plain words, on which a client's parser fails."""
    if any("error" in chunk for chunk in events(reply)):
        return True
    lines = [line for line in reply.text.splitlines() if line.startswith(("data:", "event:"))]
    return any("error" in line.lower() and "{" not in line for line in lines)

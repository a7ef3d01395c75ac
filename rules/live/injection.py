"""What a client sends comes out as something else than text.

A line break in a value that becomes a header splits it; one that becomes a log line forges an entry; markup in an error
page runs in a browser; `..` in a path leaves the folder. All of them stay text, or are refused.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator

from readiness.probe import Probe, Reply, Target, happens, toy, unique

MARKUP = "<script>alert(1)</script>"
PATHS = (
    "/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2f..%2fetc/passwd", "//etc/passwd",
    "/v1/models/..%2f..%2f..%2f..%2fetc/passwd", "/static/../../../../etc/passwd", "/%00", "/..\\..\\windows\\win.ini",
)  # fmt: skip
FILE = ("root:x:0:0:", "; for 16-bit app support")
ESCAPE = "\x1b[31m"


class Rule(Probe):
    item = "input-sanitised"
    needs = {"http"}
    risk = "write"
    requests = 120
    asks = {"bytes": 40, "chat": 60, "GET": 20}
    good = [toy.Toy()]
    bad = [toy.Toy(inputs="header", models="forward"), toy.Toy(inputs="markup"), toy.Toy(inputs="files")]

    async def look(self, target: Target) -> None:
        first = await self.served(target)
        if first is None:
            return
        nowhere = await target.get(unique("/readiness").replace(" ", "-"))
        if nowhere.ok:
            self.leave(f"a path that is not there is answered {nowhere}, as everything may be: odd paths tell nothing")
        forged = f"forged-{secrets.token_hex(6)}"
        replies = [
            *await self.paths(target, forged),
            *await self.bodies(target, forged),
            *await self.heads(target, forged),
        ]
        for reply in replies:
            self.judge(reply, forged)
        if unanswered := [reply for reply in replies if reply.timed_out]:
            self.leave(f"{len(unanswered)} odd requests were not answered: first {unanswered[0].request}")
        await self.logs(target, forged, first)
        await self.goes_on(target, "odd inputs", clears=False)

    async def paths(self, target: Target, forged: str) -> list[Reply]:
        """Paths as they stand, which a client's library would tidy up."""
        odd = [*PATHS, f"/{MARKUP}", f"/x%0d%0aX-{forged}:%20yes", f"/?q={MARKUP}&r=%0d%0a{forged}"]
        return [await target.octets(f"GET {path}", whole(target, "GET", path, {}), seconds=10) for path in odd]

    async def bodies(self, target: Target, forged: str) -> list[Reply]:
        """Text in a model's name and in a message."""
        split = f"x\r\nX-{forged}: yes"
        texts = (split, f"x\n{forged}", MARKUP, f"{ESCAPE}{forged}", "\u202e\u0000\ufeff")
        named = [await target.chat(unique("odd"), model=text) for text in texts]
        said = [unique(text) for text in texts]
        said += [unique(f"{text} [[upstream:echo]]") for text in texts]  # answers come from outside as well
        asked = (self.chat(target, text) for text in said)
        replies = await asyncio.gather(*asked)
        self.reached(target, dict(zip(said, replies, strict=True)))
        return [*named, *replies]

    async def chat(self, target: Target, text: str) -> Reply:
        return await target.patiently(lambda: target.chat(text))

    def reached(self, target: Target, replies: dict[str, Reply]) -> None:
        """Odd text is refused, or comes back with an answer; what became of it otherwise was not seen."""
        upstream = target.parts.upstream
        for text, reply in replies.items():
            refused = reply.status is not None and 400 <= reply.status < 500 and reply.status != 429
            mark = text.rpartition(" ")[2]
            if not refused and not (reply.ok and (upstream is None or upstream.asked_for(mark))):
                never = " without asking the upstream" if reply.ok else ""
                self.leave(f"a chat with {text.rpartition(' ')[0]!r} is answered {reply}{never}: it went nowhere")

    async def heads(self, target: Target, forged: str) -> list[Reply]:
        """Bytes in header values that no header may hold."""
        replies = []
        for value in (f"a\n{forged}", f"{ESCAPE}{forged}", MARKUP, "\x00"):
            for name in ("x-request-id", "x-note", "user-agent"):
                pieces = whole(target, "GET", target.settings.paths.models, {name: value})
                replies.append(await target.octets(f"GET with {value!r} in {name}", pieces, seconds=10))
        return replies

    def judge(self, reply: Reply, forged: str) -> None:
        kind = reply.headers.get("content-type", "")
        if f"x-{forged}" in reply.headers:
            self.flag(reply, "a line break in what was sent became a header of the answer")
        elif any(text in reply.text for text in FILE):
            self.flag(reply, f"{reply.request}: a file of the system was served")
        elif MARKUP in reply.text and "html" in kind:
            self.flag(reply, "markup that was sent came back in a page as it was")
        elif not reply.timed_out:
            self.clear(reply)

    async def logs(self, target: Target, forged: str, reply: Reply) -> None:
        """Where the log can be read: no line begins with what a client wrote, and none holds a terminal's escapes."""
        process = target.parts.process
        if process is None:
            return
        await happens(lambda: False, 0.3)  # what was logged is then written
        written = process.written()
        if any(line.startswith((forged, f"X-{forged}")) for line in written.splitlines()):
            self.flag(reply, "a line break in what was sent begins a line of the log: entries can be forged")
        elif f"{ESCAPE}{forged}" in written:
            self.flag(
                reply, "an escape sequence that was sent is in the log as it was: it acts on the reader's terminal"
            )
        elif written.strip():
            self.clear(reply, "what was sent stays text in the log")


async def whole(target: Target, method: str, path: str, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """A request as it stands, whatever is in it."""
    given = {"host": target.host, **target.client.headers, **headers, "connection": "close"}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    yield ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")

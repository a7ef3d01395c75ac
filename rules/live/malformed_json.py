"""A malformed body is not answered with one clear client error.

Each of these bodies is no JSON by any parser. The right answer is a 4xx in the same error shape every time, and the next
request is served as if nothing had happened. A 5xx says that the error was not foreseen; a 2xx that nobody looked.
"""

from collections import defaultdict

from readiness.probe import Probe, Reply, Target, toy
from readiness.probe.shape import Shape, alike, shape, shown


class Rule(Probe):
    item = "json-guarded"
    needs = {"http"}
    risk = "write"
    requests = 260
    asks = {"chat": 260}
    good = [toy.Toy()]
    bad = [
        toy.Toy(malformed="crash"),
        toy.Toy(malformed="accept"),
        toy.Toy(malformed="text"),
        toy.Toy(malformed="two-shapes"),
        toy.Toy(malformed="drop"),
    ]

    async def look(self, target: Target) -> None:
        if await self.served(target) is None:
            return
        replies: list[Reply] = []
        passed: list[Reply] = []
        for name, body in bodies(target.chat_body("hello")).items():
            before = self.asked(target)
            reply = await self.send(target, name, body)
            passed += [reply] if self.asked(target) > before else []
            if reply.status in {401, 403, 429}:
                self.leave(f"{reply.request} was answered {reply}, so the parser was never reached")
                return
            replies.append(reply)
        self.judge(replies)
        if passed:
            what = f"{len(passed)} of {len(replies)} malformed bodies were sent on for the upstream to refuse"
            self.flag(passed[0], what, advisory=True)
        await self.goes_on(target, f"{len(replies)} malformed bodies")

    async def send(self, target: Target, name: str, body: bytes) -> Reply:
        headers = {"content-type": "application/json"}
        path = target.settings.paths.chat
        return await target.patiently(
            lambda: target.send("POST", path, body, headers, label=f"POST {path} with {name}")
        )

    def asked(self, target: Target) -> int:
        return len(target.parts.upstream.chats) if target.parts.upstream is not None else 0

    def judge(self, replies: list[Reply]) -> None:
        """One finding for each kind of wrong answer, with its first example."""
        wrong: dict[str, list[Reply]] = defaultdict(list)
        shapes: dict[Shape, list[Reply]] = defaultdict(list)
        for reply in replies:
            if reply.status is None or not 400 <= reply.status < 500:
                wrong[f"answered {reply.status or 'with no status'}, not 4xx"].append(reply)
            elif not isinstance(reply.json(), dict) or not reply.json():
                wrong[f"answered {reply.status} without a JSON object that names an error"].append(reply)
            else:
                shapes[shape(reply.json())].append(reply)
        usual = max(shapes, key=lambda each: len(shapes[each]), default=None)
        for known, of_shape in sorted(shapes.items(), key=lambda pair: shown(pair[0])):
            if usual is not None and not alike(known, usual):
                wrong[f"answered in the shape {shown(known)} where the others have {shown(usual)}"] += of_shape
            else:
                for reply in of_shape:
                    self.clear(reply)
        for what, some in wrong.items():
            self.flag(some[0], f"{len(some)} of {len(replies)} malformed bodies were {what}")


def bodies(valid: bytes) -> dict[str, bytes]:
    """Bodies that no JSON parser accepts, by what is wrong with them.

    All else is a good chat where it can be, so that nothing but the parser refuses it.
    """
    text = valid.decode()

    def pair(text: bytes) -> bytes:
        return valid[:-1] + b"," + text + b"}"

    def said(text: bytes) -> bytes:
        return valid.replace(b"hello", text)

    return {
        "an empty body": b"",
        "blanks": b"  \n ",
        "an open brace": b"{",
        "a closing brace": b"}",
        "an open bracket": b"[",
        "an open list": b"[1,2",
        "a lone colon": b":",
        "a lone comma": b",",
        "a lone quote": b'"',
        "a lone backslash": b"\\",
        "a lone minus": b"-",
        "a half object": b'{"model":',
        "an object cut in the middle": valid[: len(valid) // 2],
        "an object without its last brace": valid[:-1],
        "one brace too many": valid + b"}",
        "two objects in a row": valid + valid,
        "words behind the object": valid + b" and more",
        "a comma behind the last pair": valid[:-1] + b",}",
        "a comma behind the last element": valid.replace(b"}]", b"},]"),
        "two commas": pair(b',"user":"a"'),
        "a missing comma": valid[:-1] + b' "user":"a"}',
        "a missing colon": pair(b'"user" "a"'),
        "a missing value": pair(b'"user":'),
        "single quotes": text.replace('"', "'").encode(),
        "a key without quotes": pair(b'user:"a"'),
        "a number as key": pair(b'1:"a"'),
        "an open string": pair(b'"user":"a'),
        "a line break in a string": said(b"hel\nlo"),
        "a zero byte in a string": said(b"hel\x00lo"),
        "an unknown escape": said(b"\\q"),
        "half an escape": said(b"\\u12"),
        "a number with a plus": pair(b'"seed":+1'),
        "a number with leading zeros": pair(b'"seed":007'),
        "a number that ends in a dot": pair(b'"seed":1.'),
        "a hexadecimal number": pair(b'"seed":0x1F'),
        "half an exponent": pair(b'"seed":1e'),
        "True of Python": pair(b'"logprobs":True'),
        "None of Python": pair(b'"user":None'),
        "undefined of JavaScript": pair(b'"user":undefined'),
        "a bare word": b"hello",
        "a comment": b"/* hello */",
        "a comment behind the object": valid + b"// hello",
        "XML": b"<chat><message>hello</message></chat>",
        "a form": b"model=a&messages=b",
        "a zero byte": b"\x00",
        "bytes that are no UTF-8": said(b"\xff\xfe\xfd"),
        "an image": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "a hundred thousand open brackets": b"[" * 100_000,
        "fifty thousand open objects": b'{"a":' * 50_000,
    }

"""Many requests in the same moment, as a race needs them: a client that opens connections as it goes is too slow."""

from urllib.parse import urlsplit

from readiness.probe.reply import Reply
from readiness.probe.target import Target
from readiness.probe.wire import volley

SECONDS = 30.0


async def at_once(target: Target, text: str, count: int) -> list[Reply]:
    """So many chats of one client, or requests for its models where a chat would cost money. Raises BudgetSpent.

    Where the budget allows fewer at the same time, they come in volleys of as many as it allows.
    """
    free = target.parts.upstream is not None
    target.budget.take(count, "chat" if free else "GET")
    paths, body = target.settings.paths, target.chat_body(text) if free else b""
    line = f"POST {paths.chat}" if free else f"GET {paths.models}"
    given = {"host": urlsplit(target.url).netloc, **target.client.headers, "connection": "close"}
    given |= {"content-type": "application/json", "content-length": str(len(body))} if free else {}
    head = [f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    data = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body
    replies: list[Reply] = []
    while len(replies) < count:
        size = min(count - len(replies), target.budget.concurrency)
        replies += await volley(target.endpoint, f"{line} ({size} at once)", data, size, SECONDS)
    return [target.keep(reply) for reply in replies]

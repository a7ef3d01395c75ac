"""Tools that answer over NATS: what a model calls is asked of `tools.execute.<name>`, and the model gets the answer.

Tools that the operator did not name, and all tools of a streamed request, are the client's to run: their calls go
through as they are.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError

from readiness.gateway import tracing
from readiness.gateway.call import JSON_TYPE, JsonObject, Reply
from readiness.gateway.errors import NoTool, SlowTool, ToolFailed
from readiness.gateway.logs import request_id
from readiness.gateway.parse import Malformed, parse
from readiness.gateway.upstreams import Ask, Order

SUBJECT = "tools.execute."
MAX_ROUNDS = 8  # answers of a model that call tools, for one request
MAX_CALLS = 16  # in one answer, and so at once
HEADERS = 2_000  # bytes that are left for the headers of a message: the server counts them with its body
ONE_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a subject: a name cannot reach elsewhere


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model asks for."""

    id: str
    name: str
    arguments: str  # as the model wrote them: JSON, if it is a good model


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools that are run here."""

    client: Callable[[], Client | None]  # None while the connection is known to be of no use
    names: Sequence[str]  # or patterns, as `search-*`
    ended: Callable[[BaseException | None], None]  # told of each run, with what it failed of
    timeout: float  # seconds for one call; the deadline of its request ends it earlier
    in_span: Callable[[str], AbstractContextManager[None]]  # gives each run a span of its own, by its subject

    def running(self, ask: Ask) -> Ask:
        """Ask, run what tools the answer calls, and ask again with what they said, until it calls none of ours.

        Raises SlowTool, NoTool and ToolFailed.
        """

        async def ask_with_tools(order: Order) -> Reply:
            for _ in range(MAX_ROUNDS):
                reply = await ask(order)
                message = _message(reply)
                calls = _calls(message)
                if not calls or not all(self.has(call) for call in calls):
                    return reply
                order = _continued(order, message, await self._run_all(calls))
            raise ToolFailed(f"The model went on calling tools after {MAX_ROUNDS} rounds.")

        return ask_with_tools

    def has(self, call: ToolCall) -> bool:
        """Whether the operator named the tool."""
        if not ONE_TOKEN.fullmatch(call.name):
            return False
        return any(fnmatchcase(call.name, name) for name in self.names)

    async def _run_all(self, calls: Sequence[ToolCall]) -> list[JsonObject]:
        """What the tools say, in the order of their calls; they run side by side, and the first that fails ends all."""
        try:
            async with asyncio.TaskGroup() as group:
                runs = [group.create_task(self.run(call)) for call in calls]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [run.result() for run in runs]

    async def run(self, call: ToolCall) -> JsonObject:
        """One tool's answer as the message that the model gets."""
        try:
            with self.in_span(SUBJECT + call.name):
                said = await self._answer(call)
        except BaseException as error:
            self.ended(error)
            raise
        self.ended(None)
        return said

    async def _answer(self, call: ToolCall) -> JsonObject:
        answer = await self._ask(call)
        if answer.headers and "Nats-Service-Error-Code" in answer.headers:
            raise ToolFailed(f"The tool {call.name} failed.")
        return {"role": "tool", "tool_call_id": call.id, "content": answer.data.decode("utf-8", "replace")}

    async def _ask(self, call: ToolCall) -> Msg:
        client = self.client()
        if client is None:
            raise NoTool("Tools cannot be reached: the connection to NATS is down.", headers={"retry-after": "1"})
        arguments = call.arguments.encode("utf-8", "replace")  # JSON can hold half of a pair of surrogates
        if len(arguments) + HEADERS > client.max_payload:
            raise ToolFailed(f"The arguments of the tool {call.name} are longer than a NATS message may be.")
        headers = {"Content-Type": JSON_TYPE, "X-Request-ID": request_id.get() or "", **tracing.outgoing()}
        try:
            return await client.request(SUBJECT + call.name, arguments, self.timeout, headers=headers)
        except NoRespondersError:
            raise NoTool(f"Nothing runs the tool {call.name}.") from None
        except TimeoutError:
            raise SlowTool(f"The tool {call.name} did not answer within {self.timeout:g} seconds.") from None
        except (Error, OSError):
            raise NoTool(f"The tool {call.name} cannot be reached.") from None


def unspanned(_: str) -> AbstractContextManager[None]:
    """For want of an export of spans."""
    return nullcontext()


def _message(reply: Reply) -> JsonObject:
    """What a whole answer says, where it says one thing and calls tools; empty otherwise."""
    if b'"tool_calls"' not in reply.body:
        return {}
    try:
        choices = parse(reply.body)["choices"]
    except Malformed:
        return {}
    message: Any = choices[0].get("message") if len(choices) == 1 and isinstance(choices[0], dict) else None
    return message if isinstance(message, dict) else {}


def _calls(message: JsonObject) -> list[ToolCall]:
    asked = message.get("tool_calls") or []
    if not isinstance(asked, list) or len(asked) > MAX_CALLS:
        raise _odd()
    return [_call(each) for each in asked]


def _call(asked: Any) -> ToolCall:
    try:
        function = asked["function"]
        call = ToolCall(asked["id"], function["name"], function["arguments"])
    except (KeyError, TypeError):
        raise _odd() from None
    if not all(isinstance(part, str) for part in (call.id, call.name, call.arguments)):
        raise _odd()
    return call


def _odd() -> ToolFailed:
    return ToolFailed("The model called tools in a way that is not understood.")


def _continued(order: Order, message: JsonObject, said: list[JsonObject]) -> Order:
    messages = [*order.request.document["messages"], message, *said]
    return order._replace(request=order.request.with_messages(messages))

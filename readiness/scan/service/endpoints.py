"""The values that a service is told in: functions, endpoints and applications."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from readiness.model import Location
from readiness.scan.service.facts import HANDED_OUT, LOCAL, Doubt, Hook, Layer, Made, Option, Route
from readiness.scan.service.resolving import is_parameter, split

if TYPE_CHECKING:
    from readiness.scan.service.service import Service

COMPLETIONS = (
    "/chat/completions", "/completions", "/v1/messages", "/v1/responses", "/api/generate", "/v1/generate", "/api/chat",
    ":generatecontent", ":streamgeneratecontent",
)  # fmt: skip
"""How the paths of completions end, in lower case."""
ASKED = {
    "chat",
    "ask",
    "generate",
    "complete",
    "completion",
    "completions",
    "prompt",
    "stream",
    "messages",
    "responses",
}
"""Last parts of paths of completions, where the handler leads to a language model."""
BEFORE = re.compile(
    r"api|v\d+\w*|llms?|ai|openai|anthropic|gpt|genai|chat|models?|rag|agents?|assistant|bot|inference|proxy|gateway|\*"
)
"""Parts that may stand before these: what is below anything else (`/prompts/chat`) is of that."""
ASKING = {
    "create", "acreate", "completion", "acompletion", "stream", "astream", "generate", "agenerate", "chat", "invoke",
    "ainvoke", "generate_content", "generate_content_async", "generate_content_stream", "complete", "acomplete",
    "parse", "send_message", "run", "llm", "allm", "text_completion", "atext_completion", "chat_completion",
    "converse", "converse_stream", "responses", "aresponses",
}  # fmt: skip
"""Methods of model clients that ask for text."""
PROBES = {
    "health", "healthz", "livez", "liveness", "readyz", "readiness", "healthcheck", "health-check", "health_check",
    "_health", "__health__", "startupz", "health_status", "liveliness",
}  # fmt: skip
"""Last parts of paths that tell whether a service is well."""
VAGUE = {"status", "up", "ping", "alive", "heartbeat", "startup", "live", "ready"}
"""Those that may mean something else further down."""
READING = {"GET", "HEAD", "MOUNT", "*"}
STAND_INS = {"mock", "mocks", "mocking", "fake", "fakes", "simulator", "simulators"}
SIDE = {
    "metrics", "docs", "redoc", "openapi.json", "openapi.yaml", "asyncapi.json", "asyncapi.yaml", "favicon.ico",
    "version", "robots.txt",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Function:
    """A function that something leads to, and what it does; see `facts.Deeds`."""

    key: str
    to: frozenset[str]
    caught: frozenset[str]
    """What of that is only called under a guard for any exception, or for a missing key."""
    calls: tuple[tuple[str, int], ...]
    """Calls of libraries by origin, with their lines."""
    answers: tuple[tuple[int, int, str], ...]
    """Statuses from 400 on, their lines, and `own`, `relayed` or `busy`; those of errors that it raises included."""
    fills: frozenset[str]
    """Classes that it makes from a mapping as it came."""
    parameters: tuple[str, ...]
    marks: tuple[str, ...]
    at: Location
    asks_model: bool
    """Whether it asks a language model through one of its clients."""


@dataclass(frozen=True)
class Endpoint:
    """One route of an application, with all that stands before it."""

    service: Service
    route: Route
    path: str
    layers: tuple[Layer, ...]
    options: tuple[Option, ...]
    """Settings of the application, of the routers and of the route itself."""
    doubts: tuple[Doubt, ...] = ()
    """What of the routers around it cannot be read."""

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """What its handlers lead to; its own decorators and dependencies are among the layers."""
        return tuple(self.service.reach(self.route.handlers))

    @cached_property
    def before(self) -> tuple[Function, ...]:
        """What its layers lead to."""
        return tuple(self.service.reach(ref for layer in self.layers for ref in layer.what))

    @property
    def is_probe(self) -> bool:
        """Whether its path is one on which a service tells how it is."""
        parts = [each.lower() for each in self.path.rstrip("/").split("/") if each]
        methods = set(self.route.methods)
        if not parts and methods & READING:
            return any(each[:-1].rpartition(":")[2].rpartition(".")[2] in PROBES for each in self.route.handlers)
        if (
            not parts
            or "admin" in parts
            or any("{" in each or "<" in each for each in parts)
            or (methods and not methods & READING)
        ):
            return False
        return (
            parts[-1] in PROBES
            or (parts[-1] in VAGUE and len(parts) <= 2)
            or (parts[-2:-1] == ["health"] and parts[-1] != "*")
        )

    @property
    def is_side(self) -> bool:
        """Health, metrics, documentation, files: not what the service is for."""
        parts = self.path.lower().strip("/").split("/")
        return (
            self.is_probe
            or parts[-1] in SIDE
            or "metrics" in parts
            or "STATIC" in self.route.methods
            or set(self.route.methods) == {"OPTIONS"}
        )

    @property
    def is_work(self) -> bool:
        """Whether the service is there for it: a path of its own, which is more than its front page, is answered.

        A path and a handler that are handed in are of who uses the library that the project is.
        """
        front = not self.path.strip("/") and set(self.route.methods) <= {"GET", "HEAD"}
        given = bool(self.route.handlers) and all(is_parameter(split(each)[0]) for each in self.route.handlers)
        return not (self.is_side or self.path == "*" or (front and bool(self.route.methods)) or given)

    @property
    def takes_body(self) -> bool:
        """Whether a body is read for it, by the framework or by its own code."""
        return bool(self.route.body) or any({"whole", "chunks"} & set(each.marks) for each in self.functions)

    @cached_property
    def asks_model(self) -> bool:
        """Whether it is a completions route: by its path, or because it leads to a client of a language model."""
        if "GET" in self.route.methods and "POST" not in self.route.methods:
            return False
        return self.path.lower().rstrip("/").endswith(COMPLETIONS) or any(each.asks_model for each in self.functions)

    @cached_property
    def completes(self) -> bool:
        """Whether it is there to complete what a client sends: by its whole path, or its end and what it leads to."""
        path = self.path.lower().rstrip("/")
        if self.route.methods and "POST" not in self.route.methods:
            return False
        before, _, last = path.rpartition("/")
        generic = all(BEFORE.fullmatch(each) for each in before.split("/") if each)
        return path.endswith(COMPLETIONS) or (last in ASKED and generic and self.asks_model)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A route that is never asked, and the one before it that takes its path."""

    endpoint: Endpoint
    by: Endpoint


@dataclass(frozen=True)
class App:
    """An application that is served by itself."""

    made: Made
    endpoints: tuple[Endpoint, ...]
    layers: tuple[Layer, ...]
    """Those before every route."""
    options: tuple[Option, ...]
    hooks: tuple[Hook, ...]
    doubts: tuple[Doubt, ...]
    hidden: tuple[Hidden, ...] = ()
    """Routes that are never asked; they are not among the endpoints."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it, as its address is written into the code."""
        return any(each.name == LOCAL for each in self.options)

    @property
    def is_stand_in(self) -> bool:
        """Whether it stands in for a real one while something else is tried out, by the folder that it is in."""
        return bool(STAND_INS & set(self.made.at.path.lower().split("/")[:-1]))

    def is_handed_out(self, service: Service) -> bool:
        """Whether it is made for others, who put it where they like.

        A class of applications takes its paths from them; a function that makes one is called by nobody here.
        """
        if self.made.ref.endswith("()") and any(each.path == "*" for each in self.endpoints):
            return True
        return any(each.name == HANDED_OUT and not service.is_run(each.value or "") for each in self.options)

    @property
    def takes_more(self) -> bool:
        """Whether it is made by a function that no server can call, as it is given something."""
        return any(each.name == HANDED_OUT for each in self.options)

    def untold(self, service: Service) -> str:
        """Why nothing can be said of it as of a service; empty where it is one."""
        if self.is_stand_in:
            return "it stands in for a service that is not there"
        if not service.is_led_to(self.made.at, given=self.takes_more):
            return "no program of this project gets to it: who serves it, and how, cannot be read"
        return ""

    @property
    def works(self) -> bool:
        """Whether it answers anything besides its front page, and what tells of itself."""
        return any(each.is_work for each in self.endpoints)

    def option(self, *names: str) -> list[Option]:
        return [each for each in self.options if each.name in {*names, "*"}]

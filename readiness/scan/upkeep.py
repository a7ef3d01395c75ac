"""What a service takes care of beside its work: shared by the rules on retries, breakers, caches, logs and traces."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from readiness.model import Location
from readiness.scan.facts import Habit, Use
from readiness.scan.service import ASKING, Function, Service
from readiness.scan.traffic import CLIENTS, MODELS, begins

VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "request", "send", "urlopen", "stream", "open"})
CALL = re.compile(r"[\w.]*?(?:[A-Z]\w*|session|client|resource|connect)\(\)(?:\.with_options\(\))?(?:\.[\w.]+)?|[\w.]+")
"""What stands before the verb: a client that was made, or a module; not an answer."""
LOCAL = ("transformers", "vllm")
"""Libraries that run models in the process."""
CHAINS = ("langchain", "llama_index")
"""Libraries in which not only models are invoked."""
MODEL = re.compile(r"[\w.]*\.(?:\w*Chat\w*|\w*LLM|\w*OpenAI\w*|Anthropic\w*|Ollama\w*|Bedrock\w*|init_chat_model)\(\)")


class Upkeep:
    """Answers for one service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._reached: dict[str, dict[str, Function]] = {}
        self._used: dict[tuple[str, ...], list[Use]] = {}

    @cached_property
    def places(self) -> tuple[Location, ...]:
        """What stays up, and does work: applications, or the first subscription of a service without any.

        Without an application and anything that starts a loop it is a library.
        """
        apps = [app.made.at for app in self.service.apps if any(not each.is_side for each in app.endpoints)]
        messages = self.service.messages
        started = any(each.library == "faststream" for each in messages) or bool(self.habits("starts"))
        return tuple(apps or [each.at for each in messages[:1] if started])

    @cached_property
    def led_to(self) -> dict[str, Function]:
        """The functions that the work leads to, by key; what tells of health and metrics is none."""
        working = [each for each in self.service.endpoints if not each.is_side]
        handlers = [ref for each in working for ref in each.route.handlers]
        handlers += [ref for each in working for layer in each.layers for ref in layer.what]
        handlers += [ref for each in self.service.messages for ref in each.handlers]
        return self.reached(handlers)

    def reached(self, refs: Iterable[str]) -> dict[str, Function]:
        return {each.key: each for each in self.service.reach(refs)}

    @cached_property
    def requests(self) -> tuple[Use, ...]:
        """The upstream calls that the work leads to."""
        return tuple(each for each in self.service.upstream if each.function in self.led_to and is_request(each.origin))

    def habits(self, *kinds: str) -> list[Habit]:
        return [each for each in self.service.habits if each.kind in kinds]

    def set_up_elsewhere(self, *words: str) -> bool:
        """Whether something that is not of the project sets up, by its name, what these words say."""
        called = (ref for each in self.habits("set-up") if self.service.is_run(each.function) for ref in each.what)
        return any(
            ref[0] not in "<." and any(word in ref.rpartition(".")[2].lower() for word in words) for ref in called
        )

    def near(self, path: str) -> frozenset[str]:
        """The files that import a file, or are imported by it, directly or not."""
        return self._closure(path, self._importing) | self._closure(path, self._imported)

    def _closure(self, path: str, beside: dict[str, set[str]]) -> frozenset[str]:
        found: set[str] = set()
        pending = [path]
        while pending:
            each = pending.pop()
            if each not in found:
                found.add(each)
                pending += beside.get(each, ())
        return frozenset(found)

    @cached_property
    def _imported(self) -> dict[str, set[str]]:
        return self.service.imported

    @cached_property
    def _importing(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for path, others in self._imported.items():
            for each in others:
                found.setdefault(each, set()).add(path)
        return found

    def used(self, libraries: tuple[str, ...]) -> list[Use]:
        """Uses of libraries in functions that may run."""
        if libraries not in self._used:
            found = self.service.used(libraries)
            self._used[libraries] = [each for each in found if self.service.is_run(each.function)]
        return self._used[libraries]

    def below(self, function: str) -> dict[str, Function]:
        """What one function leads to."""
        if function not in self._reached:
            self._reached[function] = self.reached([function])
        return self._reached[function]

    def around(self, functions: Iterable[str]) -> set[str]:
        """The functions that run below any of these, themselves included."""
        return set(self.reached(functions))


def is_request(origin: str) -> bool:
    """Whether a call of a client, by its origin, asks another server."""
    before, _, verb = origin.rpartition(".")
    if begins(origin, LOCAL) or CALL.fullmatch(before) is None:
        return False
    if origin.startswith(("nats.", "faststream.")):
        return verb == "request"
    if begins(origin, CHAINS) and MODEL.match(before) is None:
        return False
    return (verb in VERBS and begins(origin, CLIENTS)) or (verb in ASKING and begins(origin, MODELS))

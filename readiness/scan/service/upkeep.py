"""What a service takes care of beside its work: shared by the rules on retries, breakers, caches, logs and traces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from readiness.model import Location
from readiness.scan.service.facts import Deeds, Habit, Message, Use
from readiness.scan.service.resolving import is_parameter, split
from readiness.scan.service.service import ASKING, App, Function, Service
from readiness.scan.service.traffic import CLIENTS, MODELS, begins

VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "request", "send", "urlopen", "stream", "open"})
CALL = re.compile(r"[\w.]*?(?:[A-Z]\w*|session|client|resource|connect)\(\)(?:\.with_options\(\))?(?:\.[\w.]+)?|[\w.]+")
"""What stands before the verb: a client that was made, or a module; not an answer."""
LOCAL = ("transformers", "vllm")
"""Libraries that run models in the process."""
CHAINS = ("langchain", "llama_index")
"""Libraries in which not only models are invoked."""
FEW = 10
"""One route in so many has to lead to an upstream."""
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
        apps = [app.made.at for app in self.apps if not self.untold(app)]
        taken = [] if self.apps else [each for each in self.taken if self.stays(each)]
        return tuple(apps or [each.at for each in taken[:1]])

    @cached_property
    def apps(self) -> list[App]:
        """The applications that do work, and are not made for others."""
        return [app for app in self.service.apps if app.works and not app.is_handed_out(self.service)]

    @cached_property
    def taken(self) -> list[Message]:
        """The messages that the project itself takes in: those of its classes first.

        They say more of a service than what a command line prints.
        """
        taken = [each for each in self.service.messages if self.is_taken(each)]
        near = {each: [ref for ref in each.handlers if self.is_outermost(ref)] for each in taken}
        return sorted(taken, key=lambda each: (not near[each], not any(map(self.is_method, near[each]))))

    def untold(self, app: App) -> str:
        """Why nothing can be said of an application as of a service that is run for others; empty where it is one."""
        alone = "its one address is of this machine: who else reaches it cannot be read" if app.is_local else ""
        return alone or app.untold(self.service)

    @property
    def open(self) -> list[str]:
        """What cannot be told where there is no place: why each application may be none."""
        if self.places:
            return []
        found = [(app.made.at, self.untold(app)) for app in self.apps]
        if not found:
            found = [(each.at, "whether what takes messages in stays up cannot be read") for each in self.taken[:1]]
        if not found:
            why = "only what is run beside the program of the package takes messages in"
            found = [(each.at, why) for each in self.service.messages if self.is_tried(each)][:1]
        return [f"{at.path}:{at.line}: {why}" for at, why in found]

    @property
    def works(self) -> bool:
        """Whether there is work: a place, or a message for a function of the project that stands in no other one."""
        handlers = (ref for each in self.service.messages for ref in each.handlers)
        return bool(self.apps or self.taken) or any(map(self.is_outermost, handlers))

    def is_taken(self, message: Message) -> bool:
        """Whether the project itself, and not who uses it, takes a message in."""
        return message.library == "faststream" or (self.is_started(message.at) and not self.is_handed_on(message))

    def is_handed_on(self, message: Message) -> bool:
        """Whether messages are taken in for a function that is passed, and the project passes none that stands alone.

        What a command of it passes is defined inside of that command: it prints, or waits for one answer.
        """
        if message.handlers and all(is_parameter(split(each)[0]) for each in message.handlers):
            return True  # whoever passes it is not known
        called = {ref for key in message.handlers for ref in self.service.called_parameters(key)}
        given = {each for ref in called for each in self.service.followed(ref)}
        return bool(called) and not any(self.is_outermost(each) for each in given)

    def stays(self, message: Message) -> bool:
        """Whether a program that takes a message in stays up: it waits somewhere for ever."""
        if message.library == "faststream":
            return True
        holders = self.holders(message.at)
        waiting = self.habits("stays")
        return any(
            holders & led_to and any(one.function in led_to or is_beside(one, each) for one in waiting)
            for each, led_to in self.programs
        )

    def is_outermost(self, key: str) -> bool:
        """Whether a function of the project stands in no other one."""
        return key[0] == "<" and f"{key.rpartition('.')[0]}>" not in self.functions

    def is_method(self, key: str) -> bool:
        """Whether a function stands in a class."""
        return "." in key.rpartition(":")[2] and self.is_outermost(key)

    @cached_property
    def functions(self) -> set[str]:
        """The functions of the project, by key."""
        return {each.key for each in self.service.all(Deeds)}

    def is_started(self, at: Location) -> bool:
        """Whether a program of the project gets to a place, or makes an object of the class that it stands in.

        What only those get to who use a library is theirs.
        """
        return any(self.holders(at) & led_to for _, led_to in self.programs)

    def holders(self, at: Location) -> set[str]:
        """The functions and classes around a place, by key."""
        found = set()
        for each in self.service.all(Deeds):
            if each.at.path == at.path and each.at.line <= at.line <= each.at.end_line:
                holder, _, names = each.key[1:-1].partition(":")
                parts = names.split(".")
                found |= {f"<{holder}:{'.'.join(parts[:end])}>" for end in range(1, len(parts) + 1)}
        return found

    @cached_property
    def programs(self) -> list[tuple[Habit, set[str]]]:
        """Functions that start a loop, and files that are run, each with what it leads to and makes.

        A method that starts one is for who uses its class; where a package has a program of its own, `__main__.py`,
        what is run at the end of another file may only try that file out.
        """
        begun = [each for each in self.habits("starts") if not (self.is_method(each.function) or self.is_trial(each))]
        return [(each, self.got_to(each)) for each in begun]

    def got_to(self, begun: Habit) -> set[str]:
        """What a program leads to and makes."""
        led_to = self.reached(ref for ref in (*begun.what, begun.function) if ref)
        return set(led_to).union(*(one.to for one in led_to.values()))

    def is_tried(self, message: Message) -> bool:
        """Whether a message is taken in where a file is run beside the program of its package."""
        trials = (each for each in self.habits("starts") if self.is_trial(each))
        holders = self.holders(message.at)
        return any(holders & self.got_to(each) for each in trials)

    def is_trial(self, begun: Habit) -> bool:
        """Whether a file is run beside the program of its package."""
        folder, _, name = begun.at.path.rpartition("/")
        return not begun.function and name != "__main__.py" and self.service.holds(f"{folder}/__main__.py")

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
        """The upstream calls that the work leads to: those of completions first, then those that most of it leads to.

        What hardly any of it leads to (a file that is fetched, an address that is tried out) is no upstream of it.
        """
        asked = self.reached(ref for each in self.service.endpoints if each.completes for ref in each.route.handlers)
        leading = Counter(key for each in self.work for key in each)
        steps = {key: number for number, key in enumerate(self.led_to)}

        def order(use: Use) -> tuple[bool, bool, int, int]:
            other = not begins(use.origin, MODELS)
            return use.function not in asked, other, -leading[use.function], steps[use.function]

        found = (each for each in self.service.upstream if is_request(each.origin) and each.function in steps)
        told = (each for each in found if each.function in asked or leading[each.function] * FEW >= len(self.work))
        return tuple(sorted(told, key=order))

    @property
    def unread(self) -> str:
        """Why nothing can be said of upstream calls, where there are completions and none of their calls is seen."""
        first = next((each for each in self.service.endpoints if each.completes), None)
        if first is None or self.requests:
            return ""
        at = first.route.at
        return f"{at.path}:{at.line}: no upstream call that {first.path} leads to can be read"

    @cached_property
    def work(self) -> list[set[str]]:
        """What each route and subscription leads to, by key."""
        routes = (each for each in self.service.endpoints if each.is_work)
        found = [{one.key for one in (*each.functions, *each.before)} for each in routes]
        return found + [set(self.reached(each.handlers)) for each in self.service.messages]

    def habits(self, *kinds: str) -> list[Habit]:
        return [each for each in self.service.habits if each.kind in kinds]

    def set_up_elsewhere(self, *words: str) -> bool:
        """Whether something that is not of the project sets up, by its name, what these words say."""
        called = (ref for each in self.habits("set-up") if self.service.is_run(each.function) for ref in each.what)
        return any(
            ref[0] not in "<." and any(word in ".".join(ref.split(".")[-2:]).lower() for word in words)
            for ref in called
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


def is_beside(one: Habit, other: Habit) -> bool:
    """Whether both stand at the level of the same module."""
    return one.function == other.function == "" and one.at.path == other.at.path


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

"""Gateways that look well and are not: each a small process that the sandbox starts, and the item that finds it."""

from dataclasses import dataclass

from readiness.probe.toy import Toy


@dataclass(frozen=True)
class Liar:
    """What it does, and what it must fail."""

    toy: Toy
    item: str
    slow: bool = False
    """Takes long to be found: `make soak` does it."""


def nats(fault: str = "", **more: str) -> Toy:
    return Toy(nats="recovers", nats_fault=fault, **more)  # type: ignore[arg-type]  # every field here is text


LIARS = {
    "a 200 for everything": Liar(Toy(health="everything"), "health-endpoint"),
    "always 429": Liar(Toy(rate_fault="always"), "rate-limited", slow=True),
    "429 from a cooldown": Liar(Toy(rate_fault="cooldown"), "rate-limited"),
    "constant RateLimit headers": Liar(Toy(rate_fault="headers"), "rate-limited"),
    "a limit that X-Forwarded-For escapes": Liar(Toy(rate_fault="trusts-forwarded"), "rate-limited", slow=True),
    "a limiter that checks and then acts": Liar(Toy(rate_fault="check-then-act"), "rate-limited", slow=True),
    "one limit for everybody": Liar(Toy(rate_fault="everybody"), "rate-limited", slow=True),
    "a readiness that lies": Liar(Toy(health="blind"), "health-endpoint"),
    "health by flush, the zombie": Liar(nats(health="flush"), "nats-connection-checked", slow=True),
    "a dead loop behind a live port": Liar(nats("dies"), "json-guarded", slow=True),
    "silence for a malformed message": Liar(nats("silent"), "json-guarded", slow=True),
    "-NAK to the caller": Liar(nats("nak"), "json-guarded"),
    "giving up to reconnect": Liar(Toy(nats="gives-up"), "nats-connection-checked", slow=True),
    "a callback of the wrong arity": Liar(nats("arity"), "nats-connection-checked", slow=True),
    "close in place of drain": Liar(nats("close"), "graceful-shutdown"),
    "a flood that is taken in whole": Liar(nats("unbounded"), "backpressure"),
    "a flood that is lost in silence": Liar(nats("drops"), "backpressure", slow=True),
    "a tool that is waited for for ever": Liar(nats("stuck-tool"), "nats-requests-timed", slow=True),
    "a key that an error repeats": Liar(Toy(secrets="echo"), "secrets-managed"),
    "a key in the log": Liar(Toy(secrets="logs"), "secrets-managed"),
    "an upstream's 401 passed on": Liar(Toy(errors="relays"), "secrets-managed", slow=True),
    "plain text in one error of ten": Liar(Toy(errors="tenth"), "error-format"),
    "a client's mistake as a 500": Liar(Toy(errors="masked"), "error-format", slow=True),
    "a stream that swallows an error": Liar(Toy(streams="swallows"), "streaming"),
    "an empty 200 for an upstream that failed": Liar(Toy(streams="hides"), "streaming"),
    "a shutdown that cuts": Liar(Toy(shutdown="cuts"), "graceful-shutdown"),
    "a readiness that stays to the end": Liar(Toy(shutdown="lies"), "graceful-shutdown", slow=True),
    "a cache that leaks across clients": Liar(Toy(cache="shared"), "caching"),
    "a traceparent that is echoed": Liar(Toy(tracing="echoes"), "tracing"),
    "metrics that never move": Liar(Toy(metrics="still"), "metrics"),
    "a label that a client makes up": Liar(Toy(metrics="paths"), "metrics", slow=True),
    "a breaker that never closes": Liar(Toy(breaker="stuck"), "circuit-breaker"),
    "a storm of retries": Liar(Toy(retry="storm", breaker="none"), "connection-retry", slow=True),
    "a request id of its own in the log": Liar(Toy(logs="other-id"), "structured-logging"),
    "a list that is cleared before it is loaded": Liar(Toy(catalog="clears"), "catalog-refresh-guarded", slow=True),
    "a loop that died": Liar(Toy(catalog="dies"), "background-tasks-guarded", slow=True),
    "a descriptor for every client that left": Liar(Toy(leaks="clients"), "subscriptions-cleaned", slow=True),
    "a crash for a wrong type": Liar(Toy(schema="crash"), "schema-validation"),
    "an unknown model that is sent on": Liar(Toy(models="forward"), "unknown-provider"),
    "a key file that everybody may read": Liar(Toy(key_file="any-mode"), "credential-files-private"),
    "answers that are mixed up": Liar(Toy(timeout=10.0, burst="mixes"), "burst-stable"),
    "chats that wait for each other": Liar(Toy(load="one-by-one"), "load-stable", slow=True),
    "memory that each chat leaves behind": Liar(Toy(load="leaks"), "load-stable", slow=True),
    "log lines that can be forged": Liar(Toy(inputs="log"), "input-sanitised"),
    "log lines that an upstream can forge": Liar(Toy(inputs="quotes"), "input-sanitised"),
}

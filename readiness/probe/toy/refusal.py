"""An answer that ends a request, and what a toy writes to its log."""

import json
import sys
import time
import traceback
from typing import Any


class Refused(Exception):
    """An answer that ends a request."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}


def error(status: int, message: str, headers: dict[str, str] | None = None, param: str | None = None) -> Refused:
    """In OpenAI's shape."""
    return Refused(status, {"error": {"message": message, "code": None, "param": param}}, headers)


def worded(kind: str, number: int, refused: Refused) -> tuple[int, Any]:
    """Status and body of an error, right or wrong as `Toy.errors` says; the number is how many there were."""
    status, body = refused.status, refused.body
    match kind:
        case "two-shapes" if status == 405:
            body = {"detail": "Method Not Allowed"}
        case "trace" if status >= 500:
            body = {"error": {"message": "".join(traceback.format_stack()), "code": None, "param": None}}
        case "text" if status == 404:
            body = "not found"
        case "tenth" if number % 10 == 0:
            body = "something went wrong"
        case "hollow" if status >= 500:
            status, body = 200, {"choices": []}
        case "masked" if status < 500:
            status = 500
        case _:
            pass
    return status, body


def write(kind: str, message: str, number: int, **more: Any) -> None:
    """One line of log, right or wrong as `Toy.logs` says."""
    line: dict[str, Any] = {"time": time.time(), "level": "info", "message": message, **more}
    if kind == "no-id":
        line.pop("request_id", None)
    if kind == "other-id" and "request_id" in line:
        line["request_id"] = "another"
    if kind == "bare":
        line = {"message": message, "request_id": more.get("request_id")}
    plain = kind == "text" or (kind == "one-of-ten" and number % 10 == 0)
    print(f"INFO {message}" if plain else json.dumps(line), file=sys.stderr, flush=True)

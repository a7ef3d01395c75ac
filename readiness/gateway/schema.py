"""The shape of a chat request: checked field by field, then forwarded as it came."""

import json
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict  # pydantic wants it from here before Python 3.12

from readiness.gateway.call import JsonObject
from readiness.gateway.errors import BadRequest


def _integral(value: Any) -> Any:
    # To JSON Schema 5.0 is an integer, and some languages write it so.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, Field(min_length=1)]
Integer = Annotated[int, BeforeValidator(_integral)]
Natural = Annotated[int, Field(ge=0), BeforeValidator(_integral)]  # the bound before it: only there it is described
Positive = Annotated[int, Field(ge=1), BeforeValidator(_integral)]
Penalty = Annotated[float, Field(ge=-2, le=2)]


class ChatRequest(NamedTuple):
    """A request, as its fields say; `document` is the client's own object, unknown fields included."""

    model: str
    stream: bool
    include_usage: bool  # the client wants a last chunk with usage numbers
    document: JsonObject
    raw: bytes | None = None  # the document as it came; None where it was changed

    def body(self) -> bytes:
        """What an upstream is sent: if it can be, the client's own bytes."""
        return json.dumps(self.document).encode("ascii") if self.raw is None else self.raw

    def with_messages(self, messages: list[Any]) -> "ChatRequest":
        """The same request about other messages."""
        return self._replace(document={**self.document, "messages": messages}, raw=None)


def _content_unless_assistant(schema: JsonObject) -> None:
    turn = {"properties": {"role": {"const": "assistant"}}}
    said = {"required": ["content"], "properties": {"content": {"not": {"type": "null"}}}}
    schema["anyOf"] = [turn, said]


# Typed dictionaries, not models: the document is forwarded as it came, objects made of it would be thrown away.
LOOSE = ConfigDict(extra="allow", strict=True)


@with_config(LOOSE)
class Part(TypedDict):
    type: Text


@with_config(ConfigDict(**LOOSE, json_schema_extra=_content_unless_assistant))
class Message(TypedDict):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: NotRequired[StrictStr | list[Part] | None]
    tool_calls: NotRequired[list[dict[str, Any]] | None]


@with_config(LOOSE)
class StreamOptions(TypedDict):
    include_usage: NotRequired[bool | None]


@with_config(LOOSE)
class Chat(TypedDict):
    model: Text
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: NotRequired[bool | None]
    stream_options: NotRequired[StreamOptions | None]
    temperature: NotRequired[Annotated[float, Field(ge=0, le=2)] | None]
    top_p: NotRequired[Annotated[float, Field(ge=0, le=1)] | None]
    n: NotRequired[Positive | None]
    max_tokens: NotRequired[Positive | None]
    max_completion_tokens: NotRequired[Positive | None]
    presence_penalty: NotRequired[Penalty | None]
    frequency_penalty: NotRequired[Penalty | None]
    stop: NotRequired[StrictStr | list[StrictStr] | None]
    seed: NotRequired[Integer | None]
    user: NotRequired[str | None]
    logprobs: NotRequired[bool | None]
    top_logprobs: NotRequired[Natural | None]
    logit_bias: NotRequired[dict[str, float] | None]
    tools: NotRequired[list[Part] | None]
    tool_choice: NotRequired[StrictStr | dict[str, Any] | None]
    response_format: NotRequired[dict[str, Any] | None]
    metadata: NotRequired[dict[str, Any] | None]
    parallel_tool_calls: NotRequired[StrictBool | None]
    store: NotRequired[StrictBool | None]


_CHAT = TypeAdapter(Chat)


def check(document: JsonObject) -> None:
    """Raise BadRequest that names the first wrong field of a parsed body."""
    try:
        chat = _CHAT.validate_python(document)
    except ValidationError as error:
        raise _refusal(error, document) from None
    for number, message in enumerate(chat["messages"]):
        # An assistant's turn may be nothing but tool calls.
        if message.get("content") is None and message["role"] != "assistant":
            raise BadRequest(f"messages[{number}]: content is missing.", param=f"messages[{number}]")


def chat_request(document: Any, raw: bytes | None) -> ChatRequest:
    """What the gateway itself reads of a body that was checked; `raw` is what it was parsed from."""
    usage = bool((document.get("stream_options") or {}).get("include_usage"))
    return ChatRequest(document["model"], bool(document.get("stream")), usage, document, raw)


def chat_json_schema(reference: str) -> JsonObject:
    """The JSON Schema of a request; `reference` holds `{model}` where the name of a part goes."""
    return _CHAT.json_schema(ref_template=reference)


def _refusal(error: ValidationError, document: Any) -> BadRequest:
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    # Of the members of a union the one that got furthest is the one that was meant.
    furthest = max(errors, key=lambda each: len(_path(each, document)))
    param = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in _path(furthest, document))
    param = param.removeprefix(".")
    return BadRequest(f"{param or 'The body'}: {furthest['msg']}.", param=param or None)


def _path(error: ErrorDetails, document: Any) -> list[int | str]:
    """Where the client's document is wrong, without the steps that only name a member of a union."""
    path: list[int | str] = []
    value = document
    for step in error["loc"]:
        if _holds(value, step):
            path.append(step)
            value = value[step]
    return [*path, error["loc"][-1]] if error["type"] == "missing" else path


def _holds(value: Any, step: int | str) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)

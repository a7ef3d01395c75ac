"""The shape of a chat request: checked field by field, then forwarded as it came."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

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


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request, as its fields say; `document` is the client's own object, unknown fields included."""

    model: str
    stream: bool
    include_usage: bool  # the client wants a last chunk with usage numbers
    document: JsonObject


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


def _content_unless_assistant(schema: JsonObject) -> None:
    turn = {"properties": {"role": {"const": "assistant"}}}
    said = {"required": ["content"], "properties": {"content": {"not": {"type": "null"}}}}
    schema["anyOf"] = [turn, said]


class Part(Loose):
    type: Text


class Message(Loose):
    model_config = ConfigDict(json_schema_extra=_content_unless_assistant)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: StrictStr | list[Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _has_content(self) -> "Message":
        # An assistant's turn may be nothing but tool calls.
        if self.content is None and self.role != "assistant":
            raise ValueError("content is missing")
        return self


class StreamOptions(Loose):
    include_usage: bool | None = None


class Chat(Loose):
    model: Text
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Positive | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    stop: StrictStr | list[StrictStr] | None = None
    seed: Integer | None = None
    user: str | None = None
    logprobs: bool | None = None
    top_logprobs: Natural | None = None
    logit_bias: dict[str, float] | None = None
    tools: list[Part] | None = None
    tool_choice: StrictStr | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    parallel_tool_calls: StrictBool | None = None
    store: StrictBool | None = None


def check(document: JsonObject) -> None:
    """Raise BadRequest that names the first wrong field of a parsed body."""
    try:
        Chat.model_validate(document)
    except ValidationError as error:
        raise _refusal(error, document) from None


def chat_request(document: Any) -> ChatRequest:
    """What the gateway itself reads of a body that was checked."""
    usage = bool((document.get("stream_options") or {}).get("include_usage"))
    return ChatRequest(document["model"], bool(document.get("stream")), usage, document)


def chat_json_schema(reference: str) -> JsonObject:
    """The JSON Schema of a request; `reference` holds `{model}` where the name of a part goes."""
    return Chat.model_json_schema(ref_template=reference)


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

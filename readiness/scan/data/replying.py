"""Functions whose results a framework sends as a reply: tools of MCP, subscribers of a broker."""

from __future__ import annotations

import ast

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.tree import argument, last_name, text_of

TOOLS = {"tool", "call_tool", "resource", "read_resource"}
SERVED = (
    "streamable_http_app", "sse_app", "http_app", "SseServerTransport", "StreamableHTTPSessionManager",
    "create_sse_app", "create_streamable_http_app",
)  # fmt: skip
"""What serves tools to others; over stdio the only client is who started the process."""
TRANSPORTS = {"sse", "http", "streamable-http", "streamable_http"}


def replies(file: PythonFile, decorator: ast.expr) -> bool:
    """Whether what the function returns goes to a peer: `@mcp.tool()`, `@broker.subscriber("subject")`."""
    plain = decorator.func if isinstance(decorator, ast.Call) else decorator
    last = last_name(plain)
    if last not in TOOLS | {"subscriber"}:
        return False
    origins = file.names.origins(plain)
    if last == "subscriber":
        return any(origin.startswith("faststream.") for origin in origins)
    return any(origin.startswith(("mcp.", "fastmcp.")) for origin in origins) and _is_served(file)


def _is_served(file: PythonFile) -> bool:
    """Whether the project serves its tools over HTTP."""
    project = file.finder if isinstance(file.finder, Project) else None
    if any(project.naming(each) if project else file.calls.uses.get(each) for each in SERVED):
        return True
    files = project.holding("transport") if project else [file]
    calls = (call for each in files for call in each.calls.named("run", "run_async"))
    return any(text_of(argument(call, "transport", 0)) in TRANSPORTS for call in calls)

"""Heads that two servers could read in two ways, and that the parser lets through (RFC 9112, 3.2, 6.1 and 9.9)."""

from collections.abc import Sequence

from readiness.gateway.errors import BadRequest, GatewayError, HeadTooLarge

MAX_HEAD = 32_768  # bytes of request line and header fields


def fault_of(
    url: bytes, headers: Sequence[tuple[bytes, bytes]], version: str, *, upgrades: bool
) -> GatewayError | None:
    """Why the head is refused, None if it is sound; names of fields are in lower case."""
    size = len(url)
    hosts, codings, sized = 0, list[bytes](), False
    for name, value in headers:
        size += len(name) + len(value)
        match name:
            case b"host":
                hosts += 1
            case b"transfer-encoding":
                codings.append(value)
            case b"content-length":
                sized = value != b"0"
    if size > MAX_HEAD:
        return too_large()
    if hosts > 1 or (not hosts and version == "1.1"):
        return BadRequest("Send one Host field.")
    if codings and (version != "1.1" or b",".join(codings).lower() != b"chunked"):
        return BadRequest("Of all transfer codings only `chunked` is read, in HTTP/1.1.")
    if upgrades and (codings or sized):
        return BadRequest("This server speaks HTTP/1.1 only: leave Upgrade out where there is a body.")
    return None


def too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The fields of the request are larger than {MAX_HEAD} bytes.")

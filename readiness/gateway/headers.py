"""Header fields that every answer over HTTP carries."""

SECURITY = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
"""An API's answers are data: not to be guessed at, kept, framed, or told to others."""

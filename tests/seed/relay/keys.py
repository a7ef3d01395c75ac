"""The key for the upstream, and the tokens that clients were given."""

import json
import logging
import secrets

from relay.settings import DATA

log = logging.getLogger(__name__)


def upstream_key() -> str:
    api_key = (DATA / "upstream.key").read_text().strip()
    log.info("using upstream key %s", api_key)
    return api_key


def issue_token(client: str) -> str:
    path = DATA / "tokens.json"
    tokens = json.loads(path.read_text()) if path.exists() else {}
    tokens[client] = secrets.token_urlsafe(24)
    with open(path, "w") as file:
        json.dump(tokens, file)
    path.chmod(0o600)
    return tokens[client]

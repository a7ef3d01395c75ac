"""Where everything is; the sandbox and the deployment set the environment."""

import os
from pathlib import Path

UPSTREAM = os.environ.get("RELAY_UPSTREAM", "http://localhost:9000/v1")
NATS = os.environ.get("RELAY_NATS", "nats://localhost:4222")
DATA = Path(os.environ.get("RELAY_DATA", "."))
REFRESH_SECONDS = float(os.environ.get("RELAY_REFRESH_SECONDS", "60"))
BILLING = os.environ.get("RELAY_BILLING", "")
ADMIN_TOKEN = "relay-admin-7f3b90"

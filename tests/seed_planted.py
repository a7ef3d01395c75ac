"""What is wrong with the service of tests/seed: each planted line with the rule that must find it."""

CONNECT = "self.nc = await nats.connect(NATS, reconnected_cb=self.on_reconnect, closed_cb=self.on_closed)"
START_TASK = "asyncio.create_task(catalog.keep_fresh())"
KEEP_TASK = "self.tasks.append(asyncio.create_task(self.answer(msg)))"
CLIENT = 'client = httpx.AsyncClient(timeout=None, verify=False, headers={"Authorization": f"Bearer {self.key}"})'
ASK_TOOL = """result = await self.nc.request(f"tools.execute.{function['name']}", function["arguments"].encode())"""
ASK_MODEL = 'reply = await self.client.post(f"{url}/chat/completions", json={**body, "stream": False})'
ROUTE = 'Route("/v1/chat/completions", completions, methods=["POST"]),'
SUBSCRIBE = 'await self.nc.subscribe("llm.chat", cb=self.on_message)'
BILL = "urllib.request.urlopen(BILLING, json.dumps(entry).encode())"
APP = "app = Starlette("

PLANTED = [
    ("relay/catalog.py", "self.models.clear()", "python/stale-refresh"),
    ("relay/app.py", START_TASK, "python/dangling-task"),
    ("relay/catalog.py", "while True:", "python/unhandled-interval"),
    ("relay/ledger.py", "except Exception:", "python/broad-except-swallow"),
    ("relay/bus.py", CONNECT, "python/lost-connection"),
    ("relay/bus.py", CONNECT, "python/nats-api-misuse"),
    ("relay/bus.py", "await msg.nak()", "python/nats-api-misuse"),
    (
        "relay/bus.py",
        'await self.nc.publish("llm.usage", json.dumps({"client": client, "usage": usage}).encode())',
        "python/null-connection",
    ),
    ("relay/bus.py", "body = json.loads(msg.data)", "python/unguarded-json"),
    ("relay/bus.py", "answer = json.loads(reply.content)", "python/unguarded-json"),
    ("relay/catalog.py", 'for model in reply.json()["data"]:', "python/unguarded-json"),
    ("relay/chat.py", "body = json.loads(await request.body())", "python/unguarded-json"),
    ("relay/chat.py", "answer = reply.json()", "python/unguarded-json"),
    ("relay/app.py", APP, "python/no-rate-limit"),
    ("relay/app.py", APP, "python/no-body-limit"),
    ("relay/bus.py", ASK_TOOL, "python/nats-request-timeout"),
    ("relay/bus.py", SUBSCRIBE, "python/task-leak"),
    ("relay/bus.py", SUBSCRIBE, "python/resource-leak"),
    ("relay/bus.py", KEEP_TASK, "python/task-leak"),
    ("relay/bus.py", KEEP_TASK, "python/resource-leak"),
    ("relay/bus.py", CLIENT, "python/resource-leak"),
    ("relay/bus.py", KEEP_TASK, "python/no-backpressure"),
    ("relay/app.py", APP, "python/no-health-endpoint"),
    (".env", "RELAY_BILLING_KEY=Qm9vTHVjaWQxMjM0cGx1bQ", "files/credential-mode"),
    ("relay/keys.py", 'with open(path, "w") as file:', "python/insecure-credential-file"),
    ("relay/bus.py", CLIENT, "python/missing-timeout"),
    ("relay/catalog.py", "async with httpx.AsyncClient(timeout=None) as client:", "python/missing-timeout"),
    ("relay/chat.py", "self.client = httpx.AsyncClient(", "python/missing-timeout"),
    ("relay/ledger.py", BILL, "python/missing-timeout"),
    ("relay/ledger.py", BILL, "python/blocking-in-async"),
    ("relay/app.py", ROUTE, "python/no-streaming"),
    ("relay/chat.py", ASK_MODEL, "python/no-retry"),
    (
        "relay/chat.py",
        'return JSONResponse({"detail": f"{url}: {problem}"}, status_code=500)',
        "python/error-detail-leak",
    ),
    ("relay/chat.py", 'url = URLS[PROVIDERS[body["model"]]]', "python/unknown-provider"),
    ("relay/keys.py", 'log.info("using upstream key %s", api_key)', "python/secret-exposure"),
    ("relay/settings.py", 'ADMIN_TOKEN = "relay-admin-7f3b90"', "bandit/B105"),
    (
        "relay/app.py",
        'logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")',
        "python/unstructured-logging",
    ),
    ("relay/app.py", APP, "python/no-metrics"),
    ("relay/app.py", APP, "python/no-tracing"),
    ("relay/chat.py", ASK_MODEL, "python/no-circuit-breaker"),
    ("relay/app.py", ROUTE, "python/no-caching"),
    ("relay/app.py", START_TASK, "python/no-graceful-shutdown"),
    ("relay/app.py", ROUTE, "python/no-schema"),
]
"""File, the line without its indentation, which stands there once, and the rule."""

LIVE_ONLY = {"load-stable", "burst-stable", "input-sanitised"}
"""Items that only a running service can fail."""

BLIND = {
    "live/nats-disconnect",  # HTTP outlasts a NATS server that is killed, and there is no health to lie
    "live/nats-lame-duck",
    "live/compressed-body",  # what is compressed is not unpacked here, so no bomb goes off
    "live/request-smuggling",  # the server in front reads lengths and chunks as it should
}
"""Probes that find nothing wrong here."""
ADVISING = {
    "live/authentication", "live/cross-origin", "live/method-not-allowed", "live/security-headers", "live/tls",
}  # fmt: skip
"""Probes that decide nothing."""

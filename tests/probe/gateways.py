"""Gateways for the sandbox: scripts that any Python runs, and the settings that launch them."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from readiness import settings
from readiness.settings import Settings

TELLING = """
import http.server, json, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        files, work = {}, os.environ.get("WORK", os.devnull)
        for folder, _, names in os.walk(work):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, errors="replace") as file:
                    mode = oct(os.stat(path).st_mode & 0o777)
                    files[os.path.relpath(path, work)] = {"text": file.read(), "mode": mode}
        told = {"argv": sys.argv[2:], "env": dict(os.environ), "headers": dict(self.headers), "files": files,
                "cwd": os.getcwd(), "pid": os.getpid()}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Answers every path with what it was started with; of the files in WORK too."""
QUITS = """
import os, sys
print("reading the settings")
sys.exit(f"cannot go on: the key {os.environ['KEY']} is refused")
"""
SLEEPS = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[2]).write_text(str(os.getpid()))
time.sleep(3600)
"""


def launching(folder: Path, script: str, *words: str, **target: Any) -> Settings:
    """Settings, read from a readiness.toml, that launch a script with `{port}` and the words behind it."""
    (folder / "gateway.py").write_text(script)
    launch = shlex.join([sys.executable, str(folder / "gateway.py"), "{port}", *words])
    return written(folder, launch=launch, **target)


def written(folder: Path, **target: Any) -> Settings:
    lines = [f"{key} = {inline(value)}" for key, value in target.items()]
    (folder / "readiness.toml").write_text("\n".join(["[target]", *lines, ""]))
    return settings.load(folder)


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {inline(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)

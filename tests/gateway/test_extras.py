"""What is optional is loaded by those who ask for it, and named to those who lack it."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from readiness.errors import MissingExtra
from readiness.gateway import build, load_settings

build(load_settings(None))
asked = {
    "hvac": {"vault": {"address": "http://127.0.0.1:1", "token_env": "T"}},
    "opentelemetry": {"otel_endpoint": "http://127.0.0.1:1"},
}
for library, settings in asked.items():
    assert library not in sys.modules
    sys.modules[library] = None
    try:
        build(load_settings(None, **settings))
    except MissingExtra as error:
        print(error)
"""


def test_nothing_optional_is_loaded_unasked_and_what_is_missing_is_named(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=tmp_path)
    first, second = ended.stdout.splitlines()
    assert "pip install 'readiness[vault]'" in first
    assert "pip install 'readiness[otel]'" in second

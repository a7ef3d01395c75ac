"""Serve the reference gateway with one part left out: `gateway_without.py ITEM PORT CONFIG`."""

import sys
from pathlib import Path

from readiness.gateway import load_settings, serve

if __name__ == "__main__":
    item, port, config = sys.argv[1:]
    without = frozenset() if item == "nothing" else frozenset({item})
    sys.exit(serve(load_settings(Path(config), port=int(port)), without))

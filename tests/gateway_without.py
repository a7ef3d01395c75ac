"""Serve the reference gateway with parts left out: `gateway_without.py ITEM[,ITEM] PORT CONFIG`."""

import sys
from pathlib import Path

from readiness.gateway import load_settings, serve

if __name__ == "__main__":
    items, port, config = sys.argv[1:]
    without = frozenset(items.split(",")) - {"nothing"}
    sys.exit(serve(load_settings(Path(config), port=int(port)), without))

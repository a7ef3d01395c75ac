"""Fixes: what rules put into them, and how they get into files."""

"""The load generator: locust, in a process of its own (`python -m readiness.load ORDER`).

locust patches sockets and threads when it is imported, so nothing of the tool imports `client` or `__main__` of this
package; what both sides know stands in `asked`, `order` and `tally`.
"""

from importlib.util import find_spec


def installed() -> bool:
    """Whether locust is there. It is looked for without being imported."""
    return find_spec("locust") is not None

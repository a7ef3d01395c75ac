"""The metrics of a toy."""

from collections.abc import Mapping

CHATS = "/v1/chat/completions"
ONLY = {"404s": "404", "400s": "400", "502s": "502"}
"""Of errors, which are counted at all."""


def page(kind: str, counts: Mapping[tuple[str, str], int], seconds: float, number: int) -> str:
    """What Prometheus is given, right or wrong as `Toy.metrics` says; counts are by route and status."""
    if kind == "garbage":
        return "<html>metrics</html>"
    if kind == "runtime":
        return f"process_cpu_seconds_total {seconds}\nprocess_resident_memory_bytes {number * 4096}\n"
    still = kind == "still"
    every = {(CHATS, "200"): 0} if still else counts
    lines = ["# TYPE http_requests_total counter"]
    if kind == "no-errors":
        lines.append(f"http_requests_total {sum(every.values())}")
    else:
        counted = {"200", ONLY[kind]} if kind in ONLY else {told for _, told in every}
        lines += [
            f'http_requests_total{{route="{route}",status="{told}"}} {count}'
            for (route, told), count in every.items()
            if told in counted
        ]
    if kind != "no-latency":
        lines += ["# TYPE http_request_duration_seconds summary"]
        lines += [f"http_request_duration_seconds_sum {0 if still else seconds}"]
        lines += [f"http_request_duration_seconds_count {0 if still else number}"]
    return "\n".join([*lines, ""])

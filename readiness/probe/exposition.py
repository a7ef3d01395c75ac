"""Metrics in the form that Prometheus reads."""

import math

Samples = dict[str, float]
"""By name and labels."""


def samples(text: str) -> Samples:
    """All samples of a page; none where it cannot be read."""
    from prometheus_client.parser import text_string_to_metric_families  # only a probe of metrics needs it

    found: Samples = {}
    try:
        for family in text_string_to_metric_families(text):
            for each in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(each.labels.items()))
                found[f"{each.name}{{{labels}}}"] = 0.0 if math.isnan(each.value) else float(each.value)
    except (ValueError, IndexError, KeyError):
        return {}
    return found

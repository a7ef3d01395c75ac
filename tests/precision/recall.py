"""How many defects the rules find in code that they were not written with: labelled by hand before the first scan.

The files of a set have a table a package, and `rule file:line  reason` of each label; the head of `unseen/labels.toml`
says what the lists mean. `services.toml` says the same of whole services. Only the first scan measures: a package whose
misses were looked at is seen from then on, which is why there is more than one set.
"""

import re
import tomllib
from collections import Counter
from pathlib import Path

UNSEEN = Path(__file__).parent / "unseen"
SETS = {
    UNSEEN: "The first set is partly seen since: rules were corrected with some of its misses in sight.",
    UNSEEN / "second": "The second set: the first scan of the rules as they stood on 2026-11-24.",
    UNSEEN / "third": "The third set: the first scan of the rules after they were mended with the second in sight.",
}
"""Where each set of labels lies, and what its figures are worth."""
LISTS = ("found", "missed", "mended", "sound", "alarms", "arguable", "further")
LABEL = re.compile(r"([a-z-]+) (\S.*?):(\d+)  (\S.*)")
"""`rule file:line`, and behind two blanks the reason."""
BY_HAND = {"missing": "missing", "present": "there", "none": "no place for it"}
"""What a reader says of a service, and how the table says it."""
SAID = ("fail", "pass", "unknown")


def labels(of: Path) -> list[tuple[str, str, str]]:
    """Package with version, list, label."""
    read = [tomllib.loads(each.read_text("utf-8")) for each in sorted(of.glob("*.toml"))]
    packages = [each for one in read for each in one.get("package", ())]
    return [
        (f"{each['name']} {each['version']}", kind, label)
        for each in packages
        for kind in each.keys() - {"name", "version"}
        for label in each[kind]
    ]


def services(of: Path) -> list[dict[str, str]]:
    """What was said of whole services, by hand and by the first scan."""
    judged: list[dict[str, str]] = tomllib.loads((of / "services.toml").read_text("utf-8"))["service"]
    return judged


def counts(of: Path) -> dict[str, Counter[str]]:
    """Rule -> how many labels each list has of it."""
    found: dict[str, Counter[str]] = {}
    for _, kind, label in labels(of):
        found.setdefault(label.split(" ")[0], Counter())[kind] += 1
    return dict(sorted(found.items()))


def row(name: str, count: Counter[str]) -> str:
    """Of one rule, or of all."""
    defects = count["found"] + count["missed"] + count["mended"]
    recall = f"{100 * count['found'] / defects:.0f}%" if defects else "-"
    sound, mended = count["sound"] + count["alarms"], count["mended"]
    return f"| {name} | {count['found']} of {defects} | {recall} | {count['alarms']} | {sound} | {mended} |"


def said_of(by_hand: str, judged: list[dict[str, str]]) -> str:
    """How often the first scan said what of all that a reader says the same of."""
    count = Counter(each["said"] for each in judged if each["by_hand"] == by_hand)
    return f"| {BY_HAND[by_hand]} | {count.total()} | {' | '.join(str(count[said]) for said in SAID)} |"


def tables(of: Path) -> list[str]:
    """What the first scan found of one set of labels."""
    packages = sorted({package for package, _, _ in labels(of)})
    place = of.relative_to(UNSEEN.parents[2])
    lines = [f"{SETS[of]} Labelled by hand before the first scan (`{place}/`): {', '.join(packages)}.", ""]
    lines += ["| rule | found by the first scan | recall | false alarms | sound places | found since |"]
    lines += ["|---|---|---|---|---|---|", *(row(f"`{rule}`", count) for rule, count in counts(of).items())]
    lines += [row("all", sum(counts(of).values(), Counter())), ""]
    lines += [
        "What rules for the service as a whole said by the first scan; a green lie is what is missing and passes.",
        "",
    ]
    lines += ["| by hand it is | services and rules | fails | passes | unknown |", "|---|---|---|---|---|"]
    return [*lines, *(said_of(each, services(of)) for each in BY_HAND)]


def markdown() -> str:
    """The tables for the catalogue."""
    lines = ["## Recall on code that the rules were not written with"]
    return "\n".join([*lines, *(line for of in SETS for line in ("", *tables(of)))]) + "\n"

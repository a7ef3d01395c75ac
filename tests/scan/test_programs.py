"""Which files a program of the project may get to, and that a name's mention hangs on no question asked before."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from readiness.scan import files
from readiness.scan.code.project import Project
from readiness.scan.service.programs import Programs
from readiness.scan.service.resolving import ASKED, Resolver
from tests.scan.harness import settings, write

MAKER = "class Pages:\n    def __init__(self):\n        self.routes = []\n"


def project(folder: Path, given: Mapping[str, str]) -> Project:
    return Project(files.collect([write(folder, given)], settings(folder)).sources)


@pytest.mark.parametrize(
    ("beside", "led"),
    [
        ({}, False),
        ({"site/__init__.py": "from site.pages import Pages\n"}, False),
        ({"site/start.py": "from site.pages import Pages\nif __name__ == '__main__':\n    Pages()\n"}, True),
        ({"site/start.py": "from site import pages\ndef main():\n    pages.Pages()\n"}, True),
        ({"site/start.py": "import click\nfrom site.pages import Pages\n"}, True),
        ({"site/start.py": "from site.pages import Pages\napp = Pages()\n"}, True),
        (
            {
                "site/between.py": "from site.pages import Pages\n",
                "site/__main__.py": "from site.between import Pages\nPages()\n",
            },
            True,
        ),
        ({"tests/test_pages.py": "from site.pages import Pages\nif __name__ == '__main__':\n    Pages()\n"}, False),
        ({"examples/show.py": "from site.pages import Pages\ndef main():\n    Pages()\n"}, False),
        ({"site/start.py": "def main():\n    pass\n"}, False),
    ],
)
def test_a_program_leads_to_what_it_names(beside: dict[str, str], led: bool, tmp_path: Path) -> None:
    programs = Programs(project(tmp_path, {"site/pages.py": MAKER, **beside}))
    assert programs.lead_to("site/pages.py") is led


def test_whether_a_name_is_mentioned_hangs_on_no_question_before(tmp_path: Path) -> None:
    large = "x = '" + "a" * (ASKED // 3) + "'\n"
    code = "def lonely{0}():\n    pass\n\ndef used{0}():\n    pass\n\nused{0}()\n"
    given = {f"part{number}.py": large + code.format(number) for number in range(12)}
    whole = project(tmp_path, given)
    keys = [f"<part{number}.py:{name}{number}>" for number in range(12) for name in ("lonely", "used")]
    forwards = Resolver([], whole)
    backwards = Resolver([], whole)
    said = {key: forwards.is_mentioned(key) for key in keys}
    assert said == {key: backwards.is_mentioned(key) for key in reversed(keys)}
    assert said == {key: "used" in key for key in keys}

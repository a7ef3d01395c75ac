"""Nothing from outside is live in any format."""

import json
import re
from xml.etree import ElementTree as Xml

import html5lib
import pytest

from readiness.report import RENDERERS, render
from tests.report.hostile import PAYLOADS, everywhere

FORMATS = sorted(RENDERERS)
TAME = "tame"


def test_there_are_as_many_payloads_as_were_asked_for() -> None:
    assert len(set(PAYLOADS)) >= 40


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("raw", PAYLOADS)
def test_no_control_character_and_no_command_of_a_ci_is_live(raw: str, form: str) -> None:
    page = render(form, everywhere(raw))
    page.encode("utf-8")
    assert page.replace("\n", "").isprintable()
    assert not re.search(r"##(\[|vso\[)", page, re.IGNORECASE)
    commands = [line for line in page.splitlines() if line.lstrip().startswith("::")]
    if form != "github":
        assert not commands


@pytest.mark.parametrize("raw", PAYLOADS)
def test_annotations_are_those_of_a_tame_report(raw: str) -> None:
    shape = r"::(error|warning|notice) ((?:\w+=[^,:]*)(?:,\w+=[^,:]*)*)::"
    tame, wild = (render("github", everywhere(text)).splitlines() for text in (TAME, raw))
    heads = [[re.match(shape, line) for line in lines] for lines in (tame, wild)]
    assert all(head for lines in heads for head in lines)
    assert [head[1] for head in heads[0] if head] == [head[1] for head in heads[1] if head]
    keys = [[re.findall(r"(\w+)=", head[2]) for head in lines if head] for lines in heads]
    assert [each[0] for each in keys[0]] == [each[0] for each in keys[1]]


@pytest.mark.parametrize("raw", PAYLOADS)
def test_a_page_has_the_elements_of_a_tame_one(raw: str) -> None:
    tame, wild = (_elements(render("html", everywhere(text))) for text in (TAME, raw))
    assert [tag for tag, _ in wild] == [tag for tag, _ in tame]
    assert [names for _, names in wild] == [names for _, names in tame]
    assert not {"script", "img", "iframe", "link", "object"} & {tag for tag, _ in wild}
    assert set(re.findall("href=.([^\"' ]*)", render("html", everywhere(raw)))) <= {"#first", "#second", "#third"}


def _elements(page: str) -> list[tuple[str, list[str]]]:
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    return [(str(each.tag), sorted(each.attrib)) for each in tree.iter() if isinstance(each.tag, str)]


@pytest.mark.parametrize("raw", PAYLOADS)
def test_xml_has_the_elements_of_a_tame_one(raw: str) -> None:
    tame, wild = (
        [(each.tag, sorted(each.attrib)) for each in Xml.fromstring(render("junit", everywhere(text))).iter()]
        for text in (TAME, raw)
    )
    assert wild == tame


@pytest.mark.parametrize("form", ["json", "sarif", "gitlab"])
@pytest.mark.parametrize("raw", PAYLOADS)
def test_json_has_the_shape_of_a_tame_one(raw: str, form: str) -> None:
    tame, wild = (_shape(json.loads(render(form, everywhere(text))), text) for text in (TAME, raw))
    assert wild == tame


def _shape(value: object, raw: str) -> object:
    if isinstance(value, dict):
        return {("*" if key == raw else key): _shape(each, raw) for key, each in value.items()}
    if isinstance(value, list):
        return [_shape(each, raw) for each in value]
    return type(value).__name__

"""The pages hold together: links lead somewhere, promises name tests there are, decisions keep their form."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.pages import PAGES, ROOT, anchors, headings, links, read, section

DECISIONS = sorted((pages.DOCS / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(read(page)):
        if re.match(r"https?://", link):
            continue
        target, _, fragment = link.partition("#")
        there = (page.parent / target).resolve() if target else page
        if not there.exists() or (fragment and fragment not in anchors(read(there))):
            broken.append(link)
    assert broken == []


def test_every_page_is_found_from_the_readme() -> None:
    found, stack = set(), [ROOT / "README.md"]
    while stack:
        page = stack.pop()
        if page in found:
            continue
        found.add(page)
        for link in links(read(page)):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists():
                stack.append(target)
    assert set(PAGES) - found == set()


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_no_page_names_a_place_on_a_machine_of_ours(page: Path) -> None:
    places = r"(?<![\w~.])/(?:work|tmp|root|home(?!/ada\b)|Users|usr|var|opt)\b[^\s`)]*|[A-Z]:\\\S+|\blocalhost\b"
    assert re.findall(places, read(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_a_page_has_one_title_and_no_level_is_left_out(page: Path) -> None:
    depths = [depth for depth, _ in headings(read(page))]
    assert depths[0] == 1
    assert depths.count(1) == 1
    assert all(
        below <= above + 1 or page.name == "promises.md" for above, below in zip(depths, depths[1:], strict=False)
    )


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_lines_are_short_but_for_tables_and_blocks(page: Path) -> None:
    long = [line for line in pages.prose(read(page)).splitlines() if len(line) > 125 and not line.startswith("|")]
    assert long == []


def test_promises_are_numbered_and_each_says_what_shows_it() -> None:
    text = read("promises.md")
    titles = [title for depth, title in headings(text) if depth == 3]
    assert [title.partition(".")[0] for title in titles] == [str(number) for number in range(1, 20)]
    for title in titles:
        told = section(text, title)
        assert "`tests/" in told or re.search(r"[Nn]o\s+test yet", told), title


def test_promises_name_only_tests_there_are() -> None:
    named = re.findall(r"`(tests/[^`]+)`", read("promises.md"))
    missing = []
    for node in named:
        path, _, test = node.partition("::")
        file = ROOT / path
        if not file.is_file() or (test and test not in functions_in(file)):
            missing.append(node)
    assert missing == []
    assert len(named) > 20


def functions_in(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "promises.md"], ids=pages.name)
def test_files_that_pages_name_are_there(page: Path) -> None:
    named = re.findall(r"`((?:src|tests|script|docs|requirements)/[\w./-]+\.(?:py|sql|txt|md))`", read(page))
    assert [name for name in named if not (ROOT / name).exists()] == []
    inside = re.findall(r"`((?:core|fs|store|scanner|execute|jobs|engine|cli)/[\w./]+\.py)`", read(page))
    assert [name for name in inside if not (ROOT / "src/syncline" / name).exists()] == []


@pytest.mark.parametrize("page", DECISIONS, ids=pages.name)
def test_a_decision_has_its_three_parts_and_is_listed(page: Path) -> None:
    text = read(page)
    assert [title for depth, title in headings(text) if depth == 2] == ["Context", "Decision", "Consequences"]
    assert headings(text)[0][1].startswith(f"{int(page.name[:4])}. ")
    assert f"({page.name})" in read("decisions/README.md")


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_changelog_keeps_its_form_and_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    titles = [title for depth, title in headings(text) if depth == 2]
    assert titles[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] – (\d{4}-\d\d-\d\d|not released yet)", title) for title in titles[1:])
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert any(title.startswith(f"[{version}]") for title in titles)
    kinds = {title for depth, title in headings(text) if depth == 3}
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Known limits"}

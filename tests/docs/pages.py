"""The pages of the documentation as data: headings, sections, links, code spans, tables, fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what is in it, and where that begins in the page."""

    language: str
    text: str
    start: int


def read(page: Path | str) -> str:
    """The text of a page; a bare name is one of `docs/`."""
    return (DOCS / page if isinstance(page, str) else page).read_text("utf-8")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str) -> list[Block]:
    return [Block(found[1], found[2], found.start(2)) for found in _FENCE.finditer(text)]


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def headings(text: str) -> list[tuple[int, str]]:
    """Depth and text of each heading."""
    return [(len(found[1]), found[2].strip()) for found in _HEADING.finditer(prose(text))]


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one that is not deeper. Backticks in headings do not count."""
    inside: list[str] = []
    depth = 0
    fenced = False
    for line in text.splitlines():
        fenced = fenced != line.startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading is not None:
            if depth and len(heading[1]) <= depth:
                break
            if not depth and heading[2].replace("`", "").strip() == title:
                depth = len(heading[1])
                continue
        if depth:
            inside.append(line)
    if not depth:
        raise KeyError(f"no heading {title!r}")
    return "\n".join(inside)


def anchors(text: str) -> set[str]:
    """The fragments by which headings can be linked, as GitHub makes them."""
    found: set[str] = set()
    for _, heading in headings(text):
        bare = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", bare.lower()).replace(" ", "-")
        number, unique = 0, slug
        while unique in found:
            number += 1
            unique = f"{slug}-{number}"
        found.add(unique)
    return found


def links(text: str) -> list[str]:
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(text)))


def spans(text: str) -> set[str]:
    """Everything between backticks."""
    return set(_SPAN.findall(prose(text)))


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of each table, heads and rules left out."""
    lines = prose(text).splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("|") or re.fullmatch(r"[|\s:-]+", line):
            continue
        if number + 1 < len(lines) and re.fullmatch(r"\|[|\s:-]+", lines[number + 1]):
            continue
        yield [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]

"""Paths of both sides, and the keys under which names of both are compared."""

from __future__ import annotations

from collections.abc import Callable

from syncline.core import names
from syncline.core.model import (
    RelPath,
    Side,
)

Paths = tuple[RelPath, RelPath]
"""A path on the left and on the right: the same names, as each side spells them."""


def under(above: Paths, left_name: str, right_name: str) -> Paths:
    return names.join(above[0], left_name), names.join(above[1], right_name)


def on(side: Side, paths: Paths) -> RelPath:
    return paths[0] if side is Side.LEFT else paths[1]


def key_of(path: RelPath, fold: Callable[[str], str]) -> str:
    return "/".join(map(fold, path.split("/"))) if path else ""


def parent_of(key: str) -> str:
    return key.rpartition("/")[0]

"""Whether a path is out of scope, told by expressions that `filters` made of the patterns a person wrote.

Apart from `filters`, because the small process that reads a root needs this much of it and no more.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Expressions = Iterable[tuple[bool, str]]
    Rules = tuple[tuple[bool, Callable[[str], object]], ...]


def compiled(expressions: Expressions) -> Rules:
    """(ignore?, match) of each expression; the first that matches decides."""
    import re

    return tuple((sense, re.compile(expression).match) for sense, expression in expressions)


def ignored(rules: Rules, tested: str) -> bool:
    """Whether a path is out of scope; that of a directory is tested with a slash behind it."""
    for ignore, match in rules:
        if match(tested):
            return ignore
    return False

"""What is in scope: gitignore patterns, the last match decides, `!` includes again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from syncline.core import scope as scope_of
from syncline.core.model import RelPath

T = TypeVar("T")

LITTER = (".DS_Store", "Thumbs.db", "desktop.ini", ".Trash-*/", "lost+found/", ".nfs*", "~$*")
"""What systems leave lying about; ignored unless `ignore_litter: false`."""


def ignored_by(patterns: Sequence[str]) -> Callable[[RelPath, bool], bool]:
    """A predicate over (path, is a directory). A path below an ignored directory is never asked for: the scan prunes.

    The patterns, which must be valid (`check`), are compiled when it is first asked: a run that finds nothing never is.
    """
    if not patterns:
        return _nothing
    given = tuple(patterns)

    def ignored(path: RelPath, directory: bool) -> bool:
        return scope_of.ignored(_compile(given), f"{path}/" if directory else path)

    return ignored


@cache
def expressions(patterns: tuple[str, ...]) -> tuple[tuple[bool, str], ...]:
    """(ignore?, regular expression) for what these patterns say, the last first: the first that matches decides.

    Raises:
        ValueError: a pattern is not valid; the message names it.
    """
    import re

    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    runs: list[tuple[bool, list[str]]] = []
    for pattern in patterns:
        try:
            compiled = GitIgnoreSpecPattern(pattern)
        except ValueError as error:
            raise ValueError(f"the pattern {pattern!r} is not valid: {error}") from error
        if compiled.include is None or compiled.regex is None:
            continue  # a comment or an empty line
        # pathspec names a group in each expression; many in one would clash
        expression = re.sub(r"\?P<[^>]+>", "?:", compiled.regex.pattern)
        if runs and runs[-1][0] is compiled.include:
            runs[-1][1].append(expression)  # neighbours of one sense are one expression
        else:
            runs.append((compiled.include, [expression]))
    return tuple((sense, "|".join(f"(?:{one})" for one in run)) for sense, run in reversed(runs))


def scope(patterns: Sequence[str]) -> str:
    """A digest of the patterns, by which a changed filter is noticed."""
    return hashlib.blake2b("\0".join(patterns).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def check(pattern: str) -> None:
    """Nothing, if the pattern is one. Raises: ValueError, naming it."""
    if not _compile((pattern,)) and pattern.strip() and not pattern.startswith("#"):
        raise ValueError(f"the pattern {pattern!r} is not valid: it stands for no path")


def exactly(path: RelPath) -> str:
    """The pattern of one directory and nothing else."""
    return "/" + "".join(f"\\{letter}" if letter in "\\*?[]!# " else letter for letter in path) + "/"


def first_of(choices: Sequence[tuple[str, T]]) -> Callable[[RelPath], T | None]:
    """What goes with the first pattern that matches a path, or a directory above it; None where none does."""
    groups: list[tuple[T, list[str]]] = []
    for pattern, chosen in choices:
        if groups and groups[-1][0] == chosen:
            groups[-1][1].append(pattern)
        else:
            groups.append((chosen, [pattern]))
    tests = [(match, chosen) for chosen, patterns in groups for _, match in _compile(tuple(patterns))]

    def choose(path: RelPath) -> T | None:
        for match, chosen in tests:
            if match(path):
                return chosen
        return None

    return choose


def _nothing(path: RelPath, directory: bool) -> bool:
    return False


@cache
def _compile(patterns: tuple[str, ...]) -> scope_of.Rules:
    return scope_of.compiled(expressions(patterns))

"""Names and paths: joining, folding, what a file system can hold, and how a name is shown to a person."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from syncline.core.model import PRIVATE, RelPath

ROOT = RelPath("")

_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$")
"""Device names of DOS, with any extension: learn.microsoft.com, "Naming Files, Paths, and Namespaces"."""

_DOUBLE_SUFFIX = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz", ".tar.z")


@dataclass(frozen=True, slots=True)
class NameRules:
    """What a root demands of a name. `forbidden` are characters, `max_bytes` the longest encoded name, `max_units` the
    longest in UTF-16 units, where those are what the root counts. `simple_case`: where case is folded, each character
    is by itself, so that `\u00df` is not `ss`.
    """

    fold_case: bool = False
    fold_unicode: bool = False
    forbidden: str = ""
    trailing_dot_space: bool = True
    reserved: bool = False
    max_bytes: int = 255
    utf8_only: bool = False
    ascii_only: bool = False
    max_units: int | None = None
    simple_case: bool = False


def join(directory: RelPath, name: str) -> RelPath:
    """The path of `name` in `directory`."""
    return RelPath(f"{directory}/{name}") if directory else RelPath(name)


def parent(path: RelPath) -> RelPath:
    """The directory a path lies in; the root for a name in the root."""
    return RelPath(path.rpartition("/")[0])


def basename(path: RelPath) -> str:
    """The last component."""
    return path.rpartition("/")[2]


def ancestors(path: RelPath) -> list[RelPath]:
    """Every directory above a path, the nearest first, the root last."""
    above = []
    while path:
        path = parent(path)
        above.append(path)
    return above


def folding(left: NameRules, right: NameRules) -> Callable[[str], str]:
    """The key under which names of both roots are compared: that of the weaker root."""
    case = left.fold_case or right.fold_case
    form = left.fold_unicode or right.fold_unicode
    if not case and not form:
        return _itself
    folded = str.casefold if any(rules.fold_case and not rules.simple_case for rules in (left, right)) else _simple_case

    def fold(name: str) -> str:
        if form:
            name = unicodedata.normalize("NFC", name)
        return folded(name) if case else name

    return fold


def impossible(name: str, rules: NameRules) -> str | None:
    """Why a root cannot hold `name`, with the character that is in the way; None if it can."""
    if is_private(name, rules):
        return f"there it is the same name as {PRIVATE}, where syncline keeps its own files"
    if len(_encoded(name)) > rules.max_bytes:
        return f"the name is longer than {rules.max_bytes} bytes"
    if rules.max_units is not None and len(name.encode("utf-16-le", "surrogatepass")) > 2 * rules.max_units:
        return f"the name is longer than {rules.max_units} characters"
    for character in name if rules.forbidden else "":
        if character in rules.forbidden or ord(character) < 32:
            return f"the character {printable(character)!r} is not allowed there"
    if not rules.trailing_dot_space and name[-1] in ". ":
        return "a name may not end with a dot or a space there"
    if rules.reserved and _RESERVED.match(name):
        return "the name is reserved by the system there"
    if rules.utf8_only and any("\udc80" <= character <= "\udcff" for character in name):
        return "the name is not valid UTF-8"
    if rules.ascii_only and not name.isascii():
        foreign = next(character for character in name if not character.isascii())
        return f"the character {printable(foreign)!r} is not allowed there"
    return None


def is_private(name: str, rules: NameRules) -> bool:
    """Whether a name is another spelling of the one that a root keeps for itself, and so cannot be used there."""
    return rules.fold_case and name != PRIVATE and name.lower() == PRIVATE


def clash_name(name: str, minute: str, taken: Callable[[str], bool], max_bytes: int = 255) -> str:
    """`{stem}_clash_{YYYYMMDDHHMM}{ext}`, cut to `max_bytes`, with `-2`, `-3` ... while it is taken.

    `minute` is the minute of detection in local time. `.tar.gz` stays together; a dotfile has no extension, and what
    holds a blank or is longer than 32 bytes is none.
    """
    stem, suffix = _split(name)
    number = 1
    while True:
        tail = f"_clash_{minute}" + (f"-{number}" if number > 1 else "") + suffix
        candidate = _cut(stem, max_bytes - len(_encoded(tail))) + tail
        if not taken(candidate):
            return candidate
        number += 1


def printable(text: str) -> str:
    """`text` with every character that could disturb a terminal or a log written as an escape."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def pasted(word: str) -> str:
    """A word as a shell takes it, whatever bytes it has."""
    if word.isprintable():
        return shlex.quote(word)
    encoded = word.encode("utf-8", "surrogateescape")
    return "$'" + "".join(chr(b) if 32 <= b < 127 and b not in (39, 92) else f"\\x{b:02x}" for b in encoded) + "'"


def pasted_path(path: str) -> str:
    """A path within a job as a shell takes it, and no command for an option."""
    return pasted(f"./{path}" if path.startswith("-") else path)


def _itself(name: str) -> str:
    return name


def _simple_case(name: str) -> str:
    """Folded character by character, as the tables of FAT, exFAT and NTFS do it."""
    if name.isascii():
        return name.lower()
    return "".join(map(_folded, name))


@cache
def _folded(character: str) -> str:
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _split(name: str) -> tuple[str, str]:
    lowered = name.lower()
    for double in _DOUBLE_SUFFIX:
        if lowered.endswith(double) and len(name) > len(double):
            return name[: -len(double)], name[-len(double) :]
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem.strip(".") or " " in suffix or len(_encoded(suffix)) > 32:
        return name, ""
    return stem, f".{suffix}"


def _cut(stem: str, room: int) -> str:
    data = _encoded(stem)
    if len(data) <= room:
        return stem
    while room > 0 and data[room] & 0xC0 == 0x80:  # never cut inside a character
        room -= 1
    return data[:room].decode("utf-8", "surrogateescape")


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

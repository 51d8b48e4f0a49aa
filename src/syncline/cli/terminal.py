"""What standard output and standard error are: a terminal with width and colours, or something that is read later.

Lines are made of styled pieces, so that rich, whose import takes as long as a small run, is needed on a terminal only.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final

from syncline.cli.call import Call

if TYPE_CHECKING:
    from rich.console import Console

Piece = str | tuple[str, str]
COMMAND: Final = "bold cyan"
"""The style of a command that a person may copy."""
"""A text, or a text and its style."""

_ASCII: Final = str.maketrans({"→": "->", "↔": "<->", "…": "...", "✓": "ok:", "✗": "!!", "·": "-", "×": "x", "–": "-"})


def screen(call: Call, *, error: bool = False) -> Screen:
    """The screen behind standard output, or behind standard error."""
    stream = sys.stderr if error else sys.stdout
    write = call.complain if error else call.write
    encodable = _can_spell(getattr(stream, "encoding", None) or "ascii")
    if not stream.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return Screen(write, unicode=encodable)
    from rich.console import Console

    console = Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
    return Screen(write, width=console.width, unicode=encodable, console=console)


@contextmanager
def pages(call: Call, *, whole: bool) -> Iterator[Screen]:
    """The screen behind standard output. With `whole`, what is longer than the terminal goes through a pager (`PAGER`,
    else less or more); who leaves that has seen enough."""
    found = screen(call)
    if not whole or found.height is None:
        yield found
        return
    with ExitStack() as stack, suppress(_Left):
        yield found.through(_Pages(call.write, found.height, stack).write)


class _Left(Exception):
    """The reader closed the pager."""


class _Pages:
    """What is written is kept until it is longer than the terminal; from then on it goes to a pager."""

    def __init__(self, plain: Callable[[Iterable[str]], None], height: int, stack: ExitStack) -> None:
        self._kept: list[str] = []
        self._lines = 0
        self._height = height
        self._stack = stack
        self._pager: IO[str] | None = None
        stack.callback(lambda: None if self._pager is not None else plain(self._kept))

    def write(self, chunks: Iterable[str]) -> None:
        text = "".join(chunks)
        try:
            if self._pager is not None:
                self._pager.write(text)
                return
            self._kept.append(text)
            self._lines += text.count("\n")
            if self._lines >= self._height:
                import click

                self._pager = self._stack.enter_context(click.get_pager_file())
                self._pager.write("".join(self._kept))
        except BrokenPipeError as error:
            raise _Left from error


class Screen:
    """Where lines go: how wide and high it is (None: no limit, nothing is cut), which characters and colours it has."""

    def __init__(
        self,
        write: Callable[[Iterable[str]], None],
        *,
        width: int | None = None,
        unicode: bool = True,
        console: Console | None = None,
    ) -> None:
        self.width = width
        self.height = None if console is None else console.height
        self._write = write
        self._unicode = unicode
        self._console = console

    def through(self, write: Callable[[Iterable[str]], None]) -> Screen:
        """The same screen, its lines written by `write`."""
        return Screen(write, width=self.width, unicode=self._unicode, console=self._console)

    def line(self, *pieces: Piece) -> None:
        """One line."""
        made = [piece if isinstance(piece, tuple) else (piece, "") for piece in pieces]
        if self._console is None:
            self._write(["".join(self.spelled(text) for text, _ in made), "\n"])
            return
        from rich.text import Text

        whole = Text.assemble(*[(self.spelled(text), style) for text, style in made], end="\n")
        with self._console.capture() as caught:
            self._console.print(whole, soft_wrap=True, highlight=False)
        self._write([caught.get()])

    def lines(self, *parts: Piece, indent: int) -> None:
        """Parts on one line while they fit; one that does not begins a new line, indented; one that fits no line is
        broken between its words. Blanks before it are its distance from what stands before it."""
        line: list[Piece] = []
        taken = 0
        for text, style in self._broken(parts, indent):
            length = self.length(text)
            if line and self.width is not None and taken + length > self.width:
                self.line(*line)
                line, text = [" " * indent], text.lstrip()
                taken, length = indent, self.length(text)
            line.append((text, style))
            taken += length
        self.line(*line)

    def _broken(self, parts: Iterable[Piece], indent: int) -> Iterator[tuple[str, str]]:
        for part in parts:
            text, style = part if isinstance(part, tuple) else (part, "")
            whole = style == COMMAND  # to be copied as it stands
            if whole or self.width is None or self.length(text.lstrip()) <= self.width - indent:
                yield text, style
            else:
                yield from ((word, style) for word in re.findall(r"\s*\S+", text))

    def spelled(self, text: str) -> str:
        """`text` with the signs this screen lacks spelled out."""
        return text if self._unicode else text.translate(_ASCII)

    def length(self, text: str) -> int:
        """The columns a text takes."""
        text = self.spelled(text)
        if text.isascii():
            return len(text)
        from rich.cells import cell_len

        return cell_len(text)

    def fitted(self, path: str, room: int) -> str:
        """A path in at most `room` columns, shortened in its middle."""
        if self.length(path) <= room:
            return path
        mark = self.spelled("…")
        keep = max(room - len(mark), 2)
        head, tail = path[: keep // 3], path[-(keep - keep // 3) :]
        while self.length(head) + self.length(tail) > keep and tail:  # wide characters
            head, tail = (head[:-1], tail) if len(head) > len(tail) // 2 else (head, tail[1:])
        return head + mark + tail


def _can_spell(encoding: str) -> bool:
    try:
        "→↔…✓✗·".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True

"""A bar on a terminal while a run goes on; nothing at all elsewhere."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncline.core.model import Event, Progress, RunStarted
from syncline.core.names import basename, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Display
    from rich.progress import TaskID

WORTH_SHOWING_S = 0.4


class Bar:
    """Shows events; without a display it shows nothing."""

    def __init__(self, display: Display | None = None) -> None:
        self._display = display
        self._task: TaskID | None = None
        self._looking: TaskID | None = None
        if display is not None:
            self._looking = display.add_task("looking at both sides", total=None, name="")

    def begin(self, title: str) -> None:
        """Show that something of this title goes on, that is not a run."""
        if self._display is not None and self._looking is not None:
            self._display.remove_task(self._looking)
            self._looking = None
            self._task = self._display.add_task(title, total=None, name="")

    def update(self, event: Event) -> None:
        """Show what an event says."""
        if self._display is None:
            return
        match event:
            case RunStarted(plan=plan):
                if self._looking is not None:
                    self._display.remove_task(self._looking)
                    self._looking = None
                if plan.actions:
                    self._task = self._display.add_task("synchronising", total=len(plan.actions), name="")
            case Progress(done_bytes, total_bytes, done_actions, total_actions, path):
                if self._task is not None:
                    # A byte and an action weigh alike enough: a name costs about what 64 kB cost to copy.
                    weight = 65_536
                    self._display.update(
                        self._task,
                        completed=done_bytes + done_actions * weight,
                        total=total_bytes + total_actions * weight,
                        name=printable(basename(path))[:40] if path is not None else "",
                    )
            case _:
                pass


@contextmanager
def bar(wanted: bool) -> Iterator[Bar]:
    """A bar on standard error, where that is a terminal and it is wanted."""
    if not wanted or not _is_terminal():
        yield Bar()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Display
    from rich.text import Text

    class Name(TextColumn):
        """The file at hand, never taken for markup."""

        def render(self, task: Task) -> Text:
            return Text(str(task.fields.get("name", "")), style="dim", no_wrap=True, overflow="ellipsis")

    ascii_only = not (getattr(sys.stderr, "encoding", None) or "").lower().startswith("utf")
    display = Display(
        SpinnerColumn("line" if ascii_only else "dots"),
        TextColumn(escape("{task.description}"), markup=False),
        BarColumn(),
        TimeRemainingColumn(),
        Name(""),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
    late = _Late(display)
    try:
        yield Bar(display)
    finally:
        late.stop()


class _Late:
    """Shows a display once it is worth it: most runs are over before."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._lock = threading.Lock()
        self._over = False
        self._timer = threading.Timer(WORTH_SHOWING_S, self._start)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Clear it away."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            self._display.stop()

    def _start(self) -> None:
        with self._lock:
            if not self._over:
                self._display.start()


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")

"""The process that reads one root: walks it beside its base, and tells its parent of the directories that differ.

Started fresh, by `syncline.scanner.scan`. A look at 90,000 files in which nothing changed takes half a second, and so
every import counts: a test lists the modules this may load. It changes nothing, and can be killed at any time.
"""

from __future__ import annotations

import gc
import sqlite3
import time

from syncline.core import scope
from syncline.fs.descent import Descent
from syncline.scanner import wire
from syncline.scanner.walk import walk
from syncline.store.children import MOMENT, PRECAUTIONS, QUESTION, children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    from syncline.store.children import Child

    class Request(TypedDict):
        """`root` is an inherited descriptor; `state` what SQLite is to open, None: nothing is remembered; `moment`
        what it must show to be believed, None: whatever it shows."""

        root: int
        device: int
        told: frozenset[str]
        state: str | None
        side: str
        job: int
        moment: tuple[int, int] | None
        everything: bool
        rescope: bool


_TOGETHER_BYTES = 1 << 16
BEAT_S = 1.0


def main(asking: int = 0, telling: int = 1) -> None:
    """Carry out the request that comes from one descriptor, and tell what was found to another."""
    gc.freeze()
    gc.disable()
    try:
        wire.send(telling, _answered(wire.receive(asking), asking, telling))  # type: ignore[arg-type]  # our parent's
    except sqlite3.Error:
        wire.send(telling, (wire.STALE, None))  # whoever asked reads the same, and knows what to do about it
    except (BrokenPipeError, EOFError):
        pass  # whoever wanted to know is gone
    except Exception as error:  # noqa: BLE001  the parent must hear of it, whatever it is
        wire.send(telling, (wire.FAILED, f"{type(error).__name__}: {error}"))


def _answered(request: Request, asking: int, telling: int) -> tuple[str, object]:
    out = Out(telling)
    state = _State(request["state"], request["side"], request["job"])
    if request["moment"] is not None and state.moment() != request["moment"]:
        return wire.STALE, None
    descent = Descent(request["root"], request["device"], request["told"], beat=out.beat)
    rules: list[scope.Rules] = []

    def prune(path: str) -> bool:
        if not rules:  # most looks find no new directory, and need no filter
            out.flush((wire.ASK, None))
            rules.append(scope.compiled(wire.receive(asking)))  # type: ignore[arg-type]  # our parent's
        return scope.ignored(rules[0], path + "/")

    for path, row, above, look in walk(
        descent.listing,
        state.children,
        prune,
        OSError,
        everything=request["everything"],
        rescope=request["rescope"],
    ):
        told = (look.errno or 0, str(look)) if isinstance(look, OSError) else look
        out.tell((path, row, above, told), len(look) if isinstance(look, bytes) else 0)
    out.flush()
    return wire.END, None


class _State:
    """What is remembered of one side, as of one moment."""

    def __init__(self, address: str | None, side: str, job: int) -> None:
        self._connection = None if address is None else sqlite3.connect(address, uri=True, isolation_level=None)
        self._question, self._job = QUESTION[side], job
        if self._connection is not None:
            for precaution in PRECAUTIONS:
                self._connection.execute(precaution)
            self._connection.execute("PRAGMA query_only = ON")
            self._connection.execute("BEGIN")

    def moment(self) -> tuple[int, int] | None:
        return None if self._connection is None else self._connection.execute(MOMENT, (self._job,)).fetchone()

    def children(self, parent: int | None) -> dict[str, Child]:
        if self._connection is None:
            return {}
        return children(self._connection.execute(self._question, (self._job, parent)))


class Out:
    """Gathers what is to be told until it is worth a message; says at least every second that work goes on."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._gathered: list[object] = []
        self._bytes = 0
        self._last_s = time.monotonic()

    def tell(self, told: object, size: int) -> None:
        self._gathered.append(told)
        self._bytes += size + 100
        if self._bytes >= _TOGETHER_BYTES:
            self.flush()

    def beat(self) -> None:
        if time.monotonic() - self._last_s >= BEAT_S:
            self.flush()

    def flush(self, behind: tuple[str, object] | None = None) -> None:
        wire.send(self._fd, (wire.TELL, self._gathered))
        if behind is not None:
            wire.send(self._fd, behind)
        self._gathered, self._bytes = [], 0
        self._last_s = time.monotonic()

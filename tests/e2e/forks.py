"""A process that has syncline imported and forks a child for each call: the command line without its starting time.

A child can be told to kill itself at a step, or to do something else first. Steps are all calls that change a root, in
the order in which they are made, and all commits to the state; they are counted by standing in the two places where
roots are opened and the state is written, and everything goes on to the real ones.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.plugins import plant

REPOSITORY = Path(__file__).resolve().parents[2]

READERS = os.environ.get("SYNCLINE_LONG") == "1"
"""Whether processes of their own read the roots where nothing else is said."""

CHANGES = (
    "make_link",
    "make_directory",
    "rename",
    "exchange",
    "replace",
    "link",
    "set_properties",
    "remove",
    "remove_directory",
    "flush",
    "lock",
)


def environment() -> dict[str, str]:
    """For a process that is to run this source, and nothing but what its arguments say."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNCLINE_")}
    path = os.pathsep.join((str(REPOSITORY / "src"), str(REPOSITORY)))
    return {**kept, "PYTHONPATH": path, "NO_COLOR": "1"}


@dataclass(frozen=True)
class Forked:
    """What a child did: its exit code (minus a signal's number), its answer, and the kinds of its steps in order."""

    code: int
    out: str
    err: str
    steps: list[str] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document

    def __str__(self) -> str:
        return f"exit code {self.code} after {self.steps[-1:]}\n{self.out}\n{self.err}"


class Forks:
    """The parent's side."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(
        self,
        *args: str | Path,
        kill: int | None = None,
        at: str = "",
        do: str = "",
        batch: int | None = None,
        readers: bool = READERS,
        cwd: str | Path = REPOSITORY,
        attribute: str = "",
    ) -> Forked:
        """Call syncline with these arguments, in a child that dies at step `kill`, counted from 1.

        Before its first step of the kind `at`, the child has the shell do `do`. With `batch`, so many actions are
        carried out together, and the next so many are staged meanwhile, as it else happens with thousands. With
        `readers`, processes of their own read the roots; else the child walks them itself, which takes half the time.
        `attribute` is the extended attribute in which the child looks for those of Windows.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "args": [os.fspath(arg) for arg in args],
            "kill": kill,
            "at": at,
            "do": do,
            "batch": batch,
            "readers": readers,
            "cwd": os.fspath(cwd),
            "attribute": attribute,
        }
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return Forked(**json.loads(self._process.stdout.readline()))


@contextmanager
def forks() -> Iterator[Forks]:
    """A parent to fork from, for as long as it is used."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.forks"],
        cwd=REPOSITORY,
        env={**environment(), **{name: value for name, value in os.environ.items() if name == plant.NAME}},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()


class Steps:
    """Counts what a child does, and kills it when its time has come."""

    def __init__(self, kill: int | None, log: int, at: str, do: str) -> None:
        self.left = kill
        self.log = log
        self.at, self.do = at, do
        self.writing = ""
        self.process = os.getpid()

    def step(self, kind: str) -> None:
        if os.getpid() != self.process:
            return  # what is done ahead is done at any time; only what depends on it is counted
        os.write(self.log, f"{kind}\n".encode())
        if self.at == kind:
            self.at = ""
            subprocess.run(self.do, shell=True, check=True, stdout=2)
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def named(self, method: str, args: tuple[Any, ...]) -> str:
        """What kind of step a call is."""
        paths = [str(arg) for arg in args]
        if any(path.endswith("root.json") for path in paths):
            return "marker"
        kind = method.replace("_", "-")
        if method == "rename":
            for part, told in (("/swap-", "park"), ("/trash/", "to-trash"), ("_clash_", "to-clash")):
                if part in paths[1]:
                    return f"rename {told}"
            return "rename publish" if "/new-" in paths[0] else "rename back"
        if method == "make_directory":
            return kind + (" private" if paths[0].startswith(".syncline") else "")
        return kind


class Root:
    """A root whose changes are counted; everything else is the real one's."""

    def __init__(self, root: Any, steps: Steps) -> None:
        self._root, self._steps = root, steps
        for name in CHANGES:
            setattr(self, name, self._counted(name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._root, name)

    def _counted(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            self._steps.step(self._steps.named(name, args))
            return getattr(self._root, name)(*args, **named)

        return call

    def create(self, path: Any) -> Any:
        self._steps.step(self._steps.named("create", (path,)))
        return Writer(self._root.create(path), self._steps)


class Writer:
    """A writer whose steps are counted; each block is written in two halves."""

    def __init__(self, writer: Any, steps: Steps) -> None:
        self._writer, self._steps = writer, steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write(self, data: bytes) -> None:
        self._writer.write(data[: len(data) // 2])
        self._steps.step("write half")
        self._writer.write(data[len(data) // 2 :])

    def finish(self, **named: Any) -> Any:
        self._steps.step("finish")
        return self._writer.finish(**named)


def main() -> None:
    """The parent: one line of JSON in, one out."""
    _import_all()
    with plant.planted_here():
        _serve()


def _import_all() -> None:
    """Import every module a command may ask for, so that no child need do it."""
    import syncline

    for module in pkgutil.walk_packages(syncline.__path__, "syncline."):
        if not module.name.startswith("syncline.torture") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


PR_SET_CHILD_SUBREAPER = 36


def _outlived() -> None:
    """Wait for processes that outlived a killed child, which they do for a moment: they hold its locks until then."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _serve() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as log:
            child = os.fork()
            if child == 0:
                _child(asked, out.fileno(), err.fileno(), log.fileno())
            _, status = os.waitpid(child, 0)
            _outlived()
            told = []
            for stream in (out, err, log):
                stream.seek(0)
                told.append(stream.read().decode("utf-8", "surrogateescape"))
        answer = {"code": os.waitstatus_to_exitcode(status), "out": told[0], "err": told[1]}
        print(json.dumps({**answer, "steps": told[2].splitlines()}), flush=True)


def _child(asked: dict[str, Any], out: int, err: int, log: int) -> None:
    code = 99
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.chdir(asked["cwd"])
        _count(Steps(asked["kill"], log, asked["at"], asked["do"]))
        from syncline.cli import frame
        from syncline.execute import ahead, batches
        from syncline.fs import windows
        from syncline.scanner import scan

        windows.ATTRIBUTE = asked["attribute"] or windows.ATTRIBUTE
        if not asked["readers"]:
            setattr(scan, "ABLE", False)  # noqa: B010  it is another module's name
        if asked["batch"] is not None:
            batches.BATCH_ACTIONS, ahead.WORTH_ACTIONS = asked["batch"], 1
        code = frame.call(asked["args"])
        sys.stdout.flush()
    finally:
        os._exit(code)


def _count(steps: Steps) -> None:
    from syncline.compose import Desk
    from syncline.store.db import Store
    from syncline.store.journal import Journal
    from syncline.store.runs import Runs

    prepare, do = Desk.__init__, Store.do

    def prepared(desk: Desk, *args: Any, **named: Any) -> None:
        prepare(desk, *args, **named)
        opened = desk._opened
        setattr(desk, "_opened", lambda path: Root(opened(path), steps))  # noqa: B010  it has the type of a real one

    setattr(Desk, "__init__", prepared)  # noqa: B010

    def counted(store: Store, sql: str, values: tuple[Any, ...] = ()) -> Any:
        if sql == "COMMIT":
            kind, steps.writing = steps.writing or "state", ""
            steps.step(f"commit {kind}")
        return do(store, sql, values)

    setattr(Store, "do", counted)  # noqa: B010
    for owner, name, kind in (
        (Journal, "begin", "journal begin"),
        (Journal, "done", "journal done"),
        (Runs, "finish", "run"),
    ):
        setattr(owner, name, _telling(getattr(owner, name), steps, kind))


def _telling(method: Callable[..., Any], steps: Steps, kind: str) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        steps.writing = kind
        return method(*args, **named)

    return call


if __name__ == "__main__":
    main()

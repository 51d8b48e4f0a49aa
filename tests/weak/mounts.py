"""Weak file systems that Linux can mount, on images of their own: FAT by a kernel, exFAT and NTFS by FUSE. What each of
them cannot do is written down here, as it was seen on them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

KERNEL = os.environ.get("SYNCLINE_WEAK", "")
"""Set in a kernel of one's own (tests/weak/kernel.py): the kind that is tried there and cannot be elsewhere."""

_LETTERS_ONLY = {
    "a:b": "':'",
    "a?b": "'?'",
    "a*b": "'*'",
    'a"b': "'\"'",
    "a<b": "'<'",
    "a|b": "'|'",
    "a\\b": "'\\\\'",
    "a\nb": "'\\\\n'",
}


@dataclass(frozen=True)
class System:
    """A kind of weak file system: how it is made and mounted, and what it cannot do.

    `impossible`: names it does not take, and what must be said of each. `all_times`: also those before 1980 and after
    2107. `step_s`: of its times. `largest`: bytes of a file, where few. `one_name`: pairs of names that are one there;
    `two_names`: pairs that are not.
    """

    make: Sequence[str]
    mount: Sequence[str]
    size: str = "48M"
    links: bool = False
    all_times: bool = False
    step_s: float = 2
    largest: int | None = None
    impossible: tuple[tuple[str, str], ...] = ()
    one_name: tuple[tuple[str, str], ...] = ()
    two_names: tuple[tuple[str, str], ...] = ()


SYSTEMS = {
    "vfat": System(
        ("mkfs.vfat",),
        ("mount", "-t", "vfat", "-o", "utf8"),
        impossible=(*_LETTERS_ONLY.items(), ("x.", "dot"), ("x ", "space")),
        one_name=(("a", "A"), ("\u00e9", "\u00c9")),
        largest=(1 << 32) - 1,
        two_names=(("\u00df", "ss"), ("\u00e9", "e\u0301")),
    ),
    "fusefat": System(("mkfs.vfat",), ("fusefat", "-o", "rw+")),
    "exfat": System(
        ("mkfs.exfat",),
        ("mount.exfat-fuse",),
        step_s=1,
        impossible=(*_LETTERS_ONLY.items(),),
        one_name=(("a", "A"), ("É", "é"), ("Ж", "ж"), ("σ", "ς"), ("ᾀ", "ᾈ")),
        two_names=(("ß", "ss"), ("é", "e\u0301"), ("ﬁ", "fi")),
    ),
    "ntfs": System(
        ("mkfs.ntfs", "-F", "-Q", "-q"),
        ("ntfs-3g", "-o", "windows_names"),
        links=True,
        all_times=True,
        step_s=1e-7,
        impossible=(
            *_LETTERS_ONLY.items(),
            ("x.", "dot"),
            ("x ", "space"),
            ("CON", "reserved"),
            ("nul.txt", "reserved"),
        ),
        two_names=(("a", "A"), ("é", "e\u0301")),
    ),
}

KINDS = (KERNEL,) if KERNEL else ("exfat", "ntfs")


class Mount:
    """One file system on an image, mounted until `close`."""

    def __init__(self, kind: str) -> None:
        self.system = SYSTEMS[kind]
        self._top = Path(tempfile.mkdtemp(prefix=f"syncline-{kind}-"))
        self._image, self.at = self._top / "image", self._top / "mounted"
        self.at.mkdir()
        self._device = ""
        if shutil.which(self.system.make[0]) is None or shutil.which(self.system.mount[0]) is None:
            pytest.skip(f"{self.system.make[0]} or {self.system.mount[0]} is not installed")
        with self._image.open("wb") as image:
            image.truncate(int(self.system.size[:-1]) << 20)
        self._do(*self.system.make, self._image)
        self.mount()

    def mount(self) -> None:
        self._device = self._do("losetup", "--find", "--show", self._image)
        self._do(*self.system.mount, self._device, self.at)

    def unmount(self) -> None:
        for _ in range(50):
            done = subprocess.run(["umount", self.at], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
            time.sleep(0.1)
        assert done.returncode == 0, done.stderr
        self._detach()

    def kill(self) -> None:
        """The driver dies: every call to the file system fails from now on."""
        at = os.fsencode(self.at)
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if at in (process / "cmdline").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
        while os.access(self.at, os.R_OK):
            time.sleep(0.01)

    def remount(self) -> None:
        self.unmount()
        self.mount()

    def close(self) -> None:
        self.unmount()
        shutil.rmtree(self._top)

    def _detach(self) -> None:
        for _ in range(50):  # the file system's process may still be writing what it holds
            if subprocess.run(["losetup", "--detach", self._device], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        self._device = ""
        subprocess.run(["sync", "-f", self._top], check=False)

    def _do(self, *command: str | Path) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

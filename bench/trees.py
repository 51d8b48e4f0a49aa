"""Seeded trees, seeded edits of them, and what differs between two trees. The same seed makes the same tree."""

from __future__ import annotations

import filecmp
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

PRIVATE = ".syncline"
"""What syncline keeps in a root; the other programs are told to leave it out, and so does the comparison here."""

_FOREIGN = ".ffs_db"
"""What FreeFileSync keeps in both roots."""

_BLOCK = random.Random(7).randbytes(1 << 20)
_FIRST_MTIME_S = 1_500_000_000
_SPAN_S = 200_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """How many files in how many directories; their bytes, evenly spread or lognormal about a median."""

    files: int
    directories: int
    smallest: int
    largest: int
    median: int | None = None

    def scaled(self, scale: float) -> Shape:
        """So many times as many files and directories; where there are few files, so many times as large."""
        if self.files <= 10:
            return replace(self, smallest=max(1, int(self.smallest * scale)), largest=max(1, int(self.largest * scale)))
        return replace(self, files=max(20, int(self.files * scale)), directories=max(2, int(self.directories * scale)))


OFFICE = Shape(90_000, 6_000, smallest=0, largest=4_000_000, median=7_000)  # about 2 GB
MANY = Shape(1_000_000, 20_000, smallest=0, largest=200)
SMALL = Shape(10_000, 500, smallest=0, largest=8_000)
MEDIA = Shape(4, 1, smallest=200_000_000, largest=200_000_000)


def make(root: Path, shape: Shape, seed: int) -> list[str]:
    """Makes the tree at `root`, which must not exist; its files, relative, in the order they were made."""
    chance = random.Random(seed)
    directories = [""]
    root.mkdir(parents=True)
    for number in range(shape.directories - 1):
        above = chance.choice(directories[-200:])
        directories.append(os.path.join(above if above.count("/") < 8 else "", f"folder {number:05}"))
        os.mkdir(root / directories[-1])
    files = []
    for number in range(shape.files):
        path = os.path.join(chance.choice(directories), f"file-{number:07}.dat")
        mtime_s = _FIRST_MTIME_S + chance.randrange(_SPAN_S)
        _write(root / path, _size(shape, chance), chance, mtime_s)
        files.append(path)
    return files


def _size(shape: Shape, chance: random.Random) -> int:
    if shape.median is None:
        return chance.randint(shape.smallest, shape.largest)
    return max(shape.smallest, min(shape.largest, int(chance.lognormvariate(0, 1.55) * shape.median)))


def _write(path: Path, size: int, chance: random.Random, mtime_s: int | None = None) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(chance.randbytes(min(size, 16)))
        left = size - 16
        while left > 0:
            start = chance.randrange(len(_BLOCK) // 2)
            left -= file.write(_BLOCK[start : start + left])
    if mtime_s is not None:
        os.utime(path, (mtime_s, mtime_s))


def edit(left: Path, right: Path, files: list[str], seed: int, number: int) -> int:
    """One round of edits: 1/90 of the files written anew on each side, 1/180 deleted, 1/180 renamed, half of it each.

    No round touches a file that one before it did, so every program meets the same. Returns how many changes.
    """
    shuffled = random.Random(seed).sample(files, len(files))
    share = max(1, len(files) // 180)
    mine = shuffled[number * share * 6 : (number + 1) * share * 6]
    if len(mine) < share * 6:
        raise ValueError("too many rounds for a tree of this size")
    chance = random.Random(seed + number + 1)
    for at, path in enumerate(mine[: share * 4]):
        _write((left if at % 2 else right) / path, chance.randrange(20_000), chance)
    for at, path in enumerate(mine[share * 4 : share * 5]):
        (left if at % 2 else right).joinpath(path).unlink()
    for at, path in enumerate(mine[share * 5 :]):
        whole = (left if at % 2 else right) / path
        whole.rename(whole.with_name(f"renamed-{number}-{whole.name}"))
    return len(mine)


def clear(root: Path) -> None:
    """Removes everything there."""
    if root.exists():
        shutil.rmtree(root)


def forget(root: Path) -> None:
    """Takes away what programs keep in a root."""
    clear(root / PRIVATE)
    for found in root.glob(f"*{_FOREIGN}"):
        found.unlink()


def differences(left: Path, right: Path, *, contents: bool) -> list[str]:
    """Paths at which two trees differ in kind, size, time (to the second) or, where asked for, content."""
    here, there = dict(_entries(left)), dict(_entries(right))
    found = sorted({path for path, _ in here.items() ^ there.items()})
    if contents:
        both = (path for path, stamp in here.items() if stamp is not None and there.get(path) == stamp)
        found += [path for path in both if not filecmp.cmp(left / path, right / path, shallow=False)]
        filecmp.clear_cache()
    return found


def _entries(root: Path) -> Iterator[tuple[str, tuple[int, int] | None]]:
    """Every path below, with size and time of a file, None for a directory."""
    stack = [""]
    while stack:
        above = stack.pop()
        with os.scandir(root / above) as listed:
            for entry in listed:
                path = os.path.join(above, entry.name)
                if path == PRIVATE or path.endswith(_FOREIGN):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    stack.append(path)
                    yield path, None
                else:
                    status = entry.stat(follow_symlinks=False)
                    yield path, (status.st_size, int(status.st_mtime))

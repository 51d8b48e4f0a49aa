"""A tree as machines have it, of 8,000 files: brought over, changed on both sides, and compared by other programs."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import disk
from tests.e2e.pair import Pair

FILES = 60_000 if os.environ.get("SYNCLINE_LONG") == "1" else 8_000
SOURCES = ("/usr/share", "/usr/lib")


@pytest.fixture
def real(quick: Path) -> Pair:
    """A pair whose left side has `FILES` files of this machine, or copies of them where there are not so many."""
    pair = Pair(quick)
    count = 0
    for number, (path, name) in enumerate(found(pair)):
        target = pair.left / f"part{number // FILES}" / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.islink(path):
            os.symlink(os.readlink(path), target)
        else:
            copy(path, target)
            count += 1
        if count == FILES:
            return pair
    raise AssertionError("there is no file to begin with")


def found(pair: Pair) -> Iterator[tuple[str, str]]:
    """Small files and links of this machine, again and again under other names."""
    number = 0
    while True:
        for source in SOURCES:
            for above, directories, names in os.walk(source):
                directories.sort()
                for name in sorted(names):
                    path = os.path.join(above, name)
                    if os.path.islink(path) or (os.path.isfile(path) and os.path.getsize(path) < 50_000):
                        yield path, f"{number}{path}" if number else path
        number += 1


def copy(path: str, target: Path) -> None:
    status = os.stat(path)
    target.write_bytes(Path(path).read_bytes())
    os.chmod(target, status.st_mode & 0o777)
    os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))


def assert_equal(pair: Pair) -> None:
    """What other programs say of both sides."""
    said = subprocess.run(
        ["diff", "-r", "--no-dereference", "-x", ".syncline", pair.left, pair.right], capture_output=True, check=False
    )
    assert (said.returncode, said.stdout[:2000]) == (0, b"")
    said = subprocess.run(
        [
            "rsync",
            "-nac",
            "--delete",
            "--omit-link-times",
            "--omit-dir-times",
            "-i",
            "--exclude=/.syncline",
            f"{pair.left}/",
            f"{pair.right}/",
        ],
        capture_output=True,
        check=False,
    )
    assert (said.returncode, said.stdout[:2000], said.stderr) == (0, b"", b"")


def test_a_real_tree_is_kept_in_step(real: Pair) -> None:
    first = real.sync()
    assert first.document["summary"]["copied"] == FILES
    assert_equal(real)
    assert real.sync().document["outcome"] == "in-sync"
    chance = random.Random(1)
    files = sorted(
        path for path in disk.paths(real.left) if (real.left / path).is_file() and not (real.left / path).is_symlink()
    )
    picked = chance.sample(files, 600)
    edited, renamed, deleted = picked[:300], picked[300:450], picked[450:]
    for number, path in enumerate(edited):
        with open((real.left, real.right)[number % 2] / path, "ab") as stream:
            stream.write(b"edited\n")
    for number, path in enumerate(renamed):
        root = (real.left, real.right)[number % 2]
        (root / path).rename((root / path).with_name(f"renamed {number}"))
    for number, path in enumerate(deleted):
        ((real.left, real.right)[number % 2] / path).unlink()
    folder = Path(chance.choice(files)).parent
    (real.right / folder).rename(real.right / "moved")
    for path in edited[:20]:  # and some on both sides
        for root in (real.left, real.right):
            if (root / path).exists():
                (root / path).write_text(f"both {root.name} {path}")
    second = real.sync()
    assert second.document["outcome"] == "done"
    assert_equal(real)
    assert real.sync().document["outcome"] == "in-sync"
    both = {path for path in disk.paths(real.left) if (real.left / path).is_file()}
    kept = {data for path in both if (data := (real.left / path).read_bytes()).startswith(b"both ")}
    assert len(kept) == 2 * len(second.document["conflicts"]) > 0

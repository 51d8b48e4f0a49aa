"""Renaming where the file system has no call that spares a taken name, and the form of what a scan imports."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from syncline.fs import fallbacks
from tests.fs.roots import on_disk

SCENES = {
    # what is renamed to "new", what stands there
    "file to a free name": ("file", None),
    "link to a free name": ("link", None),
    "directory to a free name": ("directory", None),
    "file onto a file": ("file", "file"),
    "file onto a directory": ("file", "directory"),
    "file onto a dangling link": ("file", "link"),
    "directory onto an empty directory": ("directory", "directory"),
    "directory onto a file": ("directory", "file"),
    "link onto a file": ("link", "file"),
    "nothing to a free name": (None, None),
}


@pytest.mark.parametrize(("old", "new"), SCENES.values(), ids=SCENES.keys())
def test_a_rename_without_the_call_for_it(place, old, new):
    for side, kind in (("from", old), ("to", new)):
        os.makedirs(f"{place}/{side}")
        name = f"{place}/{side}/{'old' if side == 'from' else 'new'}"
        if kind == "file":
            with open(name, "w") as file:
                file.write(side)
        elif kind == "directory":
            os.mkdir(name)
        elif kind == "link":
            os.symlink("nowhere", name)
    before = on_disk(place)
    fds = [os.open(f"{place}/{side}", os.O_RDONLY) for side in ("from", "to")]
    try:
        fallbacks.rename("old", "new", *fds)
        assert old is not None and new is None
        after = {**before, "to/new": before["from/old"]}
        del after["from/old"]
        assert on_disk(place) == after
    except FileExistsError:
        assert new is not None
        assert on_disk(place) == before
    except FileNotFoundError:
        assert old is None
        assert on_disk(place) == before
    finally:
        for fd in fds:
            os.close(fd)


def test_the_scanning_process_imports_next_to_nothing():
    program = "import sys; import syncline.fs.scan; print(*sorted(sys.modules))"
    paths = os.pathsep.join(path for path in sys.path if path)
    run = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    loaded = set(run.stdout.split())
    ours = {name for name in loaded if name.startswith("syncline.")}
    assert ours == {"syncline.core", "syncline.core.record", "syncline.fs", "syncline.fs.scan"}
    assert not loaded & {"dataclasses", "ctypes", "typing", "hashlib", "sqlite3"}, run.stderr

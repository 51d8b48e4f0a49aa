"""What is installed and what is imported: the lock files, laziness, and systems that lack what POSIX has."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["core.txt", "test.txt", "bench.txt"]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_packages_and_digests_and_no_place(name: str) -> None:
    lines = [line for line in lock(name).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    requirement = re.compile(r"[a-z0-9-]+==[\w.!+-]+( ; [a-zA-Z_]+ [<>=!]+ '[\w.]+')?( \\)?")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    strange = [line for line in lines if not requirement.fullmatch(line) and not digest.fullmatch(line)]
    assert strange == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_comments_hold_no_place(name: str) -> None:
    assert re.findall(r"://|(?<![\w.])/\w+|file:|\\\\", re.sub(r" \\$", "", lock(name), flags=re.MULTILINE)) == []


def test_lock_is_that_of_pyproject() -> None:
    """Every package asked for is locked in a version allowed; mended by script/lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    core = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    test = [*core, *project["project"]["optional-dependencies"]["test"]]
    assert unmet(core, locked("core.txt")) == []
    assert unmet(test, locked("test.txt")) == []
    assert unmet([*core, *project["project"]["optional-dependencies"]["bench"]], locked("bench.txt")) == []


def test_build_backend_is_locked_as_it_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert unmet(project["build-system"]["requires"], locked("core.txt")) == []


@pytest.mark.parametrize("name", LOCKS[1:])
def test_a_larger_lock_differs_from_the_core_lock_in_nothing(name: str) -> None:
    core, larger = locked("core.txt"), locked(name)
    assert {package: larger.get(package) for package in core} == core


def test_import_syncline_imports_nothing_else_of_ours() -> None:
    run_python("import sys, syncline; assert not [name for name in sys.modules if name.startswith('syncline.')]")


def test_every_module_can_be_imported_where_posix_is_missing() -> None:
    """Windows and macOS lack some of these: what needs them is asked for when used, never at import."""
    run_python(IMPORT_WITHOUT_POSIX)


# Imported twice: the first time brings in what others wrote, which may do as it likes, before the ground is cut away.
IMPORT_WITHOUT_POSIX = """
import ctypes, importlib, os, pkgutil, sys

def stop(name):
    raise

def import_all():
    import syncline
    for module in pkgutil.walk_packages(syncline.__path__, "syncline.", onerror=stop):
        importlib.import_module(module.name)

import_all()
for name in [name for name in sys.modules if name.partition(".")[0] == "syncline"]:
    del sys.modules[name]

for name in ("fcntl", "grp", "pwd", "resource", "termios", "syslog"):
    sys.modules[name] = None
for name in '''
    O_CLOEXEC O_DIRECTORY O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_TMPFILE
    chown copy_file_range fchdir fchown fdatasync fork fstatvfs getegid geteuid getgid getuid getxattr killpg lchown
    listxattr major makedev minor mkfifo mknod posix_fadvise posix_fallocate pread pwrite removexattr sendfile setxattr
    splice statvfs sync
'''.split():
    if hasattr(os, name):
        delattr(os, name)

def no_c_library(name=None, *args, **kwargs):
    raise OSError("no such library")

ctypes.CDLL = no_c_library
import_all()
"""


def lock(name: str) -> str:
    return (ROOT / "requirements" / name).read_text("utf-8")


def locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", lock(name), flags=re.MULTILINE))


def unmet(wanted: list[str], versions: dict[str, str]) -> list[str]:
    requirements = map(Requirement, wanted)
    return [str(r) for r in requirements if not r.specifier.contains(versions.get(canonicalize_name(r.name), "0"))]


def run_python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""A Linux kernel of one's own, as a process (user-mode Linux), for file systems the machine's kernel does not have.

It sees the machine's files as they are; what it mounts, only it sees. Run as a program, this module is the first
process in that kernel: it loads the modules, runs pytest, and turns the kernel off.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
_FINIT_MODULE = 313  # x86_64, the one machine the package is made for
_NEEDED = ("fs/fat/fat", "fs/fat/vfat", "fs/nls/nls_cp437", "fs/nls/nls_iso8859-1", "drivers/block/loop")


def pytest_inside(kind: str, tests: Sequence[str], answer: Path, *, timeout_s: float) -> tuple[int, str]:
    """Run `tests` in a kernel that has `kind`: pytest's exit code and what it said."""
    if shutil.which(COMMAND) is None or not MODULES.is_dir():
        pytest.skip("user-mode-linux is not installed")
    first = answer / "init"
    inner = f'exec "{sys.executable}" -m tests.weak.kernel "{kind}" "{answer}" {shlex.join(tests)}'
    first.write_text(
        f'#!/bin/sh\ncd "{REPOSITORY}"\nPATH="{os.environ["PATH"]}"\nPYTHONPATH=src:.\n'
        f"export PATH PYTHONPATH\n{inner}\n"
    )
    first.chmod(0o755)
    command = [
        COMMAND,
        "rootfstype=hostfs",
        "rootflags=/",
        "rw",
        "mem=768M",
        f"init={first}",
        "con=null",
        "con0=fd:0,fd:1",
    ]
    process = subprocess.Popen(
        [*command, f"uml_dir={answer}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        console, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        console, _ = process.communicate()
    code, said = answer / "code", answer / "said"
    if not code.exists():
        pytest.fail(f"the kernel ended without an answer:\n{console.decode(errors='replace')[-3000:]}")
    return int(code.read_text()), said.read_text()


def main(kind: str, answer: Path, tests: Sequence[str]) -> None:
    for where, what in (("/proc", "proc"), ("/sys", "sysfs"), ("/mnt", "tmpfs")):
        subprocess.run(["mount", "-t", what, what, where], check=True)
    library = ctypes.CDLL(None, use_errno=True)
    for module in _NEEDED:
        with (MODULES / os.uname().release / "kernel" / f"{module}.ko").open("rb") as stream:
            if library.syscall(_FINIT_MODULE, stream.fileno(), b"", 0):
                raise OSError(ctypes.get_errno(), module)
    with (answer / "said").open("wb") as said:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=short", *tests],
            env={**os.environ, "SYNCLINE_WEAK": kind, "TMPDIR": "/mnt", "HOME": "/mnt", "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
    (answer / "code").write_text(str(done.returncode))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    finally:
        subprocess.run(["sync"], check=False)
        Path("/proc/sysrq-trigger").write_text("o")
        signal.pause()  # a kernel whose first process ends calls that a panic

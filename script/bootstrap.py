"""Builds .venv from the lock files; `run ARGS` then becomes syncline, `tools` adds the test tools.

Needs nothing but the standard library. The environment is built at its final place (its scripts name that place), under
a lock that dies with its last holder; `.venv/built` is written last and marks it whole. A failed build leaves what was
there before.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
ASIDE = ROOT / ".venv.old"  # what was there before, until the new one is whole
GONE = ROOT / ".venv.gone"  # about to be removed
LOCK = ROOT / ".venv.lock"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
CORE = ROOT / "requirements" / "core.txt"
TOOLS = ROOT / "requirements" / "test.txt"
PROJECT = ROOT / "pyproject.toml"

OURS = VENV / "made-by-bootstrap"  # there from the first moment: this folder is ours to remove
BUILT = VENV / "built"  # there from the last moment: this folder is whole
BUILT_KEY = BUILT / "key"
BUILT_TOOLS = BUILT / "test.txt"

WRONG_SETUP = 2


class SetupError(Exception):
    """The environment cannot be built; the message says why and what to do."""


def main(args: list[str]) -> int:
    """Brings .venv up to date, then does what `args` says."""
    match args:
        case ["run", *rest]:
            prepare(tools=False)
            become_syncline(rest)
        case ["tools"]:
            prepare(tools=True)
            return 0
        case _:
            raise SetupError("usage: bootstrap.py run ARGS... | tools")


def prepare(*, tools: bool) -> None:
    """Leaves .venv whole and up to date, with the test tools if asked.

    Raises:
        SetupError: it cannot be built; the one from before, if any, is still there.
    """
    if core_is_current() and (not tools or tools_are_current()):
        note_sources()
        return
    with only_one() as lock:
        # Another process may have built it while this one waited. Tools of another lock, or half of them, are no ground
        # to build on.
        if not core_is_current() or (tools and BUILT_TOOLS.exists() and not tools_are_current()):
            rebuild(lock)
        if tools and not tools_are_current():
            add_tools(lock)
        note_sources()


def core_is_current() -> bool:
    """Whether .venv holds what the lock says, and its Python still starts."""
    try:
        key, version = BUILT_KEY.read_text("utf-8").split()
    except (OSError, ValueError):
        return False
    return key == wanted_key() and version == venv_python_version()


def tools_are_current() -> bool:
    try:
        return BUILT_TOOLS.read_bytes() == TOOLS.read_bytes()
    except OSError:
        return False


def wanted_key() -> str:
    """Digest of all that decides what is installed: lock, package metadata, place. Settings of linters do not."""
    project = tomllib.loads(PROJECT.read_text("utf-8"))
    decisive = {name: project.get(name) for name in ("build-system", "project")}
    decisive["hatch"] = project.get("tool", {}).get("hatch")
    digest = hashlib.sha256(CORE.read_bytes())
    digest.update(json.dumps(decisive, sort_keys=True).encode())
    digest.update(os.fsencode(ROOT))
    return digest.hexdigest()


def venv_python_version() -> str | None:
    """Such as "3.11", or None if it does not start (the system's Python was replaced)."""
    ask = "import sys, syncline; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([python(), "-I", "-c", ask], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.decode().strip()


def note_sources() -> None:
    """Puts copies of what was built from into .venv, for script/syncline to compare; `root` last."""
    for name, content in (
        ("core.txt", CORE.read_bytes()),
        ("pyproject.toml", PROJECT.read_bytes()),
        ("root", os.fsencode(ROOT) + b"\n"),
    ):
        noted = BUILT / name
        if not noted.exists() or noted.read_bytes() != content:
            write_whole(noted, content)


def rebuild(lock: IO[bytes]) -> None:
    """Replaces .venv by a new one; on any failure what was there is back."""
    base = usable_python()
    if VENV.exists() and not OURS.exists() and any(VENV.iterdir()):
        raise SetupError(f"{VENV} is there and was not made by this script: move it away, then try again")
    say(f"building {VENV} (once; less than a minute)")
    remove(ASIDE)
    if BUILT_KEY.exists():
        VENV.rename(ASIDE)
    else:
        remove(VENV)
    try:
        VENV.mkdir()
        OURS.touch()
        call(lock, "creating the virtual environment", base, "-I", "-m", "venv", VENV)
        install(lock, "-r", CORE, "--require-hashes")
        install(lock, "--no-build-isolation", "--editable", ROOT)
        # Installed packages are compiled by pip; ours live in the checkout, where it may be forbidden or switched off.
        with contextlib.suppress(SetupError):
            call(lock, "compiling", python(), "-I", "-m", "compileall", "-q", ROOT / "src" / "syncline")
        BUILT.mkdir()
        write_whole(BUILT_KEY, f"{wanted_key()} {venv_python_version()}\n".encode())
    except BaseException:
        remove(VENV)
        if ASIDE.exists():
            ASIDE.rename(VENV)
        raise
    remove(ASIDE)


def add_tools(lock: IO[bytes]) -> None:
    say("adding the test tools")
    BUILT_TOOLS.write_bytes(b"begun\n")  # differs from every lock: an interrupted installation is not built upon
    install(lock, "-r", TOOLS, "--require-hashes")
    write_whole(BUILT_TOOLS, TOOLS.read_bytes())


def usable_python() -> str:
    """Path of the Python to build with: the one behind all links, so that its removal by an upgrade is seen."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file may be started by hand with any Python
        raise SetupError(f"needs Python 3.11 or newer, this is {sys.version.split()[0]}")
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"{sys.executable} (Python {sys.version.split()[0]}) has no module {' and no module '.join(missing)}.\n"
            f"  Debian and Ubuntu: apt install python3-venv (or python{sys.version_info[0]}.{sys.version_info[1]}-venv)"
        )
    base = str(getattr(sys, "_base_executable", sys.executable))
    return base if os.name == "nt" else os.path.realpath(base)


def install(lock: IO[bytes], *what: str | Path) -> None:
    call(
        lock,
        "installing packages",
        python(),
        *("-I", "-m", "pip", "install", "-qq", "--retries=3", "--no-input", "--disable-pip-version-check", "--no-deps"),
        *what,
        hint="Is the package index reachable? Once it is, the same command goes on.",
    )


def call(lock: IO[bytes], doing: str, *command: str | Path, hint: str = "") -> None:
    """Runs a command whose output all goes to standard error.

    Raises:
        SetupError: it could not be started or failed.
    """
    environment = {name: value for name, value in os.environ.items() if name not in REDIRECTING}
    environment["PIP_USER"] = "0"
    try:
        # The caller's input and output belong to syncline. The child's input is the lock (an empty file) instead, and
        # so is its children's: should this process be killed, the lock is held until the last of them has ended.
        process = subprocess.Popen(
            command,
            stdin=lock,
            stdout=sys.stderr,
            stderr=sys.stderr,
            env=environment,
            cwd=ROOT,
            process_group=None if os.name == "nt" else 0,
        )
        try:
            status = process.wait()
        except BaseException:
            end(process)
            raise
    except OSError as problem:
        raise SetupError(f"{doing} failed: {problem}") from problem
    if status:
        raise SetupError(f"{doing} failed: the messages above say why. {hint}".rstrip())


def end(process: subprocess.Popen[bytes]) -> None:
    """Kills the process and its children, and waits until none of them can write into .venv any more."""
    if os.name == "nt":
        process.kill()
        process.wait()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.02)


# Would make Python or pip put files elsewhere than into .venv, or other ones than the lock says.
REDIRECTING = {
    *("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"),
    *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_REQUIREMENT", "PIP_DRY_RUN", "PIP_PYTHON"),
}


def become_syncline(args: list[str]) -> NoReturn:
    program = BIN / ("syncline.exe" if os.name == "nt" else "syncline")
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # there exec starts a second process and lets the first one end, so the exit code is lost
        raise SystemExit(subprocess.call([program, *args]))
    os.execv(program, [str(program), *args])  # noqa: S606 - our own program, and no shell


@contextlib.contextmanager
def only_one() -> Iterator[IO[bytes]]:
    """Holds the lock of this checkout; waits for another holder and says so. Gives the file locked."""
    with LOCK.open("a+b") as file:
        if not try_lock(file, wait=False):
            say("another call is building .venv; waiting for it")
            try_lock(file, wait=True)
        yield file


def try_lock(file: IO[bytes], *, wait: bool) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        if wait:
            raise
        return False
    return True


def python() -> Path:
    return BIN / ("python.exe" if os.name == "nt" else "python")


def write_whole(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def remove(path: Path) -> None:
    """Takes the path away at once and whole; what cannot be deleted yet goes next time."""
    if GONE.exists():
        shutil.rmtree(GONE, ignore_errors=True)
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        path.rename(GONE)
        shutil.rmtree(GONE, ignore_errors=True)


def say(text: str) -> None:
    print(f"syncline: {text}", file=sys.stderr, flush=True)


def stop(signal_number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal_number)


if __name__ == "__main__":
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, stop)
    try:
        status = main(sys.argv[1:])
    except SetupError as problem:
        say(str(problem))
        status = WRONG_SETUP
    except OSError as problem:
        say(f"cannot set up {VENV}: {problem}")
        status = WRONG_SETUP
    except KeyboardInterrupt:
        say("interrupted")
        status = 130
    raise SystemExit(status)

"""script/syncline, without the network: what it passes through, when it builds, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEEDS_PYTHON = "needs Python 3.11 or newer"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a shell script; Windows has script/syncline.cmd")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the scripts, in a place with spaces, with a .venv whose syncline tells what it was given."""
    root = tmp_path / "my projects" / "it's here"
    root.mkdir(parents=True)
    shutil.copytree(ROOT / "script", root / "script", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "requirements", root / "requirements")
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "src" / "syncline").mkdir(parents=True)
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    program(root / ".venv" / "bin" / "syncline", 'printf "<%s>" "$@"; cat; echo told >&2; exit 7')
    built = root / ".venv" / "built"
    built.mkdir()
    shutil.copy(root / "requirements" / "core.txt", built)
    shutil.copy(root / "pyproject.toml", built)
    (built / "root").write_text(f"{root}\n", "utf-8")
    return root


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the few programs the script may use, and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "cat", "cmp", "head", "readlink"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


@pytest.mark.parametrize("called_as", ["plain", "relative", "link", "link to link", "beside", "with CDPATH"])
def test_passes_everything_through_and_starts_no_python_to_look(
    checkout: Path, tools: Path, tmp_path: Path, called_as: str
) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    (elsewhere / "one").symlink_to(os.path.relpath(checkout / "script" / "syncline", elsewhere))
    (elsewhere / "two").symlink_to("one")
    command, folder, more = {
        "plain": (str(checkout / "script" / "syncline"), elsewhere, {}),
        "relative": (os.path.relpath(checkout / "script" / "syncline", elsewhere), elsewhere, {}),
        "link": (str(elsewhere / "one"), tmp_path, {}),
        "link to link": ("./two", elsewhere, {}),
        "beside": ("./syncline", checkout / "script", {}),
        "with CDPATH": ("script/syncline", checkout, {"CDPATH": f"{tmp_path}:{elsewhere}"}),
    }[called_as]
    done = call([command, "a b", "", "*", "-n", "$HOME"], tools, folder, **more)
    assert (done.stdout, done.stderr, done.returncode) == ("<a b><><*><-n><$HOME>input", "told\n", 7)


@pytest.mark.parametrize("change", ["nothing built", "lock", "pyproject", "moved", "python gone"])
def test_builds_anew_when_what_it_was_built_from_changed(checkout: Path, tools: Path, change: str) -> None:
    match change:
        case "nothing built":
            shutil.rmtree(checkout / ".venv")
        case "lock":
            append(checkout / "requirements" / "core.txt", "six==1.17.0\n")
        case "pyproject":
            append(checkout / "pyproject.toml", "# another dependency\n")
        case "moved":
            checkout = checkout.rename(checkout.with_name("moved"))
        case "python gone":
            (checkout / ".venv" / "bin" / "python").unlink()
    done = call([str(checkout / "script" / "syncline")], tools)
    assert done.returncode == 2
    assert done.stdout == ""
    assert NEEDS_PYTHON in done.stderr


def test_says_which_python_is_too_old(checkout: Path, tools: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    program(tools / "python3", '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    done = call([str(checkout / "script" / "syncline")], tools)
    assert done.returncode == 2
    assert NEEDS_PYTHON in done.stderr
    assert "python3 (Python 3.9.2)" in done.stderr


def test_leaves_alone_an_environment_it_did_not_make(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv" / "built")
    done = call([sys.executable, str(checkout / "script" / "bootstrap.py"), "run"])
    assert done.returncode == 2
    assert "was not made by this script" in done.stderr
    assert (checkout / ".venv" / "bin" / "syncline").exists()


@pytest.mark.parametrize("before", ["nothing", "older", "half-built"])
def test_without_an_index_it_says_so_and_leaves_what_was_there(checkout: Path, before: str) -> None:
    venv = checkout / ".venv"
    (venv / "made-by-bootstrap").touch()
    match before:
        case "nothing":
            shutil.rmtree(venv)
        case "older":
            (venv / "built" / "key").write_text("older 3.11\n", "utf-8")
        case "half-built":
            shutil.rmtree(venv / "built")
    command = [sys.executable, str(checkout / "script" / "bootstrap.py"), "run"]
    done = call(command, PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Is the package index reachable?" in done.stderr
    assert sorted(path.name for path in checkout.glob(".venv*")) == [".venv"] * (before == "older") + [".venv.lock"]
    if before == "older":
        assert (venv / "bin" / "syncline").exists()


def test_names_the_missing_venv_module(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "script" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(bootstrap.SetupError, match="no module venv and no module ensurepip[^$]*python3-venv"):
        bootstrap.usable_python()


def call(command: list[str], path: Path | None = None, folder: Path | None = None, **more: str):
    environment = {**os.environ, **more}
    if path is not None:
        environment["PATH"] = str(path)
    return subprocess.run(
        command, cwd=folder, env=environment, input="input", capture_output=True, text=True, check=False
    )


def program(path: Path, code: str) -> None:
    path.write_text(f"#!/bin/sh\n{code}\n", "utf-8")
    path.chmod(0o755)


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text("utf-8") + text, "utf-8")

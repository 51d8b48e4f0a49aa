"""What each setting of `durability` waits for, as the system sees it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from syncline.fs.local import LocalRoot
from syncline.fs.probe import HONEST_SYNC
from tests.e2e.forks import environment
from tests.e2e.pair import Pair

FILES = 40
COUNTED = ("syncfs", "staged", "copied")

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


def flushes(pair: Pair, setting: str) -> Counter[str]:
    """Which calls of a first run flush something of the target: `syncfs`, or `fsync` of a staged file, a copied one, a
    directory."""
    pair.write(left={f"d/{number}": "content" for number in range(FILES)})
    config = pair.left.parent / "syncline.yaml"
    config.write_text(
        f"jobs:\n  pair:\n    kind: twoway\n    left: {pair.left}\n    right: {pair.right}\n{setting}", "utf-8"
    )
    trace = pair.left.parent / "trace"
    calls = ["strace", "-f", "-y", "-qq", "-e", "trace=syncfs,fsync,fdatasync", "-o", str(trace)]
    command = [*calls, *pair.command("--config", config, "run", "pair")]
    subprocess.run(command, env=environment(), check=True, capture_output=True)
    assert len(list((pair.right / "d").iterdir())) == FILES
    target = re.escape(str(pair.right))
    seen = re.findall(rf"(syncfs|f(?:data)?sync)\(\d+<{target}(/[^>]*)?>\)", trace.read_text("utf-8"))
    return Counter(_kind(call, path) for call, path in seen)


def _kind(call: str, path: str) -> str:
    if call == "syncfs":
        return call
    if path.startswith("/.syncline"):
        return "staged" if re.fullmatch(r"/\.syncline/staging/new-.*-\d+", path) else "marker"
    return "copied" if re.fullmatch(r"/d/\d+", path) else "directory"


@pytest.mark.parametrize(
    ("setting", "waits"),
    [
        ("", {"syncfs": 2}),
        ("    durability: batch\n", {"syncfs": 2}),
        ("    durability: each\n", {"staged": FILES, "copied": FILES}),
        ("    durability: off\n", {}),
    ],
    ids=["default", "batch", "each", "off"],
)
def test_what_is_waited_for(tmp_path: Path, setting: str, waits: dict[str, int]) -> None:
    pair = Pair(tmp_path)
    root = LocalRoot(str(pair.right))
    if "syncfs" in waits and root.capabilities.filesystem not in HONEST_SYNC:
        waits = {"staged": FILES, "copied": FILES}
    root.close()
    found = flushes(pair, setting)
    assert {kind: found[kind] for kind in COUNTED} == {kind: waits.get(kind, 0) for kind in COUNTED}
    assert bool(found["directory"]) == ("staged" in waits)
    assert found["marker"] > 0

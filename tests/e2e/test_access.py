"""A user without special rights: directories that may not be written, in the tree that is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]


@pytest.mark.root
def test_a_directory_without_write_permission_is_opened_for_the_change_and_restored(tmp_path):
    left, right = tmp_path / "left", tmp_path / "right"
    (left / "d").mkdir(parents=True)
    right.mkdir()
    (left / "d" / "kept").write_text("1")
    (left / "d" / "gone").write_text("2")
    os.chmod(left / "d", 0o555)

    def sync() -> dict:
        command = [sys.executable, "-m", "syncline", "--state-dir", str(tmp_path / "state"), "sync", "--json"]
        done = subprocess.run(
            [*WITHOUT_RIGHTS, *command, str(left), str(right)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    sync()
    assert os.stat(right / "d").st_mode & 0o777 == 0o555
    os.chmod(left / "d", 0o755)
    (left / "d" / "gone").unlink()
    (left / "d" / "kept").write_text("changed")
    (left / "d" / "new").write_text("3")
    os.chmod(left / "d", 0o555)
    sync()
    assert sorted(os.listdir(right / "d")) == ["kept", "new"]
    assert (right / "d" / "kept").read_text() == "changed"
    assert os.stat(right / "d").st_mode & 0o777 == 0o555
    assert sync()["run"] is None

"""A pair of folders of which the right one lies on a weak file system."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tests.e2e import disk
from tests.e2e.forks import Forked, Forks
from tests.e2e.pair import Answer, Pair
from tests.weak.mounts import Mount


class WeakPair(Pair):
    """Left a strong folder, right one on `mount`. What the weak side cannot keep is not compared."""

    def __init__(self, top: Path, mount: Mount, name: str, parent: Forks) -> None:
        super().__init__(top, parent=parent)
        self.mount = mount
        self.right.rmdir()
        self.right = mount.at / name
        self.right.mkdir()

    def killed(self, step: int) -> Forked:
        """Synchronise, and die at a step."""
        assert self.parent is not None
        return self.parent.call("--state-dir", self.state, "sync", self.left, self.right, "--json", kill=step)

    def same(self) -> dict[str, str]:
        """What stands on both sides; fails where they differ, in times by more than a step."""
        left, right = disk.read(self.left), disk.read(self.right)
        differ = {path: (left.get(path), right.get(path)) for path in left | right if left.get(path) != right.get(path)}
        assert not differ, f"left and right differ: {differ}"
        for path in left:
            one, two = os.lstat(self.left / path), os.lstat(self.right / path)
            if stat.S_ISREG(one.st_mode):
                apart_s = abs(one.st_mtime_ns - two.st_mtime_ns) / 1e9
                assert apart_s <= self.mount.system.step_s, f"{path}: times are {apart_s} s apart"
        return left

    def quiet(self, code: int = 0) -> Answer:
        """A further run finds nothing to do and touches nothing of the user's."""
        before = disk.fingerprint(self.left, self.right)
        answer = self.sync(code=None)
        assert (answer.code, answer.document["run"], answer.actions) == (code, None, []), str(answer)
        after = disk.fingerprint(self.left, self.right)
        written = {path for path in before | after if before.get(path) != after.get(path)}
        assert all("/.syncline" in path for path in written), written
        return answer

    def steady(self, code: int = 0) -> None:
        """Nothing to do straight after, nor when the file system was taken off and mounted again."""
        self.quiet(code)
        self.mount.remount()
        self.quiet(code)

    def listed(self) -> set[str]:
        """The names on the weak side, as it spells them."""
        return set(disk.read(self.right))

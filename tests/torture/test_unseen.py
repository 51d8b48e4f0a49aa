"""The ordinary tests, run with all faults planted that they are said not to see: by `SYNCLINE_LONG=1`, ten minutes.

Apart from the tests of the faults themselves, which may never be skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.plugins import plant
from tests.torture.faults import ORDINARY, UNSEEN

LONG = os.environ.get("SYNCLINE_LONG") == "1"


@pytest.mark.skipif(not LONG, reason="takes ten minutes: asked for by SYNCLINE_LONG=1")
def test_the_ordinary_tests_do_not_see_them() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNCLINE_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", plant.__name__, "-n", "2", *ORDINARY],
        cwd=plant.REPOSITORY,
        env={**kept, plant.NAME: ",".join(sorted(UNSEEN))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-10_000:]

"""What all tests share: plugins, and the meaning of the markers."""

from __future__ import annotations

import os
import signal

import pytest

pytest_plugins = ["pytester", "tests.plugins.must_run"]


def pytest_configure() -> None:
    """What a shell starts in the background ignores Ctrl-C, and hands that on; here some are interrupted on purpose."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and (not hasattr(os, "geteuid") or os.geteuid() != 0):
        pytest.skip("needs root")

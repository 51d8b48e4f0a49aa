"""Plants a fault of tests/torture/faults.py in the product while other tests run: which of them would have seen it?

SYNCLINE_PLANTED=no-clash-file pytest -p tests.plugins.plant tests/core tests/e2e tests/fs tests/store
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack, nullcontext

import pytest

NAME = "SYNCLINE_PLANTED"


def pytest_configure(config: pytest.Config) -> None:
    stack = ExitStack()
    stack.enter_context(planted_here())
    config.add_cleanup(stack.close)


def planted_here() -> AbstractContextManager[None]:
    """The product of this process with the fault that the environment names; without one as it is."""
    name = os.environ.get(NAME)
    if name is None:
        return nullcontext()
    from tests.torture.faults import planted

    return planted(name)

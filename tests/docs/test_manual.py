"""The manual pages are what the commands say of themselves."""

from __future__ import annotations

import pytest

from tests.docs import manual

MADE = manual.pages()


@pytest.mark.parametrize("name", MADE)
def test_a_page_is_what_the_command_says(name: str) -> None:
    """After a change of a help text: `PYTHONPATH=src:. python -m tests.docs.manual`."""
    assert (manual.FOLDER / name).read_text("utf-8") == MADE[name]


def test_no_page_is_left_over() -> None:
    assert {path.name for path in manual.FOLDER.iterdir()} == set(MADE)

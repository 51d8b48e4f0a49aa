"""Making a case that fails smaller while it still breaks the same promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from syncline.torture.case import Case, Op


def shrunk(case: Case, fails: Callable[[Case], bool], tries: int = 300) -> Case:
    """The smallest case found by leaving out parts of the operations, ever smaller ones, that still `fails`."""
    ops, width = list(case.ops), max(len(case.ops) // 2, 1)
    while width:
        shorter = None
        for start in range(0, len(ops), width):
            candidate: list[Op] = ops[:start] + ops[start + width :]
            tries -= 1
            if tries < 0:
                return replace(case, ops=tuple(ops))
            if fails(replace(case, ops=tuple(candidate))):
                shorter = candidate
                break
        if shorter is None:
            width //= 2
        else:
            ops = shorter
            width = min(width, max(len(ops) // 2, 1))
    return replace(case, ops=tuple(ops))

"""Our `dataclass` makes what that of the standard library makes, of every shape that is used here."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from types import SimpleNamespace
from typing import Any

import pytest

from syncline.core import value

Decorator = Callable[..., Callable[[type], type]]


def shapes(decorator: Decorator) -> SimpleNamespace:
    """The same classes, made by either decorator."""

    @decorator(frozen=True, slots=True)
    class Nothing:
        """No fields."""

    @decorator(frozen=True, slots=True)
    class One:
        """A single field."""

        only: int

    @decorator(frozen=True, slots=True)
    class Several:
        """Every kind of default, and methods of its own."""

        made: str
        set: int = 3
        among: list[int] = field(default_factory=list)
        behind: str | None = field(default=None, kw_only=True)
        gathered: dict[str, int] = field(default_factory=dict, kw_only=True)

        @property
        def twice(self) -> int:
            return self.set * 2

    @decorator(frozen=True, slots=True)
    class Shown:
        """A method that is there already stays."""

        name: str

        def __repr__(self) -> str:
            return f"<{self.name}>"

    @decorator(slots=True)
    class Open:
        """Can be changed."""

        name: str
        count: int = 0
        seen: set[str] = field(default_factory=set)

    return SimpleNamespace(Nothing=Nothing, One=One, Several=Several, Shown=Shown, Open=Open)


STANDARD, OURS = shapes(dataclasses.dataclass), shapes(value.dataclass)

CASES: dict[str, Callable[[SimpleNamespace], object]] = {
    "no fields": lambda of: repr(of.Nothing()),
    "no fields, equal": lambda of: (of.Nothing() == of.Nothing(), hash(of.Nothing()) == hash(of.Nothing())),
    "shown": lambda of: repr(of.Several("x", behind="y")),
    "shown by a method of its own": lambda of: repr(of.Shown("x")),
    "equal": lambda of: of.Several("x", 1, [2]) == of.Several("x", 1, [2]),
    "one field differs": lambda of: of.Several("x", 1) == of.Several("x", 2),
    "another class": lambda of: of.One(1) == of.Shown(1),
    "the value itself": lambda of: of.One(1) == 1,
    "not to be ordered": lambda of: of.One(1) < of.One(2),
    "a key": lambda of: {of.One(1): "a"}[of.One(1)],
    "a key that holds what is none": lambda of: hash(of.Several("x")),
    "an open one is no key": lambda of: hash(of.Open("x")),
    "defaults": lambda of: asdict(of.Several("x")),
    "defaults are each object's own": lambda of: of.Several("x").among is of.Several("x").among,
    "all given by name": lambda of: asdict(of.Several(gathered={"a": 1}, behind="b", among=[1], set=4, made="c")),
    "a property": lambda of: of.Several("x", 4).twice,
    "one argument missing": lambda of: of.Several(),
    "one too many": lambda of: of.Several("x", 1, [], "y"),
    "an unknown one": lambda of: of.One(1, other=2),
    "frozen": lambda of: setattr(of.One(1), "only", 2),
    "nothing is deleted": lambda of: delattr(of.One(1), "only"),
    "open": lambda of: changed(of.Open("x")),
    "open, a name it has not got": lambda of: setattr(of.Open("x"), "other", 2),
    "no dictionary": lambda of: of.One(1).__dict__,
    "replaced": lambda of: repr(replace(of.Several("x", behind="y"), set=9)),
    "copied": lambda of: repr(copy.deepcopy(of.Several("x", among=[1]))),
    "fields": lambda of: [(each.name, each.type, each.kw_only) for each in fields(of.Several)],
    "positions of a pattern": lambda of: of.Several.__match_args__,
    "parameters": lambda of: str(inspect.signature(of.Several)),
    "annotations": lambda of: of.Several.__init__.__annotations__,
}


def changed(given: Any) -> str:
    given.count = 2
    given.seen.add("y")
    return repr(given)


@pytest.mark.parametrize("case", CASES)
def test_as_the_standard_one(case: str) -> None:
    assert outcome(CASES[case], OURS) == outcome(CASES[case], STANDARD)


def outcome(case: Callable[[SimpleNamespace], object], of: SimpleNamespace) -> Any:
    try:
        return case(of)
    except Exception as error:  # noqa: BLE001  what is raised is compared too
        return type(error), str(error).replace("<lambda>.<locals>.", "")


@value.dataclass(frozen=True, slots=True)
class Sent:
    """At the top of a module, so that another process finds it."""

    name: str
    parts: tuple[int, ...] = ()


def test_a_value_goes_to_another_process() -> None:
    sent = Sent("x", (1, 2))
    got = pickle.loads(pickle.dumps(sent))
    assert got == sent
    with pytest.raises(FrozenInstanceError):
        got.name = "y"

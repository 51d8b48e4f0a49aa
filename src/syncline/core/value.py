"""`dataclass(slots=True)` and `dataclass(frozen=True, slots=True)`, made in a third of the time.

The decorator of the standard library compiles six functions for each class: for the hundred classes of a run this
takes longer than all else that is loaded. To compare, to hash and to show is the same for all of them; only `__init__`
is compiled here, for it is what a run calls a million times. For mypy it is the decorator of the standard library, and
`fields`, `replace` and `asdict` are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

_T = TypeVar("_T")


def _dataclass(*, slots: bool, frozen: bool = False) -> Callable[[type[_T]], type[_T]]:
    assert slots

    def made(given: type[_T]) -> type[_T]:
        kind = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(given)
        methods = _methods(dataclasses.fields(kind), kind.__qualname__, frozen)  # type: ignore[arg-type]  # it is one now
        for name, method in methods.items():
            if name not in vars(kind):
                setattr(kind, name, method)
        return kind

    return made


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass


def _methods(fields: tuple[dataclasses.Field[Any], ...], title: str, frozen: bool) -> Mapping[str, object]:
    names = tuple(field.name for field in fields)
    values: Callable[[object], object] = attrgetter(*names) if names else lambda _: ()

    def __eq__(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:
        return hash(values(self))

    def __repr__(self: object) -> str:
        return f"{title}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    common = {"__init__": _init(fields, title, frozen), "__eq__": __eq__, "__repr__": __repr__}
    return {**common, "__hash__": __hash__, **_FROZEN} if frozen else {**common, "__hash__": None}


class _Made:
    """Stands for a default that is made for each object."""

    def __repr__(self) -> str:
        return "<factory>"


_MADE = _Made()


def _init(fields: tuple[dataclasses.Field[Any], ...], title: str, frozen: bool) -> object:
    """The `__init__` of a class with these fields."""
    known: dict[str, object] = {"__set": object.__setattr__, "__made": _MADE}
    positional, named, lines = ["self"], ["*"], []
    for field in fields:
        name, given, value = field.name, field.name, field.name
        if field.default is not dataclasses.MISSING:
            known[f"_{name}"], given = field.default, f"{name}=_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_{name}"], given = field.default_factory, f"{name}=__made"
            value = f"_{name}() if {name} is __made else {name}"
        (named if field.kw_only else positional).append(given)
        lines.append(f" __set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    parameters = positional + (named if len(named) > 1 else [])
    exec("\n".join([f"def __init__({', '.join(parameters)}):", *lines, " pass"]), known)  # noqa: S102  names of fields
    init: Any = known["__init__"]
    init.__qualname__ = f"{title}.__init__"
    init.__annotations__ = {field.name: field.type for field in fields} | {"return": None}
    return init


def _assigned(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _deleted(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _restored(self: object, state: tuple[None, Mapping[str, object]]) -> None:
    for name, value in state[1].items():
        object.__setattr__(self, name, value)


_FROZEN = {"__setattr__": _assigned, "__delattr__": _deleted, "__setstate__": _restored}

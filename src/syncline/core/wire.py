"""Values of the model as JSON text and back, without loss. What the journal and the messages between processes hold.

A dataclass becomes the list of its fields in their order (by name took 42 us for a `PutFile`, this takes 11, and it is
done for every action of a run); a member of a union of dataclasses has its class's name in front. An enumeration stands
by its value, bytes stand in hexadecimal, undecodable bytes of a path as `\\udcXX` escapes. Fields of stored classes are
therefore only ever added, at the end, with a default: fields that a text lacks take theirs, surplus ones are passed
over. Must not know where texts are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints, overload

from syncline.core.model import Action, Event

T = TypeVar("T")

_UNIONS = (Action, Event)


class Unreadable(ValueError):
    """A text is not what `encode` writes."""


def encode(value: object) -> str:
    """The JSON text of a dataclass of the model, of a plain value, or of a list, tuple or dict of them. ASCII only."""
    return _encode(value)


@overload
def decode(kind: type[T], text: str) -> T: ...
@overload
def decode(kind: UnionType, text: str) -> Any: ...
def decode(kind: Any, text: str) -> Any:
    """The value of type `kind` that `text` was made of. `kind` may be a union of dataclasses, such as `Action`.

    Raises:
        Unreadable: the text is not JSON, or not the JSON of such a value.
    """
    try:
        return _decoder(kind)(json.loads(text))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise Unreadable(f"not a stored {getattr(kind, '__name__', kind)}: {error!r}") from error


def decode_action(text: str) -> Action:
    """The action that `text` was made of. Raises: Unreadable."""
    return cast(Action, decode(Action, text))


def tag(kind: type) -> str:
    """The name of a class in a stored text: `PutFile` is `put-file`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


def _plain(value: object) -> object:
    """What the JSON encoder, which walks lists, dicts, texts, numbers and enumerations by itself, asks for."""
    kind: Any = type(value)
    return value.hex() if isinstance(value, bytes) else _reader(kind)(value)


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_plain).encode

_TAGS: Mapping[type, str] = {kind: tag(kind) for union in _UNIONS for kind in get_args(union)}


@cache
def _reader(kind: type) -> Callable[[object], tuple[object, ...]]:
    """The function that gives the fields of an object of this class, in one step."""
    if not is_dataclass(kind):
        raise TypeError(f"cannot be stored: {kind.__name__}")
    names = [field.name for field in fields(kind)]
    get: Callable[[object], tuple[object, ...]] = attrgetter(*names) if len(names) > 1 else _single(names[0])
    if kind not in _TAGS:
        return get
    said = (_TAGS[kind],)
    return lambda value: said + get(value)


def _single(name: str) -> Callable[[object], tuple[object, ...]]:
    get = attrgetter(name)
    return lambda value: (get(value),)


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    """The function that makes a value of the declared type from what JSON gave."""
    if isinstance(kind, NewType):
        return _decoder(kind.__supertype__)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (tuple, Collection):
        item = _decoder(args[0])
        return lambda given: tuple([item(each) for each in _list(given)])
    if origin in (UnionType, Union):
        return _union([each for each in args if each is not NoneType], NoneType in args)
    if kind is bytes:
        return bytes.fromhex
    if kind in (int, str, bool, float):
        return _exactly(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enumeration(kind)
    if is_dataclass(kind):
        return _dataclass(cast(type, kind))
    raise TypeError(f"cannot be read back: {kind}")


def _exactly(kind: type) -> Callable[[Any], Any]:
    allowed = (int, float) if kind is float else (kind,)

    def check(given: Any) -> Any:
        if type(given) not in allowed:
            raise TypeError(f"{given!r} is no {kind.__name__}")
        return given

    return check


def _enumeration(kind: type[Enum]) -> Callable[[Any], Any]:
    members = {member.value: member for member in kind}
    return members.__getitem__


def _union(kinds: list[Any], optional: bool) -> Callable[[Any], Any]:
    if len(kinds) == 1:
        only = _decoder(kinds[0])
        return (lambda given: None if given is None else only(given)) if optional else only
    return _tagged(kinds, optional)


def _tagged(kinds: list[Any], optional: bool) -> Callable[[Any], Any]:
    by_tag = {_TAGS[each]: _fields(each) for each in kinds}

    def read(given: Any) -> Any:
        return None if optional and given is None else by_tag[given[0]](given[1:])

    return read


def _dataclass(kind: type) -> Callable[[Any], Any]:
    if kind not in _TAGS:
        return _fields(kind)
    return _tagged([kind], optional=False)


@cache
def _fields(kind: type) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    readers = [_decoder(hints[field.name]) for field in fields(kind)]

    def make(given: Any) -> Any:
        return kind(*[read(value) for read, value in zip(readers, _list(given), strict=False)])

    return make


def _list(given: Any) -> Any:
    if type(given) is not list:
        raise TypeError(f"{given!r} is no list")
    return given

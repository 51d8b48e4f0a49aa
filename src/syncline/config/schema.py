"""The keys of the configuration file with their types and defaults, and which of them do nothing yet.

One model per block. A key that is not here is unknown; a value is checked where it stands, whatever else is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, SecretStr, create_model
from pydantic_core import PydanticCustomError

from syncline.config.text import Filled
from syncline.core import filters, retention
from syncline.core.spelling import (
    CONTENT_POLICIES,
    PROPERTIES,
    PROPERTY_POLICIES,
    merge_command,
    parse_duration,
    parse_period,
    parse_size,
    policy_name,
    properties,
)

DAY_S = 86_400.0


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("syncline", "{told}", {"told": message})


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case list():
            return "a list"
        case dict():
            return "a block of keys"
        case _:
            return repr(str(value))


def _text(what: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise _wrong(f"expects {what}, not {_shown(value if value != '' else None)}")
        if "\0" in value or "\n" in value:
            raise _wrong(f"expects {what}; a line break or a zero byte stands in it")
        return str(value)

    return check


def _spelt(parse: Callable[[str], Any], what: str) -> Callable[[Any], Any]:
    """A value that is written as a word: `parse` reads it."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            raise _wrong(f"expects {what}, not {_shown(value if value != '' else None)}")
        try:
            return parse(str(value))
        except ValueError as error:
            raise _wrong(str(error)) from error

    return check


def _flag(value: Any) -> bool:
    if isinstance(value, Filled) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise _wrong(f"expects true or false, not {_shown(value)}")
    return value


def _number(low: int, high: int, *, whole: bool = True, none: bool = False) -> Callable[[Any], float | None]:
    kind = "a whole number" if whole else "a number"
    what = f"{kind} from {low} to {high}{' or none' if none else ''}"

    def check(value: Any) -> float | None:
        if none and value == "none":
            return None
        if isinstance(value, Filled) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", value):
            value = float(value) if "." in value else int(value)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise _wrong(f"expects {what}, not {_shown(value)}")
        if not low <= value <= high:
            raise _wrong(f"expects {what}, not {value}")
        return value

    return check


def _choice(*names: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise _wrong(f"expects one of {', '.join(names)}, not {_shown(value)}")
        return str(value)

    return check


def _policy(names: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if isinstance(value, dict) and set(value) == {"merge"}:
            command = _text("a command")(value["merge"])
            value = f"merge: {command}"
        said: str = _spelt(read, "a policy")(value)
        return said

    def read(text: str) -> str:
        command = merge_command(text) if names == CONTENT_POLICIES else None
        return policy_name(text, names) if command is None else f"merge: {command}"

    return check


def _pattern(value: Any) -> str:
    text = _text("a pattern in gitignore syntax")(value)
    try:
        filters.check(text)
    except ValueError as error:
        raise _wrong(str(error)) from error
    return text


def _match(value: Any) -> str:
    text = _pattern(value)
    if text.startswith(("!", "#")) or not text.strip():
        raise _wrong(f"{text!r} stands for no path; to take in what is left out, say ignore: false")
    return text


def _empty(kind: type) -> Callable[[Any], Any]:
    """A block whose lines are all commented out is an empty one."""
    return lambda value: kind() if value is None else value


def _steps(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise _wrong(f"expects a list of steps, like [1d: all, 30d: daily], not {_shown(value)}")
    said = []
    for each in value:
        pair = ": ".join(map(str, next(iter(each.items())))) if isinstance(each, dict) and len(each) == 1 else each
        said.append(_spelt(str, "a step like 30d: daily")(pair))
    try:
        retention.steps(said)
    except ValueError as error:
        raise _wrong(str(error)) from error
    return said


def _properties(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(f"expects a list, like [{', '.join(PROPERTIES)}], not {_shown(value)}")
    try:
        return list(properties(value))
    except ValueError as error:
        raise _wrong(str(error)) from error


def _rate(text: str) -> int | None:
    return parse_size(text.strip().removesuffix("/s"))


def _cron(text: str) -> str:
    if text != "none" and len(text.split()) != 5:
        raise ValueError(f"{text!r} is no schedule; say it like '*/30 * * * *' or none")
    return text


Text = Annotated[str, PlainValidator(_text("a text"))]
Folder = Annotated[str, PlainValidator(_text("a folder"))]
Size = Annotated[int | None, PlainValidator(_spelt(parse_size, "a size"))]
Rate = Annotated[int | None, PlainValidator(_spelt(_rate, "a size per second"))]
Duration = Annotated[float, PlainValidator(_spelt(parse_duration, "a duration"))]
Period = Annotated[float | None, PlainValidator(_spelt(parse_period, "a duration"))]
Flag = Annotated[bool, PlainValidator(_flag)]
Cron = Annotated[str, PlainValidator(_spelt(_cron, "a schedule"))]
ContentPolicy = Annotated[str, PlainValidator(_policy(CONTENT_POLICIES))]
PropertyPolicy = Annotated[str, PlainValidator(_policy(PROPERTY_POLICIES))]
Pattern = Annotated[str, PlainValidator(_pattern)]
Match = Annotated[str, PlainValidator(_match)]
Patterns = Annotated[list[Pattern], BeforeValidator(_empty(list))]
Address = Annotated[str, PlainValidator(_text("an address like 127.0.0.1:8385"))]


class Block(BaseModel):
    """What all blocks have in common: no other keys than these."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(Block):
    """Deletions a run may make unasked: both must be exceeded."""

    deletes: Annotated[int | None, PlainValidator(_number(0, 10**9, none=True))] = 25
    deletes_percent: Annotated[float | None, PlainValidator(_number(0, 100, whole=False, none=True))] = 10


class Trash(Block):
    """What goes to the trash, and how long it stays there."""

    max_size: Size = 20_000_000
    keep_for: Period = 30 * DAY_S
    replaced: Flag = True
    max_total: Size = None


class MirrorTrash(Trash):
    max_size: Size = None


class History(Block):
    keep_for: Period = 90 * DAY_S


if TYPE_CHECKING:

    class Versions(Block):
        """Which earlier versions of a path are kept."""

else:  # `for` is no name that a class body can have
    Versions = create_model(
        "Versions",
        __base__=Block,
        keep=(Annotated[int | None, PlainValidator(_number(1, 10**6, none=True))], None),
        **{"for": (Period, None)},
        thin=(Annotated[list[str], PlainValidator(_steps)], []),
    )


class MirrorRule(Block):
    """What holds for the paths of one pattern. What is not said is None; a key without a value is a fault."""

    match: Match
    ignore: Annotated[bool | None, PlainValidator(_flag)] = None


class Rule(MirrorRule):
    changed_both: Annotated[str | None, PlainValidator(_policy(CONTENT_POLICIES))] = None
    created_both: Annotated[str | None, PlainValidator(_policy(CONTENT_POLICIES))] = None
    props_both: Annotated[str | None, PlainValidator(_policy(PROPERTY_POLICIES))] = None


class When(Block):
    drive: Text
    every: Annotated[float | None, PlainValidator(_spelt(parse_duration, "a duration"))] = None


class Job(Block):
    """The keys of every kind of job."""

    kind: str
    ignore: Patterns = []
    ignore_litter: Flag = True
    limits: Annotated[Limits, BeforeValidator(_empty(dict))] = Limits()
    properties: Annotated[list[str], PlainValidator(_properties)] = ["mtime", "mode"]
    compare: Annotated[str, PlainValidator(_choice("quick", "hash"))] = "quick"
    versions: Annotated[Versions | None, BeforeValidator(_empty(dict))] = None
    history: Annotated[History, BeforeValidator(_empty(dict))] = History()
    durability: Annotated[str, PlainValidator(_choice("batch", "each", "off"))] = "batch"
    verify: Text = "stream"
    parallel: Annotated[int, PlainValidator(_number(1, 64))] = 2
    large_above: Size = 64_000_000
    bandwidth: Rate = None
    cross_filesystems: Flag = False
    watch: Annotated[str, PlainValidator(_choice("auto", "events", "poll", "off"))] = "auto"
    debounce: Duration = 0.3
    schedule: Cron = "none"
    full_scan: Duration = 6 * 3_600.0
    when: When | None = None


class TwoWay(Job):
    left: Folder
    right: Folder
    changed_both: ContentPolicy = "keep-both"
    created_both: ContentPolicy = "keep-both"
    props_both: PropertyPolicy = "newest"
    rules: Annotated[list[Rule], BeforeValidator(_empty(list))] = []
    trash: Annotated[Trash, BeforeValidator(_empty(dict))] = Trash()


class Mirror(Job):
    source: Folder
    target: Folder
    extras: Annotated[str, PlainValidator(_choice("keep", "trash", "delete"))] = "trash"
    rules: Annotated[list[MirrorRule], BeforeValidator(_empty(list))] = []
    trash: Annotated[MirrorTrash, BeforeValidator(_empty(dict))] = MirrorTrash()


def _secret(value: Any) -> SecretStr:
    if isinstance(value, bool | dict | list) or value is None or value == "":
        raise _wrong("expects a text")
    return SecretStr(str(value))


Secret = Annotated[SecretStr, PlainValidator(_secret)]
OptionalSecret = Annotated[SecretStr | None, PlainValidator(_secret)]


class Daemon(Block):
    listen: Address = "127.0.0.1:8385"
    password: OptionalSecret = None


class Notify(Block):
    targets: Annotated[dict[str, Secret], BeforeValidator(_empty(dict))] = {}
    on: list[Annotated[str, PlainValidator(_choice("conflict", "failure", "refused", "offline", "run", "summary"))]] = [
        "conflict",
        "failure",
        "refused",
        "offline",
    ]
    digest: Duration = 900.0


class Log(Block):
    level: Annotated[str, PlainValidator(_choice("debug", "info", "warning", "error"))] = "info"
    format: Annotated[str, PlainValidator(_choice("text", "json"))] = "text"
    max_size: Annotated[int, PlainValidator(_spelt(lambda text: _some(parse_size(text)), "a size"))] = 10_000_000
    keep: Annotated[int, PlainValidator(_number(0, 1000))] = 5


def _some(size: int | None) -> int:
    if size is None or size < 4096:
        raise ValueError("expects a size of at least 4KiB")
    return size


KINDS: Mapping[str, type[TwoWay] | type[Mirror]] = {"twoway": TwoWay, "mirror": Mirror}
ROOTS: Mapping[str, tuple[str, str]] = {"twoway": ("left", "right"), "mirror": ("source", "target")}
BLOCKS: Mapping[str, type[Block]] = {"daemon": Daemon, "notify": Notify, "log": Log}

NOT_YET: Mapping[str, frozenset[str]] = {
    "jobs": frozenset(
        {
            "verify",
            "parallel",
            "large_above",
            "bandwidth",
            "cross_filesystems",
            "watch",
            "debounce",
            "schedule",
            "full_scan",
            "when",
        }
    ),
    "daemon": frozenset({"listen", "password"}),
    "notify": frozenset({"targets", "on", "digest"}),
    "log": frozenset(),
}
"""Keys that nothing reads yet, per block: another value than the default is refused. Take a key out when it works."""

FIXED = frozenset({"verify", "bandwidth", "cross_filesystems"})
"""Those of them whose default is what is done; the others do nothing."""

SECRETS = frozenset({("daemon", "password"), ("notify", "targets")})
"""Where secrets stand: never shown, never in a message, never kept."""

"""From the text of a configuration to checked blocks: everything that is wrong is told at once, with its line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from syncline.config import schema
from syncline.config.text import Document, Path
from syncline.config.text import read as read_text
from syncline.config.values import ConfiguredJob, LogSettings, Root
from syncline.core.spelling import duration_text, merge_command, size_text
from syncline.errors import UsageError
from syncline.services import commands

MAX_NAME = 64

_TOP = ("jobs", *schema.BLOCKS)
_STORED = (
    "changed_both",
    "created_both",
    "props_both",
    "extras",
    "ignore",
    "ignore_litter",
    "properties",
    "compare",
    "durability",
)
"""Keys of a job that its settings have under the same name."""

_MERGING = ("changed_both", "created_both")
"""Keys of a job, and of its rules, that may name a program."""

_INSIDE = {
    ("trash", "max_size"): "trash_max_size",
    ("trash", "keep_for"): "trash_keep_for_s",
    ("trash", "replaced"): "trash_replaced",
    ("trash", "max_total"): "trash_max_total",
    ("history", "keep_for"): "history_keep_for_s",
}
"""Keys of a block in a job, with the name its settings have for them."""


@dataclass(slots=True)
class Reading:
    """A file that was read: its values with their lines, and the blocks that are sound."""

    document: Document
    jobs: dict[str, schema.TwoWay | schema.Mirror] = field(default_factory=dict)
    blocks: dict[str, schema.Block] = field(default_factory=dict)

    def configured(self) -> tuple[ConfiguredJob, ...]:
        """The jobs as they are run, in the order of the file."""
        return tuple(self._configured(name, job) for name, job in self.jobs.items())

    def log(self) -> LogSettings:
        """How the log is kept."""
        block = self.blocks.get("log")
        if not isinstance(block, schema.Log):
            return LogSettings()
        return LogSettings(block.level, block.format, block.max_size, block.keep)

    def _configured(self, name: str, job: schema.TwoWay | schema.Mirror) -> ConfiguredJob:
        file = self.document.file
        roots = []
        for key in schema.ROOTS[job.kind]:
            path = ("jobs", name, key)
            roots.append(Root(f"jobs.{name}.{key}", located(getattr(job, key), file), self.document.line(path)))
        stored = options(job, os.path.dirname(file))
        return ConfiguredJob(name, job.kind, roots[0], roots[1], stored, file, self.document.line(("jobs", name)))


def parse(text: str, file: str, variables: Mapping[str, str]) -> Reading:
    """What a text says. What is wrong with it stands in `document.faults`, in the order of the lines."""
    document = read_text(text, file, variables)
    reading = Reading(document)
    data = document.data
    if data is not None and not isinstance(data, dict):
        document.fault((), "expects blocks of keys (jobs:, log:, daemon:, notify:)")
    top: dict[str, Any] = data if isinstance(data, dict) else {}
    for key in top:
        if key not in _TOP:
            document.fault((key,), f"unknown key{_meant(key, _TOP)}")
    _jobs(reading, top.get("jobs"))
    for name, model in schema.BLOCKS.items():
        checked = _checked(document, (name,), model, top.get(name))
        if checked is not None:
            _not_yet(document, (name,), checked, name)
            reading.blocks[name] = checked
    document.faults[:] = _once(sorted(document.faults, key=lambda fault: fault.line or 0))
    return reading


def located(said: str, file: str) -> str:
    """An absolute path: `~` expanded, relative to the folder of `file`. Links are not followed."""
    return os.path.normpath(os.path.join(os.path.dirname(file), os.path.expanduser(said)))


def options(job: schema.Job, directory: str) -> dict[str, Any]:
    """What was said of a job's settings, in the form in which options are remembered: defaults are left out.

    Programs are absolute paths in it; those named by a path are relative to `directory`.
    """
    said = job.model_dump(exclude_unset=True)
    for block in (said, *said.get("rules", ())):
        for key in (name for name in _MERGING if name in block):
            with suppress(ValueError):  # a fault of the document, told with its line
                block[key] = _found(block[key], directory)
    stored = {name: said[name] for name in _STORED if name in said}
    for (block, key), name in _INSIDE.items():
        if key in said.get(block, {}):
            stored[name] = said[block][key]
    if said.get("versions") is not None:
        stored["versions"] = said["versions"]
    for name in ("limits", "rules"):
        if said.get(name):
            stored[name] = said[name]
    return stored


def _found(said: str, directory: str) -> str:
    """A policy with the program it names, if any, as an absolute path. Raises: ValueError: it is not there."""
    command = merge_command(said)
    return said if command is None else f"merge: {commands.joined(commands.found(command, directory))}"


def _programs(document: Document, path: Path, job: schema.Job) -> None:
    """Refuse policies whose program is not there."""
    directory = os.path.dirname(document.file)
    said = job.model_dump(include={*_MERGING, "rules"}, exclude_unset=True)
    blocks = [(path, said), *(((*path, "rules", number), rule) for number, rule in enumerate(said.pop("rules", ())))]
    for place, block in blocks:
        for key in _MERGING:
            try:
                _found(block.get(key) or "", directory)
            except ValueError as error:
                document.fault((*place, key), str(error))


def _jobs(reading: Reading, data: Any) -> None:
    document = reading.document
    if data is None:
        return
    if not isinstance(data, dict):
        document.fault(("jobs",), "expects jobs by name, each a block of keys")
        return
    for name, said in data.items():
        path: Path = ("jobs", name)
        wrong = _name_fault(name)
        if wrong:
            document.fault(path, wrong)
        if not isinstance(said, dict):
            document.fault(path, "expects a block of keys: kind, and the two folders")
            continue
        kind = said.get("kind")
        if kind is None:
            document.fault(path, f"missing key kind, one of {', '.join(schema.KINDS)}")
        elif not isinstance(kind, str) or kind not in schema.KINDS:
            meant = _meant(str(kind), schema.KINDS)
            document.fault((*path, "kind"), f"expects one of {', '.join(schema.KINDS)}, not {str(kind)!r}{meant}")
        if not isinstance(kind, str) or kind not in schema.KINDS:  # what it is most likely meant to be
            kind = "mirror" if "source" in said or "target" in said else "twoway"
        model = schema.KINDS[kind]
        job = _checked(document, path, model, {**said, "kind": kind})
        if job is not None:
            assert isinstance(job, schema.TwoWay | schema.Mirror)
            _not_yet(document, path, job, "jobs")
            _programs(document, path, job)
            if not any((*path, root) in document.faulty or root not in said for root in schema.ROOTS[kind]):
                reading.jobs[name] = job


def _name_fault(name: str) -> str | None:
    if not name or len(name) > MAX_NAME:
        return f"a job's name has 1 to {MAX_NAME} characters"
    if not name.isprintable() or name != name.strip() or "/" in name or "\\" in name or name.startswith("-"):
        return "a job's name has no / or \\, no unprintable characters, no space at its ends, and no - at its beginning"
    return None


def _checked(document: Document, path: Path, model: type[schema.Block], data: Any) -> schema.Block | None:
    """The block, faults noted: without what is faulty, so that what is left is checked further."""
    said = {} if data is None else data
    for _ in range(4):
        try:
            return model.model_validate(said)
        except ValidationError as error:
            for each in error.errors(include_url=False, include_input=False):
                loc = tuple(each["loc"])
                if (*path, *loc) not in document.faulty:
                    _fault(document, path, model, each["type"], loc, str(each["msg"]))
                said = _without(said, loc, missing=each["type"] == "missing")
    return None


def _without(data: Any, loc: Path, *, missing: bool) -> Any:
    """The values without the one at `loc`; a missing one is made up."""
    if not isinstance(data, dict) or not loc:
        return {}
    first, rest = loc[0], loc[1:]
    if not rest or not isinstance(data.get(first), dict):
        kept = {key: value for key, value in data.items() if key != first}
        return {**kept, first: "?"} if missing and not rest else kept
    return {**data, first: _without(data[first], rest, missing=missing)}


def _fault(document: Document, path: Path, model: type[schema.Block], kind: str, loc: Path, message: str) -> None:
    loc = loc[:-1] if loc and loc[-1] == "[key]" else loc
    whole = (*path, *loc)
    match kind:
        case "extra_forbidden":
            known = [name for name in _keys(model, loc[:-1]) if name != "kind" or len(loc) == 1]
            document.fault(whole, f"unknown key{_foreign(model, loc) or _meant(str(loc[-1]), known)}")
        case "missing":
            document.fault(whole[:-1], f"missing key {loc[-1]}")
        case "list_type":
            document.fault(whole, "expects a list, like [a, b]")
        case "model_type" | "dict_type" | "model_attributes_type":
            document.fault(whole, "expects a block of keys")
        case _:
            document.fault(whole, message)


def _foreign(model: type[schema.Block], loc: Path) -> str:
    """What to say of a key that another kind of job has."""
    for kind, other in schema.KINDS.items():
        if issubclass(model, schema.Job) and other is not model and str(loc[-1]) in _keys(other, loc[:-1]):
            return f" (only a {kind} job has it)"
    return ""


def _keys(model: type[BaseModel], loc: Path) -> list[str]:
    """The keys of the block at `loc` below a model."""
    for part in loc:
        if isinstance(part, int):
            continue
        found = model.model_fields.get(part)
        inner = None if found is None else _model_in(found.annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_in(part)
        if found is not None:
            return found
    return None


def _meant(said: str, known: Iterable[str]) -> str:
    near = get_close_matches(said, list(known), 1, 0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _not_yet(document: Document, path: Path, block: schema.Block, section: str) -> None:
    """Refuse values that nothing would act on."""
    plain = type(block).model_construct()
    for key in sorted(schema.NOT_YET[section]):
        parts = key.split(".")
        said, default = _at(block, parts), _at(plain, parts)
        same = sorted(said) == sorted(default) if isinstance(said, list) else said == default
        if not same:
            ordinary = "" if default in (None, {}) else f" but its default, {shown(key, default)}"
            document.fault((*path, *parts), f"not yet: this version takes nothing here{ordinary}")


def shown(key: str, value: Any) -> Any:
    """A checked value as it is written in the file."""
    last = key.rpartition(".")[2]
    if last in ("max_size", "max_total", "large_above", "bandwidth"):
        return size_text(value)
    if last in ("keep_for", "for", "debounce", "full_scan", "digest", "every") and value is not None:
        return duration_text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else value


def _at(block: Any, parts: list[str]) -> Any:
    for part in parts:
        block = getattr(block, part)
    return block


def _once(faults: Iterable[UsageError]) -> list[UsageError]:
    return list({(fault.line, fault.message): fault for fault in faults}.values())

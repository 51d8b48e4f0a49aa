"""Variables: those of the environment over those of a `.env` file, and the plain ones that make a job by themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from syncline.config.values import Configuration, ConfiguredJob, LogSettings, Root, overlaps
from syncline.errors import ConfigurationRefused, UsageError

DOTENV = ".env"
PLAIN_JOB = "default"
MAX_BYTES = 64 * 1024

FOLDERS = ("SOURCE_DIR", "DEST_DIR", "MOUNT_POINT", "LOG_FILE")
MESSAGES = ("TO_PHONE_NUMBER", "MGS")
"""Plain variables, in force where there is no configuration file."""


@dataclass(frozen=True, slots=True)
class Variables:
    """Variables by name; those of the environment win. `lines`: where those of the `.env` file stand."""

    values: Mapping[str, str]
    file: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    def origin(self, name: str) -> tuple[str | None, int | None]:
        """File and line of a variable; None for one of the environment."""
        return (self.file, self.lines[name]) if name in self.lines else (None, None)


def dotenv_text(directory: str) -> str | None:
    """The text of the `.env` file of a directory; None where there is none. Raises: ConfigurationRefused."""
    path = os.path.join(directory, DOTENV)
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise _refused(f"cannot be read: {error.strerror}", path, 1) from error
    if len(content) > MAX_BYTES:
        raise _refused(f"is larger than {MAX_BYTES} bytes", path, 1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused("is no UTF-8 text", path, content[: error.start].count(b"\n") + 1) from error


def variables(directory: str, text: str | None, environment: Mapping[str, str]) -> Variables:
    """The variables in force, given the text of the `.env` file in `directory`. Raises: ConfigurationRefused."""
    if text is None:
        return Variables(environment)
    from io import StringIO

    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    path = os.path.join(directory, DOTENV)
    lines: dict[str, int] = {}
    faults = []
    for binding in parse_stream(StringIO(text)):
        line = binding.original.line + len(binding.original.string) - len(binding.original.string.lstrip("\n"))
        if binding.error:
            faults.append(UsageError("this is no NAME=value", file=path, line=line))
        elif binding.key is not None:
            lines[binding.key] = line
    if faults:
        raise ConfigurationRefused(faults)
    said = {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}
    lines = {name: line for name, line in lines.items() if name in said and name not in environment}
    return Variables({**said, **environment}, path, lines)


def plain_configuration(directory: str, environment: Mapping[str, str]) -> tuple[Configuration, Variables]:
    """The configuration that the plain variables of the environment and of `.env` in a directory make."""
    found = Variables(environment)
    try:
        found = variables(directory, dotenv_text(directory), environment)
        return _plain(found, directory), found
    except ConfigurationRefused as error:
        return Configuration(wanting=error), found


def _plain(found: Variables, directory: str) -> Configuration:
    """One mirror, or none. Raises: ConfigurationRefused."""
    said = {name: found.values[name].strip() for name in (*FOLDERS, *MESSAGES) if found.values.get(name, "").strip()}
    source, target = said.get("SOURCE_DIR"), said.get("DEST_DIR")
    if source is None and target is None:
        return Configuration()
    if source is None or target is None:
        there, missing = ("DEST_DIR", "SOURCE_DIR") if source is None else ("SOURCE_DIR", "DEST_DIR")
        file, line = found.origin(there)
        told = f"{there} is set, but {missing} is not: the job {PLAIN_JOB} needs both"
        raise ConfigurationRefused([UsageError(told, file=file, line=line)])

    def located(value: str) -> str:
        return os.path.normpath(os.path.join(directory, os.path.expanduser(value)))

    roots = [Root(name, located(said[name]), found.origin(name)[1]) for name in ("SOURCE_DIR", "DEST_DIR")]
    mount = located(said["MOUNT_POINT"]) if "MOUNT_POINT" in said else None
    job = ConfiguredJob(PLAIN_JOB, "mirror", roots[0], roots[1], {}, found.origin("DEST_DIR")[0], mount=mount)
    faults = overlaps((job,))
    if faults:
        raise ConfigurationRefused(faults)
    log = LogSettings(file=located(said["LOG_FILE"]) if "LOG_FILE" in said else None)
    idle = [name for name in MESSAGES if name in said]
    notes = (f"{' and '.join(idle)}: not yet, this version sends no messages",) if idle else ()
    return Configuration(None, (job,), log, notes)


def _refused(told: str, path: str, line: int) -> ConfigurationRefused:
    return ConfigurationRefused([UsageError(told, file=path, line=line)])

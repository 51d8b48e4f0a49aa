"""The parsed form of a configuration, kept in the state directory so that a start need not load a parser.

It is believed only for the very text it was made of, with the same variables and by the same version of this package.
Secrets are not in it, neither is what variables held.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from syncline.config.values import Configuration, ConfiguredJob, LogSettings, Root
from syncline.services.commands import runnable

FORM = 1
_READERS = ("schema.py", "parse.py", "text.py", "values.py")


@dataclass(frozen=True, slots=True)
class Key:
    """What a parsed form was made of. `environment`: whether a variable was set, and a digest of it where its value
    is in the form."""

    file: str
    text: str
    dotenv: str | None
    code: str

    @staticmethod
    def of(file: str, text: str, dotenv: str | None) -> Key:
        return Key(file, digest(text), None if dotenv is None else digest(dotenv), _code())

    def place(self, state_dir: str) -> str:
        """The file that keeps the form."""
        return os.path.join(state_dir, "cache", f"config-{digest(self.file)[:16]}.json")


def read(state_dir: str, key: Key, environment: Mapping[str, str]) -> Configuration | None:
    """The configuration that is kept for this key; None where there is none that may be believed."""
    try:
        with open(key.place(state_dir), encoding="utf-8") as file:
            seal, _, body = file.read().partition("\n")
        if seal != digest(body):
            return None
        kept: dict[str, Any] = json.loads(body)
        if kept["key"] != asdict(key) or kept["environment"] != seen(kept["environment"], environment):
            return None
        found = _configuration(key.file, kept)
        return found if all(runnable(program) for program in _programs(found)) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is made anew from the text


def write(
    state_dir: str, key: Key, found: Configuration, used: Mapping[str, bool], environment: Mapping[str, str]
) -> None:
    """Keep a configuration, if that is possible. `used`: the variables it names, and whether their values are in it."""
    names: dict[str, Any] = {name: "" if counts else None for name, counts in used.items()}
    names["HOME"] = ""
    kept = {
        "key": asdict(key),
        "environment": seen(names, environment),
        "jobs": [asdict(job) for job in found.jobs],
        "log": asdict(found.log),
    }
    body = json.dumps(kept)
    place = key.place(state_dir)
    with suppress(OSError):
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        import tempfile  # with what it loads, it would cost every start

        descriptor, staged = tempfile.mkstemp(dir=os.path.dirname(place))
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{digest(body)}\n{body}")
            os.replace(staged, place)
        except OSError:
            os.unlink(staged)
            raise


def seen(names: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Of each variable a digest of its value, or, where None stands beside its name, only whether it is set."""
    found: dict[str, Any] = {}
    for name, kept in names.items():
        value = environment.get(name)
        if kept is None or isinstance(kept, bool):
            found[name] = value is not None
        else:
            found[name] = "unset" if value is None else digest(value)
    return found


def digest(text: str) -> str:
    """A digest of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _programs(found: Configuration) -> set[str]:
    """The programs that merge something: the parsed form names them by their absolute paths."""
    blocks = [block for job in found.jobs for block in (job.options, *job.options.get("rules", ()))]
    said = [block[key] for block in blocks for key in ("changed_both", "created_both") if key in block]
    return {shlex.split(text.partition(":")[2])[0] for text in said if text.startswith("merge:")}


def _code() -> str:
    """What tells this version of the readers from another one."""
    here = os.path.dirname(__file__)
    told = [str(FORM)]
    for name in _READERS:
        with suppress(OSError):
            found = os.stat(os.path.join(here, name))
            told.append(f"{found.st_size}-{found.st_mtime_ns}")
    return digest(" ".join(told))


def _configuration(file: str, kept: Mapping[str, Any]) -> Configuration:
    jobs = tuple(
        ConfiguredJob(**{**job, "left": Root(**job["left"]), "right": Root(**job["right"])}) for job in kept["jobs"]
    )
    return Configuration(file, jobs, LogSettings(**kept["log"]))

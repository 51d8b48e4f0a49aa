"""A small checker for the schemas in `schemas/`: the part of JSON Schema they use, and `keys` and `values` for maps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parent / "schemas"

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}

KNOWN = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "pattern", "minimum", "keys",
    "values",
}  # fmt: skip


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return found


def faults(value: Any, rule: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """What is wrong with a value, each with its place."""
    assert rule.keys() <= KNOWN, rule.keys() - KNOWN
    if "anyOf" in rule:
        found = [list(faults(value, each, at)) for each in rule["anyOf"]]
        if all(found):
            yield from min(found, key=len)
    if "enum" in rule and not any(value == each and type(value) is type(each) for each in rule["enum"]):
        yield f"{at}: {value!r} is none of {rule['enum']}"
    wanted = rule.get("type")
    if wanted is not None:
        yield from _of_type(value, wanted, rule, at)


def _of_type(value: Any, wanted: str, rule: Mapping[str, Any], at: str) -> Iterator[str]:
    fits = isinstance(value, _TYPES[wanted]) and (wanted == "boolean" or type(value) is not bool)
    if not fits:
        yield f"{at}: {value!r} is no {wanted}"
    elif wanted == "object":
        yield from _object(value, rule, at)
    elif wanted == "array":
        for number, each in enumerate(value):
            yield from faults(each, rule["items"], f"{at}[{number}]")
    elif wanted == "string" and "pattern" in rule and not re.search(rule["pattern"], value):
        yield f"{at}: {value!r} does not match {rule['pattern']}"
    elif "minimum" in rule and value < rule["minimum"]:
        yield f"{at}: {value!r} is less than {rule['minimum']}"


def _object(value: Mapping[str, Any], rule: Mapping[str, Any], at: str) -> Iterator[str]:
    for missing in set(rule.get("required", ())) - value.keys():
        yield f"{at}: {missing} is missing"
    for name, each in value.items():
        if "keys" in rule and name not in rule["keys"]:
            yield f"{at}: {name} is none of {rule['keys']}"
        if "values" in rule:
            yield from faults(each, rule["values"], f"{at}.{name}")
        elif name in rule.get("properties", ()):
            yield from faults(each, rule["properties"][name], f"{at}.{name}")
        elif rule.get("additionalProperties") is False:
            yield f"{at}: {name} is not known"

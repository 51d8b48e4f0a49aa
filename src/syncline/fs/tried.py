"""What the last trial of a weak root found, kept in it: so that a plan, which tries nothing, shows what a run does.

Never believed by a run that changes something: that one tries anew.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, fields, replace
from typing import Any

from syncline.core.model import RelPath
from syncline.core.names import NameRules
from syncline.errors import PathError
from syncline.fs.locking import DIRECTORY, STAGING
from syncline.fs.marker import put_document
from syncline.fs.probe import ON_REQUEST
from syncline.fs.root import Capabilities, Root

PATH = RelPath(f"{DIRECTORY}/tried.json")
_STAGED = RelPath(f"{STAGING}/new-tried")
_LARGEST_BYTES = 1 << 16


def recall(root: Root) -> Capabilities:
    """What the last trial found, where the root still is on that type of file system; else what is known of it."""
    known = root.capabilities
    found = _read(root)
    if found is None or found.get("filesystem") != known.filesystem:
        return known
    rules = found.get("names")
    if not _fits(found, known) or not isinstance(rules, dict) or not _fits(rules, known.names):
        return known
    asked = {each: getattr(known, each) for each in ON_REQUEST}
    return replace(known, **{**found, "names": NameRules(**rules), **asked})


def note(root: Root, found: Capabilities) -> None:
    """Keep what a trial found, if that is news. Only for a run that holds the lock. Raises: PathError."""
    unasked: dict[str, Any] = dict.fromkeys(ON_REQUEST, False)  # these are no matter of the root alone
    document = asdict(replace(found, **unasked))
    if _read(root) == document:
        return
    with suppress(PathError):
        root.remove(_STAGED)
    put_document(root, _STAGED, PATH, document)


def _read(root: Root) -> dict[str, Any] | None:
    try:
        if root.entry(PATH) is None:
            return None
        reader = root.open(PATH)
        try:
            data = b"".join(reader.blocks()) if reader.entry.size <= _LARGEST_BYTES else b""
        finally:
            reader.close()
        document = json.loads(data)
    except (PathError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _fits(document: dict[str, Any], like: Capabilities | NameRules) -> bool:
    """Whether a document has the fields of a value, each of the right type, and no others."""
    known = {field.name: getattr(like, field.name) for field in fields(like)}
    return document.keys() == known.keys() and all(
        isinstance(document[name], dict)
        if isinstance(value, NameRules)
        else document[name] is None or type(document[name]) is int
        if name == "max_units"
        else type(document[name]) is type(value)
        for name, value in known.items()
    )

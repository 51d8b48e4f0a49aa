"""The marker of a root, `.syncline/root.json`: which root it is, and how often each job has changed it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from syncline.core.model import PRIVATE, Reason, RelPath
from syncline.core.record import MARKER
from syncline.errors import PathError
from syncline.fs.locking import DIRECTORY, STAGING
from syncline.fs.root import Root

PATH = RelPath(f"{PRIVATE}/{MARKER}")

_STAGED = RelPath(f"{STAGING}/new-{MARKER}")
_LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Marker:
    """`id` names the root for ever; `jobs` counts, per job, the runs that changed it."""

    id: str
    jobs: Mapping[str, int]


def read_marker(root: Root) -> Marker | None:
    """The marker of a root; None when it is surely absent.

    Raises: PathError when it cannot be read or is damaged.
    """
    if root.entry(PATH) is None:
        return None
    reader = root.open(PATH)
    try:
        if reader.entry.size > _LARGEST_BYTES:
            raise _damaged("it is far too large")
        data = b"".join(reader.blocks())
    finally:
        reader.close()
    return _parsed(data)


def write_marker(root: Root, marker: Marker) -> None:
    """Put the marker in its place, durably, in one step. Only for a run that holds the lock. Raises: PathError."""
    for private in (DIRECTORY, STAGING):
        if root.entry(private) is None:
            root.make_directory(private)
    if root.entry(_STAGED) is not None:
        root.remove(_STAGED)
    put_document(root, _STAGED, PATH, {"id": marker.id, "jobs": dict(marker.jobs)})


def put_document(root: Root, staged: RelPath, path: RelPath, document: Mapping[str, object]) -> None:
    """Put a document of ours in its place as JSON, durably, in one step; `staged` must be free. Raises: PathError."""
    writer = root.create(staged)
    try:
        writer.write(json.dumps(document, indent=2, sort_keys=True).encode() + b"\n")
        writer.finish(mtime_ns=None, mode=None)
    except BaseException:
        writer.abandon()
        raise
    root.flush([staged])
    if root.entry(path) is None:
        root.rename(staged, path)
    else:
        root.replace(staged, path)
    root.flush([path])


def _parsed(data: bytes) -> Marker:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged("it is no JSON") from error
    if not isinstance(document, dict):
        raise _damaged("it is no JSON object")
    name, jobs = document.get("id"), document.get("jobs")
    if not isinstance(name, str) or not name:
        raise _damaged('it has no "id"')
    if not isinstance(jobs, dict) or not all(type(number) is int and number >= 0 for number in jobs.values()):
        raise _damaged('its "jobs" are no generations')
    return Marker(name, jobs)


def _damaged(how: str) -> PathError:
    return PathError(Reason.UNREADABLE, PATH, f"the marker of this root is damaged: {how}")

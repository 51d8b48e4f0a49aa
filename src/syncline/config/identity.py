"""Which remembered job a configured one is, and what is changed in the memory so that it is.

A job is its name, its kind and its two folders. With other folders, or under another name, it is a new one: nothing
that is remembered of the old one may be taken for true there. What was remembered stays, under a name of its own.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from syncline.config.values import ConfiguredJob
from syncline.store.db import Store
from syncline.store.jobs import Job, Jobs, adhoc_name


def remembered(job: ConfiguredJob, configured: Sequence[ConfiguredJob], records: Sequence[Job]) -> Job | None:
    """What is remembered of a configured job.

    The job of that name, kind and folders; else the ad-hoc job of that kind and folders, if no other configured job
    stands before this one for them.
    """
    pair = job.pair()
    same = [record for record in records if record.kind == job.kind and (record.left_path, record.right_path) == pair]
    for record in same:
        if record.name == job.name:
            return record
    first = next(one for one in configured if one.kind == job.kind and one.pair() == pair)
    return next((record for record in same if record.adhoc), None) if first is job else None


def settle(
    store: Store, record: Job | None, name: str, options: Mapping[str, Any], *, adhoc: bool, reserved: Collection[str]
) -> Job | None:
    """Write down how a job is called and set from now on; whatever else had its name gets another one.

    `record` is what is remembered of it, None for nothing; it is returned as it is then. `reserved` names are not given
    to others.
    """
    jobs = Jobs(store)
    holder = jobs.by_name(name)
    stranger = holder is not None and (record is None or holder.id != record.id)
    changed = record is not None and (
        record.name != name or record.adhoc != adhoc or dict(record.options) != dict(options)
    )
    if not stranger and not changed:
        return record
    with store.transaction():
        if stranger and holder is not None:
            taken = {job.name for job in jobs.all()} | set(reserved)
            folders = [os.path.basename(path) for path in (holder.left_path, holder.right_path)]
            jobs.change(holder.id, name=adhoc_name(folders[0], folders[1], taken.__contains__), adhoc=True)
        if changed and record is not None:
            jobs.change(record.id, name=name, options=options, adhoc=adhoc)
    return None if record is None else jobs.by_id(record.id)

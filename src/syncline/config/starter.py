"""The configuration file to begin with: every line that does something is commented out."""

from __future__ import annotations

import os

from syncline.errors import UsageError

STARTER = """\
# Jobs of syncline. After a change: syncline config check
# Everything that can stand here: docs/configuration.md; what is in force: syncline config show
#
# Sizes: 20kB, 20MB, 20MiB. Durations: 90s, 10m, 6h, 30d. ${NAME} is a variable of the environment or of the file .env
# beside this one; a literal $ is $$. Relative folders are relative to this file, ~ is your home.

jobs:
  # Two folders kept in step, either of which may change:
  #
  # documents:
  #   kind: twoway
  #   left: ~/Documents
  #   right: /media/usb/Documents
  #   ignore: ["*.tmp", "/cache/"]          # gitignore patterns; "!..." takes in again
  #   changed_both: keep-both               # 1 keep-both, 2 newest, 3 hold; oldest, largest, smallest, left, right
  #                                         # merge: COMMAND lets a program merge them; docs/configuration.md says how
  #   created_both: keep-both               # the same
  #   props_both: newest                    # 1 newest, 2 left, 3 hold; right
  #   rules:                                # for some paths only; the first one that matches wins
  #     - match: "*.docx"
  #       changed_both: hold
  #   trash: {max_size: 20MB, keep_for: 30d}        # larger deletions are final; none: no limit
  #   versions: {keep: 10, for: 90d}        # which earlier versions of a file stay in the trash
  #   limits: {deletes: 25, deletes_percent: 10}    # more than both in one run: it asks first
  #   compare: quick                        # or hash: read everything at the first run

  # A target that is made like its source; nothing is ever written to the source:
  #
  # pictures-to-usb:
  #   kind: mirror
  #   source: ~/Pictures
  #   target: /media/usb/Pictures
  #   extras: trash                         # what is only in the target: keep, trash, delete

# log: {level: info, format: text, max_size: 10MB, keep: 5}
"""


def write(file: str) -> None:
    """Write the starter file; an existing one stays as it is. Raises: UsageError."""
    try:
        os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        hint = "edit it, or name another file: syncline --config FILE config init"
        raise UsageError(f"{file} is there already; it was not touched", hint=hint) from error
    except OSError as error:
        raise UsageError(f"{file} could not be written: {error.strerror}") from error
    with open(descriptor, "w", encoding="utf-8") as opened:
        opened.write(STARTER)

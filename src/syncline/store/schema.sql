-- The state database, version 2. One per user and host, for all jobs.
--
-- It holds observations and a journal, never a queue of intended work. A database that is lost loses no file: the
-- next run of each job is a first run (union, no deletes).
--
-- Names and paths are BLOBs: their bytes as the disk has them, for SQLite's TEXT cannot hold what is not UTF-8.
-- Times are TEXT, UTC, `2026-11-20T18:45:00.123456Z`, and sort as text. Booleans are 0 and 1. JSON is ASCII.
-- Tables refer to each other by small numbers (`key`); what the world sees of a job or run is its `id`.
-- After a change here: VERSION and STEPS in migrate.py.

CREATE TABLE job (
    key              INTEGER PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE,       -- uuid in hexadecimal; also stands in the markers of the roots
    name             TEXT NOT NULL UNIQUE,       -- what a person calls it
    kind             TEXT NOT NULL,              -- twoway, mirror
    left_path        BLOB NOT NULL,              -- resolved path of the left root (a mirror's source)
    right_path       BLOB NOT NULL,
    options          TEXT NOT NULL DEFAULT '{}', -- JSON: the options remembered for an ad-hoc job
    adhoc            INTEGER NOT NULL,           -- 1: made by `sync` or `mirror`; 0: stands in the configuration
    created          TEXT NOT NULL,
    generation       INTEGER NOT NULL DEFAULT 0, -- number of the last changing run; the markers carry it too
    begun            INTEGER NOT NULL DEFAULT 0, -- 1: that generation was begun and not finished
    complete         INTEGER NOT NULL DEFAULT 0, -- 1: a first synchronisation was completed; until then nothing is gone
    scope            TEXT NOT NULL DEFAULT '',   -- digest of the filter under which the base was written
    left_marker      TEXT,                       -- id in the left root's root.json; NULL: no marker was ever written
    right_marker     TEXT,
    left_filesystem  TEXT,                       -- UUID or serial of the left root's file system; NULL: not known
    right_filesystem TEXT,
    last_checked     TEXT,                       -- when both sides were last looked at; NULL: never
    in_sync          INTEGER,                    -- what that look found; NULL: never looked
    problems         INTEGER NOT NULL DEFAULT 0, -- how many problems it found
    last_summary     TEXT                        -- JSON: its summary
);

CREATE INDEX job_pair ON job (left_path, right_path);

-- The base: what each side of a directory looked like when both agreed. One row per directory.
-- Short columns stand first: SQLite walks a row from the front, and the blobs may fill several pages.
CREATE TABLE directory (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: a run that forgets a row still knows its number
    job        INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
    parent     INTEGER,                          -- row of the directory it lies in; NULL: the root
    attention  INTEGER NOT NULL DEFAULT 0,       -- 1: to be looked at again although its bytes did not change
    files      INTEGER NOT NULL DEFAULT 0,       -- agreed regular files directly in it
    size       INTEGER NOT NULL DEFAULT 0,       -- their bytes
    left_name  BLOB,                             -- its name on the left, empty for the root; NULL: not there
    right_name BLOB,
    left       BLOB,                             -- sealed packed listing of that side (core/listing.py); NULL: not there
    right      BLOB,
    beside     BLOB                              -- sealed: contents known so far, and the names not agreed
);

-- Carries files and size so that their sums are read from here, without touching the blobs.
CREATE INDEX directory_children ON directory (job, parent, files, size);
CREATE UNIQUE INDEX directory_root ON directory (job) WHERE parent IS NULL;

CREATE TABLE run (
    key      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,               -- YYYYMMDDTHHMMSSZ-xxxx
    job      INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
    plan     TEXT NOT NULL,                      -- id of the plan it carries out
    kind     TEXT NOT NULL,                      -- run, resolve, restore, recover, undo
    started  TEXT NOT NULL,
    seconds  REAL,                               -- how long it took; NULL: not finished
    outcome  TEXT,                               -- NULL: not finished
    note     TEXT NOT NULL DEFAULT '',           -- plain words for a person
    summary  TEXT NOT NULL DEFAULT '{}',         -- JSON: counts
    roots    TEXT NOT NULL DEFAULT '{}',         -- JSON: the paths of the roots as they were then
    document TEXT NOT NULL DEFAULT '{}'          -- JSON: conflicts, problems, objections as they were shown
);

CREATE INDEX run_started ON run (job, started);

-- The journal. A row is written before its action is begun and changed when it is done or has failed.
CREATE TABLE action (
    run    INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE,
    number INTEGER NOT NULL,                     -- place in the run's order, from 1
    state  TEXT NOT NULL,                        -- begun, done, failed, skipped
    at     TEXT NOT NULL,                        -- when it came to that state
    side   TEXT NOT NULL,                        -- the side it changes
    path   BLOB NOT NULL,                        -- the path it changes there
    target BLOB,                                 -- of a rename: the new path
    grp    BLOB,                                 -- path of the conflict, cycle or type change it is part of
    staged BLOB,                                 -- name under .syncline/staging
    trash  BLOB,                                 -- where what stood there went; NULL: nowhere
    action TEXT NOT NULL,                        -- the whole action (core/wire.py)
    result TEXT,                                 -- the entry that stands there now (core/wire.py)
    problem TEXT,                                -- why it failed or was skipped (core/wire.py)
    sum    INTEGER NOT NULL,                     -- CRC-32 of `action`: recovery acts on it, and SQLite checks no bytes
    PRIMARY KEY (run, number)
);

CREATE INDEX action_begun ON action (run) WHERE state = 'begun';
CREATE INDEX action_path ON action (path);
CREATE INDEX action_target ON action (target) WHERE target IS NOT NULL;

CREATE TABLE conflict (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, so that an old id cannot settle a new conflict
    job        INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
    run        TEXT,                             -- id of the run that found it; NULL: found without a run
    path       BLOB NOT NULL,
    rule       TEXT NOT NULL,
    policy     TEXT NOT NULL,
    kept       TEXT,                             -- whose version has the path; NULL: held
    clash      BLOB,                             -- path of the clash file; NULL: none was made
    clash_from TEXT,                             -- the side its content came from
    detected   TEXT NOT NULL,
    open       INTEGER NOT NULL,                 -- 1: waits for a person
    settled    TEXT,                             -- when it was settled; NULL: open
    conflict   TEXT NOT NULL                     -- the whole conflict, with the entries of both sides (core/wire.py)
);

CREATE INDEX conflict_open ON conflict (job, path) WHERE open = 1;
CREATE INDEX conflict_path ON conflict (job, path);

-- What could not be brought into step when a job was last looked at.
CREATE TABLE problem (
    job    INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
    side   TEXT NOT NULL,
    path   BLOB NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    since  TEXT NOT NULL,                        -- when it was first seen; a fault is told once
    PRIMARY KEY (job, side, path, reason)
);

-- Plans that a guard refused, so that `--approve` can tell what was approved.
CREATE TABLE approval (
    plan     TEXT PRIMARY KEY,                   -- id of the refused plan
    job      INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
    removals TEXT NOT NULL,                      -- JSON: what it would remove or replace
    at       TEXT NOT NULL                       -- when it was refused
);

CREATE INDEX approval_job ON approval (job);

-- Files whose bytes are not the remembered ones although nobody wrote to them. They are held until a person decides.
CREATE TABLE suspect (
    job        INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
    side       TEXT NOT NULL,
    path       BLOB NOT NULL,                    -- on that side
    remembered BLOB,                             -- the content both sides had agreed on; NULL: they were never read
    entry      TEXT NOT NULL,                    -- what stands there, with the content that was found (core/wire.py)
    found      TEXT NOT NULL,                    -- when
    PRIMARY KEY (job, side, path)
);

-- How far `verify` has come: one row per directory it has been in.
CREATE TABLE verified (
    directory INTEGER PRIMARY KEY REFERENCES directory (id) ON DELETE CASCADE,
    at        TEXT NOT NULL DEFAULT '',          -- when all files directly in it were last read; empty: never yet
    upto      BLOB                               -- the name up to which they were read since; NULL: none or all
);

-- What lay at the named paths before a stage ran. The manifest says what, the packs beside the
-- database hold the contents. `paths` are absolute, with NUL between them.
CREATE TABLE snapshots (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    stage_name  TEXT NOT NULL,
    component   TEXT NOT NULL DEFAULT '',
    workdir     BLOB NOT NULL,
    paths       BLOB NOT NULL,
    entries     INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    manifest    BLOB NOT NULL,
    sha256      BLOB NOT NULL,
    taken_at    TEXT NOT NULL,
    UNIQUE (run_id, stage_name, component)
) STRICT;

CREATE INDEX snapshots_by_stage ON snapshots (stage_name, workdir, id);

CREATE TABLE snapshot_values (
    snapshot_id  INTEGER NOT NULL REFERENCES snapshots (id),
    name         TEXT NOT NULL,
    value        TEXT NOT NULL,
    PRIMARY KEY (snapshot_id, name)
) STRICT, WITHOUT ROWID;

-- Where the content of a hash lies.
CREATE TABLE snapshot_blobs (
    sha256  BLOB PRIMARY KEY,
    pack    TEXT NOT NULL,
    offset  INTEGER NOT NULL,
    length  INTEGER NOT NULL,
    size    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

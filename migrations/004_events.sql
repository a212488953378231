-- Every change, in the order of its commit; rows are never altered.
CREATE TABLE events (
    id           INTEGER PRIMARY KEY,
    run_id       INTEGER NOT NULL,
    at           TEXT NOT NULL,
    kind         TEXT NOT NULL,
    stage_name   TEXT,
    rollback_id  INTEGER,
    from_status  TEXT,
    to_status    TEXT,
    attempt      INTEGER,
    actor        TEXT NOT NULL DEFAULT '',
    detail       TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX events_by_run ON events (run_id, id);

CREATE TRIGGER events_are_not_altered BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

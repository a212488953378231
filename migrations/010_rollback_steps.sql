CREATE TABLE rollback_steps (
    rollback_id    INTEGER NOT NULL REFERENCES rollback_events (id),
    position       INTEGER NOT NULL,
    stage_name     TEXT NOT NULL,
    component      TEXT,
    agent          TEXT NOT NULL,
    task           TEXT NOT NULL,
    status         TEXT NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'running', 'succeeded', 'failed', 'interrupted')),
    attempt        INTEGER NOT NULL DEFAULT 0,
    exit_code      INTEGER,
    error_message  TEXT NOT NULL DEFAULT '',
    started_at     TEXT,
    completed_at   TEXT,
    PRIMARY KEY (rollback_id, position)
) STRICT, WITHOUT ROWID;

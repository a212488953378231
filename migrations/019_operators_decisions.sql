-- Rollbacks that wait for the operator, and what the operator decides of a step that failed.
ALTER TABLE rollback_events ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;

CREATE TABLE decided_steps (
    rollback_id    INTEGER NOT NULL REFERENCES rollback_events (id),
    position       INTEGER NOT NULL,
    stage_name     TEXT NOT NULL,
    component      TEXT,
    agent          TEXT NOT NULL,
    task           TEXT NOT NULL,
    status         TEXT NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'running', 'succeeded', 'failed', 'interrupted', 'retrying',
            'skipped', 'done')),
    attempt        INTEGER NOT NULL DEFAULT 0,
    exit_code      INTEGER,
    error_message  TEXT NOT NULL DEFAULT '',
    started_at     TEXT,
    completed_at   TEXT,
    PRIMARY KEY (rollback_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO decided_steps SELECT * FROM rollback_steps;
DROP TABLE rollback_steps;
ALTER TABLE decided_steps RENAME TO rollback_steps;

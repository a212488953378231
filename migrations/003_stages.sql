CREATE TABLE stages (
    run_id          INTEGER NOT NULL REFERENCES runs (id),
    position        INTEGER NOT NULL,
    stage_name      TEXT NOT NULL,
    agent           TEXT NOT NULL,
    environment     TEXT,
    status          TEXT NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'waiting_approval', 'running', 'retrying', 'succeeded', 'failed', 'rejected',
         'skipped', 'cancelled', 'interrupted', 'rolled_back')),
    attempt         INTEGER NOT NULL DEFAULT 0,
    reason          TEXT NOT NULL DEFAULT '',
    exit_code       INTEGER,
    requested_at    TEXT,
    started_at      TEXT,
    completed_at    TEXT,
    rolled_back_by  INTEGER,
    PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;

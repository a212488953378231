-- What one process asks of the executor that another process runs.
CREATE TABLE commands (
    id               INTEGER PRIMARY KEY,
    idempotency_key  TEXT NOT NULL UNIQUE,
    run_id           INTEGER NOT NULL REFERENCES runs (id),
    kind             TEXT NOT NULL,
    payload          TEXT NOT NULL DEFAULT '{}',
    actor            TEXT NOT NULL,
    status           TEXT NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'done', 'refused')),
    outcome          TEXT NOT NULL DEFAULT '',
    created_at       TEXT NOT NULL,
    completed_at     TEXT
) STRICT;

CREATE INDEX commands_waiting ON commands (run_id, id) WHERE status = 'pending';

CREATE TABLE runs (
    id               INTEGER PRIMARY KEY,
    pipeline         TEXT NOT NULL,
    definition_hash  TEXT NOT NULL REFERENCES definitions (hash),
    status           TEXT NOT NULL CHECK (status IN
        ('pending', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    simulated        INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),
    trigger_event    TEXT NOT NULL DEFAULT 'manual',
    branch           TEXT,
    labels           TEXT NOT NULL DEFAULT '[]',
    changed          TEXT,                 -- JSON list; NULL: unknown, []: nothing changed
    variables        TEXT NOT NULL DEFAULT '[]',
    actor            TEXT NOT NULL,
    reason           TEXT NOT NULL DEFAULT '',
    workdir          TEXT NOT NULL DEFAULT '',
    pipeline_dir     TEXT NOT NULL DEFAULT '',
    epoch            INTEGER,              -- the executor that owns it
    created_at       TEXT NOT NULL,
    started_at       TEXT,
    completed_at     TEXT
) STRICT;

CREATE INDEX runs_by_pipeline ON runs (pipeline, id);
CREATE INDEX runs_by_status ON runs (status, id);
CREATE INDEX runs_by_created_at ON runs (created_at);

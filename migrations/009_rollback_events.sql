CREATE TABLE rollback_events (
    id                   INTEGER PRIMARY KEY,
    run_id               INTEGER NOT NULL REFERENCES runs (id),
    failed_stage_name    TEXT NOT NULL,
    rollback_to_stage    TEXT NOT NULL,
    trigger_type         TEXT NOT NULL CHECK (trigger_type IN ('automatic', 'manual')),
    status               TEXT NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'running', 'succeeded', 'failed')),
    error_message        TEXT,
    started_at           TEXT,
    completed_at         TEXT,
    created_at           TEXT NOT NULL,
    actor                TEXT NOT NULL DEFAULT '',
    reason               TEXT NOT NULL DEFAULT '',
    components           TEXT NOT NULL DEFAULT '[]',
    retry_of             INTEGER UNIQUE REFERENCES rollback_events (id),
    waiting_since        TEXT,
    accept_irreversible  INTEGER NOT NULL DEFAULT 0,
    plan                 TEXT NOT NULL DEFAULT '',
    plan_hash            TEXT NOT NULL DEFAULT '',
    epoch                INTEGER
) STRICT;

CREATE INDEX rollback_events_by_run ON rollback_events (run_id, id);
CREATE INDEX rollback_events_by_status ON rollback_events (status, id);
CREATE INDEX rollback_events_by_created_at ON rollback_events (created_at);
CREATE UNIQUE INDEX one_running_rollback_per_run ON rollback_events (run_id)
    WHERE status = 'running';

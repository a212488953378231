-- Pipelines that were rolled back automatically too often in an environment: no new run of theirs
-- goes there until somebody resets that.
CREATE TABLE breakers (
    id            INTEGER PRIMARY KEY,
    pipeline      TEXT NOT NULL,
    environment   TEXT NOT NULL,
    rollbacks     INTEGER NOT NULL,
    run_id        INTEGER NOT NULL REFERENCES runs (id),
    rollback_id   INTEGER NOT NULL REFERENCES rollback_events (id),
    tripped_at    TEXT NOT NULL,
    reset_by      TEXT,
    reset_at      TEXT,
    reset_reason  TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE UNIQUE INDEX tripped_breakers ON breakers (pipeline, environment) WHERE reset_at IS NULL;

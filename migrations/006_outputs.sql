CREATE TABLE outputs (
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    stage_name  TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (run_id, stage_name, key)
) STRICT, WITHOUT ROWID;

-- Rehearsals: what a rollback of a run would have done at a moment, and what was missing for it.
CREATE TABLE rehearsals (
    id                 INTEGER PRIMARY KEY,
    run_id             INTEGER NOT NULL REFERENCES runs (id),
    failed_stage_name  TEXT NOT NULL DEFAULT '',
    rollback_to_stage  TEXT NOT NULL DEFAULT '',     -- '': each stage that ran, by itself
    actor              TEXT NOT NULL,
    started_at         TEXT NOT NULL,
    completed_at       TEXT NOT NULL,
    problems           INTEGER NOT NULL,
    report             TEXT NOT NULL
) STRICT;

CREATE INDEX rehearsals_by_run ON rehearsals (run_id, id);

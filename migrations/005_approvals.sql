CREATE TABLE approvals (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    stage_name  TEXT NOT NULL,
    decision    TEXT NOT NULL CHECK (decision IN ('approved', 'rejected')),
    entry       TEXT NOT NULL,             -- the listed approver that the decision satisfies
    actor       TEXT NOT NULL,
    comment     TEXT NOT NULL DEFAULT '',
    decided_at  TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX approvals_by_entry ON approvals (run_id, stage_name, entry);

-- On which occasions of a run somebody is told, and by which rules of its definition.
CREATE TABLE notify_rules (
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    occasion  TEXT NOT NULL,
    rule      INTEGER NOT NULL,            -- its position in the definition
    PRIMARY KEY (run_id, occasion, rule)
) STRICT, WITHOUT ROWID;

-- One occasion that one rule tells of, until everybody was told or somebody has acknowledged it.
CREATE TABLE notifications (
    id           INTEGER PRIMARY KEY,
    run_id       INTEGER NOT NULL REFERENCES runs (id),
    occasion     TEXT NOT NULL,
    rule         INTEGER NOT NULL,
    stage_name   TEXT,
    rollback_id  INTEGER,
    detail       TEXT NOT NULL DEFAULT '',
    epoch        INTEGER,                  -- the executor that sees to it
    step         INTEGER NOT NULL DEFAULT 0,  -- how many steps have begun, repetitions included
    due_at       TEXT,                     -- when the next step begins; NULL: none follows
    created_at   TEXT NOT NULL,
    ended_at     TEXT,
    outcome      TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX notifications_by_run ON notifications (run_id, id);
CREATE INDEX notifications_under_way ON notifications (epoch, id) WHERE ended_at IS NULL;

-- One message to one channel; an address never stands here, only its variable's name.
CREATE TABLE deliveries (
    id               INTEGER PRIMARY KEY,
    notification_id  INTEGER NOT NULL REFERENCES notifications (id),
    step             INTEGER NOT NULL,
    channel          TEXT NOT NULL,
    status           TEXT NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'sending', 'sent', 'failed', 'dropped')),
    attempt          INTEGER NOT NULL DEFAULT 0,
    error            TEXT NOT NULL DEFAULT '',
    due_at           TEXT,
    started_at       TEXT,
    completed_at     TEXT
) STRICT;

CREATE INDEX deliveries_by_notification ON deliveries (notification_id, id);

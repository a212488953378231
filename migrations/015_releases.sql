-- Each success of a stage with an environment: what was brought there, and what may be returned to.
CREATE TABLE releases (
    id               INTEGER PRIMARY KEY,
    pipeline         TEXT NOT NULL,
    environment      TEXT NOT NULL,
    component        TEXT,                  -- NULL: the stage as a whole
    run_id           INTEGER NOT NULL REFERENCES runs (id),
    stage_name       TEXT NOT NULL,
    version          TEXT NOT NULL DEFAULT '',
    definition_hash  TEXT NOT NULL REFERENCES definitions (hash),
    event_id         INTEGER NOT NULL,      -- its place in the order of all events
    created_at       TEXT NOT NULL,
    undone_by        INTEGER REFERENCES rollback_events (id)
) STRICT;

CREATE INDEX releases_by_place ON releases (pipeline, environment, id);
CREATE INDEX releases_by_stage ON releases (pipeline, environment, stage_name, id);
CREATE INDEX releases_by_run ON releases (run_id, stage_name);

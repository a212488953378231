-- Versions that were rolled back, and are not brought to that environment again until somebody
-- lifts that.
CREATE TABLE quarantines (
    id           INTEGER PRIMARY KEY,
    pipeline     TEXT NOT NULL,
    environment  TEXT NOT NULL,
    component    TEXT,                      -- NULL: the stage as a whole
    version      TEXT NOT NULL,
    run_id       INTEGER NOT NULL REFERENCES runs (id),
    rollback_id  INTEGER NOT NULL REFERENCES rollback_events (id),
    created_at   TEXT NOT NULL,
    lifted_by    TEXT,
    lifted_at    TEXT,
    lift_reason  TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE UNIQUE INDEX quarantined_versions
    ON quarantines (pipeline, environment, version, coalesce(component, ''))
    WHERE lifted_at IS NULL;

-- The release of an environment that somebody vouches for; it is never pruned.
ALTER TABLE releases ADD COLUMN pinned_by TEXT;
ALTER TABLE releases ADD COLUMN pinned_at TEXT;
ALTER TABLE releases ADD COLUMN pin_reason TEXT NOT NULL DEFAULT '';

CREATE UNIQUE INDEX golden_releases ON releases (pipeline, environment, coalesce(component, ''))
    WHERE pinned_at IS NOT NULL;

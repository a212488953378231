-- What undos went back to: after one the release (NULL: nothing) is in place again in its
-- environment, whatever was brought there in between.
CREATE TABLE returns (
    id           INTEGER PRIMARY KEY,
    pipeline     TEXT NOT NULL,
    environment  TEXT NOT NULL,
    stage_name   TEXT NOT NULL,
    component    TEXT,                      -- NULL: the stage as a whole
    rollback_id  INTEGER NOT NULL REFERENCES rollback_events (id),
    event_id     INTEGER NOT NULL,          -- its place in the order of all events
    release_id   INTEGER REFERENCES releases (id)
) STRICT;

CREATE INDEX returns_by_stage ON returns (pipeline, environment, stage_name, event_id);

DROP INDEX releases_by_stage;
CREATE INDEX releases_by_stage ON releases (pipeline, environment, stage_name, event_id);

-- Steps that are done went back to what their plans say.
INSERT INTO returns (pipeline, environment, stage_name, component, rollback_id, event_id, release_id)
SELECT runs.pipeline, step.environment, step.stage_name, step.component, event.id,
    (SELECT max(id) FROM events
        WHERE events.run_id = event.run_id AND events.rollback_id = event.id
            AND events.kind = 'step' AND events.stage_name = step.stage_name) AS done,
    (SELECT json_extract(value, '$.release') FROM json_each(nullif(event.plan, ''), '$.steps')
        WHERE json_extract(value, '$.stage_name') = step.stage_name
            AND json_extract(value, '$.component') IS step.component)
FROM rollback_steps AS step
    JOIN rollback_events AS event ON event.id = step.rollback_id
    JOIN runs ON runs.id = event.run_id
WHERE step.environment IS NOT NULL AND step.status IN ('succeeded', 'done')
    AND NOT runs.simulated AND done IS NOT NULL
ORDER BY done;

-- What was gone without a step of its own left what was there before.
INSERT INTO returns (pipeline, environment, stage_name, component, rollback_id, event_id, release_id)
SELECT gone.pipeline, gone.environment, gone.stage_name, gone.component, gone.undone_by,
    (SELECT max(id) FROM events
        WHERE events.run_id = gone.run_id AND events.rollback_id = gone.undone_by) AS done,
    (SELECT max(earlier.id) FROM releases AS earlier
        WHERE earlier.pipeline = gone.pipeline AND earlier.environment = gone.environment
            AND earlier.stage_name = gone.stage_name AND earlier.component IS gone.component
            AND earlier.run_id < gone.run_id AND earlier.run_id <= coalesce((
                SELECT named.run_id FROM rollback_events AS event
                    JOIN releases AS named ON named.id = event.release_id
                WHERE event.id = gone.undone_by AND named.environment = gone.environment),
                gone.run_id)
            AND (earlier.undone_by IS NULL OR earlier.undone_by > gone.undone_by))
FROM releases AS gone
WHERE gone.undone_by IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM rollback_steps AS step
        WHERE step.rollback_id = gone.undone_by AND step.stage_name = gone.stage_name)
ORDER BY done;

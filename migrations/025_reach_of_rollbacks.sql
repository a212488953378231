-- How far a rollback reaches: whether it undoes what came after its target too, and in which
-- environment (NULL: none) each step undoes something.
ALTER TABLE rollback_events ADD COLUMN cascade INTEGER NOT NULL DEFAULT 1;
ALTER TABLE rollback_steps ADD COLUMN environment TEXT;

UPDATE rollback_steps SET environment = (
    SELECT stages.environment
    FROM rollback_events AS event JOIN stages ON stages.run_id = event.run_id
    WHERE event.id = rollback_steps.rollback_id AND stages.stage_name = rollback_steps.stage_name
);

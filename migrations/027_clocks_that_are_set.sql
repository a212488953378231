-- What must not follow from a clock that somebody sets: after a reset those rollbacks count that
-- came later by their order, and how long an approval was waited for is told by the clock of the
-- system's start (boot_id and seconds), as long as that was the same one.
ALTER TABLE breakers ADD COLUMN reset_after INTEGER;
ALTER TABLE stages ADD COLUMN requested_boot TEXT NOT NULL DEFAULT '';

UPDATE breakers SET reset_after = coalesce((
    SELECT max(id) FROM rollback_events WHERE created_at <= breakers.reset_at
), 0) WHERE reset_at IS NOT NULL;

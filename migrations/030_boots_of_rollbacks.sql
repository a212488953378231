-- When a rollback was asked for by the clock of the system's start (boot_id and seconds), which
-- nobody sets: a breaker counts by it what is of the same start. Of older rows it is not known ('').
ALTER TABLE rollback_events ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';
ALTER TABLE rollback_events ADD COLUMN boot_s REAL NOT NULL DEFAULT 0;

CREATE INDEX rollback_events_by_boot ON rollback_events (boot_id, boot_s);

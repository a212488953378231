-- How long (seconds) something waits at most until it is due, so that a clock that is set back makes
-- nobody wait for longer; of older rows it is not known.
ALTER TABLE notifications ADD COLUMN wait_s REAL NOT NULL DEFAULT 1e9;
ALTER TABLE deliveries ADD COLUMN wait_s REAL NOT NULL DEFAULT 1e9;

-- What an operator named for a rollback: the release to return to (NULL: the one before), and the
-- definition whose undos and agents are used (NULL: that of the run).
ALTER TABLE rollback_events ADD COLUMN release_id INTEGER REFERENCES releases (id);
ALTER TABLE rollback_events ADD COLUMN definition_hash TEXT REFERENCES definitions (hash);

-- Every event carries the SHA-256 of the hash before it and of its own values (MessagePack, in the
-- order of the columns), so that none can be changed, inserted, moved or taken out unnoticed.
ALTER TABLE events ADD COLUMN hash BLOB NOT NULL DEFAULT x'';

-- An event without a hash is given one, once; nothing else of it may change.
DROP TRIGGER events_are_not_altered;
CREATE TRIGGER events_are_not_altered BEFORE UPDATE ON events
WHEN OLD.hash <> x'' OR NEW.id IS NOT OLD.id OR NEW.run_id IS NOT OLD.run_id
    OR NEW.at IS NOT OLD.at OR NEW.kind IS NOT OLD.kind OR NEW.stage_name IS NOT OLD.stage_name
    OR NEW.rollback_id IS NOT OLD.rollback_id OR NEW.from_status IS NOT OLD.from_status
    OR NEW.to_status IS NOT OLD.to_status OR NEW.attempt IS NOT OLD.attempt
    OR NEW.actor IS NOT OLD.actor OR NEW.detail IS NOT OLD.detail
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- Up to where the chain was found whole; opening a database goes on from here.
CREATE TABLE verified_events (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    event_id  INTEGER NOT NULL,
    hash      BLOB NOT NULL
) STRICT;

-- What is wrong with the events, and who said to go on all the same.
CREATE TABLE accepted_damage (
    event_id     INTEGER NOT NULL,
    fingerprint  BLOB NOT NULL,
    finding      TEXT NOT NULL,
    actor        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    at           TEXT NOT NULL,
    PRIMARY KEY (event_id, fingerprint)
) STRICT, WITHOUT ROWID;

PRAGMA application_id = 1330926921; -- "OTUI"

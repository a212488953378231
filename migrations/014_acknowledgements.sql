-- Who has seen that a run went wrong; NULL while nobody has said so.
ALTER TABLE runs ADD COLUMN acknowledged_by TEXT;
ALTER TABLE runs ADD COLUMN acknowledged_at TEXT;
ALTER TABLE runs ADD COLUMN acknowledgement TEXT NOT NULL DEFAULT '';

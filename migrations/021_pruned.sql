-- What was pruned: the files of a run are gone, its releases are not returned to any more.
ALTER TABLE runs ADD COLUMN pruned_at TEXT;
ALTER TABLE releases ADD COLUMN pruned_at TEXT;

-- What was run: the pipeline as it was when the run was created, once per distinct content.
CREATE TABLE definitions (
    hash        TEXT PRIMARY KEY,
    pipeline    TEXT NOT NULL,
    body        TEXT NOT NULL,             -- JSON of the pipeline, agents resolved
    source      TEXT NOT NULL DEFAULT '',  -- the file as it was written
    created_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

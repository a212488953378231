-- One row per executor; that it lives is said by a lock on a file, not by this row.
CREATE TABLE owners (
    epoch       INTEGER PRIMARY KEY AUTOINCREMENT,
    pid         INTEGER NOT NULL,
    host        TEXT NOT NULL,
    actor       TEXT NOT NULL,
    started_at  TEXT NOT NULL
) STRICT;

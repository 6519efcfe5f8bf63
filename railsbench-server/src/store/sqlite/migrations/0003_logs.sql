-- What runners say. Places are counted in bytes.
CREATE TABLE logs (
    task_id  TEXT NOT NULL REFERENCES tasks (id),
    attempt  INTEGER NOT NULL,
    begins   INTEGER NOT NULL,
    ends     INTEGER NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (task_id, attempt, begins)
) STRICT, WITHOUT ROWID;

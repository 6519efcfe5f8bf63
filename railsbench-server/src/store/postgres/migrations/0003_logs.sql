-- What runners say. Places are counted in bytes.
CREATE TABLE logs (
    task_id  TEXT COLLATE "C" NOT NULL REFERENCES tasks (id),
    attempt  BIGINT NOT NULL,
    begins   BIGINT NOT NULL,
    ends     BIGINT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (task_id, attempt, begins)
);

-- Times are RFC 3339 in UTC with nine decimals, so that they sort as text.

-- What never changes of a run; the configuration comes last, because it may be long.
CREATE TABLE runs (
    id          TEXT PRIMARY KEY,
    created_at  TEXT NOT NULL,
    policy      TEXT NOT NULL,
    providers   TEXT NOT NULL,
    config      TEXT NOT NULL
) STRICT;
CREATE INDEX runs_newest ON runs (created_at, id);

-- What changes with every event, kept apart so that a heartbeat writes little.
CREATE TABLE run_states (
    run_id    TEXT PRIMARY KEY REFERENCES runs (id),
    state     TEXT NOT NULL,
    last_seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `task` is the whole task as JSON; the other columns repeat what is searched for.
CREATE TABLE tasks (
    id                TEXT PRIMARY KEY,
    run_id            TEXT NOT NULL REFERENCES runs (id),
    provider          TEXT NOT NULL,
    instance_type     TEXT NOT NULL,
    status            TEXT NOT NULL,
    runner_id         TEXT,
    lease_expires_at  TEXT,
    task              TEXT NOT NULL
) STRICT;
-- Task ids sort in the order in which the tasks were made.
CREATE INDEX tasks_in_order ON tasks (run_id, id);
CREATE INDEX tasks_in_queue ON tasks (run_id, provider, instance_type, status, id);
CREATE INDEX tasks_by_lease ON tasks (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
CREATE INDEX tasks_by_holder ON tasks (run_id, runner_id, id) WHERE lease_expires_at IS NOT NULL;

CREATE TABLE events (
    run_id  TEXT NOT NULL REFERENCES runs (id),
    seq     INTEGER NOT NULL,
    event   TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- Runners that were told to wait.
CREATE TABLE idle_runners (
    run_id         TEXT NOT NULL REFERENCES runs (id),
    provider       TEXT NOT NULL,
    instance_type  TEXT NOT NULL,
    runner_id      TEXT NOT NULL,
    idle_until     TEXT NOT NULL,
    PRIMARY KEY (run_id, provider, instance_type, runner_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX idle_runners_by_end ON idle_runners (idle_until);

-- SHA-256 of tokens, never tokens. `run_id` is set for scope `run` alone.
CREATE TABLE tokens (
    hash        BLOB PRIMARY KEY,
    scope       TEXT NOT NULL CHECK (scope IN ('operator', 'reader', 'run', 'login')),
    run_id      TEXT CHECK ((scope = 'run') = (run_id IS NOT NULL)),
    expires_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_end ON tokens (expires_at);

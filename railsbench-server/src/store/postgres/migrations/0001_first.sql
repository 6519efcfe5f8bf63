-- Times are RFC 3339 in UTC with nine decimals, so that they sort as text and keep every digit.
-- JSON is kept as text, as it was written. The collation "C" sorts by bytes, as ids do.

-- What never changes of a run.
CREATE TABLE runs (
    id          TEXT COLLATE "C" PRIMARY KEY,
    created_at  TEXT COLLATE "C" NOT NULL,
    policy      TEXT NOT NULL,
    providers   TEXT NOT NULL,
    config      TEXT NOT NULL
);
CREATE INDEX runs_newest ON runs (created_at, id);

-- What changes with every event. Whoever changes a run or one of its tasks locks its row here
-- first, so that the events of a run are numbered without gaps in the order of their commits.
CREATE TABLE run_states (
    run_id    TEXT COLLATE "C" PRIMARY KEY REFERENCES runs (id),
    state     TEXT NOT NULL,
    last_seq  BIGINT NOT NULL
) WITH (fillfactor = 50);

-- `task` is the whole task as JSON; the other columns repeat what is searched for.
CREATE TABLE tasks (
    id                TEXT COLLATE "C" PRIMARY KEY,
    run_id            TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    provider          TEXT COLLATE "C" NOT NULL,
    instance_type     TEXT COLLATE "C" NOT NULL,
    status            TEXT COLLATE "C" NOT NULL,
    runner_id         TEXT COLLATE "C",
    lease_expires_at  TEXT COLLATE "C",
    task              TEXT NOT NULL
);
-- Task ids sort in the order in which the tasks were made.
CREATE INDEX tasks_in_order ON tasks (run_id, id);
CREATE INDEX tasks_in_queue ON tasks (run_id, provider, instance_type, status, id);
CREATE INDEX tasks_by_lease ON tasks (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
CREATE INDEX tasks_by_holder ON tasks (run_id, runner_id, id) WHERE lease_expires_at IS NOT NULL;

-- `mark` is a number of the change that wrote the event: by it a server whose connection broke
-- while it committed finds out whether it did.
CREATE TABLE events (
    run_id  TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    seq     BIGINT NOT NULL,
    mark    BIGINT NOT NULL,
    event   TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- Runners that were told to wait.
CREATE TABLE idle_runners (
    run_id         TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    provider       TEXT COLLATE "C" NOT NULL,
    instance_type  TEXT COLLATE "C" NOT NULL,
    runner_id      TEXT COLLATE "C" NOT NULL,
    idle_until     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, provider, instance_type, runner_id)
);
CREATE INDEX idle_runners_by_end ON idle_runners (idle_until);

-- SHA-256 of tokens, never tokens. `run_id` is set for scope `run` alone.
CREATE TABLE tokens (
    hash        BYTEA PRIMARY KEY,
    scope       TEXT NOT NULL CHECK (scope IN ('operator', 'reader', 'run', 'login')),
    run_id      TEXT COLLATE "C" CHECK ((scope = 'run') = (run_id IS NOT NULL)),
    expires_at  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX tokens_by_end ON tokens (expires_at);

-- What the servers that share this database must agree on.
CREATE TABLE keys (
    name   TEXT PRIMARY KEY,
    value  BYTEA NOT NULL
);

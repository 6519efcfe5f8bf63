-- Whose a token is, for those that people list and revoke.
ALTER TABLE tokens ADD COLUMN owner TEXT;
ALTER TABLE tokens ADD COLUMN created_at TEXT;
CREATE UNIQUE INDEX tokens_by_owner ON tokens (owner) WHERE owner IS NOT NULL;

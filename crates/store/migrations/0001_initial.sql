-- Times are microseconds since 1970-01-01T00:00:00Z; days are counted from 1970-01-01.
-- Enumerations are stored as the words that the model prints.

-- Dedupe keys, partitioned by the UTC day of first sight: a day is one range of the primary key, so that it is
-- dropped as one range. A look-up asks every day that seen_days lists.
CREATE TABLE seen_days (
    day INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE seen_events (
    day INTEGER NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 16),
    PRIMARY KEY (day, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    scope TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The ledger of log objects that were read to their end.
CREATE TABLE objects (
    source TEXT NOT NULL,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    at INTEGER NOT NULL,
    PRIMARY KEY (source, bucket, key, version)
) STRICT, WITHOUT ROWID;

-- How often work on an item began without ending: written before the work.
CREATE TABLE attempts (
    item TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE access_ledger (
    day INTEGER NOT NULL,
    provider TEXT NOT NULL,
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    principal TEXT NOT NULL,
    operation TEXT NOT NULL,
    outcome TEXT NOT NULL,
    count INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (day, provider, account, key, principal, operation, outcome)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage (
    day INTEGER NOT NULL,
    source TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    records INTEGER NOT NULL,
    key_records INTEGER NOT NULL,
    newest INTEGER,
    PRIMARY KEY (day, source, account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    -- NULL once the body was pruned; the hash stays.
    bytes BLOB,
    sha256 BLOB NOT NULL,
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    UNIQUE (source, origin, reason)
) STRICT;

-- The detector's own bytes.
CREATE TABLE detector_state (
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;

-- Where the account or the region is not known, it is ''.
CREATE TABLE judgements (
    control TEXT NOT NULL,
    resource_kind TEXT NOT NULL,
    resource TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    verdict TEXT NOT NULL,
    -- The reason of an unknown or not-applicable verdict, the id of an exception.
    reason TEXT,
    expires INTEGER,
    observed TEXT NOT NULL,
    at INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (control, resource_kind, resource, account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE findings (
    id TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    status TEXT NOT NULL,
    outcome TEXT NOT NULL,
    provider TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    time INTEGER NOT NULL,
    principal TEXT,
    key TEXT,
    resource TEXT,
    -- JSON arrays of text.
    event_ids TEXT NOT NULL,
    controls TEXT NOT NULL,
    source TEXT NOT NULL,
    -- 'learning' or 'exception'; the exception's id; the end of either.
    suppressed_by TEXT,
    suppressed_id TEXT,
    suppressed_until INTEGER,
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    cleared_at INTEGER,
    clear_reason TEXT,
    cleared_by TEXT,
    -- The whole finding in the store's own JSON.
    body TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_time ON findings (time);
CREATE INDEX findings_by_fingerprint ON findings (fingerprint) WHERE status IN ('open', 'suppressed');

CREATE TABLE alerts (
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
    episode INTEGER NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    notified_at INTEGER,
    count INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    finding TEXT NOT NULL,
    PRIMARY KEY (fingerprint, episode)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_open ON alerts (state) WHERE state IN ('open', 'acknowledged');

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
    episode INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- Tells the messages of one episode apart: see the module outbox.
    seq TEXT NOT NULL,
    severity TEXT NOT NULL,
    finding TEXT NOT NULL,
    message TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- 1 once an attempt ended without an answer: the receiver may have it.
    ambiguous INTEGER NOT NULL DEFAULT 0,
    queued_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    claimed_at INTEGER,
    settled_at INTEGER,
    error TEXT,
    UNIQUE (fingerprint, episode, receiver, action, seq)
) STRICT;
CREATE INDEX outbox_waiting ON outbox (receiver, fingerprint, id)
    WHERE state IN ('pending', 'sending', 'retry', 'unknown');

-- What keyvigil and its operators did: hash-chained, never updated, never deleted.
CREATE TABLE self_audit (
    seq INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    data TEXT NOT NULL,
    prev_hash BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER self_audit_no_update BEFORE UPDATE ON self_audit
BEGIN
    SELECT RAISE(ABORT, 'self_audit is append-only');
END;
CREATE TRIGGER self_audit_no_delete BEFORE DELETE ON self_audit
BEGIN
    SELECT RAISE(ABORT, 'self_audit is append-only');
END;

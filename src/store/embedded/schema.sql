-- One file holds everything.
CREATE TABLE IF NOT EXISTS queues (
  id          TEXT PRIMARY KEY,
  message_id  TEXT NOT NULL,             -- the message being worked on
  owner       TEXT NOT NULL,             -- the broker that claimed it; empty when it was given up
  token       INTEGER NOT NULL,          -- fencing token of that claim
  lease_until INTEGER NOT NULL,          -- a claim not renewed by then may be taken over
  previous    INTEGER NOT NULL,          -- token of the claim whose settling claimed this one, else 0
  unused      INTEGER NOT NULL DEFAULT 0,-- 1: given up before the worker call of its attempt was made
  told        INTEGER NOT NULL DEFAULT 0,-- the event that said there will be another attempt, if one did
  cancelled   INTEGER NOT NULL DEFAULT 0 -- 1: the message is to be cancelled by who holds the claim
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS messages (
  seq         INTEGER PRIMARY KEY,       -- order of acceptance
  id          TEXT NOT NULL UNIQUE,
  queue       TEXT NOT NULL,
  status      TEXT NOT NULL,             -- queued, processing, completed, failed, cancelled, expired
  position    INTEGER NOT NULL,          -- place in the queue when accepted: its first event tells it
  trace       TEXT NOT NULL,             -- what ties its story together
  queued_at   INTEGER NOT NULL,
  started_at  INTEGER,                   -- first claimed
  attempts    INTEGER NOT NULL DEFAULT 0,
  first       INTEGER NOT NULL DEFAULT 1,-- id of its first event, told by position; higher once it was retried
  last        INTEGER NOT NULL DEFAULT 1,-- id of the last event in the log
  token       INTEGER NOT NULL DEFAULT 0,-- fencing token it was settled under
  ended_at    INTEGER,
  code        TEXT,
  error       TEXT,
  expires_at  INTEGER                    -- forgotten then, with its events
);
CREATE INDEX IF NOT EXISTS messages_waiting ON messages (queue, seq) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS messages_overdue ON messages (queued_at) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS messages_failed  ON messages (ended_at, id) WHERE status = 'failed';
CREATE INDEX IF NOT EXISTS messages_expiry  ON messages (expires_at) WHERE expires_at IS NOT NULL;

-- What the worker is sent, up to 35 MB: apart, because a row is written anew whenever any of it changes.
CREATE TABLE IF NOT EXISTS payloads (
  message     TEXT PRIMARY KEY,          -- messages.id; gone when the message has ended, unless it failed
  payload     TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS events (
  message     INTEGER NOT NULL,          -- messages.seq
  id          INTEGER NOT NULL,          -- counts from messages.first, which messages.position tells
  name        TEXT NOT NULL,             -- empty: the worker's own event
  data        TEXT NOT NULL,
  PRIMARY KEY (message, id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS callbacks (
  message     TEXT PRIMARY KEY,          -- messages.id
  queue       TEXT NOT NULL,
  url         TEXT NOT NULL,
  details     TEXT NOT NULL,             -- what its delivery needs to know
  from_start  INTEGER NOT NULL,          -- 1: its turn comes when the message is first claimed, 0: when it has ended
  status      TEXT,                      -- pending, delivered, undelivered, silent; NULL until its turn comes
  attempts    INTEGER NOT NULL DEFAULT 0,
  since       INTEGER,                   -- the first attempt
  error       TEXT NOT NULL DEFAULT '',  -- what came of the last one
  token       INTEGER NOT NULL DEFAULT 0,-- fencing token it was settled under
  given_up_at INTEGER,                   -- NULL too once it is listed no more
  told        INTEGER NOT NULL DEFAULT 0,-- event of its log that was told of last
  untold      INTEGER NOT NULL DEFAULT 0 -- event that was told of in vain, after which nothing was told
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS callbacks_undelivered ON callbacks (given_up_at, message) WHERE status = 'undelivered';

-- Messages among the dead letters that somebody has dealt with: kept as any other, but listed no more.
CREATE TABLE IF NOT EXISTS discarded (
  message     TEXT PRIMARY KEY           -- messages.id
) WITHOUT ROWID;

-- The callbacks still to be made, in order.
CREATE TABLE IF NOT EXISTS outbox (
  place       INTEGER PRIMARY KEY,
  queue       TEXT NOT NULL,
  url         TEXT NOT NULL,
  message     TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_destination ON outbox (queue, url, place);

-- One row for each of their destinations, with the claim of the first of them.
CREATE TABLE IF NOT EXISTS destinations (
  queue       TEXT NOT NULL,
  url         TEXT NOT NULL,
  owner       TEXT NOT NULL,             -- the broker that claimed it; empty when nobody has
  token       INTEGER NOT NULL,          -- fencing token of that claim
  due         INTEGER NOT NULL,          -- claimable from this time on
  message     TEXT NOT NULL DEFAULT '',  -- the message of the newest claim
  PRIMARY KEY (queue, url)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS destinations_due ON destinations (due);

CREATE TABLE IF NOT EXISTS deduplication (
  queue       TEXT NOT NULL,
  key         TEXT NOT NULL,
  message_id  TEXT NOT NULL,
  status      TEXT,                      -- how the message ended, once it has
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deduplication_message ON deduplication (message_id);
CREATE INDEX IF NOT EXISTS deduplication_expiry ON deduplication (expires_at);

-- Queues that have something to do: one row each, so that counting and sweeping never scan messages.
CREATE TABLE IF NOT EXISTS work (
  queue       TEXT PRIMARY KEY,
  due         INTEGER NOT NULL           -- claimable from this time on
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS work_due ON work (due);

CREATE TABLE IF NOT EXISTS counts (
  name        TEXT PRIMARY KEY,          -- queues, waiting, processing, callbacks, token; how many were ever accepted, completed...
  value       INTEGER NOT NULL
) WITHOUT ROWID;
INSERT OR IGNORE INTO counts (name, value) VALUES ('queues', 0), ('waiting', 0), ('processing', 0), ('callbacks', 0), ('token', 0),
  ('accepted', 0), ('completed', 0), ('failed', 0), ('cancelled', 0), ('expired', 0);

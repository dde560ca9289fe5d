-- One file holds everything. This is layout 4; `layout.ts` brings a file of an older one here.

CREATE TABLE IF NOT EXISTS messages (
  seq         INTEGER PRIMARY KEY,       -- order of acceptance
  id          TEXT NOT NULL UNIQUE,
  queue       TEXT NOT NULL,
  status      TEXT NOT NULL,             -- queued, processing, completed, failed, cancelled, expired
  position    INTEGER NOT NULL,          -- place in the queue when accepted: its first event tells it
  queued_at   INTEGER NOT NULL,
  started_at  INTEGER,                   -- first claimed
  attempts    INTEGER NOT NULL DEFAULT 0,
  first       INTEGER NOT NULL DEFAULT 1,-- id of its first event; higher once it was retried
  last        INTEGER NOT NULL DEFAULT 1,-- id of the last event in the log
  ended_at    INTEGER,
  expires_at  INTEGER,                   -- forgotten then, with its log
  code        TEXT,
  error       TEXT,
  keys        TEXT,                      -- its deduplication keys, a JSON array; NULL: it has none
  calls_back  INTEGER NOT NULL,          -- 1: it has a callback
  trace       TEXT NOT NULL,             -- what ties its story together
  payload     TEXT,                      -- what the worker is sent; NULL: see payloads, or it has ended and did not fail
  -- Of the first message of each queue that has not ended, and so is what the queue has to do. The claim on it:
  due         INTEGER,                   -- claimable from this time on; while it is claimed: when that ends unless it is renewed
  owner       TEXT NOT NULL DEFAULT '',  -- the broker that claimed it; empty: nobody has, or it was given up
  token       INTEGER NOT NULL DEFAULT 0,-- fencing token of the claim, then of the one it was settled under
  previous    INTEGER NOT NULL DEFAULT 0,-- token of the claim whose settling claimed this one, else 0
  unused      INTEGER NOT NULL DEFAULT 0,-- 1: given up before the worker call of its attempt was made
  told        INTEGER NOT NULL DEFAULT 0,-- the event that said there will be another attempt, if one did
  cancelled   INTEGER NOT NULL DEFAULT 0 -- 1: it is to be cancelled by who holds the claim
);
CREATE INDEX IF NOT EXISTS messages_live    ON messages (queue, seq) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS messages_due     ON messages (due, queue) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS messages_waiting ON messages (queued_at) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS messages_failed  ON messages (ended_at, id) WHERE status = 'failed';
CREATE INDEX IF NOT EXISTS messages_expiry  ON messages (expires_at) WHERE expires_at IS NOT NULL;

-- Large payloads, up to 35 MB: apart, because a row is written anew whenever any of it changes.
CREATE TABLE IF NOT EXISTS payloads (
  message     INTEGER PRIMARY KEY,       -- messages.seq
  payload     TEXT NOT NULL
);

-- The events of all messages, those that were written at once mostly in one row. The first of a message is not here, and
-- its first `processing`: messages.position and messages.started_at tell them.
CREATE TABLE IF NOT EXISTS log (
  place       INTEGER PRIMARY KEY,
  message     INTEGER NOT NULL,          -- messages.seq
  last        INTEGER NOT NULL,          -- id of the last of these events
  events      TEXT NOT NULL              -- JSON: name and data of each; the name is empty for the worker's own
);
CREATE UNIQUE INDEX IF NOT EXISTS log_message ON log (message, last);

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
  given_up_at INTEGER,                   -- NULL again when that was discarded
  told        INTEGER NOT NULL DEFAULT 0,-- event of its log that was told of last
  untold      INTEGER NOT NULL DEFAULT 0 -- event that was told of in vain, after which nothing was told
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS callbacks_undelivered ON callbacks (given_up_at, message) WHERE status = 'undelivered';

-- Failed messages that somebody has dealt with: kept as any other, but listed no more.
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
CREATE INDEX IF NOT EXISTS deduplication_expiry ON deduplication (expires_at);

-- One row.
CREATE TABLE IF NOT EXISTS counts (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  queues      INTEGER NOT NULL DEFAULT 0,-- with a message that has not ended
  waiting     INTEGER NOT NULL DEFAULT 0,
  processing  INTEGER NOT NULL DEFAULT 0,
  callbacks   INTEGER NOT NULL DEFAULT 0,-- in the outbox
  token       INTEGER NOT NULL DEFAULT 0,-- the last fencing token
  accepted    INTEGER NOT NULL DEFAULT 0,-- ever; so were the following
  completed   INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0,
  cancelled   INTEGER NOT NULL DEFAULT 0,
  expired     INTEGER NOT NULL DEFAULT 0
);
INSERT OR IGNORE INTO counts (one) VALUES (1);

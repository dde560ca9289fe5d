-- Brings a file of layout 3 up to date. What is made anew makes room, the tables of today are made, and what was there moves.
ALTER TABLE messages RENAME TO messages_3;
ALTER TABLE payloads RENAME TO payloads_3;
ALTER TABLE counts RENAME TO counts_3;
DROP INDEX messages_waiting;
DROP INDEX messages_failed;
DROP INDEX messages_expiry;

-- schema.sql

INSERT INTO messages
  SELECT seq, m.id, m.queue, status, position, queued_at, started_at, attempts, first, last, ended_at, expires_at, code, error,
    (SELECT nullif(json_group_array(key), '[]') FROM deduplication WHERE message_id = m.id), EXISTS (SELECT 1 FROM callbacks WHERE message = m.id),
    trace, NULL, NULL, '', m.token, 0, 0, 0, 0
  FROM messages_3 m;
UPDATE messages SET owner = claim.owner, token = claim.token, previous = claim.previous, unused = claim.unused, told = claim.told,
    cancelled = claim.cancelled
  FROM queues AS claim WHERE claim.message_id = messages.id;
UPDATE messages SET due = work.due
  FROM work WHERE seq = (SELECT min(seq) FROM messages m WHERE m.queue = work.queue AND m.ended_at IS NULL);
INSERT INTO payloads SELECT seq, p.payload FROM payloads_3 p JOIN messages m ON m.id = p.message;
INSERT INTO log (message, last, events) SELECT message, id, json_array(json_array(name, data)) FROM events;
UPDATE counts SET queues = of.queues, waiting = of.waiting, processing = of.processing, callbacks = of.callbacks, token = of.token,
    accepted = of.accepted, completed = of.completed, failed = of.failed, cancelled = of.cancelled, expired = of.expired
  FROM (SELECT sum(value) FILTER (WHERE name = 'queues') AS queues, sum(value) FILTER (WHERE name = 'waiting') AS waiting,
    sum(value) FILTER (WHERE name = 'processing') AS processing, sum(value) FILTER (WHERE name = 'callbacks') AS callbacks,
    sum(value) FILTER (WHERE name = 'token') AS token, sum(value) FILTER (WHERE name = 'accepted') AS accepted,
    sum(value) FILTER (WHERE name = 'completed') AS completed, sum(value) FILTER (WHERE name = 'failed') AS failed,
    sum(value) FILTER (WHERE name = 'cancelled') AS cancelled, sum(value) FILTER (WHERE name = 'expired') AS expired
    FROM counts_3) AS of;

DROP INDEX deduplication_message;
DROP TABLE messages_3;
DROP TABLE counts_3;
DROP TABLE payloads_3;
DROP TABLE queues;
DROP TABLE work;
DROP TABLE events;

/**
 * Where things are in Redis. Layout version 1: `btb:1:`.
 *
 * Every key carries the hash tag of a shard, `{0}` to `{127}`, and a queue always hashes to the same one. So whatever
 * one change touches (the queue, its messages and logs, the index of due queues, the counters) is in one slot of a Redis
 * Cluster, and one script changes it all at once: there is no moment at which the index says something else than the
 * data, and nothing to repair after a crash. Counting over all queues costs 128 small reads, however many there are.
 *
 * Ids stand in keys as they are: a hash tag ends at the first `}`, so braces behind it do not matter.
 *
 *   per shard    due        zset    queue → ms from which it can be claimed: now, or the end of its lease
 *                heads      zset    queue → queued_at of its first waiting message
 *                counts     hash    waiting, processing, callbacks; token (the last fencing token given out); accepted,
 *                                   completed, failed, cancelled, expired: how many messages ever were
 *                dead       zset    failed message → ended_at; `callback:<message>` whose callback was given up → when
 *                outbox     zset    destination → ms from which its next callback is due: or the end of its lease
 *                marker     string  written to see that a replica has what was written before it
 *   per queue    w:<queue>  list    ids of the waiting messages
 *                q:<queue>  hash    the claim: message, owner, token, until, nonce, previous, unused, told, cancelled; gone
 *                                   when nothing is claimed, without an owner when it was given up
 *                c:<queue>  channel [broker, message, last, moved] at every change, with a fifth for a worker's keepalive
 *   per message  m:<id>     hash    queue, status, position, payload, trace, queued_at, attempts, last, keys, then
 *                                   started_at, token, ended_at, code, error; payload is empty once it has ended, unless it
 *                                   failed; first, once it was retried; and if it has a callback,
 *                                   callback, callback_url, _from, _status, _attempts, _since, _error, _token, _told, _untold
 *                e:<id>     stream  one entry for each block (`block.ts`), its id the id of its last event; one field, events
 *   per destination, <length of queue>:<queue>:<url>
 *                o:<dest.>  list    ids of the messages whose callbacks are to be made, in order
 *                x:<dest.>  hash    the claim of the first of them: owner, token, message, until
 *   others       d:<length of queue>:<queue>:<key>
 *                           string  `|<message>` while that message is alive, `<status>|<message>` once it ended
 *   all brokers, in a slot of their own
 *                btb:1:{brokers}:status  hash  broker → what it announced last
 *                btb:1:{brokers}:until   zset  broker → ms until which that holds
 *   per broker   btb:1:b:<broker>  channel [queue, token] of a claim of its whose message was cancelled
 */
export const SHARDS = 128;

/** FNV-1a, its high bits folded in. Stored data depends on it: it must never change within a layout version. */
export function shardOf(queue: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < queue.length; i += 1) hash = Math.imul(hash ^ queue.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 16)) >>> 0) % SHARDS;
}

export function baseOf(shard: number): string {
  return `btb:1:{${shard}}:`;
}

export function shardKeys(base: string): [due: string, heads: string, counts: string] {
  return [`${base}due`, `${base}heads`, `${base}counts`];
}

export function markerKey(base: string): string {
  return `${base}marker`;
}

export function deadKey(base: string): string {
  return `${base}dead`;
}

export function outboxKey(base: string): string {
  return `${base}outbox`;
}

/** The keys of every script that changes a queue. The others it makes itself; they are in the same slot. */
export function queueKeys(base: string, queue: string): [waiting: string, claim: string] {
  return [`${base}w:${queue}`, `${base}q:${queue}`];
}

export function messageKeys(base: string, messageId: string): [message: string, log: string] {
  return [`${base}m:${messageId}`, `${base}e:${messageId}`];
}

export function channelOf(queue: string): string {
  return `${baseOf(shardOf(queue))}c:${queue}`;
}

/** The keys of every script about the brokers. */
export const BROKER_KEYS: readonly string[] = ['btb:1:{brokers}:status', 'btb:1:{brokers}:until'];

/** Where a broker is told that a message it works on was cancelled. */
export function brokerChannel(brokerId: string): string {
  return `btb:1:b:${brokerId}`;
}

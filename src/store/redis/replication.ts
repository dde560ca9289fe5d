import { StoreUnavailable } from '../../errors.ts';
import type { Connection } from './connection.ts';
import { baseOf, markerKey } from './keys.ts';
import { integer, list, text } from './reply.ts';
import { SCRIPTS } from './scripts.ts';

/** What is known of a shard's master is asked for anew then. Each sweep tells it, so that is seldom. */
const KNOWN_FOR_MS = 2000;
/** A change that no replica has by then is not confirmed. */
const REPLICATED_WITHIN_MS = 4000;
/** How long Redis is to wait at a time. What is asked for meanwhile is asked together, the next time. */
const WAIT_MS = 500;
/**
 * So long a master has to say that its replica is gone before it is believed. One that was frozen while its replica took
 * its place says so too, in the moment before it learns of that.
 */
const ALONE_FOR_MS = 1000;

/** A shard's master, as `replication.lua` answers: the id is that of its history, a new one with each failover. */
type Master = { readonly id: string; readonly followed: boolean; readonly askedAt: number };

/** A master that has a replica, or had one a moment ago. */
type Followed = { readonly changes: Set<Change>; aloneSince: number | undefined };

type Change = {
  readonly shard: number;
  readonly until: number;
  readonly kept: () => void;
  readonly lost: (error: unknown) => void;
};

/**
 * Waits until a replica has what Redis has confirmed. Redis replicates behind its answers, and what it has not passed on a
 * failover loses (https://redis.io/docs/latest/commands/wait/). A master without a replica is not waited for.
 *
 * A shard whose master has the same history before and after a change had no other in between. WAIT holds up whatever else
 * its connection is asked, so it has one of its own. There it follows a small write, which comes after all that the master
 * wrote until then: one answer is good for every change of that moment.
 */
export class Replication {
  readonly #redis: Connection;
  readonly #open: () => Connection;
  readonly #masters: (Master | undefined)[] = [];
  readonly #followed = new Map<string, Followed>();
  #connection: Connection | undefined;

  /** `open`: the connection to wait on; called once there is a replica to wait for. */
  constructor(redis: Connection, open: () => Connection) {
    this.#redis = redis;
    this.#open = open;
  }

  /** Takes in what a script said of the master of its shard. */
  learn(shard: number, id: unknown, online: unknown): Master {
    const now = performance.now();
    const master = { id: text(id), followed: integer(online) === 1, askedAt: now };
    this.#masters[shard] = master;
    const before = this.#followed.get(master.id);
    if (master.followed) {
      if (before) before.aloneSince = undefined;
      else this.#followed.set(master.id, { changes: new Set(), aloneSince: undefined });
    } else if (before) {
      before.aloneSince ??= now;
      if (now - before.aloneSince >= ALONE_FOR_MS) this.#followed.delete(master.id);
    }
    return master;
  }

  /**
   * Makes a change; resolves when it outlives the loss of its master. Throws StoreUnavailable when the master was replaced
   * meanwhile or its replica does not keep up: the change may have happened, and can be made again.
   */
  async confirmed<Answer>(shard: number, change: () => Promise<Answer>): Promise<Answer> {
    const known = this.#masters[shard];
    const fresh = known && performance.now() - known.askedAt < KNOWN_FOR_MS;
    const { id } = fresh ? known : await this.#ask(shard);
    const answer = await change();
    const followed = this.#followed.get(id);
    if (followed) await this.#kept(shard, id, followed);
    return answer;
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  async #ask(shard: number): Promise<Master> {
    const [id, online] = list(await this.#redis.run(SCRIPTS.master, [markerKey(baseOf(shard))], []));
    return this.learn(shard, id, online);
  }

  #kept(shard: number, id: string, followed: Followed): Promise<void> {
    const { changes } = followed;
    const idle = changes.size === 0;
    const kept = new Promise<void>((resolve, reject) => {
      changes.add({ shard, until: performance.now() + REPLICATED_WITHIN_MS, kept: resolve, lost: reject });
    });
    if (idle) void this.#work(id, changes);
    return kept;
  }

  async #work(id: string, changes: Set<Change>): Promise<void> {
    for (let asked = [...changes]; asked[0]; asked = [...changes]) {
      const end = (change: Change, error?: unknown) => {
        changes.delete(change);
        if (error) change.lost(error);
        else change.kept();
      };
      try {
        const kept = await this.#wait(id, asked[0].shard);
        for (const change of asked) {
          if (kept) end(change);
          else if (performance.now() >= change.until)
            end(change, new StoreUnavailable('Its replica does not keep up.'));
        }
      } catch (error) {
        for (const change of asked) end(change, error);
        await this.#forget(id, asked[0].shard);
      }
    }
  }

  /** Looks for the new master. In a Cluster a single command is led to it, and a pipeline is not. */
  async #forget(id: string, shard: number): Promise<void> {
    for (const [one, master] of this.#masters.entries()) if (master?.id === id) this.#masters[one] = undefined;
    const marker = markerKey(baseOf(shard));
    await this.#connection?.call((client) => client.set(marker, '1')).catch(() => {});
  }

  /** Whether all that this master has written until now outlives it. */
  async #wait(id: string, shard: number): Promise<boolean> {
    this.#connection ??= this.#open();
    const marker = markerKey(baseOf(shard));
    return this.#connection.call(async (client) => {
      const ask = client.pipeline().set(marker, '1').wait(1, WAIT_MS).eval(SCRIPTS.master.lua, 1, marker);
      const [, replicas, master] = list(await ask.exec()).map(answerOf);
      const [now, online] = list(master);
      this.learn(shard, now, online);
      if (now !== id) throw new Error('Its master was replaced.');
      return integer(replicas) > 0 || !this.#followed.has(id);
    });
  }
}

/** What a command of a pipeline answered. Throws its error. */
function answerOf(reply: unknown): unknown {
  const [error, answer] = list(reply);
  if (error) throw error;
  return answer;
}

import { StoreUnavailable } from '../../errors.ts';
import { type Connection, inTime } from './connection.ts';
import { baseOf, markerKey } from './keys.ts';
import { integer, list, text } from './reply.ts';
import { type Change, SCRIPTS, type Script } from './scripts.ts';

/** What is known of a shard's master holds for so long. Each sweep tells it, every 1.5 s at least. */
const KNOWN_FOR_MS = 2000;
/** A change that no replica has by then is not confirmed. */
const REPLICATED_WITHIN_MS = 4000;
/** How long Redis is to wait at a time. What is asked for meanwhile is asked together, the next time. */
const WAIT_MS = 500;
/** A connection that does not answer so long after that is given up. */
const ANSWER_MS = 1000;
/** A replica that has been behind for so long has to catch up before anything else is changed. */
const PATIENCE_MS = 1000;
/**
 * So long a master has to say that its replica is gone before it is believed. One that was frozen while its replica took
 * its place says so too, until it learns of that: in a Cluster from the next node that it talks to, else from Sentinel,
 * which leaves it 8 s first (`SENTINEL_PUBLISH_PERIOD * 4` in Redis' sentinel.c).
 */
const ALONE_FOR_MS = { cluster: 1000, single: 12_000 };

type Known = { readonly id: string; readonly askedAt: number };

type Open = {
  readonly shard: number;
  readonly madeAt: number;
  readonly kept: () => void;
  readonly lost: (error: StoreUnavailable) => void;
};

/** A change, and how it is sent as one of its scripts. */
type Making = {
  readonly change: Change;
  readonly run: (script: Script) => Promise<unknown>;
  /** It begins something: while the replica is behind it is not made at all. */
  readonly begins: boolean;
  /** Undoes the change, given what it answered, when it was made and cannot be confirmed. Never fails. */
  readonly unconfirmed?: (answer: unknown) => Promise<void>;
};

/** A master that has a replica, or had one a moment ago. */
class Followed {
  readonly open = new Set<Open>();
  working = false;
  /** Since when it has said that its replica is gone, without a break. */
  aloneSince: number | undefined;
  heardAt = 0;
  /** Since when its replica has not been seen to have caught up. */
  behindSince: number | undefined;
  /** It lets nobody wait. */
  forbidden = false;
  connection: { readonly to: Connection; readonly since: number } | undefined;

  get behind(): boolean {
    return this.behindSince !== undefined && performance.now() - this.behindSince >= PATIENCE_MS;
  }

  async leave(): Promise<void> {
    const { connection } = this;
    this.connection = undefined;
    await connection?.to.close();
  }
}

/**
 * Waits until a replica has what Redis has confirmed. Redis replicates behind its answers, and what it has not passed on a
 * failover loses (https://redis.io/docs/latest/commands/wait/). A master without a replica is not waited for.
 *
 * A change tells the history of the master that made it, which is another one after each failover. WAIT holds up whatever
 * else its connection is asked, so each master has one for it. There it follows a small write, which comes after all that the
 * master has written until then: one answer is good for every change of that moment.
 */
export class Replication {
  readonly #connect: () => Connection;
  readonly #aloneForMs: number;
  /** By shard. */
  readonly #known: (Known | undefined)[] = [];
  /** By history. It grows by one with each failover. */
  readonly #followed = new Map<string, Followed>();
  #closed = false;

  /** `connect`: makes a connection to wait on; called for each master that has a replica to wait for. */
  constructor(connect: () => Connection, kind: 'cluster' | 'single') {
    this.#connect = connect;
    this.#aloneForMs = ALONE_FOR_MS[kind];
  }

  /**
   * Makes a change; resolves when it outlives the loss of its master. Throws StoreUnavailable when the master was replaced
   * meanwhile or its replica does not keep up: the change may have happened, and can be made again.
   */
  confirmed(shard: number, making: Making): Promise<unknown> {
    const known = this.#known[shard];
    if (known && performance.now() - known.askedAt < KNOWN_FOR_MS) {
      const followed = this.#followed.get(known.id);
      if (!followed || followed.forbidden) return making.run(making.change);
      if (making.begins && followed.behind) return Promise.reject(behind());
    }
    return this.#kept(shard, making);
  }

  async #kept(shard: number, { change, run, unconfirmed }: Making): Promise<unknown> {
    const askedAt = performance.now();
    const [answer, id, online] = list(await run(change.telling));
    this.learn(shard, id, online, askedAt);
    const followed = this.#followed.get(text(id));
    if (!followed || followed.forbidden) return answer;
    try {
      await this.#replicated(text(id), followed, shard);
    } catch (error) {
      await unconfirmed?.(answer);
      throw error;
    }
    return answer;
  }

  /** Takes in what a script, asked at `askedAt`, said of the master of its shard. */
  learn(shard: number, id: unknown, online: unknown, askedAt: number): void {
    const history = text(id);
    const known = this.#known[shard];
    if (!known || known.askedAt <= askedAt) this.#known[shard] = { id: history, askedAt };
    if (known && known.id !== history) this.#leaveUnknown(known.id);
    const followed = this.#followed.get(history);
    if (integer(online) === 1) {
      if (followed) followed.aloneSince = undefined;
      else this.#followed.set(history, new Followed());
    } else if (followed) {
      // What it says after it was silent it may say as one that was replaced meanwhile.
      if (performance.now() - followed.heardAt >= KNOWN_FOR_MS) followed.aloneSince = undefined;
      followed.aloneSince ??= performance.now();
      if (performance.now() - followed.aloneSince >= this.#aloneForMs) {
        this.#followed.delete(history);
        if (!followed.working) void followed.leave();
        return;
      }
    }
    if (followed) followed.heardAt = performance.now();
    if (followed?.behindSince !== undefined) void this.#work(history, followed, shard);
  }

  /** Whether changes of this shard are refused until its replica has caught up. */
  isBehind(shard: number): boolean {
    return this.#followed.get(this.#known[shard]?.id ?? '')?.behind === true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#followed.values()].map((followed) => followed.leave()));
  }

  #replicated(id: string, followed: Followed, shard: number): Promise<void> {
    return new Promise((kept, lost) => {
      followed.open.add({ shard, madeAt: performance.now(), kept, lost });
      void this.#work(id, followed, shard);
    });
  }

  /** Asks until all that is open has ended: once at least, to see whether a replica has caught up. */
  async #work(id: string, followed: Followed, shard: number): Promise<void> {
    if (followed.working) return;
    followed.working = true;
    const { open } = followed;
    do {
      const asked = [...open];
      const marked = asked[0]?.shard ?? shard;
      const answer = await this.#ask(id, followed, marked, asked[0]?.madeAt ?? Infinity);
      if (answer === 'kept') followed.behindSince = undefined;
      else if (answer !== 'replaced') followed.behindSince ??= performance.now() - WAIT_MS;
      for (const change of asked) {
        if (answer === 'kept') change.kept();
        else if (answer === 'replaced' && change.shard === marked) change.lost(replaced());
        else if (this.#closed || performance.now() - change.madeAt >= REPLICATED_WITHIN_MS) change.lost(behind());
        else continue;
        open.delete(change);
      }
    } while (open.size > 0);
    followed.working = false;
    if (this.#followed.get(id) === followed) this.#leaveUnknown(id);
    else await followed.leave();
  }

  /** Of a master that was replaced in all its shards, what it was is still known, but nobody waits for it any more. */
  #leaveUnknown(id: string): void {
    const followed = this.#followed.get(id);
    if (followed && !followed.working && !this.#known.some((known) => known?.id === id)) void followed.leave();
  }

  /**
   * Whether what this master has written until now outlives it: `kept`, `behind`; `replaced`: the shard has another master
   * by now; `away`: there is no answer. `madeAt`: when what is asked for was changed; Infinity when nothing is.
   */
  async #ask(id: string, followed: Followed, shard: number, madeAt: number) {
    if (this.#closed) return 'away';
    try {
      followed.connection ??= { to: this.#connect(), since: performance.now() };
      const { to, since } = followed.connection;
      const [mark, wait, master] = await inTime(this.#wait(to, shard), WAIT_MS + ANSWER_MS);
      const [now, online] = master instanceof Error ? [] : list(master);
      if (mark instanceof Error || now !== id) {
        // A connection that is older than the change may lead to a master of before.
        if (since >= madeAt) return 'replaced';
        void followed.leave();
        return 'away';
      }
      if (wait instanceof Error) {
        if (wait.message.startsWith('UNBLOCKED')) return 'replaced';
        followed.forbidden = true;
        return 'kept';
      }
      this.learn(shard, now, online, performance.now());
      return integer(wait) > 0 || !this.#followed.has(id) ? 'kept' : 'behind';
    } catch {
      // One that is still being made goes on with that.
      if (['ready', 'end'].includes(followed.connection?.to.client.status ?? '')) void followed.leave();
      return 'away';
    }
  }

  /** What the write, the wait, and the question for the master were answered, errors included. */
  #wait(connection: Connection, shard: number): Promise<unknown[]> {
    const marker = markerKey(baseOf(shard));
    return connection.call(async (client) => {
      const { mark, master } = SCRIPTS;
      const ask = client.pipeline().eval(mark.lua, 1, marker).wait(1, WAIT_MS).eval(master.lua, 1, marker);
      return list(await ask.exec()).map((reply) => list(reply)[0] ?? list(reply)[1]);
    });
  }
}

function behind(): StoreUnavailable {
  return new StoreUnavailable(new Error('The replica of this Redis does not keep up.'));
}

function replaced(): StoreUnavailable {
  return new StoreUnavailable(new Error('This Redis was replaced by its replica.'));
}

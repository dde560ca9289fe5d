import { quantile } from '../durations.ts';
import type { BrokerStatus } from './status.ts';

/** Quantiles are of so much of the time that has just gone by. */
const WINDOW_MS = 60_000;

/** One that announces nothing any more, and did not say that it stops, is remembered for so long. */
const MISSED_MS = 60_000;

/** `since`: in ms since 1970. */
type Missed = { readonly status: BrokerStatus; readonly since: number };

/** What the brokers that share the store have announced lately: at most one status a second of each, for a minute. */
export class Fleet {
  #recent = new Map<string, readonly BrokerStatus[]>();
  #missed: readonly Missed[] = [];

  /** Takes in what they say now; those that are not among them any more count no longer. `now`: in ms since 1970. */
  look(statuses: readonly BrokerStatus[], now: number = Date.now()): void {
    const isThere = new Set(statuses.map(({ id }) => id));
    const gone = this.brokers.filter(({ draining }) => !draining).map((status) => ({ status, since: now }));
    this.#missed = [...this.#missed, ...gone].filter(
      ({ status, since }) => !isThere.has(status.id) && now - since < MISSED_MS,
    );
    this.#recent = new Map(
      statuses.map((status) => {
        const before = (this.#recent.get(status.id) ?? []).filter(({ uptime_ms }) => uptime_ms < status.uptime_ms);
        const first = before.findLastIndex(({ uptime_ms }) => uptime_ms <= status.uptime_ms - WINDOW_MS);
        return [status.id, [...before.slice(Math.max(0, first)), status]];
      }),
    );
  }

  /** What each announced last, the longest there first. */
  get brokers(): readonly BrokerStatus[] {
    const newest = [...this.#recent.values()].flatMap((recent) => recent.at(-1) ?? []);
    return newest.sort((a, b) => a.started_at - b.started_at || (a.id < b.id ? -1 : 1));
  }

  /** Those that went without a word, the longest missed first. */
  get missed(): readonly Missed[] {
    return this.#missed;
  }

  /** How many messages a second a broker accepts, or ends; null as long as that is not known. */
  rate(id: string, of: 'accepted' | 'ended'): number | null {
    const [before, last] = this.#recent.get(id)?.slice(-2) ?? [];
    return before && last ? ((last[of] - before[of]) * 1000) / (last.uptime_ms - before.uptime_ms) : null;
  }

  /** Of the messages of the last minute, at all brokers: the time in s that a share `q` did not exceed; null if there was none. */
  quantile(of: 'queued' | 'worked', q: number): number | null {
    let sum: number[] = [];
    for (const recent of this.#recent.values()) {
      const last = recent.at(-1);
      if (!last) continue;
      // Of one that has just started, all there was.
      const before = last.uptime_ms <= WINDOW_MS ? undefined : recent[0];
      sum = last[of].map((count, index) => (sum[index] ?? 0) + count - (before?.[of][index] ?? 0));
    }
    const ms = quantile(sum, q);
    return ms === undefined ? null : ms / 1000;
  }

  /** How many actors of all brokers are in which state. */
  states(of: 'users' | 'deliveries'): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const { [of]: states } of this.brokers) {
      for (const [state, count] of Object.entries(states)) sum[state] = (sum[state] ?? 0) + count;
    }
    return sum;
  }

  /** How many of them are in which state of a supervisor. */
  get supervisors(): Record<string, number> {
    const draining = this.brokers.filter((broker) => broker.draining).length;
    return { running: this.brokers.length - draining, draining };
  }

  /** What they have been at longest, that first, at most `limit`. */
  turns(limit: number): BrokerStatus['turns'] {
    const all = this.brokers.flatMap(({ turns }) => turns);
    return all.sort((a, b) => b.held_ms - a.held_ms).slice(0, limit);
  }
}

import type { LookupAddress } from 'node:dns';
import { lookup as lookupName } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import { retryAfterMs } from '../back-off.ts';
import { isPublic } from './address.ts';

export type EndpointSettings = {
  /** host:port pairs that may be reached over http and at any address: for development. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Finds the addresses of a name; the system's own way by default. */
  readonly lookup?: Lookup;
};

/** All addresses of a name. */
type Lookup = (hostname: string) => Promise<readonly LookupAddress[]>;

/** What an endpoint made of an attempt. */
export type Answer =
  | { readonly type: 'accepted' }
  /** `retryAfterMs`: what the endpoint asked for, 0 when it did not. */
  | { readonly type: 'failed'; readonly reason: string; readonly retryAfterMs: number }
  /** It wants nothing more (410), or must never be called. */
  | { readonly type: 'refused'; readonly reason: string };

const CONNECT_WITHIN_MS = 5000;
const ANSWER_WITHIN_MS = 10_000;
/** Of an answer no more is read than the connection needs to be used again. */
const READ_BYTES = 65_536;

/** The address is not one that a callback may be sent to. */
class NotPublic extends Error {}

/** Makes callbacks to public https addresses, and to no other: judged by the address that is connected to. */
export class Endpoints {
  readonly #allowedHosts: ReadonlySet<string>;
  readonly #guarded: Agent;
  readonly #free: Agent;

  constructor({ allowedHosts, lookup = (name) => lookupName(name, { all: true }) }: EndpointSettings) {
    this.#allowedHosts = allowedHosts;
    const options = {
      connect: { timeout: CONNECT_WITHIN_MS },
      headersTimeout: ANSWER_WITHIN_MS,
      bodyTimeout: ANSWER_WITHIN_MS,
    };
    this.#free = new Agent(options);
    this.#guarded = new Agent({ ...options, connect: guardedConnector(lookup) });
  }

  /** Whether callbacks may go to `url` at all, as far as can be told without looking its name up: why not, or undefined. */
  objection(url: string): string | undefined {
    if (!URL.canParse(url)) return 'must be a URL';
    const { protocol, hostname, username, password } = new URL(url);
    if (username || password) return 'must not hold a user or a password';
    if (this.#isAllowed(url)) return undefined;
    if (protocol !== 'https:') return 'must be an https URL';
    const address = hostname.replace(/^\[|\]$/g, '');
    if (isIP(address) && !isPublic(address)) return 'must not be a private or otherwise non-public address';
    if (/^localhost\.?$|\.localhost\.?$/.test(hostname)) return 'must not be a private or otherwise non-public address';
    return undefined;
  }

  /** Posts JSON once. No redirect is followed. Throws only when `signal` aborts. */
  async post(url: string, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<Answer> {
    const objection = this.objection(url);
    if (objection) return { type: 'refused', reason: `the callback URL ${objection}` };
    try {
      const {
        statusCode,
        headers: answered,
        body: rest,
      } = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'bt-servant-message-broker', ...headers },
        body,
        dispatcher: this.#isAllowed(url) ? this.#free : this.#guarded,
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS + CONNECT_WITHIN_MS)]),
      });
      rest.dump({ limit: READ_BYTES }).catch(() => {});
      if (statusCode >= 200 && statusCode < 300) return { type: 'accepted' };
      const reason = `the endpoint answered ${statusCode}`;
      if (statusCode === 410) return { type: 'refused', reason };
      return { type: 'failed', reason, retryAfterMs: retryAfterMs(answered['retry-after']) };
    } catch (error) {
      if (signal.aborted) throw error;
      // Not refused for good: what a name means may change.
      return { type: 'failed', reason: `the endpoint cannot be reached (${reasonOf(error)})`, retryAfterMs: 0 };
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#guarded.destroy(), this.#free.destroy()]);
  }

  #isAllowed(url: string): boolean {
    const { protocol, hostname, port } = new URL(url);
    return this.#allowedHosts.has(`${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`);
  }
}

/**
 * Connects only if every address of the name is public: a name that means both would else be a way in. Looked at again
 * once connected, in case anything between the two said otherwise.
 */
function guardedConnector(lookup: Lookup): buildConnector.connector {
  const publicOnly: LookupFunction = (hostname, options, callback) => {
    lookup(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (!first || !addresses.every(({ address }) => isPublic(address)))
          callback(new NotPublic('its name leads to a non-public address'), '', 0);
        else if (options.all) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), '', 0),
    );
  };
  const connect = buildConnector({ timeout: CONNECT_WITHIN_MS, lookup: publicOnly });
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (error) return callback(error, null);
      if (socket && isPublic(socket.remoteAddress ?? '')) return callback(null, socket);
      socket?.destroy();
      return callback(new NotPublic('it is at a non-public address'), null);
    });
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof NotPublic) return error.message;
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

import type { DeliveryClaim, Destination } from '../../../machines/events.ts';
import { ClaimLost } from '../../errors.ts';
import type { Checkpoint, ClaimedDelivery, DeliveryEnd, Outbox, Tries } from '../outbox.ts';
import type { StoreSettings } from '../store.ts';
import { answersOf, integer, list, text, traceIn } from './reply.ts';
import { SCRIPTS, type Script } from './scripts.ts';

/** Runs a script that changes something of a queue. */
type Change = (script: Script, queue: string, args: readonly (string | number)[]) => Promise<unknown>;

/** A fraction of the lease of a delivery. */
const RENEW_WITHIN_MS = 3000;

/** The callbacks still to be made, in the shards of the queues they belong to. `keys.ts` shows what is where. */
export class RedisOutbox implements Outbox {
  readonly #change: Change;
  readonly #settings: StoreSettings;

  constructor(change: Change, settings: StoreSettings) {
    this.#change = change;
    this.#settings = settings;
  }

  async claim({ queue, url }: Destination): Promise<ClaimedDelivery | undefined> {
    const { brokerId, deliveryLeaseMs } = this.#settings;
    const reply = await this.#change(SCRIPTS.claimDelivery, queue, [brokerId, url, deliveryLeaseMs]);
    if (reply === null) return undefined;
    const [messageId, token, details, attempts, triedForMs, told, untold, trace] = list(reply);
    return {
      queue,
      url,
      messageId: text(messageId),
      token: integer(token),
      details: text(details),
      attempts: integer(attempts),
      triedForMs: integer(triedForMs),
      told: integer(told),
      untold: integer(untold),
      trace: traceIn(trace),
    };
  }

  async renew(claims: readonly DeliveryClaim[]): Promise<readonly DeliveryClaim[]> {
    const { brokerId, deliveryLeaseMs } = this.#settings;
    const answers = await answersOf(
      claims.map(({ queue, url, token }) =>
        this.#change(SCRIPTS.renewDelivery, queue, [brokerId, url, token, deliveryLeaseMs]),
      ),
      RENEW_WITHIN_MS,
    );
    return claims.filter((_, index) => answers[index] === 0);
  }

  async settle({ queue, url, token, messageId }: DeliveryClaim, end: DeliveryEnd): Promise<boolean> {
    const { status, attempts, error } = end;
    const { brokerId, retentionMs, deadLetterRetentionMs } = this.#settings;
    const claim = [brokerId, retentionMs, deadLetterRetentionMs, url, token, messageId];
    const details = [status, attempts, error.toWellFormed()];
    const reply = await this.#change(SCRIPTS.settleDelivery, queue, [...claim, ...details]);
    if (reply === null) throw new ClaimLost(queue, token);
    return integer(reply) === 1;
  }

  async checkpoint({ queue, url, token }: DeliveryClaim, { told, untold }: Checkpoint): Promise<void> {
    const held = await this.#change(SCRIPTS.checkpointDelivery, queue, [
      this.#settings.brokerId,
      url,
      token,
      told,
      untold,
    ]);
    if (held === 0) throw new ClaimLost(queue, token);
  }

  async postpone({ queue, url, token }: DeliveryClaim, { attempts, error }: Tries, delayMs: number): Promise<void> {
    const details = [attempts, error.toWellFormed(), Math.round(delayMs)];
    await this.#change(SCRIPTS.postponeDelivery, queue, [this.#settings.brokerId, url, token, ...details]);
  }
}

import { objectIn } from '../../json.ts';
import { responseIn } from '../../store/result.ts';
import type { Dialect } from '../../stream/dialect.ts';
import { dataOf, type Frame } from '../../stream/run.ts';
import type { Origins } from '../../worker/origins.ts';

/** Told to a client of a message that goes on without it: these clients do not come back for the rest. */
export const KEPT = 'This broker is stopping. The message is kept and will be answered; ask for it in the history.';

const ENDS = ['complete', 'error'] as const;
const NOTHING = new Uint8Array();
/** The clients count `data:` lines as signs of life, and give up after 120 s without one. */
const IDLE_MS = 20_000;

/**
 * A message's events as the engine itself streams them: its own, byte for byte but for links to its origin, and what
 * there is to say of the queue in its words. No names, no ids, and a space after the colon: its clients need it.
 */
export function engineDialect(origins: Origins): Dialect {
  /** The engine's own last event. It tells a failure of its model itself; any other end is told by the broker in the same way. */
  let end: (typeof ENDS)[number] | undefined;
  return {
    opening: NOTHING,
    idle: line({ type: 'keepalive' }),
    idleMs: IDLE_MS,
    farewell: () => (end ? NOTHING : line({ type: 'error', error: KEPT })),
    render: (frame) => {
      switch (frame.name) {
        case '':
          end ??= ENDS.find((type) => isOf(frame, type));
          return own(frame, origins);
        case 'queued':
          return queued(objectIn(dataOf(frame))['queue_position']);
        case 'retrying':
          return line({ type: 'status', message: 'Trying again...' });
        case 'error':
          return end === 'error' ? NOTHING : line({ type: 'error', error: objectIn(dataOf(frame))['error'] });
        default:
          return NOTHING;
      }
    },
  };
}

/** Whoever waits at a place waits for those before it, and for the one whose turn it is. */
function queued(position: unknown): Uint8Array {
  return line({ type: 'status', message: `Queued — ${Number(position)} ahead of you` });
}

/** The engine's own event. Only its last one holds links. */
function own(frame: Frame, origins: Origins): Uint8Array {
  const { bytes, id } = frame;
  if (origins.mayHold(bytes)) {
    const response = responseIn(dataOf(frame));
    if (response) return line({ type: 'complete', response: origins.rewrite(response) });
  }
  return id ? bytes.subarray(bytes.indexOf('\n') + 1) : bytes;
}

function isOf(frame: Frame, type: string): boolean {
  return frame.bytes.includes(`"${type}"`) && objectIn(dataOf(frame))['type'] === type;
}

function line(event: Record<string, unknown>): Uint8Array {
  return Buffer.from(`data: ${JSON.stringify(event)}\n\n`);
}

/** How one message steers the simulated worker: `[[text="…" ttft=300 fail=401]] the rest of the message`. */
export interface Directives {
  /** What to answer, instead of an echo. */
  text?: string;
  /** Milliseconds before the first progress event of each iteration. */
  ttft?: number;
  /** Milliseconds between progress events. */
  chunk?: number;
  /** How many progress events. */
  events?: number;
  /** Bytes of text in each progress event. */
  size?: number;
  /** Tools to call, one iteration each. */
  tools?: readonly string[];
  /** An HTTP error before the stream. */
  status?: number;
  /** The `Retry-After` header of that error. */
  retryafter?: string;
  /** The failure happens only on the first N calls of this message. */
  failtimes?: number;
  /** The model's error: an `error` event. */
  fail?: number;
  /** N: the connection breaks after N progress events. A word: the model's stream breaks in this way. */
  midfail?: number | ModelBreak;
  /** The stream ends properly, but without its last event. */
  nocomplete?: boolean;
  /** The connection is reset before any byte of the response. */
  reset?: boolean;
  /** The call is accepted and never answered. */
  hang?: boolean;
  /** N progress events, then silence on an open connection. */
  stall?: number;
  /** 200 with rubbish: `true` as HTML, `stream` as an event stream. */
  garbage?: boolean | 'stream';
  /** CRLF line ends. */
  crlf?: boolean;
  /** Exact bytes of one extra data line, before the last event. */
  raw?: string | Uint8Array;
  /** Bytes in each write: 1 cuts everywhere. */
  cut?: number;
}

/** How the model's own stream may break (recording 09). */
type ModelBreak = 'error' | 'reset' | 'end';

export interface Steering {
  directives: Directives;
  /** The message without its directives. */
  rest: string;
  /** One sentence for each directive that was not understood. */
  problems: readonly string[];
}

const NUMBERS = ['ttft', 'chunk', 'events', 'size', 'status', 'failtimes', 'fail', 'stall', 'cut'] as const;
const FLAGS = ['nocomplete', 'reset', 'hang', 'crlf'] as const;
const TOKEN = /\s*([A-Za-z][\w-]*)(?:=("(?:[^"\\]|\\[^])*"|(?:(?!\]\])[^\s"])*))?/y;

/** Takes the directives off the start of a message. A block that is never closed is plain text. */
export function parseDirectives(message: string): Steering {
  const plain: Steering = { directives: {}, rest: message, problems: [] };
  const open = /^\s*\[\[/.exec(message);
  if (open === null) return plain;
  const directives: Directives = {};
  const problems: string[] = [];
  let at = open[0].length;
  for (;;) {
    const close = /\s*\]\]/y;
    close.lastIndex = at;
    if (close.test(message)) return { directives, rest: message.slice(close.lastIndex).trimStart(), problems };
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(message);
    if (token === null) return plain;
    at = TOKEN.lastIndex;
    const key = (token[1] ?? '').toLowerCase();
    const problem = set(directives, key, token[2] === undefined ? undefined : unquote(token[2]));
    if (problem !== undefined) problems.push(problem);
  }
}

/** Stores one directive; answers a sentence when its value is no use. Unknown names are left alone, as `id=…` is in the recordings. */
function set(into: Directives, key: string, value: string | undefined): string | undefined {
  const number = NUMBERS.find((name) => name === key);
  if (number !== undefined) {
    const parsed = wholeNumber(value);
    if (parsed === undefined) return `${key} needs a whole number, not "${value ?? ''}".`;
    if (key === 'status' && (parsed < 400 || parsed > 599))
      return `status needs a code from 400 to 599, not ${parsed}.`;
    into[number] = parsed;
    return undefined;
  }
  const flag = FLAGS.find((name) => name === key);
  if (flag !== undefined) {
    into[flag] = value !== '0' && value !== 'false';
    return undefined;
  }
  switch (key) {
    case 'text':
      into.text = value ?? '';
      return undefined;
    case 'tools':
      into.tools = (value ?? '')
        .split(',')
        .map((tool) => tool.trim())
        .filter((tool) => tool !== '');
      return undefined;
    case 'retryafter':
      into.retryafter = value ?? '';
      return undefined;
    case 'raw':
      into.raw = value ?? '';
      return undefined;
    case 'raw64':
      into.raw = Buffer.from(value ?? '', 'base64');
      return undefined;
    case 'garbage':
      into.garbage = value === 'stream' ? 'stream' : value !== '0' && value !== 'false';
      return undefined;
    case 'midfail': {
      const kind = value === 'error' || value === 'reset' || value === 'end' ? value : wholeNumber(value);
      if (kind === undefined) return `midfail needs a whole number, error, reset or end, not "${value ?? ''}".`;
      into.midfail = kind;
      return undefined;
    }
    default:
      return undefined;
  }
}

function wholeNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unquote(value: string): string {
  if (!value.startsWith('"')) return value;
  return value
    .slice(1, -1)
    .replace(/\\(?:u([0-9a-fA-F]{4})|([^]))/g, (_, code: string | undefined, char: string | undefined) =>
      code !== undefined ? String.fromCharCode(Number.parseInt(code, 16)) : (ESCAPES[char ?? ''] ?? char ?? ''),
    );
}

/** The directives of one call: those that fail are dropped once the message has failed `failtimes` times. */
export function forCall(directives: Directives, nth: number): Directives {
  if (directives.failtimes === undefined || nth <= directives.failtimes) return directives;
  const {
    status: _s,
    fail: _f,
    midfail: _m,
    nocomplete: _n,
    reset: _r,
    hang: _h,
    stall: _t,
    garbage: _g,
    ...healthy
  } = directives;
  return healthy;
}

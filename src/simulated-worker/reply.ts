import { STATUS_CODES } from 'node:http';
import type { Directives } from './directives.ts';
import { voiceKey, voiceUrl } from './links.ts';
import type { ChatRequest } from './request.ts';
import type { Random } from './wire.ts';

/** What a turn comes to. */
export interface Reply {
  responses: readonly string[];
  response_language: string;
  voice_audio_base64: null;
  voice_audio_url: string | null;
}

/** What happens in a turn. */
export type TurnEvent =
  | { type: 'status'; message: string }
  | { type: 'progress'; text: string }
  | { type: 'tool_use'; tool: string; input: object }
  | { type: 'tool_result'; tool: string; result: unknown }
  | { type: 'complete'; response: Reply }
  | { type: 'error'; error: string };

/** One data line and how long to wait before it; without its event when a directive made it up. */
interface Step {
  delayMs: number;
  data: string | Uint8Array;
  event?: TurnEvent;
}

/** A response with a body that is there at once. */
export interface Answer {
  kind: 'answer';
  status: number;
  type: string;
  body: string;
  retryAfter?: string;
  /** How long the work takes before it. */
  delayMs?: number;
}

/** `finish`: a proper end. `destroy`: the connection breaks. `stall`: silence. */
export interface Turn {
  kind: 'stream';
  steps: readonly Step[];
  end: 'finish' | 'destroy' | 'stall';
  /** Under which name the spoken answer is kept. */
  voiceKey?: string;
}

/** All that one call will do. */
export type Plan = Answer | Turn | { kind: 'hang' } | { kind: 'reset'; delayMs?: number };

export interface Setting {
  ttftMs: number;
  chunkMs: number;
  jitterMs: number;
  random: Random;
  /** Where links in the answer point: `http://host:port`. */
  origin: string;
  /** Another call of the same queue is open. */
  busy: boolean;
  /** The number of this call, for the model's request id. */
  n: number;
}

/** Decides everything that one call will send. Pure: the same input gives the same plan. */
export function planReply(request: ChatRequest, steer: Directives, rest: string, setting: Setting): Plan {
  if (steer.reset === true) return { kind: 'reset' };
  if (steer.hang === true) return { kind: 'hang' };
  if (steer.status !== undefined) return httpError(steer.status, steer.retryafter);
  if (steer.garbage !== undefined && steer.garbage !== false) {
    const type = steer.garbage === 'stream' ? 'text/event-stream' : 'text/html';
    return {
      kind: 'answer',
      status: 200,
      type,
      body: '<html><body><h1>It works!</h1>\n<p>{"type": not an event</p></body></html>\n',
    };
  }
  return stream(request, steer, rest, setting);
}

function stream(request: ChatRequest, steer: Directives, rest: string, setting: Setting): Turn {
  const steps: Step[] = [];
  const delay = (base: number): number => base + (setting.jitterMs > 0 ? setting.random() * setting.jitterMs : 0);
  const ttft = steer.ttft ?? setting.ttftMs;
  const chunk = steer.chunk ?? setting.chunkMs;
  const put = (event: TurnEvent, delayMs = 0): void => void steps.push({ delayMs, data: JSON.stringify(event), event });
  const status = (message: string): void => put({ type: 'status', message });
  const complete = (responses: readonly string[], url: string | null = null, delayMs = 0): void =>
    put(
      {
        type: 'complete',
        response: {
          responses,
          response_language: request.response_language,
          voice_audio_base64: null,
          voice_audio_url: url,
        },
      },
      delayMs,
    );
  const done = (end: Turn['end'] = 'finish'): Turn => ({ kind: 'stream', steps, end });

  if (request.ambient) {
    complete([]);
    return done();
  }
  if (setting.busy) status('Queued — processing will begin shortly');
  if (request.voice !== undefined && request.fault?.name !== 'ValidationError') status('Transcribing audio...');
  if (request.fault !== undefined) {
    put({ type: 'error', error: request.fault.message });
    return done();
  }
  status('Processing your request...');
  if (steer.fail !== undefined) {
    put({ type: 'error', error: modelError(steer.fail, setting.n) }, delay(ttft));
    return done();
  }

  const last = typeof steer.midfail === 'number' ? steer.midfail : (steer.stall ?? Infinity);
  const broken = typeof steer.midfail === 'number' ? 'destroy' : 'stall';
  let progress = 0;
  /** Puts one iteration's text; false once no more may come. */
  const say = (parts: readonly string[], first: number): boolean => {
    for (const [index, text] of parts.entries()) {
      if (progress >= last) return false;
      put({ type: 'progress', text }, delay(index === 0 ? first : chunk));
      progress++;
    }
    return progress < last;
  };

  const responses: string[] = [];
  const tools = steer.tools ?? [];
  if (last === 0) return done(broken);
  for (const [index, tool] of tools.entries()) {
    const text = `Let me check with ${tool} (step ${index + 1}).`;
    if (!say(inPairs(text), ttft)) return done(broken);
    status('Executing 1 tool(s)...');
    const { input, result } = TOOLS[tool] ?? { input: {}, result: { ok: true } };
    put({ type: 'tool_use', tool, input });
    put({ type: 'tool_result', tool, result });
    if (!say(['\n'], 0)) return done(broken);
    status('Preparing your response...');
    responses.push(text);
  }
  const whole = answerParts(steer, rest);
  const parts = typeof steer.midfail === 'string' ? whole.slice(0, 2) : whole;
  if (!say(parts, ttft) || last !== Infinity) return done(broken);
  if (parts.length > 0) responses.push(parts.join(''));

  if (steer.raw !== undefined) steps.push({ delayMs: 0, data: steer.raw });
  if (steer.nocomplete === true) return done();
  if (steer.midfail === 'reset') {
    put({ type: 'error', error: 'Network connection lost.' }, delay(chunk));
    return done();
  }
  if (request.voice === undefined && !tools.includes('request_audio')) {
    complete(responses, null, delay(chunk));
    return done();
  }
  status('Generating audio response...');
  const key = voiceKey(request, setting.random);
  complete(responses, voiceUrl(setting.origin, key), delay(chunk));
  return { ...done(), voiceKey: key };
}

/** The texts of the progress events: two words each, as the model streams them; an echo in four at the most. */
function answerParts(steer: Directives, rest: string): string[] {
  const text = steer.text ?? (rest.trim() === '' ? 'OK' : rest);
  const pairs = inPairs(text);
  const count = steer.events ?? (steer.size !== undefined ? 3 : undefined);
  if (count === undefined) return steer.text === undefined ? merge(pairs, Math.min(4, pairs.length)) : pairs;
  const { size } = steer;
  if (size !== undefined) return new Array<string>(count).fill(filler(text, size));
  if (count <= pairs.length) return merge(pairs, count);
  return Array.from({ length: count }, (_, index) => pairs[index % pairs.length] ?? '');
}

function inPairs(text: string): string[] {
  return text.match(/\s*(?:\S+\s*){1,2}|\s+/gy) ?? [];
}

/** The same text in `count` parts of about the same number of words. */
function merge(parts: readonly string[], count: number): string[] {
  return Array.from({ length: count }, (_, k) =>
    parts.slice(Math.floor((k * parts.length) / count), Math.floor(((k + 1) * parts.length) / count)).join(''),
  );
}

/** Exactly `size` bytes of UTF-8 made of whole characters of `text`. */
function filler(text: string, size: number): string {
  const unit = text === '' ? '.' : `${text} `.toWellFormed();
  const length = Buffer.byteLength(unit);
  let out = unit.repeat(Math.floor(size / length));
  let left = size % length;
  for (const char of unit) {
    const bytes = Buffer.byteLength(char);
    if (bytes > left) break;
    out += char;
    left -= bytes;
  }
  return out + '.'.repeat(left);
}

const TOOLS: Readonly<Record<string, { input: object; result: unknown }>> = {
  read_memory: { input: {}, result: { content: '', total_size_bytes: 0, capacityPercent: 0 } },
  execute_code: { input: { code: '__result__ = 40 + 2' }, result: { result: 42, logs: [], duration_ms: 21 } },
  request_audio: { input: {}, result: 'Audio response requested. Your text response will be converted to speech.' },
};

const MODEL_ERRORS: Readonly<Record<number, readonly [type: string, message: string]>> = {
  400: ['invalid_request_error', 'invalid_request_error'],
  401: ['authentication_error', 'invalid x-api-key'],
  429: ['rate_limit_error', 'rate_limit_error'],
  529: ['overloaded_error', 'Overloaded'],
};

/** The model's own error, as the engine hands it on. */
function modelError(status: number, n: number): string {
  const [type, message] = MODEL_ERRORS[status] ?? ['api_error', 'api_error'];
  return `${status} ${JSON.stringify({ type: 'error', error: { type, message }, request_id: `req_fake_${n}` })}`;
}

/** The engine's HTTP error of this status. */
export function httpError(status: number, retryAfter?: string, error?: string): Answer {
  const wait = retryAfter ?? (status === 429 ? '5' : undefined);
  const answer: Answer = {
    kind: 'answer',
    status,
    type: 'application/json',
    body: JSON.stringify(errorBody(status, wait, error)),
  };
  if (wait !== undefined) answer.retryAfter = wait;
  return answer;
}

function errorBody(status: number, wait: string | undefined, error: string | undefined): object {
  if (error !== undefined) return { error };
  if (status === 401) return { error: 'Authorization header with Bearer token required' };
  if (status === 403) return { error: 'Invalid API key' };
  if (status === 502) return named('ClaudeAPIError', modelError(529, 0));
  if (status !== 429) return { error: STATUS_CODES[status] ?? 'Unknown error' };
  const message = 'Another request for this user is currently being processed. Please retry.';
  return {
    error: 'Request in progress',
    code: 'CONCURRENT_REQUEST_REJECTED',
    message,
    retry_after_ms: Number(wait) * 1000 || 0,
  };
}

const CODES = {
  ClaudeAPIError: 'CLAUDE_API_ERROR',
  ValidationError: 'VALIDATION_ERROR',
  AudioTranscriptionError: 'AUDIO_TRANSCRIPTION_ERROR',
} as const;

function named(error: keyof typeof CODES, message: string): object {
  return { error, code: CODES[error], message };
}

/** One of the engine's failures that have a name. */
export function refuse(status: number, error: keyof typeof CODES, message: string): Answer {
  return { kind: 'answer', status, type: 'application/json', body: JSON.stringify(named(error, message)) };
}

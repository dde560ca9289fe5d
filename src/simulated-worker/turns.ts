import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseBody } from './body.ts';
import { Callbacks } from './callbacks.ts';
import { type Call, CallLog, type CallRecord } from './calls.ts';
import { type Directives, forCall, parseDirectives } from './directives.ts';
import { accepted, finalPlan, replyOf } from './final.ts';
import type { History, TurnAudio } from './history.ts';
import { bearerOf, originOf, submissionKey } from './links.ts';
import type { Moments } from './moments.ts';
import type { CallbackOrder } from './order.ts';
import { Pauses, play, type Stage } from './play.ts';
import { Postbox } from './postbox.ts';
import { type Answer, httpError, type Plan, planReply, type Turn } from './reply.ts';
import { type ChatRequest, type Endpoint, readRequest } from './request.ts';
import type { Voices } from './voices.ts';
import { type Random, seeded, uuid } from './wire.ts';

/** How the worker does its turns, unless a message says otherwise. */
export interface TurnOptions {
  /** Milliseconds before the first progress event, between two, and at most added to each at random. All 0 by default. */
  ttftMs?: number;
  chunkMs?: number;
  jitterMs?: number;
  /** Milliseconds between keepalive events; 30000 by default, as the engine does it. */
  keepaliveMs?: number;
  /** Seed of jitter, cuts and ids. */
  seed?: number;
  /** Cut the stream at random places, also inside a character. */
  cut?: 'none' | 'random';
  /** Steers a call instead of its own directives, when it answers something. */
  respond?: (call: CallRecord) => Directives | undefined;
  /** Told of each call of `/chat/stream` when its response is over. */
  onEnded?: (call: CallRecord) => void;
}

/** One request for an answer, and the way to give it. */
export interface Asked {
  endpoint: Endpoint;
  request: IncomingMessage;
  response: ServerResponse;
  raw: string;
  startedAt: number;
  /** What is wrong with its key. */
  refusal: Answer | undefined;
}

/** Where the seeds of calls to `/chat` and `/chat/callback` begin, so that no id of theirs is one of `/chat/stream`. */
const OTHER_SEEDS = 0x9e3779b9;

/** The worker's work: turns asked for over any of the three endpoints, run as they come. */
export class Turns {
  respond: TurnOptions['respond'];
  readonly streams: CallLog;
  readonly pauses = new Pauses();
  readonly postbox: Postbox;
  readonly #options: TurnOptions;
  readonly #history: History;
  readonly #voices: Voices;
  /** Calls of `/chat` and `/chat/callback`. */
  readonly #others: CallLog;
  /** The queues in which a `/chat` runs: the only calls that the engine keeps apart. */
  readonly #finals = new Set<string>();
  /** Ends the record of each call that is open. */
  readonly #open = new Set<() => void>();
  /** Counts the lives of the worker. */
  #life = 0;

  constructor(options: TurnOptions, moments: Moments, history: History, voices: Voices) {
    this.#options = options;
    this.#history = history;
    this.#voices = voices;
    this.respond = options.respond;
    this.streams = new CallLog(moments, options.onEnded);
    this.#others = new CallLog(moments);
    this.postbox = new Postbox(moments);
  }

  /** Drops all work. */
  stop(): void {
    this.#life++;
    for (const end of this.#open) end();
    this.#open.clear();
    this.#finals.clear();
    this.pauses.clear();
    this.postbox.stop();
  }

  forget(): void {
    this.streams.forget();
    this.#others.forget();
    this.postbox.forget();
  }

  async take({ endpoint, request, response, raw, startedAt, refusal }: Asked): Promise<void> {
    const body = parseBody(raw);
    const chat = readRequest(body, endpoint);
    const { user_id, queue, text: message } = typeof chat === 'string' ? { user_id: '', queue: '', text: '' } : chat;
    const log = endpoint === 'stream' ? this.streams : this.#others;
    const busy = this.#finals.has(queue) || (endpoint === 'stream' && log.busy(queue));
    const { headers } = request;
    const call = log.begin({ endpoint, startedAt, user_id, queue, message, body: body ?? {}, headers });
    const life = this.#life;
    const end = (): void => log.end(call);
    this.#open.add(end);

    const { seed = 1, keepaliveMs = 30_000, cut = 'none' } = this.#options;
    const random = seeded(seed + call.n * 7919 + (endpoint === 'stream' ? 0 : OTHER_SEEDS));
    const steering = parseDirectives(message);
    const steer = forCall(this.respond?.(call) ?? steering.directives, call.nth);
    const stage: Stage = {
      log,
      pauses: this.pauses,
      alive: () => life === this.#life,
      keepaliveMs,
      cut: steer.cut ?? cut,
      crlf: steer.crlf ?? false,
      random,
      ending: () => undefined,
    };
    if (refusal !== undefined) await play(refusal, response, call, stage);
    else if (typeof chat === 'string') await play(httpError(400, undefined, chat), response, call, stage);
    else if (endpoint === 'final' && busy) await play(httpError(429), response, call, stage);
    else {
      const { ttftMs = 0, chunkMs = 0, jitterMs = 0 } = this.#options;
      // Only a stream hears of waiting, and only a stream comes in parts.
      const setting = { ttftMs, chunkMs, jitterMs, random, origin: originOf(request), busy: false, n: call.n };
      if (endpoint === 'stream') setting.busy = busy;
      if (endpoint === 'final') setting.chunkMs = 0;
      const plan = planReply(chat, endpoint === 'final' ? { ...steer, chunk: 0 } : steer, steering.rest, setting);
      await this.#run({ endpoint, chat, plan, request, response, call, stage });
    }
    const over = (): void => void this.#open.delete(end);
    if (call.endedAt !== undefined) over();
    else response.once('close', over);
  }

  async #run({ endpoint, chat, plan, request, response, call, stage }: Run): Promise<void> {
    if (plan.kind !== 'stream') return play(plan, response, call, stage);
    const ending = this.#ending(chat, plan, stage.random);
    if (endpoint === 'stream') return play(plan, response, call, { ...stage, ending });
    const messageId = uuid(stage.random);
    if (chat.order === undefined) {
      const { queue } = chat;
      this.#finals.add(queue);
      await play(finalPlan(plan, chat, messageId), response, call, { ...stage, ending });
      const over = (): void => void this.#finals.delete(queue);
      if (call.endedAt !== undefined) over();
      else response.once('close', over);
      return;
    }
    await play(accepted(messageId), response, call, stage);
    const post = this.postbox.line(chat.order.url, bearerOf(request));
    const callbacks = new Callbacks(chat, chat.order, post);
    await this.#tell(callbacks, plan, chat.order, { ...stage, ending });
  }

  /** What the end of this turn leaves behind. */
  #ending(chat: ChatRequest, turn: Turn, random: Random): () => void {
    const audio: TurnAudio = { answer: turn.voiceKey };
    const { voice, fault } = chat;
    if (voice !== undefined && fault === undefined) {
      audio.submission = submissionKey(chat, voice.format, random);
      this.#voices.keepSubmission(audio.submission, voice.bytes, voice.format);
    }
    return () => {
      const reply = replyOf(turn);
      if (reply === undefined) return;
      if (turn.voiceKey !== undefined) this.#voices.keepAnswer(turn.voiceKey);
      this.#history.add(chat, reply, audio);
    };
  }

  /** Carries out a turn whose events go to a callback URL. */
  async #tell(callbacks: Callbacks, turn: Turn, { mode, throttleMs }: CallbackOrder, stage: Stage): Promise<void> {
    const ticks = mode === 'periodic' ? setInterval(() => callbacks.tick(), throttleMs) : undefined;
    try {
      for (const { delayMs, event } of turn.steps) {
        if (delayMs > 0 && !((await stage.pauses.wait(delayMs)) && stage.alive())) return;
        if (event?.type === 'complete') stage.ending();
        if (event !== undefined) callbacks.take(event);
      }
    } finally {
      clearInterval(ticks);
    }
  }
}

interface Run {
  endpoint: Endpoint;
  chat: ChatRequest;
  plan: Plan;
  request: IncomingMessage;
  response: ServerResponse;
  call: Call;
  stage: Stage;
}

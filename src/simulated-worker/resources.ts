import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileOf, type StoredFile, sendFile } from './file.ts';
import type { History, Whose } from './history.ts';
import { originOf } from './links.ts';
import { send } from './play.ts';
import { httpError } from './reply.ts';
import type { Request, RequestLog } from './requests.ts';
import type { Voices } from './voices.ts';

const USER = /^\/api\/v1\/orgs\/([^/]+)\/users\/([^/]+)\/history$/;
const GROUP = /^\/api\/v1\/admin\/orgs\/([^/]+)\/groups\/([^/]+)(?:\/threads\/([^/]+))?\/history$/;
const UPLOAD = /^\/api\/v1\/orgs\/[^/]+\/uploads\/[^/]+$/;

/** Is this one whose body must be taken as it comes? */
export function isUpload(method: string | undefined, path: string): boolean {
  return method === 'PUT' && UPLOAD.test(path);
}

/** What the engine has beside its turns: history, audio, uploads, public files, administration. */
export class Resources {
  readonly #history: History;
  readonly #voices: Voices;
  readonly #requests: RequestLog;

  constructor(history: History, voices: Voices, requests: RequestLog) {
    this.#history = history;
    this.#voices = voices;
    this.#requests = requests;
  }

  async serve(request: IncomingMessage, response: ServerResponse, record: Request): Promise<void> {
    const [path = '', query = ''] = record.url.split('?', 2);
    if (record.method === 'GET' || record.method === 'HEAD') {
      const whose = whoseHistory(path);
      if (whose !== undefined)
        return json(response, this.#history.page(whose, new URLSearchParams(query), originOf(request)));
      const file = this.#file(path);
      if (file !== undefined) return sendFile(request, response, file, (bytes) => this.#requests.sent(record, bytes));
    }
    // No recording says what else there is. That what was asked came through is all there is to see.
    if (path.startsWith('/api/v1/admin/'))
      return json(response, { method: record.method, url: record.url, received: record.received });
    return send(response, httpError(404, undefined, 'Not found'));
  }

  /** Counts and hashes a body of any size and keeps none of it. */
  async upload(request: IncomingMessage, response: ServerResponse, startedAt: number): Promise<void> {
    const record = this.#requests.begin(request, response, startedAt, '');
    const hash = createHash('sha256');
    try {
      for await (const chunk of request) {
        if (!Buffer.isBuffer(chunk)) continue;
        hash.update(chunk);
        this.#requests.received(record, chunk.length);
      }
    } catch {
      return;
    }
    json(response, { bytes: record.received, sha256: hash.digest('hex') });
  }

  #file(path: string): StoredFile | undefined {
    if (path.startsWith('/api/v1/')) return this.#voices.find(path.slice('/api/v1/'.length));
    if (!path.startsWith('/public/')) return undefined;
    return fileOf(Buffer.from(`The public file ${path}.\n`), 'text/plain; charset=utf-8', 'public, max-age=3600');
  }
}

function whoseHistory(path: string): Whose | undefined {
  try {
    const [, org = '', user_id = ''] = (USER.exec(path) ?? []).map(decodeURIComponent);
    if (org !== '') return { org, user_id };
    const [, home = '', chat_id = '', thread_id = ''] = (GROUP.exec(path) ?? []).map((part) =>
      decodeURIComponent(part ?? ''),
    );
    return home === '' ? undefined : { org: home, chat_id, thread_id };
  } catch {
    // A path that is not properly encoded names nothing.
    return undefined;
  }
}

function json(response: ServerResponse, value: object): void {
  send(response, { kind: 'answer', status: 200, type: 'application/json', body: JSON.stringify(value) });
}

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';

/** The last event of a worker's stream that went well. */
export const COMPLETE = {
  type: 'complete',
  response: { responses: ['done'], response_language: 'en', voice_audio_base64: null, voice_audio_url: null },
};

/** A call whose response the test writes itself. */
export class ScriptedCall {
  readonly userId: string;
  /** For what `say` has no words for. */
  readonly response: ServerResponse;
  /** Resolves when the response is over, at its end or before. */
  readonly over: Promise<unknown>;

  constructor(userId: string, response: ServerResponse) {
    this.userId = userId;
    this.response = response;
    this.over = once(response, 'close');
  }

  /** Answers `200`, and sends events, in one write. */
  say(...events: readonly object[]): void {
    if (!this.response.headersSent) this.response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.response.write(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
  }

  /** Answers with an error, in the worker's own words. */
  refuse(status: number, error: string): void {
    this.response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  }

  /** Ends the response. */
  end(): void {
    this.response.end();
  }
}

/** A worker that does nothing by itself: each call is the test's to answer. */
export async function aScriptedWorker(t: ExecutionContext) {
  const calls: ScriptedCall[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    if (request.method === 'GET') return void response.end('{"status":"healthy"}');
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.once('end', () => {
      calls.push(new ScriptedCall(String(JSON.parse(body).user_id), response));
      for (const look of waiting) look();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' ? address?.port : address;
  return {
    url: `http://127.0.0.1:${port}`,
    calls: calls as readonly ScriptedCall[],
    /** Call number `n`, counted from 1, already made or still to come. */
    call(n: number): Promise<ScriptedCall> {
      return new Promise((resolve) => {
        const look = () => {
          const call = calls[n - 1];
          if (!call) return;
          waiting.delete(look);
          resolve(call);
        };
        waiting.add(look);
        look();
      });
    },
  };
}

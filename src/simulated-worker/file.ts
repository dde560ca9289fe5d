import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Something that can be fetched, whole or in part. */
export interface StoredFile {
  size: number;
  type: string;
  etag: string;
  cacheControl: string;
  /** The bytes from `from` up to, but not including, `to`; made or cut as they are read. */
  read: (from: number, to: number) => Iterable<Uint8Array>;
}

/** A file that is held. */
export function fileOf(bytes: Buffer, type: string, cacheControl: string): StoredFile {
  const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`;
  return { size: bytes.length, type, etag, cacheControl, read: (from, to) => [bytes.subarray(from, to)] };
}

/** Answers with a file or the part of it that was asked for; `sent` is told of the bytes as they go out. */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: StoredFile,
  sent: (bytes: number) => void,
): Promise<void> {
  const { size, type, etag, cacheControl } = file;
  response.sendDate = false;
  response.removeHeader('Connection');
  const about = ['Cache-Control', cacheControl, 'ETag', etag, 'Accept-Ranges', 'bytes'];
  if (names(request.headers['if-none-match'], etag)) return void response.writeHead(304, about).end();
  const range = rangeOf(request, file);
  if (range === 'none') {
    response.writeHead(416, ['Content-Length', '0', ...about, 'Content-Range', `bytes */${size}`]).end();
    return;
  }
  const { from, to } = range ?? { from: 0, to: size };
  const head = ['Content-Length', String(to - from), 'Content-Type', type, ...about];
  if (range !== undefined) head.push('Content-Range', `bytes ${from}-${to - 1}/${size}`);
  response.writeHead(range === undefined ? 200 : 206, head);
  if (request.method === 'HEAD') return void response.end();
  // A client that leaves in the middle is nothing to tell anyone.
  await pipeline(Readable.from(counted(file.read(from, to), sent)), response).catch(() => undefined);
}

function* counted(pieces: Iterable<Uint8Array>, sent: (bytes: number) => void): Generator<Uint8Array> {
  for (const piece of pieces) {
    sent(piece.length);
    yield piece;
  }
}

/** Does `If-None-Match` name this very file? */
function names(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}

/** The one range asked for; `none` when the file has no such bytes, undefined when all of it is to be sent. */
function rangeOf(
  request: IncomingMessage,
  { size, etag }: StoredFile,
): { from: number; to: number } | 'none' | undefined {
  const only = request.headers['if-range'];
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if ((first === '' && last === '') || (only !== undefined && only !== etag)) return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  return from < to ? { from, to } : 'none';
}

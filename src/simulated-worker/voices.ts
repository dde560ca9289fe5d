import { fileOf, type StoredFile } from './file.ts';

const CACHE = 'private, max-age=86400';
const SPOKEN = fileOf(Buffer.from('OggS-fake-opus-audio'), 'audio/ogg', CACHE);
const TYPES: Readonly<Record<string, string>> = { mp3: 'audio/mpeg', m4a: 'audio/mp4' };
const LARGE = /^audio\/large\/(\d{1,12})\.opus$/;

/** The audio that can be fetched: spoken answers, voice messages, and one of any size that is asked for. */
export class Voices {
  readonly #files = new Map<string, StoredFile>();

  /** Every spoken answer has the same bytes, as in the recordings. */
  keepAnswer(key: string): void {
    this.#files.set(`audio/${key}`, SPOKEN);
  }

  keepSubmission(key: string, bytes: Buffer, format: string): void {
    this.#files.set(`voice-submissions/${key}`, fileOf(bytes, TYPES[format] ?? `audio/${format}`, CACHE));
  }

  /** By its path after `/api/v1/`. */
  find(path: string): StoredFile | undefined {
    const size = LARGE.exec(path)?.[1];
    return size === undefined ? this.#files.get(path) : large(Number(size));
  }

  forget(): void {
    this.#files.clear();
  }
}

function large(size: number): StoredFile {
  return { size, type: 'audio/ogg', etag: `"large-${size}"`, cacheControl: CACHE, read: largeAudio };
}

const LINE = 16;
const PIECE = 65_536;

/** The bytes of `/api/v1/audio/large/*`, whatever its size: lines of 16, each of them its own offset in decimal. */
export function* largeAudio(from: number, to: number): Generator<Uint8Array> {
  for (let at = from; at < to; ) {
    const end = Math.min(to, at + PIECE);
    const first = Math.floor(at / LINE);
    const lines = Array.from({ length: Math.ceil(end / LINE) - first }, (_, k) =>
      String((first + k) * LINE).padStart(LINE - 1, '0'),
    );
    const bytes = Buffer.from(`${lines.join('\n')}\n`, 'latin1');
    yield bytes.subarray(at - first * LINE, end - first * LINE);
    at = end;
  }
}

import { problem, sentence } from './sentence.ts';

/** What a command shows: for people, or with `--json` one object a line. */
export class Output {
  readonly #json: boolean;
  /** The last line on stdout is not at its end. */
  #open = false;

  constructor(json: boolean) {
    this.#json = json;
  }

  /** A whole answer: `lines` for people. */
  answer(value: unknown, ...lines: readonly string[]): void {
    if (this.#json) this.json(value);
    else for (const line of lines) this.text(`${oneLine(line)}\n`);
  }

  /** With `--json` alone. */
  json(value: unknown): void {
    if (this.#json) process.stdout.write(`${printableJson(value)}\n`);
  }

  /** For people alone: a piece of text. */
  text(piece: string): void {
    if (this.#json || piece === '') return;
    process.stdout.write(printable(piece));
    this.#open = !piece.endsWith('\n');
  }

  /** For people alone: ends the line, if one is begun. */
  endLine(): void {
    if (this.#open) this.text('\n');
  }

  /** For people alone: something beside what was asked for. */
  note(line: string): void {
    if (this.#json) return;
    this.endLine();
    process.stderr.write(`${oneLine(line)}\n`);
  }

  /** Why it did not work; of several, with which. */
  fault(error: unknown, which?: { readonly message_id: string; readonly user_id: string }): void {
    if (this.#json) process.stderr.write(`${printableJson({ ...which, error: problem(error) })}\n`);
    else this.note(`${which ? `${which.message_id} of ${which.user_id}: ` : ''}${sentence(error)}`);
  }
}

function oneLine(text: string): string {
  return printable(text.replace(/[^\S ]+/g, ' ').trimEnd());
}

/** What others wrote must not steer the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '');
}

/** JSON escapes only those up to U+001F. */
function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\x7f-\x9f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}

import type { z } from 'zod';
import { jsonSchemaOf } from './schema.ts';

/** OpenAPI as it is written here: with zod's schemas where the document has JSON's. */

type Media = {
  readonly schema: z.ZodType;
  readonly example?: unknown;
  /** Of an event stream: the JSON in `data`, by the name of the event; `message` for those without a name. */
  readonly 'x-events'?: Readonly<Record<string, z.ZodType>>;
};

export type Answer = {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly schema: z.ZodType }>>;
  readonly content?: Readonly<Record<string, Media>>;
};

export type Answers = Readonly<Record<string, Answer>>;

type Parameter = {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: unknown;
};

export type Tag = 'Messages' | 'Queues' | 'Engine' | 'Health' | 'Documents';
/** By their names in the document: without one, `anyone` may ask. */
export type Security = readonly Readonly<Partial<Record<'apiKey' | 'bearer' | 'streamToken', readonly []>>>[];

export type Operation = {
  readonly operationId: string;
  readonly tags: readonly [Tag];
  readonly summary: string;
  readonly description?: string;
  readonly security?: Security;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly description?: string;
    readonly required: true;
    readonly content: Readonly<Record<string, Media>>;
  };
  readonly responses: Answers;
  readonly callbacks?: Readonly<Record<string, Paths>>;
};

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
export type Paths = Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>;

export const ANYONE: Security = [];

/** An answer in JSON. */
export function json(description: string, schema: z.ZodType, example?: unknown): Answer {
  const media = { schema, ...(example === undefined ? {} : { example }) };
  return { description, content: { 'application/json': media } };
}

/** What a path, a query or the headers hold, as whoever reads them has it in the end: a number is one. */
export function parameters(
  place: Parameter['in'],
  { shape }: z.ZodObject<Record<string, z.ZodType>>,
): readonly Parameter[] {
  return Object.entries(shape).map(([name, field]) => {
    const { description, ...schema } = jsonSchemaOf(field);
    return { name, in: place, required: !field.safeParse(undefined).success, description: String(description), schema };
  });
}

/** Answers that may have the same status, under which the content types of all of them are then. */
export function either(...all: readonly Answers[]): Answers {
  const merged: Record<string, Answer> = {};
  for (const [status, answer] of all.flatMap((answers) => Object.entries(answers))) {
    const other = merged[status];
    merged[status] = other
      ? {
          description: `${other.description}\n\n${answer.description}`,
          headers: { ...other.headers, ...answer.headers },
          content: { ...other.content, ...answer.content },
        }
      : answer;
  }
  return merged;
}

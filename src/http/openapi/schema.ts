import { z } from 'zod';
import { objectIn } from '../../json.ts';

/** JSON schemas made of zod's; those that have an `id` are components, to which the others refer. */
type JsonSchemas = {
  readonly schemaOf: (schema: z.ZodType) => unknown;
  readonly components: Readonly<Record<string, unknown>>;
};

/** All zod schemas anywhere in `tree`. */
export function schemasIn(tree: unknown): readonly z.ZodType[] {
  if (tree instanceof z.ZodType) return [tree];
  return typeof tree === 'object' && tree !== null ? Object.values(tree).flatMap(schemasIn) : [];
}

/** What they take, not what they make of it. Converted as one, so that a component is there once. */
export function jsonSchemas(schemas: readonly z.ZodType[]): JsonSchemas {
  const whole = z.object(Object.fromEntries(schemas.entries()));
  const { properties = {}, $defs = {} } = z.toJSONSchema(whole, { io: 'input', override: tidy });
  const places = new Map(schemas.map((schema, index) => [schema, referring(properties[index])]));
  return { schemaOf: (schema) => places.get(schema), components: referring($defs) };
}

/** What one schema makes of what it takes. */
export function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'output', override: tidy });
  return rest;
}

/** Leaves out what says nothing more: a pattern beside a format, and the bounds that every JavaScript integer has. */
function tidy({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format) delete jsonSchema.pattern;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}

/** The same, with its references as they are in a document of OpenAPI. */
function referring(schema: unknown): Readonly<Record<string, unknown>> {
  return objectIn(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'));
}

/** Says whether a value is of a type. What an answer holds beyond that is left in it. */
export type Guard<Type> = (value: unknown) => value is Type;

/** What a newer broker may say beside the values that are known here. */
export type Other = string & Record<never, never>;

type Guarded<Of> = Of extends Guard<infer Type> ? Type : never;

export const text: Guard<string> = (value) => typeof value === 'string';
export const number: Guard<number> = (value) => typeof value === 'number';
export const boolean: Guard<boolean> = (value) => typeof value === 'boolean';
export const anything: Guard<unknown> = (_value): _value is unknown => true;

export function oneOf<const Choice>(...choices: readonly Choice[]): Guard<Choice> {
  return (value): value is Choice => choices.some((choice) => choice === value);
}

export function nullable<Type>(guard: Guard<Type>): Guard<Type | null> {
  return (value): value is Type | null => value === null || guard(value);
}

export function optional<Type>(guard: Guard<Type>): Guard<Type | undefined> {
  return (value): value is Type | undefined => value === undefined || guard(value);
}

export function list<Type>(guard: Guard<Type>): Guard<readonly Type[]> {
  return (value): value is readonly Type[] => Array.isArray(value) && value.every(guard);
}

export function either<Types>(...guards: readonly Guard<Types>[]): Guard<Types> {
  return (value): value is Types => guards.some((guard) => guard(value));
}

/** An object that has these fields. */
export function object<Guards extends Readonly<Record<string, Guard<unknown>>>>(
  guards: Guards,
): Guard<{ readonly [Field in keyof Guards]: Guarded<Guards[Field]> }> {
  const fields = Object.entries(guards);
  return (value): value is { readonly [Field in keyof Guards]: Guarded<Guards[Field]> } =>
    isObject(value) && fields.every(([field, guard]) => guard(value[field]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a text holds as JSON, undefined when it is none. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

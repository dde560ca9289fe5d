import { element, table } from './element.js';
import { markdown } from './markdown.js';

const COMPONENTS = '#/components/schemas/';

/** Elements for a JSON schema: what it is in a line, and its fields in a table. */
export function schemaView(schema) {
  const { properties = {}, required = [] } = fieldsOf(schema);
  const rows = Object.entries(properties).map(([name, field]) => [
    [element('code', {}, name), required.includes(name) ? ' required' : ''],
    typeOf(field),
    markdown(field.description),
  ]);
  return [rows.length ? undefined : element('p', {}, typeOf(schema)), table(['Field', 'Type', ''], rows)];
}

/** An object alone is told by its fields; of a choice between objects each is a type of its own. */
function fieldsOf(schema) {
  return schema.type === 'object' ? schema : {};
}

/** What a schema takes, in words; a component is a link to it. */
export function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.slice(COMPONENTS.length);
    return [element('a', { href: `#schema-${name}` }, name)];
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return joined(choices, ' or ');
  if (schema.allOf) return joined(schema.allOf, ', with ');
  if (schema.enum) return schema.enum.map((value, at) => [at ? ', ' : '', element('code', {}, String(value))]);
  if ('const' in schema) return [element('code', {}, String(schema.const))];
  if (schema.type === 'array') return ['list of ', typeOf(schema.items ?? {})];
  if (schema.type === 'object') return objectOf(schema);
  const type = schema.format ?? [schema.type ?? 'anything'].flat().join(' or ');
  return [[type, ...limitsOf(schema)].join(', ')];
}

function objectOf({ properties = {} }) {
  const fields = Object.entries(properties).map(([name, field], at) => [at ? ', ' : '', name, ': ', typeOf(field)]);
  return fields.length ? ['{ ', fields, ' }'] : ['object'];
}

function joined(schemas, word) {
  return schemas.map((schema, at) => [at ? word : '', typeOf(schema)]);
}

function limitsOf(schema) {
  const { minimum, maximum, maxLength, pattern } = schema;
  return [
    minimum === undefined ? [] : `at least ${minimum}`,
    maximum === undefined ? [] : `at most ${maximum}`,
    maxLength === undefined ? [] : `at most ${maxLength} characters`,
    pattern === undefined ? [] : `matches ${pattern}`,
    schema.default === undefined ? [] : `${schema.default} when not given`,
  ].flat();
}

import { html } from '../../dashboard/page/html.js';
import { Markdown } from './markdown.js';
import { Table } from './table.js';

const COMPONENTS = '#/components/schemas/';

/** A JSON schema: its fields in a table, or what it takes in a line. Of a choice between objects each has its own. */
export function Schema({ schema, title }) {
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices?.every(({ properties }) => properties)) {
    const last = choices.length - 1;
    return choices.map(
      (choice, at) => html`<${Schema} schema=${choice} title=${title} />${at < last && html`<p>or</p>`}`,
    );
  }
  if (!schema.properties) return html`<p>${typeOf(schema)}</p>`;
  return html`<${Table} title="Fields of ${title}" headings=${['Field', 'Type', 'Meaning']} rows=${rowsOf(schema)} />`;
}

/** The events of a stream, by their names, each with the fields of its data. */
export function Events({ events, title }) {
  const headings = ['Event', 'Data', 'Meaning'];
  return html`<${Table} title="Events of ${title}" headings=${headings} rows=${rowsOf({ properties: events })} />`;
}

/** A row for each field, and after it for those of the object that it is, or is a list of. */
function rowsOf({ properties = {}, required = [] }, place = '') {
  return Object.entries(properties).flatMap(([name, field]) => {
    const [inside, mark] = objectIn(field);
    const must = required.includes(name) ? ' required' : '';
    const row = [
      html`<code>${place}${name}</code>${must}`,
      typeOf(field),
      html`<${Markdown} text=${meaningOf(field)} />`,
    ];
    return [row, ...rowsOf(inside, `${place}${name}${mark}.`)];
  });
}

/** Of what may be null it is told inside. */
function meaningOf({ description, anyOf = [] }) {
  return description ?? anyOf.find((choice) => choice.description)?.description;
}

/** The object whose fields are told below a field, and how they are reached from there. */
function objectIn(schema) {
  if (schema.properties) return [schema, ''];
  if (schema.items) return [objectIn(schema.items)[0], '[]'];
  const object = schema.anyOf?.find(({ properties }) => properties);
  return [object ?? {}, ''];
}

/** What a schema takes, in words; a component is a link to it. */
export function typeOf(schema) {
  return [kindOf(schema), ...limitsOf(schema)].map((part, at) => [at ? ', ' : '', part]);
}

function kindOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.slice(COMPONENTS.length);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return joined(choices, ' or ');
  if (schema.allOf) return joined(schema.allOf, ', with ', fixedIn);
  if (schema.enum) return schema.enum.map((value, at) => [at ? ', ' : '', html`<code>${value}</code>`]);
  if ('const' in schema) return html`<code>${String(schema.const)}</code>`;
  if (schema.type === 'array') return ['list of ', typeOf(schema.items ?? {})];
  return schema.format ?? [schema.type ?? 'anything'].flat().join(' or ');
}

function joined(schemas, word, told = typeOf) {
  return schemas.map((schema, at) => [at ? word : '', told(schema)]);
}

/** What is fixed in an object of which all else is told elsewhere. */
function fixedIn(schema) {
  if (!schema.properties) return typeOf(schema);
  const fields = Object.entries(schema.properties);
  return fields.map(([name, field], at) => [at ? ' and ' : '', html`<code>${name}</code>${' '}`, typeOf(field)]);
}

function limitsOf({ minimum, maximum, minLength, maxLength, pattern, default: otherwise }) {
  return [
    boundsOf(minimum, maximum),
    boundsOf(minLength, maxLength, ' characters'),
    pattern !== undefined && html`<span>matches <code>${pattern}</code></span>`,
    otherwise !== undefined && html`<span><code>${String(otherwise)}</code> when not given</span>`,
  ].filter(Boolean);
}

function boundsOf(least, most, unit = '') {
  if (least !== undefined && most !== undefined) return `${least} to ${most}${unit}`;
  if (least !== undefined) return `at least ${least}${unit}`;
  return most !== undefined && `at most ${most}${unit}`;
}

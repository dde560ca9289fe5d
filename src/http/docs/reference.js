import { element, table } from './element.js';
import { markdown } from './markdown.js';
import { schemaView, typeOf } from './schema.js';

/** Elements for a whole OpenAPI document: its contents at the side, and everything in one page. */
export function reference({ info, tags, paths, components, security }) {
  const all = operationsIn(paths);
  const sections = tags.map((tag) => ({
    ...tag,
    operations: all.filter((each) => each.operation.tags[0] === tag.name),
  }));
  return [
    element('nav', { 'aria-label': 'Contents' }, sections.map(contents), element('a', { href: '#schemas' }, 'Schemas')),
    element(
      'main',
      {},
      element('h1', {}, `${info.title} ${info.version}`),
      markdown(info.description),
      element('h2', {}, 'Keys'),
      table(['', 'Where', ''], Object.entries(components.securitySchemes).map(schemeRow)),
      sections.map((section) => sectionView(section, security)),
      element('h2', { id: 'schemas' }, 'Schemas'),
      Object.entries(components.schemas).map(([name, schema]) => [
        element('h3', { id: `schema-${name}` }, name),
        markdown(schema.description),
        schemaView(schema),
      ]),
    ),
  ];
}

function operationsIn(paths) {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

function contents({ name, operations }) {
  const links = operations.map(({ operation }) =>
    element('li', {}, element('a', { href: `#${operation.operationId}` }, operation.summary)),
  );
  return [element('h2', {}, name), element('ul', {}, links)];
}

function schemeRow([name, { type, in: place, name: field, description }]) {
  return [element('code', {}, name), place ? `${field} (${place})` : `Authorization (${type})`, markdown(description)];
}

function sectionView({ name, description, operations }, security) {
  const views = operations.map((each) => operationView(each, each.operation.security ?? security));
  return element('section', {}, element('h2', {}, name), markdown(description), views);
}

function operationView({ method, path, operation }, security) {
  const { operationId, summary, description, parameters = [], requestBody, responses, callbacks = {} } = operation;
  const keys = security.flatMap((each) => Object.keys(each));
  return element(
    'article',
    { id: operationId },
    element('h3', {}, summary),
    element('p', { class: 'path' }, element('strong', {}, method), ' ', element('code', {}, path)),
    markdown(description),
    element('p', {}, keys.length ? `Key: ${keys.join(' or ')}` : 'No key is asked for.'),
    table(['Parameter', 'In', 'Type', ''], parameters.map(parameterRow)),
    requestBody ? [element('h4', {}, 'Body'), contentView(requestBody.content)] : undefined,
    element('h4', {}, 'Answers'),
    Object.entries(responses).map(answerView),
    Object.values(callbacks)
      .flatMap(operationsIn)
      .map((each) => operationView(each, each.operation.security)),
  );
}

function parameterRow({ name, in: place, required, schema, description }) {
  return [[element('code', {}, name), required ? ' required' : ''], place, typeOf(schema), markdown(description)];
}

function answerView([status, { description, headers = {}, content = {} }]) {
  const told = Object.entries(headers).filter(([, header]) => header.description);
  return element(
    'details',
    status.startsWith('2') ? { open: '' } : {},
    element('summary', {}, status),
    markdown(description),
    table(
      ['Header', ''],
      told.map(([name, header]) => [element('code', {}, name), markdown(header.description)]),
    ),
    contentView(content),
  );
}

function contentView(content) {
  return Object.entries(content).map(([type, { schema, example }]) => [
    element('p', {}, element('code', {}, type)),
    schemaView(schema),
    example === undefined
      ? undefined
      : element('pre', {}, typeof example === 'string' ? example : JSON.stringify(example, null, 2)),
  ]);
}

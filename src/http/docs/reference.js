import { html } from '../../dashboard/page/html.js';
import { curlOf } from './curl.js';
import { Markdown } from './markdown.js';
import { Events, Schema, typeOf } from './schema.js';
import { Table, Wide } from './table.js';

/** A whole OpenAPI document: its contents at the side, and everything in one page. */
export function Reference({ openApi }) {
  const { info, tags, paths, components, security, 'x-elsewhere': elsewhere } = openApi;
  const all = grouped(operationsIn(paths));
  const sections = tags.map((tag) => ({
    ...tag,
    operations: all.filter(({ operation }) => operation.tags[0] === tag.name),
  }));
  return html`
    <nav aria-label="Contents">
      <details>
        <summary>Contents</summary>
        ${sections.map((section) => html`<${Contents} ...${section} />`)}
        <h2>More</h2>
        <ul>
          <li><a href="#elsewhere">Elsewhere</a></li>
          <li><a href="#schemas">Schemas</a></li>
        </ul>
      </details>
    </nav>
    <main>
      <h1>${info.title} ${info.version}</h1>
      <${Markdown} text=${info.description} />
      <h2>Keys</h2>
      <${Table} title="Keys" headings=${['Name', 'Where', 'Meaning']} rows=${Object.entries(components.securitySchemes).map(keyRow)} />
      ${sections.map((section) => html`<${Section} ...${section} security=${security} />`)}
      <h2 id="elsewhere">Elsewhere</h2>
      <p>Where there is no operation, at another path or by another method, the answers are these.</p>
      <${Answers} answers=${elsewhere} title="Elsewhere" />
      <h2 id="schemas">Schemas</h2>
      ${Object.entries(components.schemas).map(
        ([name, schema]) => html`
          <h3 id="schema-${name}">${name}</h3>
          <${Markdown} text=${schema.description} title=${name} />
          <${Schema} schema=${schema} title=${name} />
        `,
      )}
    </main>
  `;
}

function operationsIn(paths) {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ methods: [method.toUpperCase()], paths: [path], operation })),
  );
}

/** What is the same for all paths below one, and for all methods, as one operation. */
function grouped(operations) {
  const groups = Map.groupBy(operations, ({ operation }) => operation['x-group'] ?? operation);
  return [...groups].map(([group, [first, ...others]]) => {
    if (typeof group !== 'string') return first;
    const methods = [first, ...others].flatMap((each) => each.methods);
    return {
      ...first,
      methods: [...new Set(methods)],
      paths: [...first.paths, `${first.paths[0]}/…`],
      operation: { ...first.operation, summary: group },
    };
  });
}

function Contents({ name, operations }) {
  return html`
    <h2>${name}</h2>
    <ul>${operations.map(({ operation }) => html`<li><a href="#${operation.operationId}">${operation.summary}</a></li>`)}</ul>
  `;
}

function keyRow([name, { type, in: place, name: field, description }]) {
  const where = place ? `${field} (${place})` : `Authorization (${type})`;
  return [html`<code>${name}</code>`, where, html`<${Markdown} text=${description} />`];
}

function Section({ name, description, operations, security }) {
  return html`
    <section aria-label=${name}>
      <h2>${name}</h2>
      <${Markdown} text=${description} />
      ${operations.map((each) => {
        const keys = (each.operation.security ?? security).flatMap((one) => Object.keys(one));
        return html`<${Operation} ...${each} keys=${keys} curl=${curlOf(each, keys.length > 0)} />`;
      })}
    </section>
  `;
}

/** `keys`, `curl`: of what the broker is asked, and not of what it asks itself. */
function Operation({ methods, paths, operation, keys, curl }) {
  const { operationId, summary, description, parameters = [], requestBody, responses, callbacks = {} } = operation;
  // What any request may have is told once, at the top.
  const own = parameters.filter(({ $ref }) => !$ref);
  return html`
    <article id=${operationId}>
      <h3>${summary}</h3>
      <p class="path"><strong>${methods.join(', ')}</strong> <code>${paths.join(', ')}</code></p>
      <${Markdown} text=${description} title=${summary} />
      ${keys && html`<p>${keys.length ? `Key: ${keys.join(' or ')}` : 'No key is asked for.'}</p>`}
      ${curl && html`<${Wide} title="curl: ${summary}"><pre class="curl">${curl}</pre><//>`}
      <${Table} title="Parameters of ${summary}" headings=${['Parameter', 'In', 'Type', 'Meaning']} rows=${own.map(parameterRow)} />
      ${requestBody && html`<h4>Body</h4><${Content} content=${requestBody.content} title="the body of ${summary}" />`}
      <h4>Answers</h4>
      <${Answers} answers=${responses} title=${summary} />
      ${Object.values(callbacks)
        .flatMap(operationsIn)
        .map((each) => html`<${Operation} ...${each} />`)}
    </article>
  `;
}

function parameterRow({ name, in: place, required, schema, description }) {
  const meaning = html`<${Markdown} text=${description} />`;
  return [html`<code>${name}</code>${required ? ' required' : ''}`, place, typeOf(schema), meaning];
}

function Answers({ answers, title }) {
  return Object.entries(answers).map(
    ([status, { description, headers = {}, content = {} }]) => html`
      <details open=${status.startsWith('2')}>
        <summary>${status}</summary>
        <${Markdown} text=${description} title="${title}: ${status}" />
        <${Table} title="Headers of ${title}: ${status}" headings=${['Header', 'Type', 'Meaning']} rows=${Object.entries(headers).flatMap(headerRow)} />
        <${Content} content=${content} title="${title}: ${status}" />
      </details>
    `,
  );
}

/** What any answer has is told once, at the top. */
function headerRow([name, { $ref, required, schema, description }]) {
  if ($ref) return [];
  return [
    [html`<code>${name}</code>${required ? ' always' : ''}`, typeOf(schema), html`<${Markdown} text=${description} />`],
  ];
}

function Content({ content, title }) {
  return Object.entries(content).map(
    ([type, { schema, example, 'x-events': events }]) => html`
      <p><code>${type}</code></p>
      ${events ? html`<${Events} events=${events} title=${title} />` : html`<${Schema} schema=${schema} title=${title} />`}
      ${
        example !== undefined &&
        html`<${Wide} title="Example of ${title}"><pre>${typeof example === 'string' ? example : JSON.stringify(example, null, 2)}</pre><//>`
      }
    `,
  );
}

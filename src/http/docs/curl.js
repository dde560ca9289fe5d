/** The command that asks for this, with the examples of the document. `keyed`: a key is asked for. */
export function curlOf({ methods: [method], paths: [path], operation }, keyed) {
  const { requestBody, responses } = operation;
  const streams = Object.values(responses).some(({ content = {} }) => 'text/event-stream' in content);
  const [[type, { example } = {}] = []] = Object.entries(requestBody?.content ?? {});
  const options = [
    keyed && '-H "X-API-Key: $BROKER_API_KEY"',
    type && `-H 'Content-Type: ${type}'`,
    streams && `-H 'Accept: text/event-stream'`,
    example !== undefined && `-d ${quoted(JSON.stringify(example))}`,
  ];
  const verb = method === 'GET' || (method === 'POST' && type) ? '' : ` -X ${method}`;
  const command = `curl${streams ? ' -N' : ''}${verb} ${quoted(addressOf(path, operation))}`;
  return [command, ...options.filter(Boolean)].join(' \\\n  ');
}

/** With what must be in it. The broker may be behind a path. */
function addressOf(path, { parameters = [] }) {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(exampleOf(parameters, name)));
  const query = parameters.filter(({ in: place, required }) => place === 'query' && required);
  const asked = new URLSearchParams(query.map(({ name }) => [name, exampleOf(parameters, name)]));
  return `${new URL(`.${filled}`, document.baseURI)}${query.length ? `?${asked}` : ''}`;
}

function exampleOf(parameters, sought) {
  return parameters.find(({ name }) => name === sought)?.example ?? sought.toUpperCase();
}

/** For a shell. */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

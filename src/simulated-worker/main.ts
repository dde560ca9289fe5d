/** `npm run worker`: the simulated worker on the command line. */
import { parseDirectives } from './directives.ts';
import { HELP, readFlags } from './flags.ts';
import { type CallRecord, startSimulatedWorker } from './server.ts';

const flags = readFlags(process.argv.slice(2));
if (flags.help) process.stdout.write(HELP);
else if (flags.faults.length > 0) fail(flags.faults);
else await run();

async function run(): Promise<void> {
  try {
    const worker = await startSimulatedWorker({
      ...flags.options,
      onEnded: (call) => console.log(describe(call)),
      onRequest: ({ method, url, status, aborted }) =>
        console.log(`${method} ${url} -> ${status ?? 'no answer'}${aborted ? ', the client left' : ''}`),
    });
    console.log(
      `The simulated worker listens on ${worker.url}${flags.options.apiKey === undefined ? '' : ', with a key'}.`,
    );
    console.log(
      'Steer a message from its first characters: [[text="Hello" ttft=300 chunk=120 tools=read_memory]] Hi. More: --help',
    );
    const end = (): void => void worker.close();
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  } catch (error) {
    fail([`The simulated worker cannot listen there: ${error instanceof Error ? error.message : String(error)}.`]);
  }
}

/** One line for one call of `/chat/stream`. */
function describe(call: CallRecord): string {
  const took = Math.round((call.endedMs ?? call.startedMs) - call.startedMs);
  const attempt = call.attempt === undefined ? '' : ` attempt ${call.attempt}`;
  const end = call.clientGone ? ', the client left' : '';
  const problems = parseDirectives(call.message)
    .problems.map((problem) => ` ! ${problem}`)
    .join('');
  const message = JSON.stringify([...call.message].slice(0, 60).join(''));
  return `#${call.n} ${call.queue || '(no user)'}${attempt} ${message} -> ${call.status ?? 'no answer'}, ${call.sentData.length} events, ${took} ms${end}${problems}`;
}

function fail(sentences: readonly string[]): void {
  for (const sentence of sentences) console.error(sentence);
  process.exitCode = 1;
}

/** `npm run demo`: a simulated worker, a broker on the embedded store, and two people who talk to it at once. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, startBroker } from '../broker.ts';
import { ConfigFault, readConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { onEnd } from '../signals.ts';
import { startSimulatedWorker } from '../simulated-worker/server.ts';
import { Columns } from './columns.ts';
import { Person } from './person.ts';

const RUTH = [
  '[[text="In the beginning God created the heavens and the earth." ttft=500 chunk=150]] What is Genesis 1:1?',
  '[[text="It means that nothing existed before God made it." ttft=500 chunk=150]] What does that mean?',
  '[[text="The Hebrew word is bara: to create, said of God alone." ttft=500 chunk=150]] Which verb is it?',
];
const BOAZ = [
  '[[text="For God so loved the world that he gave his one and only Son." ttft=900 chunk=200]] What is John 3:16?',
  '[[text="Say it as you would speak of a father who gives what is dearest to him." ttft=600 chunk=180]] How do we say it?',
];
const MAX_COLUMNS = 110;

const directory = mkdtempSync(join(tmpdir(), 'bt-servant-demo-'));
const worker = await startSimulatedWorker({ ttftMs: 300, chunkMs: 120 });
const broker = await start(process.env['PORT'] ?? '8000');
let stopping = false;
onEnd(() => void stop());

console.log(`The broker listens on ${broker.url}, with the embedded store and a simulated worker.\n`);
const columns = new Columns(
  ['Ruth sends 3 messages at once', 'Boaz sends 2 messages at once'],
  Math.min(process.stdout.columns || MAX_COLUMNS, MAX_COLUMNS),
  (text) => process.stdout.write(text),
);
await Promise.all([
  new Person('ruth', broker.url, columns, 0).say(RUTH),
  new Person('boaz', broker.url, columns, 1).say(BOAZ),
]);
columns.close();
// Nobody who leaves in the middle wants to know what could be done next.
if (!stopping)
  console.log(`
Send the next message yourself, and see the reply stream:

  curl -N ${broker.url}/api/v1/message -H 'Content-Type: application/json' -H 'Accept: text/event-stream' -d '{"user_id":"ruth","org_id":"demo","client_id":"curl","message":"And Genesis 1:2?"}'

See it at work in a browser: ${broker.url}/dashboard
All that it can do:          ${broker.url}/docs

Ctrl-C ends the demo.`);

/** On `port`, or on a free one when that is taken. */
async function start(port: string): Promise<Broker> {
  const env = {
    HOST: '127.0.0.1',
    PORT: port,
    STORE: 'embedded',
    DATA_DIR: directory,
    WORKER_BASE_URL: worker.url,
    SHUTDOWN_SECONDS: '0',
  };
  try {
    return await startBroker(readConfig(env), createLog('warn'));
  } catch (error) {
    if (error instanceof ConfigFault) {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    }
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    return start('0');
  }
}

async function stop(): Promise<void> {
  stopping = true;
  await broker.stop();
  await worker.close();
  rmSync(directory, { recursive: true, force: true });
  process.exit(0);
}

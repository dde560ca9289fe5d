import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { aDirectory, aSystem } from '../helpers/broker.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NAME = 'bt-servant-message-broker';
const run = promisify(execFile);

const PROGRAM = `
import { BrokerClient, BrokerError, type BrokerEvent } from '${NAME}/client';

const client = new BrokerClient({ url: process.argv[2] ?? '' });
const message = { user_id: 'u', org_id: 'o', client_id: 'c', message: 'In the beginning' };
let text = '';
for await (const event of client.sendAndStream(message)) {
  if (event.type === 'worker' && event.engine?.type === 'progress') text += event.engine.text;
}
const fault: unknown = await client.message('u', 'none').catch((error: unknown) => error);
const last = (event: BrokerEvent): boolean => event.type === 'done';
console.log(text, fault instanceof BrokerError && fault.code, typeof last);
`;
const DECLARED = 'declare const process: { argv: string[] };';

test('the packed package is installed in an empty folder: the library with its types, and the command', async (t) => {
  const { url } = await aSystem(t, 'embedded');
  const directory = aDirectory(t);
  const installed = join(directory, 'node_modules', NAME);
  mkdirSync(installed, { recursive: true });
  // Both are declared dependencies, which the registry would give.
  for (const name of ['eventsource-parser', 'commander']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
  }
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', directory], { cwd: ROOT });
  const tarball = join(directory, stdout.trim().split('\n').at(-1) ?? '');
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const { stdout: files } = await run('tar', ['-tzf', tarball]);
  const unexpected = files
    .split('\n')
    .filter((file) => !/^(package\/(dist\/|package.json|README.md|LICENSE)|$)/.test(file));
  t.deepEqual(unexpected, []);

  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(directory, 'program.ts'), PROGRAM);
  writeFileSync(join(directory, 'declared.d.ts'), DECLARED);
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc6');
  const strict = {
    strict: true,
    exactOptionalPropertyTypes: true,
    target: 'es2024',
    lib: ['es2024', 'dom'],
    types: [],
  };
  for (const way of [{ module: 'preserve', moduleResolution: 'bundler', noEmit: true }, { module: 'nodenext' }]) {
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...strict, ...way } }));
    const compiled = await run(process.execPath, [compiler, '-p', directory]).catch((error) => error);
    t.is(compiled.stdout, '');
  }
  const said = await run(process.execPath, ['program.js', url], { cwd: directory });
  t.is(said.stdout, 'In the beginning unknown_message function\n');
  const command = await run(process.execPath, [join(installed, 'dist/cli/main.js'), 'health', '--url', url]);
  t.regex(command.stdout, /^healthy: /);
});

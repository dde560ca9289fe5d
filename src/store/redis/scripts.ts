import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua script and the name Redis keeps it under once it has seen it. */
export type Script = { readonly sha: string; readonly lua: string };

/** One script for each change of the store. Each says in its head what it takes and answers. */
export const SCRIPTS = {
  enqueue: load('prelude', 'enqueue'),
  claim: load('prelude', 'claim'),
  append: load('prelude', 'append'),
  retry: load('prelude', 'retry'),
  settle: load('prelude', 'settle'),
  release: load('prelude', 'release'),
  renew: load('prelude', 'renew'),
  read: load('read'),
  queue: load('queue'),
  sweep: load('sweep'),
};

function load(...names: readonly string[]): Script {
  const lua = names.map((name) => readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8')).join('\n');
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

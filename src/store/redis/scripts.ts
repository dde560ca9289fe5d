import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CANCELLED, EXPIRED, TAKEN_OVER } from '../events.ts';

/** A Lua script and the name Redis keeps it under once it has seen it. */
export type Script = { readonly sha: string; readonly lua: string };

/**
 * One that changes a queue. Answers {what the change itself answers, its notices as `prelude.lua` makes them}; `telling`
 * also its master as `master.lua` tells it.
 */
export type Change = Script & { readonly telling: Script };

/** What the scripts say in the broker's name, the same in every store. */
const WORDS = Object.entries({ TAKEN_OVER, CANCELLED: CANCELLED.error, EXPIRED: EXPIRED.error })
  .map(([name, text]) => `local ${name} = ${JSON.stringify(text)}`)
  .join('\n');

/** One script for each change of the store, and for each question. Each says in its head what it takes and answers. */
export const SCRIPTS = {
  enqueue: change('enqueue'),
  requeue: change('requeue'),
  cancel: change('cancel'),
  clear: change('clear'),
  expire: change('expire'),
  claim: change('claim'),
  append: change('append'),
  retry: change('retry'),
  settle: change('settle'),
  release: change('release'),
  discard: change('discard'),
  renew: change('renew'),
  claimDelivery: change('claim-delivery'),
  renewDelivery: change('renew-delivery'),
  checkpointDelivery: change('checkpoint-delivery'),
  postponeDelivery: change('postpone-delivery'),
  settleDelivery: change('settle-delivery'),
  read: script(text('read')),
  message: script(text('message')),
  queue: script(text('queue')),
  dead: script(text('dead')),
  delayed: script(text('delayed')),
  announce: script(text('announce')),
  brokers: script(text('brokers')),
  master: script([text('master'), 'return { master() }'].join('\n')),
  mark: script(text('mark')),
  sweep: script([text('master'), text('sweep')].join('\n')),
};

function change(name: string): Change {
  const body = [WORDS, text('prelude'), 'local function change()', text(name), 'end'];
  return {
    ...script([...body, 'return { change() or false, notices }'].join('\n')),
    telling: script([text('master'), ...body, 'return { change() or false, notices, master() }'].join('\n')),
  };
}

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

function text(name: string): string {
  return readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8');
}

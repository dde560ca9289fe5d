import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CANCELLED, EXPIRED, TAKEN_OVER } from '../events.ts';

/** A Lua script and the name Redis keeps it under once it has seen it. */
export type Script = { readonly sha: string; readonly lua: string };

/**
 * One that changes a queue. Answers what the change itself answers, or NOTICED, its notices as `parts/notice.lua` makes
 * them, and that; `telling` in the place of the answer {the answer, its master as `master.lua` tells it}.
 */
export type Change = Script & { readonly telling: Script };

/** What an answer begins with that comes with notices. */
export const NOTICED = 'noticed';

/** What the scripts say in the broker's name, the same in every store. */
const WORDS = Object.entries({ TAKEN_OVER, CANCELLED: CANCELLED.error, EXPIRED: EXPIRED.error })
  .map(([name, text]) => `local ${name} = ${JSON.stringify(text)}`)
  .join('\n');

/** One script for each change of the store, and for each question. Each says in its head what it takes and answers. */
export const SCRIPTS = {
  enqueue: change('enqueue'),
  interrupt: change('interrupt'),
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

/**
 * KEYS are the waiting list and the claim of the queue: `queueKeys`. The first ARGV are the base of the shard's keys and the
 * queue. A script gives its arguments names, and the parts it is made with rely on them: `base`, `queue`, `broker`, and
 * in ms `lease`, `ttl` (how long a message may wait), `retention` and `dead_retention` (that of a failed message).
 *
 * Scripts check first and write after, so that a refusal (also Redis' own, when memory is full) leaves nothing half done.
 */
function change(name: string): Change {
  const places = 'local WAITING, CLAIM, notices = KEYS[1], KEYS[2], {}';
  const body = [WORDS, places, 'local function change()', assembled(name), 'end'];
  const end = ['if #notices == 0 then return answer end', `return { '${NOTICED}', notices, answer }`];
  return {
    ...script([...body, 'local answer = change() or false', ...end].join('\n')),
    telling: script([text('master'), ...body, 'local answer = { change() or false, master() }', ...end].join('\n')),
  };
}

/**
 * A script, and where it says `-- with` the parts it names there, which may name others. A part is there once for all that
 * follows; one that is named in a block, for that block alone. Redis makes each function anew each time it comes by it, so
 * what is rarely needed is named where it is needed.
 */
function assembled(name: string, known = new Set<string>()): string {
  return text(name).replaceAll(/^( *)-- with (.+)$/gm, (_line, indent: string, names: string) => {
    const here = indent ? new Set(known) : known;
    let parts = '';
    for (const part of names.split(', ')) {
      if (here.has(part)) continue;
      here.add(part);
      parts += assembled(`parts/${part}`, here);
    }
    return parts;
  });
}

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

function text(name: string): string {
  return readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8');
}

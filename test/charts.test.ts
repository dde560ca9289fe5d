import { readFileSync } from 'node:fs';
import test from 'ava';
import { setup } from 'xstate';
import { chart, outdated, withCharts } from '../scripts/charts.ts';

const DOCUMENT = readFileSync(new URL('../ARCHITECTURE.md', import.meta.url), 'utf8');

test('ARCHITECTURE.md shows the machines as they are (if not: node scripts/charts.ts)', (t) => {
  t.deepEqual(outdated(DOCUMENT), []);
});

test('a chart that is not as its machine is named, and written anew', (t) => {
  const old = DOCUMENT.replace('running --> draining', 'running --> stopping');
  t.deepEqual(outdated(old), ['supervisor']);
  t.is(withCharts(old), DOCUMENT);
  const without = DOCUMENT.replace('chart:user', 'chart:nobody');
  t.throws(() => withCharts(without), { message: /no place for the chart "user"/ });
});

test('a chart has nested states, guards in brackets, and one edge from one state to another', (t) => {
  const even = () => true;
  const machine = setup({}).createMachine({
    id: 'example',
    initial: 'off',
    states: {
      off: { on: { press: [{ guard: even, target: 'on' }, { target: 'gone' }], kick: 'on', look: {} } },
      on: { initial: 'dim', on: { press: 'off' }, states: { dim: { always: 'bright' }, bright: {} } },
      gone: { type: 'final' },
    },
  });
  t.is(
    chart(machine),
    `\`\`\`mermaid
stateDiagram-v2
    [*] --> off
    off
    state on {
        [*] --> dim
        dim
        bright
    }
    gone
    off --> on : press [even]<br/>kick
    off --> gone : press [else]
    on --> off : press
    dim --> bright : always
    gone --> [*]
\`\`\`

Taken in without leaving off, unless the chart says otherwise: \`look\`.`,
  );
});

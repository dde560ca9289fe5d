import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { setup } from 'xstate';
import { deliveryMachine } from '../../machines/delivery.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { userMachine } from '../../machines/user.ts';
import { Audience } from '../../src/dashboard/audience.ts';
import { chartOf, charts } from '../../src/dashboard/chart.ts';
import { nodesOf } from '../../src/dashboard/definition.ts';
import { Fleet } from '../../src/dashboard/fleet.ts';
import type { Sample } from '../../src/dashboard/frame.ts';
import { LastHour } from '../../src/dashboard/hour.ts';
import { Pace } from '../../src/dashboard/pace.ts';
import { type BrokerStatus, readStatus } from '../../src/dashboard/status.ts';
import { Durations, quantile } from '../../src/durations.ts';
import type { Totals } from '../../src/store/store.ts';

test('quantiles of durations are off by 15 % at most, from milliseconds to hours', (t) => {
  t.is(quantile(new Durations().counts, 0.5), undefined);
  // All in one place is the hardest: wherever in its bucket that is.
  for (let ms = 1.001; ms < 86_400_000; ms *= 1.01) {
    const durations = new Durations();
    durations.add(ms);
    for (const q of [0.01, 0.5, 1]) {
      const ratio = (quantile(durations.counts, q) ?? 0) / ms;
      t.true(ratio > 1 / 1.151 && ratio < 1.151, `${ms} ms, ${q}: ${ratio}`);
    }
  }
  for (const scale of [20, 1000, 60_000, 3_600_000]) {
    const durations = new Durations();
    for (let index = 1; index <= 1000; index += 1) durations.add((scale * index) / 1000);
    for (const q of [0.5, 0.95]) {
      const ratio = (quantile(durations.counts, q) ?? 0) / (scale * q);
      t.true(ratio > 0.87 && ratio < 1.15, `${scale} ms, ${q}: ${ratio}`);
    }
  }
  const short = new Durations();
  short.add(1);
  t.true((quantile(short.counts, 0.95) ?? 9) <= 1);
  const endless = new Durations();
  endless.add(Number.MAX_SAFE_INTEGER);
  t.true((quantile(endless.counts, 0.5) ?? 0) > 86_400_000);
});

const sampleAt = (at: number): Sample => ({
  at,
  in_per_second: null,
  out_per_second: 1,
  waiting: 2,
  oldest_wait_seconds: 3,
  queue_p50_seconds: 4,
  queue_p95_seconds: 5,
  worker_p50_seconds: 6,
  worker_p95_seconds: 7,
});

test('an hour of samples is kept, the oldest first, and what was not known stays so', (t) => {
  const hour = new LastHour();
  t.deepEqual(
    hour.columns.map(({ field, values }) => [field, values]),
    Object.keys(sampleAt(0)).map((field) => [field, []]),
  );
  for (let at = 1; at <= 3700; at += 1) hour.add(sampleAt(at));
  for (const { values } of hour.columns) t.is(values.length, 3600);
  const at = (index: number) => hour.columns.map(({ values }) => values.at(index));
  t.deepEqual(at(0), [101, null, 1, 2, 3, 4, 5, 6, 7]);
  t.deepEqual(at(-1), [3700, null, 1, 2, 3, 4, 5, 6, 7]);
});

function aStatus(id: string, uptimeMs: number, more: Partial<BrokerStatus> = {}): BrokerStatus {
  const none = [...new Durations().counts];
  return {
    id,
    version: '1',
    started_at: 0,
    uptime_ms: uptimeMs,
    draining: false,
    users: {},
    deliveries: {},
    worker: { connected: true, circuit: 'closed', since: 0 },
    calls: 0,
    call_limit: 1,
    listeners: 0,
    turns: [],
    accepted: 0,
    ended: 0,
    queued: none,
    worked: none,
    ...more,
  };
}

test('the pace of the whole store is told by its totals, as long as all of it answers', (t) => {
  const pace = new Pace();
  const look = (at: number, accepted: number, more: Partial<Totals> = {}, complete = true) => {
    pace.look({ at, complete, totals: { accepted, completed: 0, failed: 0, cancelled: 0, expired: 0, ...more } });
    return [pace.in, pace.out];
  };
  t.deepEqual([pace.in, pace.out], [null, null]);
  t.deepEqual(look(1000, 70), [null, null], 'nobody knows since when');
  t.deepEqual(look(1500, 80, { completed: 1, failed: 2, cancelled: 3, expired: 4 }), [20, 20]);
  t.deepEqual(look(1500, 80), [20, 20], 'the same look once more says nothing new');
  t.deepEqual(look(3500, 80, { completed: 1, failed: 2, cancelled: 7, expired: 4 }), [0, 2]);
  t.deepEqual(look(4000, 81, {}, false), [null, null], 'a part of the store would tell too little');
  t.deepEqual(look(4500, 82), [null, null]);
  t.deepEqual(look(5000, 12), [null, 0], 'a failover has lost some');
  pace.look(undefined);
  t.deepEqual([pace.in, pace.out], [null, null], 'the store is away');
});

test('rates of each broker go by its own clock, and states are added up over all', (t) => {
  const fleet = new Fleet();
  fleet.look([aStatus('a', 1000, { accepted: 10 }), aStatus('b', 50_000)]);
  t.is(fleet.rate('a', 'accepted'), null, 'nobody knows yet');
  fleet.look([
    aStatus('a', 2000, { accepted: 13, users: { idle: 1, streaming: 2 } }),
    aStatus('b', 52_000, { accepted: 4, users: { idle: 3 } }),
  ]);
  t.is(fleet.rate('a', 'accepted'), 3);
  t.is(fleet.rate('b', 'accepted'), 2);
  t.deepEqual(fleet.states('users'), { idle: 4, streaming: 2 });
  // The same announcement once more says nothing new; of one that has just come nothing is known yet.
  fleet.look([aStatus('a', 2000, { accepted: 13 }), aStatus('c', 1000, { accepted: 9 })]);
  t.is(fleet.rate('c', 'accepted'), null);
  t.is(fleet.rate('a', 'accepted'), 3);
  fleet.look([aStatus('a', 2000, { accepted: 13 })]);
  t.deepEqual(
    fleet.brokers.map(({ id }) => id),
    ['a'],
  );
});

test('a broker that goes without a word is missed for a minute, one that stops is not', (t) => {
  const fleet = new Fleet();
  const missed = () => fleet.missed.map(({ status, since }) => [status.id, since]);
  fleet.look([aStatus('a', 1), aStatus('b', 1, { users: { idle: 1 } }), aStatus('c', 1, { draining: true })], 1000);
  t.deepEqual(missed(), []);
  fleet.look([aStatus('a', 2)], 2000);
  t.deepEqual(missed(), [['b', 2000]]);
  t.deepEqual(fleet.states('users'), {}, 'it counts no longer');
  fleet.look([aStatus('a', 3)], 61_999);
  t.deepEqual(missed(), [['b', 2000]]);
  fleet.look([aStatus('a', 4), aStatus('b', 4)], 61_999);
  t.deepEqual(missed(), [], 'it is there again');
  fleet.look([aStatus('a', 5)], 70_000);
  fleet.look([aStatus('a', 6)], 130_000);
  t.deepEqual(missed(), []);
});

test('turns are those at work longest, at all brokers, and supervisors as many as there are brokers', (t) => {
  const fleet = new Fleet();
  const aTurn = (user_id: string, held_ms: number) => ({ user_id, message_id: `of ${user_id}`, attempt: 1, held_ms });
  fleet.look([
    aStatus('a', 1000, { turns: [aTurn('u', 900), aTurn('v', 100)] }),
    aStatus('b', 1000, { turns: [aTurn('w', 500)], draining: true }),
  ]);
  t.deepEqual(
    fleet.turns(2).map(({ user_id }) => user_id),
    ['u', 'w'],
  );
  t.deepEqual(fleet.supervisors, { running: 1, draining: 1 });
});

test('times are those of the last minute, at all brokers', (t) => {
  const fleet = new Fleet();
  const queued = new Durations();
  const look = (uptimeMs: number) => fleet.look([aStatus('a', uptimeMs, { queued: [...queued.counts] })]);
  queued.add(100);
  look(1000);
  t.true(Math.abs((fleet.quantile('queued', 0.5) ?? 0) - 0.1) < 0.05, 'all there was, of one that has just started');
  look(30_000);
  queued.add(10_000);
  look(80_000);
  t.true((fleet.quantile('queued', 0.5) ?? 0) > 5, 'the first one is older than a minute');
  t.is(fleet.quantile('worked', 0.5), null);
  look(200_000);
  look(261_000);
  t.is(fleet.quantile('queued', 0.5), null);
});

test('what a broker of another version announces is left aside', (t) => {
  t.deepEqual(readStatus(JSON.stringify(aStatus('a', 1))), aStatus('a', 1));
  t.is(readStatus('{"id":"b"}'), undefined);
  const { turns, ...older } = aStatus('a', 1);
  t.deepEqual(readStatus(JSON.stringify(older)), { ...older, turns }, 'one that tells no turns is told of');
});

test('a dashboard that takes nothing is let go, and the others are not kept waiting', async (t) => {
  const audience = new Audience();
  const server = createServer((_, response) => audience.join(response, 'hello\n')).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const open = async () => {
    const request = get({ port, host: '127.0.0.1', agent: false });
    request.on('error', () => {});
    const [response] = await once(request, 'response');
    response.on('error', () => {});
    return response;
  };
  const stalled = await open();
  stalled.pause();
  const reader = await open();
  let received = 0;
  reader.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  t.is(audience.size, 2);
  const frame = 'x'.repeat(500_000);
  while (audience.size === 2) {
    const before = received;
    audience.send(frame);
    while (received === before) await turn();
  }
  t.is(audience.size, 1);
  audience.close();
  await once(reader, 'end');
});

test('the charts have all states of their machines, apart from each other, and lines between them', (t) => {
  const [user, supervisor, delivery] = charts();
  for (const [chart, machine] of [
    [user, userMachine],
    [supervisor, supervisorMachine],
    [delivery, deliveryMachine],
  ] as const) {
    if (!chart) return t.fail();
    const paths = nodesOf(machine.root)
      .slice(1)
      .map(({ path }) => path.join('.'));
    t.deepEqual(
      chart.states.map(({ path }) => path),
      paths,
    );
    const leaves = chart.states.filter(({ compound }) => !compound);
    for (const one of leaves) {
      for (const other of leaves) {
        const apart =
          one.x + one.width <= other.x ||
          other.x + other.width <= one.x ||
          one.y + one.height <= other.y ||
          other.y + other.height <= one.y;
        t.true(one === other || apart, `${one.path} and ${other.path}`);
      }
    }
    for (const { from, to, points } of chart.edges) {
      t.true(points.length > 1 && paths.includes(from) && paths.includes(to), `${from} to ${to}`);
      for (const { x, y } of points) {
        t.true(x >= chart.x && x <= chart.x + chart.width && y >= chart.y && y <= chart.y + chart.height);
      }
    }
  }
});

test('a line that leads back to its state goes out at the border, round, and in again', (t) => {
  const machine = setup({}).createMachine({
    id: 'example',
    initial: 'on',
    states: { on: { on: { again: { target: 'on', reenter: true } } } },
  });
  const { states, edges } = chartOf('example', machine);
  const [on] = states;
  const [loop] = edges;
  if (!on || !loop) return t.fail();
  const border = on.x + on.width;
  t.deepEqual(
    loop.points.map(({ x }) => x > border),
    [false, true, true, false],
  );
  for (const end of [loop.points.at(0), loop.points.at(-1)]) t.is(end?.x, border);
  for (const { y } of loop.points) t.true(y > on.y && y < on.y + on.height);
});

test('a line to a state that has others in it ends at its border', (t) => {
  const machine = setup({}).createMachine({
    id: 'example',
    initial: 'off',
    states: { off: { on: { press: 'on' } }, on: { initial: 'dim', on: { press: 'off' }, states: { dim: {} } } },
  });
  const { states, edges } = chartOf('example', machine);
  const on = states.find(({ path }) => path === 'on');
  const end = edges.find(({ to }) => to === 'on')?.points.at(-1);
  const begin = edges.find(({ from }) => from === 'on')?.points.at(0);
  if (!on || !end || !begin) return t.fail();
  for (const { x, y } of [end, begin]) {
    const distances = [x - on.x, on.x + on.width - x, y - on.y, on.y + on.height - y].map(Math.abs);
    t.true(Math.min(...distances) <= 1);
  }
  t.deepEqual(
    edges.map(({ labels }) => labels),
    [['press'], ['press']],
  );
});

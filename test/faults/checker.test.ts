import test from 'ava';
import fc from 'fast-check';
import { check, NAMES } from './checker.ts';
import type { History } from './history.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';
import { type AttemptOutline, historyOf, type ListenerOutline, type MessageOutline, type Outline } from './sound.ts';

const anAttempt: fc.Arbitrary<AttemptOutline> = fc.record({
  how: fc.constantFrom('refused', 'killed before the call', 'killed', 'frozen', 'cut off'),
  words: fc.nat({ max: 3 }),
  logged: fc.nat({ max: 3 }),
  lasting: fc.boolean(),
});

const EARLY_ENDS = ['closed', 'left', 'broken', 503] as const;
const aListener: fc.Arbitrary<ListenerOutline> = fc.record({
  early: fc.array(fc.record({ events: fc.nat({ max: 4 }), end: fc.constantFrom(...EARLY_ENDS) }), { maxLength: 3 }),
  stays: fc.boolean(),
  asksOnceMore: fc.boolean(),
  passing: fc.boolean(),
});

const aMessage: fc.Arbitrary<MessageOutline> = fc.record({
  before: fc.array(fc.constantFrom('refused', 'no store', 'unknown'), { maxLength: 3 }),
  givenUp: fc.boolean(),
  again: fc.nat({ max: 2 }),
  attempts: fc.array(anAttempt, { maxLength: 3 }),
  words: fc.nat({ max: 4 }),
  completed: fc.boolean(),
  cancelled: fc.option(
    fc.record({ running: fc.boolean(), by: fc.constantFrom('its id', 'its queue', 'another message') }),
    { nil: undefined },
  ),
  listeners: fc.array(aListener, { maxLength: 3 }),
});

const anOutline: fc.Arbitrary<Outline> = fc.array(fc.array(aMessage, { maxLength: 4 }), { maxLength: 3 });

const PLAIN: MessageOutline = {
  before: [],
  givenUp: false,
  again: 0,
  attempts: [],
  words: 2,
  completed: true,
  cancelled: undefined,
  listeners: [],
};
const STAYS: ListenerOutline = { early: [], stays: true, asksOnceMore: true, passing: true };

/** A little of everything, so that every fault has a place in it. */
const SOUND = historyOf([
  [
    { ...PLAIN, listeners: [STAYS, { ...STAYS, early: [{ events: 2, end: 'left' }] }] },
    { ...PLAIN, before: ['unknown', 'refused'], again: 2 },
    { ...PLAIN, givenUp: true },
    { ...PLAIN, cancelled: { running: false, by: 'its id' } },
    { ...PLAIN, cancelled: { running: true, by: 'its id' } },
    { ...PLAIN, cancelled: { running: true, by: 'another message' } },
    { ...PLAIN, attempts: [{ how: 'frozen', words: 2, logged: 1, lasting: true }] },
    { ...PLAIN, attempts: [{ how: 'refused', words: 0, logged: 0, lasting: false }], completed: false },
  ],
  [
    { ...PLAIN, completed: false },
    { ...PLAIN, attempts: [{ how: 'killed', words: 3, logged: 3, lasting: true }] },
  ],
]);

/** Chooses among places by a number. */
function picking(number: number) {
  return <Place>(places: readonly Place[]): Place | undefined => places[number % Math.max(1, places.length)];
}

function clausesBroken(history: History): Set<string> {
  return new Set(check(history).map(({ clause }) => clause));
}

test('a sound history has no violations', (t) => {
  t.deepEqual(check(SOUND), []);
  t.deepEqual(check(historyOf([])), []);
});

test('every clause has a history that breaks it', (t) => {
  const broken = new Set(MUTATIONS.map(({ clause }) => clause));
  t.deepEqual([...broken].toSorted(), NAMES.toSorted());
});

for (const { name, clause, mutate } of MUTATIONS) {
  test(`${clause}: ${name}`, (t) => {
    const broken = mutate(SOUND, picking(0));
    t.truthy(broken, 'the sound history has no place for it');
    if (broken) t.true(clausesBroken(broken).has(clause), JSON.stringify(check(broken)));
  });
}

test('whatever happens, a sound history has no violations', (t) => {
  fc.assert(fc.property(anOutline, (outline) => t.deepEqual(check(historyOf(outline)), [])));
});

test('a single fault, wherever it is put, is found and named', (t) => {
  const aFault: fc.Arbitrary<Mutation> = fc.constantFrom(...MUTATIONS);
  const found = new Set<string>();
  fc.assert(
    fc.property(anOutline, aFault, fc.nat(), (outline, { name, clause, mutate }, place) => {
      const broken = mutate(historyOf(outline), picking(place));
      fc.pre(broken !== undefined);
      found.add(name);
      t.true(clausesBroken(broken).has(clause), `${name}: ${JSON.stringify(check(broken))}`);
    }),
    { numRuns: 2000 },
  );
  t.deepEqual(
    MUTATIONS.map(({ name }) => name).filter((name) => !found.has(name)),
    [],
  );
});

import test from 'ava';
import type { EngineDetails, ProgressMode } from '../../src/callbacks/details.ts';
import { type Utterance, Voice } from '../../src/callbacks/voice.ts';
import type { LogEvent } from '../../src/store/store.ts';

const worker = (event: Record<string, unknown>): LogEvent => ({ name: '', data: JSON.stringify(event) });
const says = (text: string) => worker({ type: 'progress', text });
const status = (message: string) => worker({ type: 'status', message });
const DONE: LogEvent = { name: 'done', data: '{"message_id":"m","status":"completed"}' };
const CHUNK_MS = 250;

function complete(responses: readonly string[], more: Record<string, unknown> = {}): LogEvent {
  const response = { responses, response_language: 'en', voice_audio_base64: null, voice_audio_url: null, ...more };
  return worker({ type: 'complete', response });
}

/** The stream of recording 10: one tool, then the answer, a chunk each 250 ms. */
const FIRST = 'Let me check with read_memory (step 1).';
const REST = 'First sentence here. Second sentence here. Third one!';
const TURN: readonly LogEvent[] = [
  { name: 'queued', data: '{}' },
  { name: 'processing', data: '{}' },
  status('Processing your request...'),
  says('Let me '),
  says('check with '),
  says('read_memory (step '),
  says('1).'),
  status('Executing 1 tool(s)...'),
  worker({ type: 'tool_use', tool: 'read_memory', input: {} }),
  worker({ type: 'tool_result', tool: 'read_memory', result: {} }),
  says('\n'),
  status('Preparing your response...'),
  ...['First sentence ', 'here. ', 'Second sentence ', 'here. ', 'Third one!'].map(says),
  complete([FIRST, REST]),
  DONE,
];
const STATUSES = ['Processing your request...', 'Executing 1 tool(s)...', 'Preparing your response...'].map(
  (message) => ({ type: 'status', message }),
);
const progress = (text: string) => ({ type: 'progress', text });

function told(
  mode: ProgressMode,
  events: readonly LogEvent[],
  throttle_seconds = 3,
  keepFrom = Infinity,
): readonly Utterance[] {
  const details: EngineDetails = { kind: 'engine', user_id: 'u', message_key: 'k', mode, throttle_seconds, key: '' };
  const voice = new Voice(details, 0, keepFrom);
  return events.flatMap((event, index) => voice.hear(event, index + 1, index * CHUNK_MS));
}

const fieldsOf = (utterances: readonly Utterance[]) => utterances.map(({ fields }) => fields);

test('iteration: the text of each iteration once it is whole, and that of the last one at the end', (t) => {
  const [first, second, third] = STATUSES;
  t.deepEqual(fieldsOf(told('iteration', TURN)), [
    first,
    second,
    progress(FIRST),
    third,
    { type: 'complete', text: `\n${REST}` },
  ]);
});

test('iteration: what was told in vain comes with the end', (t) => {
  const [first, second, third] = STATUSES;
  const whole = { type: 'complete', text: `${FIRST}\n${REST}` };
  const toolUsed = TURN.findIndex(({ data }) => data.includes('tool_use')) + 1;
  t.deepEqual(fieldsOf(told('iteration', TURN, 3, toolUsed)), [first, second, third, whole]);
  t.deepEqual(fieldsOf(told('iteration', TURN, 3, toolUsed + 1)), fieldsOf(told('iteration', TURN)));
});

test('complete: the whole text, at the end', (t) => {
  t.deepEqual(fieldsOf(told('complete', TURN)), [{ type: 'complete', text: `${FIRST}\n${REST}` }]);
});

test('sentence: all of the text so far at each sentence', (t) => {
  const [first, second, third] = STATUSES;
  t.deepEqual(fieldsOf(told('sentence', TURN)), [
    first,
    progress(FIRST),
    second,
    third,
    progress(`${FIRST}\nFirst sentence here. `),
    progress(`${FIRST}\nFirst sentence here. Second sentence here. `),
    progress(`${FIRST}\n${REST}`),
    { type: 'complete', text: `${FIRST}\n${REST}` },
  ]);
});

test('periodic: all of the text so far after so many seconds', (t) => {
  const texts = told('periodic', TURN, 2)
    .filter(({ fields }) => fields['type'] === 'progress')
    .map(({ fields }) => fields['text']);
  t.deepEqual(texts, [`${FIRST}\n`]);
});

test('only the end is the last', (t) => {
  for (const mode of ['iteration', 'sentence', 'periodic', 'complete'] as const) {
    const lasts = told(mode, TURN).map(({ last }) => last);
    t.deepEqual(
      lasts,
      lasts.map((_, index) => index === lasts.length - 1),
    );
  }
});

test('a turn with nothing to say is told of with nothing', (t) => {
  t.deepEqual(told('iteration', [complete([]), DONE]), []);
});

test('an answer that was not streamed is told all the same, with its voice', (t) => {
  const link = 'https://engine.example/a.opus';
  const [end] = told('iteration', [complete(['One.', 'Two.'], { voice_audio_url: link }), DONE]);
  t.deepEqual(end, { last: true, fields: { type: 'complete', text: 'One.\nTwo.', voice_audio_url: link } });
});

test('an error of the worker is told once, as the broker ends the message with it', (t) => {
  const error = '401 invalid x-api-key';
  const end = {
    name: 'error',
    data: JSON.stringify({ message_id: 'm', status: 'failed', code: 'worker_error', error }),
  };
  t.deepEqual(told('iteration', [worker({ type: 'error', error }), end]), [
    { last: true, fields: { type: 'error', error } },
  ]);
});

test('what was said before another attempt is void', (t) => {
  const retrying = { name: 'retrying', data: '{}' };
  const again = [says('Half of '), retrying, says('All of it.'), complete(['All of it.']), DONE];
  t.deepEqual(fieldsOf(told('complete', again)), [{ type: 'complete', text: 'All of it.' }]);
});

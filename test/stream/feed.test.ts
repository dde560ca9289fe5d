import test, { type ExecutionContext } from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { type ClaimedMessage, READ_AGAIN } from '../../src/store/store.ts';
import { Feed } from '../../src/stream/feed.ts';
import { aDirectory } from '../helpers/broker.ts';
import { claimed, FAILED, queued, settingsOf, workerEvents } from '../store/contract/kit.ts';

/** A message that is worked on, and a feed of it that hears only what the test tells it. */
async function aFeed(t: ExecutionContext) {
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  t.teardown(() => store.close());
  const { id } = await queued(store, 'u');
  const claim = await claimed(store, 'u');
  const feed = new Feed(store, 'u', id);
  await feed.read(0, 10);
  return { store, claim, feed };
}

/** The ids of what a feed has at hand after event `id`. */
const idsAfter = (feed: Feed, id: number) =>
  feed.after(id)?.flatMap((run) => Array.from(run.frames(), (frame) => frame.id));

/** Adds `count` events to the log; answers the news of them. */
async function grown(store: EmbeddedStore, claim: ClaimedMessage, last: number, count: number) {
  const events = workerEvents(...Array.from({ length: count }, (_, index) => `${last + 1 + index}`));
  await store.append(claim, last, events);
  return { messageId: claim.messageId, last: last + count, events, moved: false };
}

test('after any event a feed has at hand all that follows, or says that it is to be read', async (t) => {
  const { store, claim, feed } = await aFeed(t);
  let last = claim.last;
  let trimmed = false;
  while (last < 5000) {
    feed.change(await grown(store, claim, last, 700));
    last += 700;
    let atHand = 0;
    for (let id = 0; id <= last; id += 1) {
      const runs = feed.after(id);
      if (!runs) continue;
      const count = runs.reduce((sum, run) => sum + run.count, 0);
      atHand = Math.max(atHand, count);
      const begin = runs[0]?.bytes.toString('latin1', 0, 20) ?? `id: ${id + 1}\n`;
      if (count !== last - id || !begin.startsWith(`id: ${id + 1}\n`)) t.fail(`after ${id} of ${last}: ${begin}`);
    }
    t.deepEqual(
      idsAfter(feed, last - atHand),
      Array.from({ length: atHand }, (_, index) => last - atHand + 1 + index),
    );
    t.true(atHand >= Math.min(last - claim.last, 1024), `${atHand} events at hand of ${last}`);
    trimmed ||= atHand < last - claim.last;
    t.is(idsAfter(feed, last + 1), undefined);
  }
  t.true(trimmed, 'not all of them are kept');
});

test('news that leaves a gap, or repeats what is known, is read from the log', async (t) => {
  const { store, claim, feed } = await aFeed(t);
  const { last } = claim;
  const missed = await grown(store, claim, last, 3);
  const heard = await grown(store, claim, last + 3, 2);
  const { version } = feed;
  feed.change(heard);
  await feed.news(version, new AbortController().signal);
  t.deepEqual(idsAfter(feed, last), [last + 1, last + 2, last + 3, last + 4, last + 5]);
  feed.change(missed);
  feed.change(heard);
  t.deepEqual(idsAfter(feed, last), [last + 1, last + 2, last + 3, last + 4, last + 5]);
});

test('a feed that has missed the end of a log goes on with the one that was begun anew', async (t) => {
  const { store, claim, feed } = await aFeed(t);
  await store.settle(claim, claim.last, workerEvents('a', 'b'), FAILED, false);
  await store.requeue('u', claim.messageId);
  const { version } = feed;
  feed.change(READ_AGAIN);
  await feed.news(version, AbortSignal.timeout(10_000));
  t.deepEqual(idsAfter(feed, 5), [6]);
  t.is(feed.after(claim.last), undefined, 'what is void has to be read, and is not there');
  t.like(await feed.read(claim.last, 10), { after: 5, last: 6 });
});

test('a follower is woken once for all news of one moment, and not once it has left', async (t) => {
  const { store, claim, feed } = await aFeed(t);
  const { last } = claim;
  const first = await grown(store, claim, last, 2);
  const second = await grown(store, claim, last + 2, 1);
  const heard: unknown[] = [];
  const follower = { wake: () => heard.push(idsAfter(feed, last)) };
  feed.follow(follower);
  feed.change(first);
  feed.change(second);
  await feed.news(feed.version, AbortSignal.abort());
  t.deepEqual(heard, [[last + 1, last + 2, last + 3]]);
  feed.unfollow(follower);
  feed.change(await grown(store, claim, last + 3, 1));
  await feed.news(feed.version, AbortSignal.abort());
  t.is(heard.length, 1);
});

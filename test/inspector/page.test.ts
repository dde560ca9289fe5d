import test from 'ava';
import { Users } from '../../src/actors/users.ts';
import { Inspector } from '../../src/inspector/inspector.ts';
import { effects } from '../actors/helpers.ts';
import { aBrowser } from '../client/browser.ts';
import { barriers } from '../dashboard/tab.ts';

/** Says that it is ready as Stately's inspector does, and shows the names of the actors it is told of. */
const STATELY = `<!doctype html>
<script>
  addEventListener('message', ({ data }) => {
    if (data.type === '@xstate.actor') document.title += data.name + ';';
  });
  parent.postMessage({ type: '@statelyai.connected' }, '*');
</script>`;

test('a browser that does not get to stately.ai is told what is missing', async (t) => {
  const inspector = new Inspector({ port: 0, users: [] });
  t.teardown(() => inspector.close());
  const page = await aBrowser(t);
  await page.route('https://stately.ai/inspect', (route) => route.abort());
  await page.goto(await inspector.listen());
  await page.getByText('This page needs https://stately.ai, which shows what is sent from here.').waitFor();
  t.true(
    await page.evaluate('document.documentElement.scrollHeight <= innerHeight'),
    'the frame has the rest of the window',
  );
  t.deepEqual(await barriers(page), []);
});

test("the page hands Stately's inspector what there is when it says that it is ready", async (t) => {
  const inspector = new Inspector({ port: 0, users: [] });
  t.teardown(() => inspector.close());
  const users = new Users(effects(), () => {}, { inspect: inspector.inspect });
  t.teardown(() => users.drain(0));
  const page = await aBrowser(t);
  await page.route('https://stately.ai/inspect', (route) => route.fulfill({ contentType: 'text/html', body: STATELY }));
  await page.goto(await inspector.listen());
  const stately = page.frames().find((frame) => frame.url().startsWith('https://stately.ai/'));
  if (!stately) return t.fail('the inspector is in no frame');
  const told = () => stately.waitForFunction("document.title === 'supervisor;'");
  await told();
  // After a reload it starts anew.
  await Promise.all([page.waitForEvent('framenavigated'), stately.evaluate('location.reload()')]);
  await told();
  t.pass();
});

/**
 * The usual way without this broker: Koa puts a job into a BullMQ queue, and a hundred at a time are made into the same
 * worker call. It keeps no order among a user's messages and no events.
 */
import Router from '@koa/router';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import Koa from 'koa';
import bodyParser from 'koa-bodyparser';
import { Agent, request } from 'undici';

const { REDIS_URL = '', WORKER_BASE_URL = '' } = process.env;
const connect = () => new Redis(REDIS_URL, { maxRetriesPerRequest: null, enableAutoPipelining: true });
const queue = new Queue('messages', { connection: connect(), defaultJobOptions: { removeOnComplete: true } });
const agent = new Agent({ pipelining: 1 });

const worker = new Worker(
  'messages',
  async ({ data }) => {
    const { body, statusCode } = await request(`${WORKER_BASE_URL}/api/v1/chat/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify(data),
      dispatcher: agent,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`the worker answered ${statusCode}`);
    const complete = text.lastIndexOf('data: {"type":"complete"');
    return JSON.parse(text.slice(complete + 'data: '.length).trim());
  },
  { connection: connect(), concurrency: 100 },
);
await worker.waitUntilReady();

const router = new Router();
router.post('/api/v1/message', async (ctx) => {
  const job = await queue.add('message', ctx.request.body);
  ctx.status = 202;
  ctx.body = { status: 'queued', message_id: job.id };
});
router.get('/health', async (ctx) => {
  const { waiting = 0, active = 0 } = await queue.getJobCounts('waiting', 'active');
  ctx.body = { messages_waiting: waiting, messages_processing: active };
});
const app = new Koa();
app.use(bodyParser());
app.use(router.routes()).use(router.allowedMethods());
app.listen(Number(process.env['PORT']), '127.0.0.1');

import Router from '@koa/router';
import type { Middleware } from 'koa';
import type { Services } from '../app.ts';
import { jsonBody } from '../body.ts';
import { keyOf } from '../keys.ts';
import { postChat, postChatCallback, postChatStream } from './chat.ts';
import { EngineFault, engineFaults } from './fault.ts';

/** Everything of the engine that has no queue. */
const PASSED_ON = /^\/api\/v1\/(?:orgs|audio|voice-submissions)(?:\/|$)/;
const ADMIN = /^\/api\/v1\/admin(?:\/|$)/;
const CHAT = /^\/api\/v1\/chat(?:\/stream|\/callback)?$/;
const PUBLIC = /^\/public(?:\/|$)/;

/**
 * The engine's own API: its clients come to the broker by changing a base URL and a key. Chat goes through the queues;
 * all else passes straight through.
 */
export function engineRouter(services: Services): Router {
  const { passthrough, passthroughAdmin, log, metrics, bodies } = services;
  const router = new Router();
  const faults = engineFaults(log, metrics);
  const key = bearer(services);
  // The engine reads JSON whatever type it is said to have.
  const chat = [faults, key, jsonBody(bodies)];
  router.post('/api/v1/chat', ...chat, postChat(services));
  router.post('/api/v1/chat/stream', ...chat, postChatStream(services));
  router.post('/api/v1/chat/callback', ...chat, postChatCallback(services));
  router.all(CHAT, faults, postOnly);
  router.all(PASSED_ON, faults, key, passthrough.handle(true));
  router.all(ADMIN, faults, key, passthroughAdmin ? passthrough.handle(true) : notServed);
  router.all(PUBLIC, faults, passthrough.handle(false));
  return router;
}

const notServed: Middleware = () => {
  throw new EngineFault(404, 'not_found', 'Not found', {
    message: 'PASSTHROUGH_ADMIN=true lets administration through.',
  });
};

const postOnly: Middleware = (ctx) => {
  ctx.set('Allow', 'POST');
  throw new EngineFault(405, 'method_not_allowed', 'Method not allowed');
};

/** Asks for the key as the engine does, and says so in its words. */
function bearer({ keys }: Services): Middleware {
  return async (ctx, next) => {
    if (keys.required) {
      const given = keyOf(ctx);
      if (!given) throw new EngineFault(401, 'missing_key', 'Authorization header with Bearer token required');
      if (!keys.know(given)) throw new EngineFault(403, 'invalid_key', 'Invalid API key');
    }
    await next();
  };
}

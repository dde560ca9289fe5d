import type { Logger } from 'pino';
import { writeLine } from '../log.ts';
import { storyOf } from '../trace.ts';
import type { Notice } from './store.ts';

/** One line for what was done to a message. Its `request_id` is that of the request that did it, where one did. */
export function logNotice(log: Logger, notice: Notice): void {
  const { deed, by, trace } = notice;
  const ended = deed === 'cancelled' || deed === 'expired';
  writeLine(log, deed === 'expired' ? 'warn' : 'info', ended ? 'ended' : deed, () => ({
    ...storyOf(notice),
    request_id: by ?? trace.requestId,
    ...(ended ? { status: deed, code: deed } : {}),
  }));
}

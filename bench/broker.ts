/** The broker as it is, in a process that tells what memory it has in use when it is asked over IPC. */
import '../src/main.ts';

process.on('message', () => {
  globalThis.gc?.();
  process.send?.(process.memoryUsage());
});
process.channel?.unref();

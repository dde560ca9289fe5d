/** The longest that a timer can be set for. */
const LONGEST_MS = 2 ** 31 - 1;

/** Calls `over` after so many milliseconds; never when they are without end. Answers how to call it off. */
export function after(ms: number, over: () => void): () => void {
  if (ms === Infinity) return () => {};
  const timer = setTimeout(over, Math.min(ms, LONGEST_MS));
  return () => clearTimeout(timer);
}

/** Waits for so many milliseconds. Throws the signal's reason. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve) => {
    const over = () => {
      stop();
      signal?.removeEventListener('abort', over);
      resolve();
    };
    const stop = after(ms, over);
    signal?.addEventListener('abort', over);
  });
  signal?.throwIfAborted();
}

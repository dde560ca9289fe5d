/**
 * An iteration that can be left while its next item is waited for: `return` breaks that off at once, where a generator
 * alone would only leave after it. `begin` is given what then aborts; `signal` aborts it as well, and is thrown.
 */
export function leavable<Item>(
  signal: AbortSignal | undefined,
  begin: (signal: AbortSignal) => AsyncGenerator<Item, void, undefined>,
): AsyncGenerator<Item, void, undefined> {
  const leave = new AbortController();
  const items = untilLeft(begin(signal ? AbortSignal.any([leave.signal, signal]) : leave.signal), leave.signal);
  const end = items.return.bind(items);
  items.return = () => {
    leave.abort();
    return end();
  };
  return items;
}

async function* untilLeft<Item>(
  items: AsyncGenerator<Item, void, undefined>,
  left: AbortSignal,
): AsyncGenerator<Item, void, undefined> {
  try {
    yield* items;
  } catch (error) {
    if (error !== left.reason) throw error;
  }
}

/** What comes so soon after is the same Ctrl-C: a terminal sends it to npm and to what npm runs, and npm passes it on. */
const SAME_WITHIN_MS = 1000;

/** Calls `leave` once this process is told to end. Told again a second later or after, it ends at once, with 1. */
export function onEnd(leave: () => void): void {
  let toldAt: number | undefined;
  const tell = () => {
    const now = performance.now();
    if (toldAt !== undefined && now - toldAt >= SAME_WITHIN_MS) process.exit(1);
    if (toldAt !== undefined) return;
    toldAt = now;
    leave();
  };
  process.on('SIGINT', tell);
  process.on('SIGTERM', tell);
}

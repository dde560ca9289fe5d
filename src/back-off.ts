/** How long to wait before try number `tries` + 1: from `firstMs` on twice as long each time, with full jitter on the upper half, so that many do not come back at once. */
export function backOffMs(firstMs: number, longestMs: number, tries: number): number {
  const most = Math.min(longestMs, firstMs * 2 ** tries);
  return most / 2 + (Math.random() * most) / 2;
}

/** What a `Retry-After` header asks for in ms: seconds or a date (RFC 9110, 10.2.3); 0 when it is missing or neither. */
export function retryAfterMs(header: string | string[] | undefined): number {
  if (typeof header !== 'string') return 0;
  const value = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(value) ? Math.max(0, value) : 0;
}

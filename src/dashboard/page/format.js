const NUMBER = new Intl.NumberFormat('en');
const RATE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const TIME = new Intl.DateTimeFormat('en', { timeStyle: 'medium', hourCycle: 'h23' });
const DAY = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });
const OFFSET = new Intl.DateTimeFormat('en', { timeZoneName: 'shortOffset' });

/** What is not known. */
const UNKNOWN = '–';

/** @param {number | null | undefined} value */
export function count(value) {
  return value == null ? UNKNOWN : NUMBER.format(value);
}

/** @param {number | undefined} number */
export function messages(number) {
  return `${count(number)} ${number === 1 ? 'message' : 'messages'}`;
}

/** @param {number | null | undefined} value */
export function rate(value) {
  return value == null ? UNKNOWN : `${RATE.format(value)}/s`;
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds == null) return UNKNOWN;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/**
 * The time of day, with the date unless it is today's.
 * @param {string} iso
 */
export function time(iso) {
  const at = new Date(iso);
  return (at.toDateString() === new Date().toDateString() ? TIME : DAY).format(at);
}

/** @param {number} seconds since 1970 */
export function clock(seconds) {
  return TIME.format(seconds * 1000);
}

/** Where all times are those of, and how far that is from UTC now. */
export function zone() {
  const offset = OFFSET.formatToParts().find(({ type }) => type === 'timeZoneName')?.value;
  return `${OFFSET.resolvedOptions().timeZone} (${offset})`;
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 1000 ? `${bytes} B` : `${RATE.format(bytes / 1000)} kB`;
}

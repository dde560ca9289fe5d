import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Whoever is logged in here. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may have no name for it.
    return 'cli';
  }
}

/** Of this package. */
export function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return known ? String(manifest.version) : 'unknown';
}

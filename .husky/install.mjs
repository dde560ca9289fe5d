/**
 * `npm ci` puts the Git hooks in place. There is nothing to do where they cannot or need not be: in production, in CI,
 * in an image or archive without `.git`, and without the development packages.
 */
import { existsSync } from 'node:fs';

if (process.env.NODE_ENV !== 'production' && process.env.CI === undefined && existsSync('.git')) {
  const husky = await import('husky').catch((error) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  });
  const fault = husky?.default();
  if (fault) process.stderr.write(`The Git hooks are not installed: ${fault.trim()}\n`);
}

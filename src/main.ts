import { startBroker } from './broker.ts';
import { ConfigFault, readConfig } from './config.ts';
import { createLog } from './log.ts';
import { Metrics } from './metrics.ts';
import { onEnd } from './signals.ts';

try {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel, process.stdout.isTTY && !config.production);
  if (config.production && !config.publicUrl) {
    log.warn('PUBLIC_URL is not set: links to audio and attachments lead to the engine, where clients may not get');
  }
  if (!config.apiKeys.length) log.warn('BROKER_API_KEY is not set: everyone who reaches this port may use the broker');
  const metrics = new Metrics();
  metrics.watchProcess();
  const broker = await startBroker(config, log, { metrics });

  onEnd(() => void broker.stop().then(() => process.exit(0)));
} catch (error) {
  process.stderr.write(
    `${error instanceof ConfigFault ? error.message : `The broker cannot start: ${reason(error)}`}\n`,
  );
  process.exit(1);
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && error.code === 'EADDRINUSE'
    ? `${error.message}. Stop what listens there, or set another PORT.`
    : error.message;
}

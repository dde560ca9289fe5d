/** `npm run check`: everything that must hold before a push. One line for a step that passes; a fault is shown in full. */
import { spawn } from 'node:child_process';

const STATIC = ['types', 'lint', 'imports', 'dead-code', 'scan'];

type Outcome = { readonly step: string; readonly passed: boolean };

/** Runs an npm script and says how it went. */
function run(step: string): Promise<Outcome> {
  const begun = performance.now();
  const child = spawn('npm', ['--silent', 'run', step], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const pipe of [child.stdout, child.stderr]) {
    pipe.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const passed = code === 0;
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      const tests = /^ *\d+ tests? passed$/m.exec(output)?.[0].trim();
      if (!passed) console.log(output.trim());
      console.log(`${passed ? 'ok    ' : 'FAULT '} ${step} (${seconds} s)${passed && tests ? `: ${tests}` : ''}`);
      resolve({ step, passed });
    });
  });
}

const outcomes = [...(await Promise.all(STATIC.map(run))), await run('test')];
const faults = outcomes.filter(({ passed }) => !passed).map(({ step }) => step);
if (faults.length > 0) {
  console.error(`These found faults: ${faults.join(', ')}. Run one again alone with: npm run ${faults[0]}`);
  process.exitCode = 1;
}

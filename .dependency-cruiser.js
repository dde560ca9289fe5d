/**
 * Who may import whom: http -> actors -> machines, with the adapters (store, stream, worker) at the side.
 * The wiring, and nothing else, knows them all.
 * @type {import('dependency-cruiser').IConfiguration}
 */
const WIRING = '^src/broker[.]ts$';
/** What draws the machines from their definitions. */
const DRAWING = '^src/dashboard/(definition|chart)[.]ts$';

export default {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'A cycle between modules; types alone may refer to each other inside one folder.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'Nothing imports this file and it imports nothing: remove it, or use it.',
      from: { orphan: true, pathNot: ['[.]d[.]ts$', '^test/faults/shifted-clock[.]mjs$'] },
      to: {},
    },
    {
      name: 'no-unreachable',
      severity: 'error',
      comment: 'No entry point and no test leads to this file.',
      from: {
        path: '^(src/main|src/(cli|demo|simulated-worker)/main|src/client/index|test/.+[.]test|test/faults/(main|broker-that-stops)|test/store/writer)[.]ts$',
      },
      to: {
        path: '^(src|machines|test)/.+[.]ts$',
        pathNot: ['(/main|/broker-that-stops|/writer|[.]test)[.]ts$', '[.]d[.]ts$'],
        reachable: false,
      },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      comment: 'This import leads nowhere.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared-package',
      severity: 'error',
      comment: 'The shipped code imports only what package.json lists under dependencies.',
      from: { path: '^(src|machines)/', pathNot: '^src/inspector/' },
      to: {
        dependencyTypes: [
          'npm-dev',
          'npm-optional',
          'npm-peer',
          'npm-no-pkg',
          'npm-unknown',
          'unknown',
          'undetermined',
        ],
      },
    },
    {
      name: 'machines-are-pure',
      severity: 'error',
      comment: 'A machine is a pure description: it imports xstate and other machines, no I/O and no Node.js API.',
      from: { path: '^machines/' },
      to: { pathNot: ['^machines/', '(^|/)node_modules/xstate/'] },
    },
    {
      name: 'only-actors-run-machines',
      severity: 'error',
      comment:
        'Machines are run by actors, and drawn by the dashboard; everyone else knows their events as types at most.',
      from: { path: '^src/', pathNot: ['^src/actors/', DRAWING] },
      to: { path: '^machines/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only-actors-use-xstate',
      severity: 'error',
      comment: 'And the inspector, which shows them, and the charts.',
      from: { path: '^src/', pathNot: ['^src/(actors|inspector)/', DRAWING] },
      to: { path: '(^|/)node_modules/xstate/' },
    },
    {
      name: 'only-the-wiring-uses-http',
      severity: 'error',
      comment: 'HTTP is the outermost layer: only the wiring imports it.',
      from: { pathNot: ['^src/http/', '^test/', WIRING] },
      to: { path: '^src/http/' },
    },
    {
      name: 'http-reaches-inwards',
      severity: 'error',
      comment:
        'HTTP uses actors, the stream, the ports of store and worker, and what a callback is to know; never machines or an adapter of the store.',
      from: { path: '^src/http/' },
      to: {
        path: ['^src/', '^machines/'],
        pathNot: [
          '^src/http/',
          '^src/actors/',
          '^src/stream/',
          '^src/dashboard/',
          '^src/store/(store|events|result)[.]ts$',
          '^src/callbacks/details[.]ts$',
          '^src/worker/origins[.]ts$',
          '^src/(content|cursor|errors|ids|json|log|patience|trace)[.]ts$',
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'http-knows-no-inside',
      severity: 'error',
      comment: 'Not even the types of a machine or of an adapter.',
      from: { path: '^src/http/' },
      to: { path: ['^machines/', '^src/store/[^/]+/'] },
    },
    {
      name: 'adapters-look-at-ports-only',
      severity: 'error',
      comment: 'Store, worker, stream and inspector know neither HTTP nor actors nor the wiring.',
      from: { path: '^src/(store|worker|stream|inspector)/' },
      to: { path: ['^src/(http|actors|demo|simulated-worker)/', '^src/(broker|main|config)[.]ts$'] },
    },
    {
      name: 'actors-look-inwards',
      severity: 'error',
      comment: 'Actors run machines against ports; they know neither HTTP nor the wiring.',
      from: { path: '^src/actors/' },
      to: {
        path: [
          '^src/(http|demo|simulated-worker)/',
          '^src/(broker|main|config)[.]ts$',
          '^src/store/(open[.]ts|[^/]+/)',
        ],
      },
    },
    {
      name: 'a-store-is-opened-in-one-place',
      severity: 'error',
      comment: 'The adapters of the store are imported by src/store/open.ts, and that by the wiring.',
      from: { path: '^(src|machines)/', pathNot: ['^src/store/open[.]ts$', '^src/store/[^/]+/', WIRING] },
      to: { path: ['^src/store/[^/]+/', '^src/store/open[.]ts$'] },
    },
    {
      name: 'store-adapters-are-apart',
      severity: 'error',
      comment: 'An adapter of the store knows the port and itself, no other adapter.',
      from: { path: '^src/store/([^/]+)/' },
      to: { path: '^src/store/(open[.]ts$|[^/]+/)', pathNot: '^src/store/$1/' },
    },
    {
      name: 'the-inspector-is-loaded-when-it-is-on',
      severity: 'error',
      comment:
        'What it needs is not installed in production: the wiring imports it when it is on; others its types at most.',
      from: { path: '^src/', pathNot: '^src/inspector/' },
      to: { path: '^src/inspector/', dynamic: false, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'simulated-worker-stands-alone',
      severity: 'error',
      comment: 'It stands in for another program and shares nothing with the broker.',
      from: { path: '^src/simulated-worker/' },
      to: { path: ['^src/', '^machines/', '^test/'], pathNot: '^src/simulated-worker/' },
    },
    {
      name: 'simulated-worker-is-for-demo-and-tests',
      severity: 'error',
      from: { path: '^(src|machines)/', pathNot: '^src/(simulated-worker|demo)/' },
      to: { path: '^src/simulated-worker/' },
    },
    {
      name: 'the-client-stands-alone',
      severity: 'error',
      comment: 'It runs in browsers, and is installed without the broker: nothing of Node.js, one package.',
      from: { path: '^src/client/' },
      to: { pathNot: ['^src/client/', '(^|/)node_modules/eventsource-parser/'] },
    },
    {
      name: 'the-command-line-is-a-client',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: ['^src/', '^machines/'], pathNot: ['^src/cli/', '^src/client/index[.]ts$'] },
    },
    {
      name: 'clients-are-outside',
      severity: 'error',
      from: { path: '^(src|machines)/', pathNot: '^src/(client|cli)/' },
      to: { path: '^src/(client|cli)/' },
    },
    {
      name: 'nothing-imports-an-entry-point',
      severity: 'error',
      from: { pathNot: '^bench/broker[.]ts$' },
      to: { path: ['^src/main[.]ts$', '^src/(cli|demo|simulated-worker)/main[.]ts$'] },
    },
    {
      name: 'no-tests-in-the-product',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    // What the broker is measured against has packages of its own, which are there only for that.
    exclude: { path: '^bench/peers/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};

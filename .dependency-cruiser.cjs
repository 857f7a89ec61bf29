/**
 * The law of imports. Each folder of src/ has a rank; a file imports from its own folder or from a lower rank, so that peers do not
 * know each other and nothing below the sockets knows of them. A folder that is not listed here has no place yet: give it one.
 */
const RANKS = [
  ['protocol'],
  ['errors'],
  ['config'],
  ['telemetry'],
  ['database', 'redis'],
  ['limits'],
  ['bus'],
  ['changes'],
  ['audit'],
  ['auth'],
  ['log'],
  ['rooms'],
  ['messaging', 'presence'],
  ['moderation'],
  ['realtime', 'admin', 'health'],
];

const folders = (names) => `^src/(${names.join('|')})/`;

const ranks = RANKS.flatMap((peers, rank) =>
  peers.map((folder) => ({
    name: `law-${folder}`,
    severity: 'error',
    comment: `src/${folder} imports from itself and from lower ranks only.`,
    from: { path: `^src/${folder}/` },
    to: { path: '^src/', pathNot: folders([folder, ...RANKS.slice(0, rank).flat()]) },
  })),
);

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...ranks,
    {
      name: 'known-folders',
      severity: 'error',
      comment: 'Every folder of src/ has a rank.',
      from: {},
      to: { path: '^src/[^/]+/', pathNot: folders(RANKS.flat()) },
    },
    {
      name: 'nobody-imports-realtime',
      severity: 'error',
      comment: 'Services publish to the bus, the hub listens. Only the composition (app.module, application, main) names the sockets.',
      from: { path: '^src/', pathNot: ['^src/realtime/', '^src/(app\\.module|application|main)\\.ts$'] },
      to: { path: '^src/realtime/' },
    },
    {
      name: 'no-test-in-src',
      severity: 'error',
      comment: 'The product does not import its tests; a unit test may use their support.',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { path: ['^(test|bench)/', '\\.spec\\.ts$'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Whoever needs the other both ways is one thing, or needs a contract below both.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'A file that nobody imports and that imports nothing is left over.',
      from: { orphan: true, pathNot: '\\.d\\.ts$' },
      to: {},
    },
    {
      name: 'reachable',
      severity: 'error',
      comment:
        'All code of the product is part of the server, or of the check of its audit log: what only a test uses is support of the tests.',
      from: { path: '^src/(main|verify-audit|grant-admin)\\.ts$' },
      to: { path: '^src/', pathNot: ['\\.spec\\.ts$', '^src/(main|verify-audit|grant-admin)\\.ts$'], reachable: false },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'What is imported is there.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared',
      severity: 'error',
      comment: 'The server imports only what it is installed with; a type is gone when it runs.',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: '^node_modules/' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js'],
    },
  },
};

// Checks what a compiler does not: who may import whom, how long files may get, what the pure core may not touch, and
// that documents name only what exists. Runs as a test and as `node scripts/tidy.ts`, which prints the faults.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsTable } from '../lib/settings/help.ts';
import { CONFIG_SCHEMA, configSchema } from './config-schema.ts';
import { metricsTable } from './metrics.ts';
import { OPTION_TYPES, optionTypes } from './option-types.ts';
import { ringsTable } from './rings.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const DOCUMENTS = [
  ...['README.md', 'lib/README.md', '.github/workflows/check.yml'],
  ...globSync(['.github/*.md', '.github/pages/*.md'], { cwd: ROOT }).sort(),
];
const MAX_FILE_LINES = 300;
const MAX_COMMENT_COLUMNS = 120;
const MAX_FOLDER_FILES = 12;

const EVERYWHERE = ['lib/errors.ts', 'lib/log.ts'];
/** What a folder or file may import of the project, besides itself. The first entry that fits counts. */
const LAYERS: Record<string, readonly string[]> = {
  'lib/core/': [],
  'lib/http/': ['lib/core/', 'lib/errors.ts'],
  'lib/proxy/replicas/': ['lib/core/', 'lib/http/', 'lib/proxy/proxy-limits.ts', ...EVERYWHERE],
  'lib/proxy/exchange/': ['lib/core/', 'lib/http/', 'lib/proxy/', ...EVERYWHERE],
  'lib/proxy/': ['lib/core/', 'lib/http/', 'lib/system/free-port.ts', ...EVERYWHERE],
  'lib/fleet/': ['lib/core/', 'lib/log-stream.ts', 'lib/system/free-port.ts', ...EVERYWHERE],
  'lib/admin/': ['lib/core/', 'lib/http/', ...EVERYWHERE],
  'lib/settings/': ['lib/core/', ...EVERYWHERE],
  'lib/upgrade/': ['lib/core/', 'lib/settings/', 'lib/fleet/', 'lib/parts/', ...EVERYWHERE],
  'lib/reload/': [
    'lib/core/',
    'lib/admin/',
    'lib/fleet/',
    'lib/settings/',
    'lib/parts/limits.ts',
    'lib/parts/descriptors.ts',
    ...EVERYWHERE,
  ],
  'lib/library/': ['lib/core/', 'lib/settings/', 'lib/terminal/standard-error.ts', ...EVERYWHERE],
  'lib/terminal/': [
    'lib/core/',
    'lib/log-stream.ts',
    'lib/settings/',
    'lib/library/',
    'lib/fleet/clock.ts',
    ...EVERYWHERE,
  ],
  'bench/harness/': [],
  'bench/': ['lib/balancer.ts', 'lib/settings/', 'lib/core/'],
  'scripts/': ['lib/balancer.ts', 'lib/admin/metrics/', 'lib/settings/', 'lib/core/', 'lib/proxy/keys/', 'bench/'],
  'replica/': [],
};

/** What may not be imported although its layer may be. */
const REFUSED: Record<string, readonly string[]> = {
  'lib/proxy/exchange/': ['lib/proxy/front/'],
};

/** Modules that only some files may import. */
const RESERVED: Record<string, readonly string[]> = {
  dockerode: [
    ...['docker', 'adopted', 'container', 'image', 'notes', '../../members/swarm'],
    ...['swarm', 'fleet-view', 'notes', 'secrets', 'service', 'stopping'].map((name) => `../swarm/${name}`),
  ].map((name) => join('lib/fleet/runtimes/docker', `${name}.ts`)),
  'node:child_process': [
    'lib/fleet/runtimes/replica-process.ts',
    'lib/fleet/runtimes/guardian.ts',
    'lib/system/service-manager.ts',
    'lib/upgrade/next-process.ts',
  ],
};

const IMPURE =
  /\b(Date|Math\.random|performance|process|console|globalThis|setTimeout|setInterval|setImmediate|queueMicrotask|fetch|async|await|Promise\.\w+|new Promise)\b/;
const TIMERS = /\b(setTimeout|setInterval|setImmediate|Math\.random)\(/;
const TIMERS_ALLOWED = ['lib/fleet/clock.ts', 'lib/main.ts', 'lib/proxy/'];

/** Tables of the documents that are generated from the code. */
const TABLES: Record<string, { readonly made: () => string; readonly printedBy: string }> = {
  options: { made: optionsTable, printedBy: 'node scripts/tidy.ts --options' },
  metrics: { made: metricsTable, printedBy: 'node scripts/metrics.ts' },
  rings: { made: ringsTable, printedBy: 'node scripts/rings.ts' },
};

/** The faults of one source file. `path` is relative to the root. */
export function checkSource(path: string, text: string): string[] {
  const faults: string[] = [];
  const fault = (what: string) => faults.push(`${path}: ${what}`);
  const code = withoutComments(text);
  if (!text.startsWith('//') && !text.startsWith('/*')) fault('begins without a comment that says what it is for');
  if (/(^|\/)(utils?|helpers?|common|types|index)\.ts$/.test(path)) fault('has a name that says nothing');
  if (/^export default/m.test(code) && !path.startsWith('test/')) fault('exports a default');
  const lines = text.split('\n').length - 1;
  if (lines > MAX_FILE_LINES && path !== OPTION_TYPES) fault(`has ${lines} lines, more than ${MAX_FILE_LINES}`);
  for (const line of wideComments(text)) fault(`line ${line}: a comment goes beyond column ${MAX_COMMENT_COLUMNS}`);
  for (const imported of importsOf(path, code)) faults.push(...checkImport(path, imported));
  if (path.startsWith('lib/core/')) {
    const impure = path.endsWith('ports.ts') ? null : IMPURE.exec(code);
    if (impure !== null) fault(`the core is pure: no ${impure[0]}`);
  }
  const timer = TIMERS.exec(code);
  if (timer !== null && path.startsWith('lib/') && !TIMERS_ALLOWED.some((allowed) => path.startsWith(allowed))) {
    fault(`${timer[1]} belongs into lib/fleet/clock.ts`);
  }
  return faults;
}

/**
 * The faults of a document: paths in backticks and links that lead nowhere, scripts of package.json that are not there,
 * and tables that are not those of the code.
 */
export function checkDocument(path: string, text: string): string[] {
  const faults: string[] = [];
  for (const [, named = ''] of text.matchAll(/`([\w.-]+(?:\/[\w.*-]+)*\/?)`/g)) {
    const looksLikePath =
      /^(lib|replica|bench|scripts|test|\.ci)\//.test(named) || /^[\w-]+\.(ts|js|json|yaml|md)$/.test(named);
    // Files that a run makes are not in a fresh checkout.
    if (!looksLikePath || named.includes('*') || named.startsWith('bench/out/')) continue;
    const found = [
      named,
      join(dirname(path), named),
      ...globSync(`{lib,replica,bench,scripts,test}/**/${named}`, { cwd: ROOT }),
    ];
    if (!found.some((candidate) => existsSync(join(ROOT, candidate)))) faults.push(`${path}: ${named} is not there`);
  }
  for (const [, target = '', heading] of text.matchAll(/\]\((?!\w+:)([^)#]*)(?:#([^)]+))?\)/g)) {
    const to = join(ROOT, target === '' ? path : join(dirname(path), target));
    const isThere = existsSync(to) && (heading === undefined || headingsOf(to).includes(heading));
    if (!isThere)
      faults.push(`${path}: the link to ${target}${heading === undefined ? '' : `#${heading}`} leads nowhere`);
  }
  for (const [, script = ''] of text.matchAll(/npm run ([\w:-]+)/g)) {
    if (!(script in manifest().scripts)) faults.push(`${path}: npm run ${script} is not there`);
  }
  for (const [name, { made, printedBy }] of Object.entries(TABLES)) {
    const table = new RegExp(`<!-- ${name} -->\n([\\s\\S]*?)\n<!-- /${name} -->`).exec(text)?.[1];
    if (table !== undefined && table.trim() !== made()) {
      faults.push(`${path}: its table of ${name} is not what the code says (${printedBy} prints it)`);
    }
  }
  return faults;
}

/** The faults of the workflow: it has to try the package on the oldest Node that package.json promises it for. */
export function checkWorkflow(text: string): string[] {
  const oldest = manifest().engines.node.replace('>=', '');
  return text.includes(`node: '${oldest}'`) ? [] : [`.github/workflows/check.yml: does not run on Node ${oldest}`];
}

function manifest(): { readonly scripts: object; readonly engines: { readonly node: string } } {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
}

// The name that GitHub gives a heading in links.
function headingsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8').replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}

/**
 * The faults of compose.yaml: options that it neither passes on nor explains, variables that do not exist, and those
 * that are given twice, for which compose refuses the file.
 */
export function checkCompose(text: string): string[] {
  const variables = (written: string) => new Set(written.match(/RINGMASTER_[A-Z_]+/g));
  const [known, named] = [variables(optionsTable()), variables(text)];
  const given = [...text.matchAll(/^ +(RINGMASTER_[A-Z_]+):/gm)].map(([, name]) => name);
  return [
    ...[...known.difference(named)].map((name) => `compose.yaml: does not pass ${name} on, nor says why not`),
    ...[...named.difference(known)].map((name) => `compose.yaml: ${name} is no option`),
    ...given.filter((name, index) => given.indexOf(name) < index).map((name) => `compose.yaml: gives ${name} twice`),
  ];
}

/** All faults of the project. */
export function findFaults(): string[] {
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
  const sources = globSync(['{lib,replica,bench,scripts,test}/**/*.ts', 'replica/site/*.{js,css}'], {
    cwd: ROOT,
    exclude: ['**/node_modules/**'],
  });
  return [
    ...sources
      .sort()
      .flatMap((path) => (path.startsWith('test/') && path.endsWith('.test.ts') ? [] : checkSource(path, read(path)))),
    ...DOCUMENTS.flatMap((path) => checkDocument(path, read(path))),
    ...checkCompose(read('compose.yaml')),
    ...checkWorkflow(read('.github/workflows/check.yml')),
    ...checkFolders(sources),
    ...checkMade(OPTION_TYPES, read(OPTION_TYPES), optionTypes(), 'option-types'),
    ...checkMade(CONFIG_SCHEMA, read(CONFIG_SCHEMA), configSchema(), 'config-schema'),
    ...checkCircles(sources, read),
  ];
}

// A file that a script makes of the tables of options.
function checkMade(path: string, text: string, made: string, script: string): string[] {
  return text === made ? [] : [`${path}: is not what the tables say (node scripts/${script}.ts writes it)`];
}

function checkImport(path: string, imported: string): string[] {
  const holders = RESERVED[imported];
  if (holders !== undefined && path.startsWith('lib/') && !holders.includes(path)) {
    return [`${path}: only ${holders.join(' and ')} may import ${imported}`];
  }
  const layer = Object.keys(LAYERS).find((folder) => path.startsWith(folder));
  if (layer === undefined) return [];
  if (layer === 'lib/core/' && !imported.startsWith('lib/core/'))
    return [`${path}: the core imports only the core, not ${imported}`];
  const allowed = [layer, ...(LAYERS[layer] ?? [])];
  const isIn = (prefixes: readonly string[]) => prefixes.some((prefix) => imported.startsWith(prefix));
  const inProject = isIn(['lib/', 'replica/', 'bench/']);
  return inProject && (!isIn(allowed) || isIn(REFUSED[layer] ?? [])) ? [`${path}: may not import ${imported}`] : [];
}

/**
 * The circles among files that import each other, types included, each as a list of paths.
 * Source: Tarjan, "Depth-First Search and Linear Graph Algorithms", SIAM J. Comput. 1(2), 1972.
 */
export function findCircles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const found = new Map<string, { order: number; lowest: number; isOpen: boolean }>();
  const stack: string[] = [];
  const visit = (path: string) => {
    const node = { order: found.size, lowest: found.size, isOpen: true };
    found.set(path, node);
    stack.push(path);
    for (const imported of imports.get(path) ?? []) {
      if (!imports.has(imported)) continue;
      const other = found.get(imported) ?? visit(imported);
      if (other.isOpen) node.lowest = Math.min(node.lowest, other.lowest);
    }
    if (node.lowest !== node.order) return node;
    const circle = stack.splice(stack.indexOf(path));
    for (const member of circle) (found.get(member) as typeof node).isOpen = false;
    if (circle.length > 1) circles.push(circle.sort());
    return node;
  };
  for (const path of imports.keys()) if (!found.has(path)) visit(path);
  return circles;
}

function checkCircles(sources: readonly string[], read: (path: string) => string): string[] {
  const imports = new Map(sources.map((path) => [path, importsOf(path, withoutComments(read(path)))]));
  return findCircles(imports).map((circle) => `${circle.join(', ')}: import each other in a circle`);
}

/** Folders of the library with too many files to show what they are about. */
export function checkFolders(sources: readonly string[]): string[] {
  const byFolder = Map.groupBy(
    sources.filter((path) => path.startsWith('lib/')),
    (path) => dirname(path),
  );
  return [...byFolder]
    .filter(([, files]) => files.length > MAX_FOLDER_FILES)
    .map(([folder, files]) => `${folder}: has ${files.length} files, more than ${MAX_FOLDER_FILES}`);
}

// The formatter wraps code at this width, but leaves comments alone.
function wideComments(text: string): number[] {
  return text.split('\n').flatMap((line, index) => {
    const isComment = /^\s*(\/\/|\/?\*)|\s\/\/ /.test(line);
    return isComment && line.length > MAX_COMMENT_COLUMNS ? [index + 1] : [];
  });
}

// Relative imports as paths from the root, all others as written.
function importsOf(path: string, code: string): string[] {
  return [...code.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier = '']) =>
    specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : specifier,
  );
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}

if (import.meta.main) {
  if (process.argv.includes('--options')) {
    console.log(optionsTable());
  } else {
    const faults = findFaults();
    for (const fault of faults) console.error(fault);
    process.exitCode = faults.length === 0 ? 0 : 1;
  }
}

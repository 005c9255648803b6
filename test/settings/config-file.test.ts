// Configuration files: what they may have, what wins over them, and what is said of mistakes.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import t from 'tap';
import { fullKey, readConfigText, rowsOfFile } from '../../lib/settings/file/config-file.ts';
import { type JsonNode, parseJsonText } from '../../lib/settings/file/json-text.ts';
import { faultsOfFile, loadSettings } from '../../lib/settings/file/settings.ts';
import { defaultOptions, keyOf, OptionError, type Options } from '../../lib/settings/options.ts';
import type { Schema } from '../../lib/settings/schema.ts';
import { GROUPS, OPTIONS, type Option } from '../../lib/settings/table.ts';
import { otherTexts } from '../fixtures/option-values.ts';

const directory = mkdtempSync(join(tmpdir(), 'ringmaster-config-'));
t.teardown(() => rmSync(directory, { recursive: true }));
const path = join(directory, 'ringmaster.json');
const schema = JSON.parse(readFileSync(new URL('../../lib/settings/ringmaster.schema.json', import.meta.url), 'utf8'));
const isValid = new Ajv({ strict: true, allowUnionTypes: true, keywords: ['allowTrailingCommas'] }).compile(schema);

const load = (text: string, argv: readonly string[] = [], environment: Record<string, string> = {}) => {
  writeFileSync(path, text);
  return loadSettings(['--config', path, ...argv], environment);
};
const withOption = (flag: string, value: unknown) => {
  const [group = '', key = ''] = fullKey(flag).split('.');
  return { [group]: { [key]: value } };
};
const readOption = (flag: string, value: unknown) =>
  readConfigText('f', JSON.stringify(withOption(flag, value))).values.get(flag)?.value;

const FLAGS = GROUPS.flatMap(({ rows }) => rowsOfFile(rows).map(([flag]) => flag));
// Other JSON values than the text of the command line, and what that text would be.
const FORMS: readonly (readonly [flag: string, value: unknown, written: string])[] = [
  ['slots', 64, '64'],
  ['retry-budget', 0.5, '0.5'],
  ['max-body-size', 1024, '1k'],
  ['reply-timeout', 250, '250ms'],
  ['via', false, 'off'],
  ['keep-scale', true, 'on'],
  ['workers', 'auto', 'auto'],
  ['upstream', ['a:1', 'unix:/b*2'], 'a:1,unix:/b*2'],
  ['key', ['cookie:s', 'client'], 'cookie:s,client'],
  ['trust-proxy', ['loopback', '10.0.0.0/8'], 'loopback,10.0.0.0/8'],
  ['heartbeat-status', ['200-299', 404], '200-299,404'],
  ['heartbeat-status', [204], '204'],
];
const WRONG: readonly (readonly [flag: string, value: unknown])[] = [
  ['slots', 0],
  ['slots', '512'],
  ['slots', 1.5],
  ['slots', null],
  ['slots', [512]],
  ['host', 5],
  ['host', ''],
  ['via', 'yes'],
  ['via', 1],
  ['log', true],
  ['reply-timeout', '30 s'],
  ['reply-timeout', true],
  ['reply-timeout', 0],
  ['max-body-size', '1t'],
  ['upstream', []],
  ['upstream', {}],
  ['upstream', [true]],
  ['replica-env', 'A=1'],
  ['replica-env', { A: 1 }],
  ['docker-volume', [1]],
  ['admin-socket-mode', 384],
  ['heartbeat-status', 200],
];

t.test('every option can be in a file, as it is written on the command line', async (t) => {
  const defaults = defaultOptions();
  for (const flag of FLAGS) {
    const row = OPTIONS.get(flag) as Option;
    const texts = otherTexts(flag, defaults);
    t.not(texts.length, 0, flag);
    for (const text of texts) {
      // A file has a number for a number, and a list for what the command line repeats.
      const value =
        row.kind.repeated !== undefined
          ? [text]
          : /^[\d.]+$/.test(text) && takesNumber(row.kind.schema)
            ? Number(text)
            : text;
      t.same(readOption(flag, value), row.kind.read(text), `${flag} ${text}`);
      t.ok(isValid(withOption(flag, value)), `${flag} ${text}: ${JSON.stringify(isValid.errors)}`);
    }
  }
});

function takesNumber({ type, anyOf = [] }: Schema): boolean {
  return type === 'integer' || type === 'number' || anyOf.some(takesNumber);
}

t.test('numbers, true and false, lists and objects stand for what the command line has', async (t) => {
  for (const [flag, value, written] of FORMS) {
    t.same(readOption(flag, value), OPTIONS.get(flag)?.kind.read(written), flag);
    t.ok(isValid(withOption(flag, value)), flag);
  }
  const variables = { A: '1', B: 'two = 2,\nthree' };
  t.same(readOption('replica-env', variables), new Map(Object.entries(variables)));
  t.same(readOption('replica-env', []), new Map());
  t.same(readOption('docker-volume', { '/data': 'votes' }), new Map([['/data', 'votes']]));
});

t.test('what the schema refuses is refused, and what only the balancer knows too', async (t) => {
  for (const [flag, value] of WRONG) {
    t.equal(readOption(flag, value), undefined, `${flag} ${JSON.stringify(value)}`);
    t.notOk(isValid(withOption(flag, value)), `${flag} ${JSON.stringify(value)}`);
  }
  t.notOk(isValid({ ring: { slotz: 1 } }));
  t.notOk(isValid({ rung: {} }));
  t.ok(isValid({ $schema: 'x', command: ['node', 'app.js'] }));
  for (const [flag, value] of [
    ['upstream', ['a:1', 'A:1']],
    ['upstream', ['a:1,b:1']],
    ['key', ['client', 'path']],
    ['replica-env', { 'A=B': '1' }],
    ['docker-volume', { data: 'votes' }],
  ] as const) {
    t.equal(readOption(flag, value), undefined, `${flag} ${JSON.stringify(value)}`);
  }
});

t.test('the command line goes first, then the environment, then the file, then the default', async (t) => {
  const text = '{ "service": { "port": 1, "host": "::1" },\n  "ring": { "slots": 64 }, "command": ["a", "b"] }';
  const { options, origins } = await load(text, ['--port', '3'], { RINGMASTER_PORT: '2', RINGMASTER_HOST: '::2' });
  t.match(options, { port: 3, host: '::2', slots: 64, virtualNodes: 9, maxReplicas: 64, command: ['a', 'b'] });
  t.same(
    ['port', 'host', 'slots', 'virtual-nodes', 'command', 'config'].map((key) => origins.get(key)),
    [
      { from: 'flag', where: '--port' },
      { from: 'environment', where: 'RINGMASTER_HOST' },
      { from: 'file', where: `${path}:2:13` },
      { from: 'default' },
      { from: 'file', where: `${path}:2:28` },
      { from: 'flag', where: '--config' },
    ],
  );
  t.same((await load(text, ['--', 'c'])).options.command, ['c']);
  const named = await loadSettings([], { RINGMASTER_CONFIG: path });
  t.equal(named.options.slots, 64);
});

t.test('an empty object is a file that says nothing', async (t) => {
  const { config: _, ...options } = (await load('{}')).options;
  const { config: __, ...defaults } = defaultOptions();
  t.same(options, defaults);
});

t.test('all mistakes are told at once, each with its place', async (t) => {
  const text = `{
  "ring": { "slots": "many", "virtual-nodez": 3, "replyTimeoutMs": 4, "via": true, "max_fields": 20 },
  "servis": {}, "port": 80, "log": 5, "requests": 3, "command": "node",
  "replicas": { "replicas": 5, "max-replicas": 2, "votes-url": "x", "replica-env": { "SECRET": 1 } },
  "admin": { "admin-token": "my secret" },
  "service": { "config": "other.json" },
}`;
  writeFileSync(path, text);
  const places = (await faultsOfFile(path)).map((line) => line.replace(`${path}:`, ''));
  t.same(places, [
    '2:22: ring.slots takes a whole number from 1 to 65536, not "many"',
    '2:30: unknown option ring.virtual-nodez: did you mean virtual-nodes?',
    '2:50: unknown option ring.replyTimeoutMs: did you mean reply-timeout?',
    '2:71: via belongs in messages, as {"messages": {"via": …}}, not in ring',
    '2:84: unknown option ring.max_fields: did you mean max-fields?',
    '3:3: unknown group servis: did you mean service?',
    '3:17: port belongs in service, as {"service": {"port": …}}',
    '3:29: log belongs in service, as {"service": {"log": …}}',
    '3:51: requests takes an object with options, not 3',
    '3:65: command takes a list of words, as ["node", "app.js"], not "node"',
    '4:51: replicas.votes-url is no option any more: the sample service reads VOTES_URL, which --replica-env VOTES_URL=… sets',
    '4:84: replicas.replica-env takes a list of NAME=VALUE, or an object with a text for each name, not that',
    '5:29: admin.admin-token takes visible characters of ASCII, not that',
    '6:16: service.config is no option of a file: it names the file itself',
    '4:17: replicas.replicas takes at most replicas.max-replicas, which is 2, not 5',
  ]);
  const error = await load(text).catch((thrown) => thrown);
  t.type(error, OptionError);
  t.equal(error.message.split('\n').length, places.length);
});

t.test('values that do not go together are told where the file has one of them', async (t) => {
  const fails = async (text: string, argv: readonly string[] = []) =>
    (await load(text, argv).catch((error) => error.message)).replaceAll(path, 'f');
  t.equal(
    await fails('{"replicas": {"replicas": 9}}', ['--max-replicas', '4']),
    'f:1:15: replicas.replicas takes at most --max-replicas, which is 4, not 9',
  );
  t.match(await fails('{"command": ["x"]}', ['--upstream', 'a:1']), /^f:1:2: a command after -- and --upstream/);
  t.match(await fails('{}', ['--replicas', '9', '--max-replicas', '4']), /^--replicas takes at most --max-replicas/);
  // The default of a value that is wrong must not cause another fault.
  t.equal((await fails('{"replicas": {"replicas": "x", "max-replicas": 2}}')).split('\n').length, 1);
});

t.test('texts that are no JSON, and files that cannot be read', async (t) => {
  t.match(
    await load('{"ring": {"slots": 5 "key": 1}}').catch((error) => error.message),
    /:1:22: here should be a comma/,
  );
  t.match(await load('[]').catch((error) => error.message), /:1:1: the file takes an object/);
  writeFileSync(path, Buffer.from([0x7b, 0xff, 0x7d]));
  await t.rejects(faultsOfFile(path), { message: `${path} is not UTF-8` });
  await t.rejects(faultsOfFile(join(directory, 'none.json')), { message: /none\.json cannot be read: ENOENT/ });
  await t.rejects(faultsOfFile(directory), { message: /cannot be read: EISDIR/ });
});

t.test('the example of the page is right', async (t) => {
  const page = readFileSync(new URL('../../.github/pages/OPERATE.md', import.meta.url), 'utf8');
  const [, example = ''] = /```jsonc\n(.*?)```/s.exec(page) ?? [];
  writeFileSync(path, example);
  t.same(await faultsOfFile(path), []);
  t.ok(isValid(plain(parseJsonText(example))), JSON.stringify(isValid.errors));
});

t.test('a hash of one’s own is tried', async (t) => {
  writeFileSync(path, JSON.stringify({ ring: { hash: join(directory, 'none.mjs') } }));
  t.match(await faultsOfFile(path), [/^ring\.hash .*none\.mjs cannot be loaded/]);
});

t.test('names that every object has are none of ours', async (t) => {
  const { faults } = readConfigText(
    'f',
    '{"__proto__": {}, "ring": {"constructor": 1, "__proto__": 2}, "toString": 1}',
  );
  t.equal(faults.length, 4);
});

t.test('every key of the file belongs to one option', async (t) => {
  t.equal(new Set(FLAGS.map(fullKey)).size, FLAGS.length);
  const { config: _, ...others } = defaultOptions();
  t.same(FLAGS.map((flag) => keyOf(flag, OPTIONS.get(flag) as Option)).sort(), keysOf(others));
});

function plain(node: JsonNode): unknown {
  if (node.type === 'scalar') return node.value;
  if (node.type === 'array') return node.items.map(plain);
  return Object.fromEntries(node.members.map(({ name, value }) => [name, plain(value)]));
}

function keysOf(options: Omit<Options, 'config'>): string[] {
  return Object.keys(options)
    .filter((key) => key !== 'command')
    .sort();
}

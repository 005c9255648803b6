// What the program prints once it listens: all that somebody needs who has started it for the first time, in lines of
// at most 80 columns. Scripts read the first line, and wait for the last one: these two are never painted.

import { writeKeySource } from '../core/keys/key-spec.ts';
import type { KeySource } from '../core/request/key-source.ts';
import type { Replica } from '../library/roster.ts';
import { localUrlOf, urlOf } from '../library/urls.ts';
import { filled } from '../settings/help.ts';
import type { Options } from '../settings/options.ts';
import { isSample } from '../settings/rules.ts';
import type { Paint } from './paint.ts';

/** What has come of the options. */
export interface Beginning {
  readonly port: number;
  readonly replicas: readonly Replica[];
  /** Why no replica takes requests; `undefined` if one does. */
  readonly whyNone: string | undefined;
  /** The token that changes of the fleet take, if it was drawn. */
  readonly drawnToken: string | undefined;
}

const COLUMNS = 80;
const MOST_NAMED = 12;

/** The lines without their ends. */
export function greeting(options: Options, beginning: Beginning, paint: Paint): string[] {
  const { port, replicas, whyNone, drawnToken } = beginning;
  const line = (label: string, text: string) => `${paint('dim', `${label}:`)} ${text}`;
  const list = (label: string, entries: readonly string[]) => {
    const [first = 'none', ...further] = wrapped(entries, `${label}: `.length);
    return [line(label, first), ...further];
  };
  const dashboard = dashboardOf(options, port);
  const own = ownPlace(options);
  return [
    `ringmaster listens on ${urlOf(options.host, port)}`,
    ...(dashboard === undefined ? [] : [line('dashboard', paint('cyan', dashboard))]),
    ...list('replicas', namesOf(replicas)),
    ...list('key', keyWords(options.key)),
    ...(own === undefined ? [] : [line('its own endpoints', own)]),
    // The token is printed but not logged, since the log is kept, and read by others.
    ...(drawnToken === undefined ? [] : [line('admin token', drawnToken)]),
    // Without a replica there is nothing to try.
    whyNone === undefined ? line('try', `curl ${exampleOf(options, port)}`) : paint('red', whyNone),
    'stop: Ctrl-C',
  ];
}

// A browser does not get to a socket in the file system.
function dashboardOf({ host, adminHost, adminPort, adminSocket }: Options, port: number): string | undefined {
  if (adminSocket !== '') return undefined;
  return `${adminPort === 0 ? localUrlOf(host, port) : localUrlOf(adminHost, adminPort)}/balancer/`;
}

function ownPlace({ adminHost, adminPort, adminSocket }: Options): string | undefined {
  if (adminSocket !== '') return adminSocket;
  return adminPort === 0 ? undefined : urlOf(adminHost, adminPort);
}

// What the sample service answers is known, and of any other service that it has some page at its root.
function exampleOf(options: Options, port: number): string {
  return localUrlOf(options.host, port) + (isSample(options) ? '/home' : '/');
}

function nameOf({ hostname, state, pid }: Replica): string {
  const notes = [...(pid === undefined ? [] : [`pid ${pid}`]), ...(state === 'serving' ? [] : [state])];
  return notes.length === 0 ? hostname : `${hostname} (${notes.join(', ')})`;
}

function namesOf(replicas: readonly Replica[]): string[] {
  const more = replicas.length - MOST_NAMED;
  return more > 1 ? [...replicas.slice(0, MOST_NAMED).map(nameOf), `and ${more} more`] : replicas.map(nameOf);
}

function keyWords(sources: readonly KeySource[]): string[] {
  if (sources[0]?.type === 'request') return ['none', 'each request goes by an id of its own (--key)'];
  const words = sources.map((source, index) => (index === 0 ? sourceText(source) : `else ${sourceText(source)}`));
  return [...words.slice(0, -1), `${words.at(-1)}: same value`, 'same replica'];
}

function sourceText(source: KeySource): string {
  if (source.type === 'request') return 'an id of its own';
  if (source.type === 'all') return source.parts.map(sourceText).join(' and ');
  return writeKeySource(source).replace(':', ' ');
}

// Lines of entries with commas between them, to stand behind a label.
function wrapped(entries: readonly string[], indent: number): string[] {
  const pieces = entries.map((entry, index) => (index === entries.length - 1 ? entry : `${entry},`));
  return filled(pieces, COLUMNS - indent).map((line, index) => (index === 0 ? line : ' '.repeat(indent) + line));
}

/**
 * What to say when the end has begun.
 * @param graceMs how long open requests may take.
 * @param lameDuckMs how long everything still works before that.
 */
export function farewell(graceMs: number, lameDuckMs: number): string {
  if (lameDuckMs > 0) {
    return `stopping in ${lameDuckMs / 1000} s: until then all works, and /balancer/ready says no; Ctrl-C again: now`;
  }
  return `stopping, open requests have ${graceMs / 1000} s to finish; Ctrl-C again: at once`;
}

// Reads the text of a configuration file: options by the names of their flags, in the groups of the tables, and the
// command. All faults are found, not only the first, each with its place. Pure.

import { boundsOf } from '../given.ts';
import { nearest } from '../nearest.ts';
import { keyOf } from '../options.ts';
import { insteadOf } from '../retired.ts';
import { GROUPS, OPTIONS, type Option } from '../table.ts';
import { type JsonMember, JsonTextError, type Place, parseJsonText } from './json-text.ts';
import { faultOf, readNode, readWords, shownNode } from './values.ts';

export interface ConfigFile {
  readonly path: string;
  /** What it says of options, by flag. */
  readonly values: ReadonlyMap<string, Placed<unknown>>;
  /** The command of each replica; `undefined` if it has none. */
  readonly command: Placed<readonly string[]> | undefined;
  readonly faults: readonly Fault[];
  /** Flags whose values are among the faults. */
  readonly faulty: ReadonlySet<string>;
}

export interface Placed<T> {
  readonly value: T;
  readonly at: Place;
}

/** What is wrong, and where. */
export interface Fault {
  readonly at: Place;
  readonly message: string;
}

/** The key of a group in a file: `connections-to-replicas`. */
export function groupKey(name: string): string {
  return name.toLowerCase().replaceAll(' ', '-');
}

/** The key of an option with that of its group, as messages have it: `ring.slots`. */
export function fullKey(flag: string): string {
  const group = GROUPS.find(({ rows }) => Object.hasOwn(rows, flag));
  return group === undefined ? flag : `${groupKey(group.name)}.${flag}`;
}

/** Of these, what a file may set. */
export function rowsOfFile(rows: Readonly<Record<string, Option>>): [flag: string, row: Option][] {
  return Object.entries(rows).filter(([, row]) => !row.ofCommand);
}

const SCHEMA_KEY = '$schema';
const COMMAND_KEY = 'command';
const MOST_WRONG_LETTERS = 3;

const GROUPS_BY_KEY = new Map(GROUPS.map((group) => [groupKey(group.name), group]));
const ROOT_KEYS = [SCHEMA_KEY, COMMAND_KEY, ...GROUPS_BY_KEY.keys()];
const FLAGS = GROUPS.flatMap(({ rows }) => rowsOfFile(rows).map(([flag]) => flag));

/** @param path of the file, as messages are to have it. */
export function readConfigText(path: string, text: string): ConfigFile {
  const values = new Map<string, Placed<unknown>>();
  const faults: Fault[] = [];
  const faulty = new Set<string>();
  let command: ConfigFile['command'];
  const fault = (at: Place, message: string) => void faults.push({ at, message });

  const readOption = (rows: Readonly<Record<string, Option>>, group: string, { name, at, value }: JsonMember) => {
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (row === undefined || row.ofCommand) {
      fault(at, unknownOption(group, name));
      return;
    }
    const read = readNode(row.kind, value);
    if (read !== undefined) {
      values.set(name, { value: read, at });
      return;
    }
    faulty.add(name);
    const shown = row.kind.secret ? 'that' : shownNode(value);
    fault(value.at, `${group}.${name} takes ${boundsOf(row.kind)}, not ${shown}${faultOf(row.kind, value)}`);
  };
  const readMember = ({ name, at, value }: JsonMember) => {
    const group = GROUPS_BY_KEY.get(name);
    if (group !== undefined) {
      if (value.type === 'object') value.members.forEach((member) => void readOption(group.rows, name, member));
      else fault(value.at, `${name} takes an object with options, not ${shownNode(value)}`);
    } else if (name === COMMAND_KEY) {
      const words = readWords(value);
      if (words === undefined)
        fault(value.at, `command takes a list of words, as ["node", "app.js"], not ${shownNode(value)}`);
      else command = { value: words, at };
    } else if (name !== SCHEMA_KEY) {
      fault(at, unknownGroup(name));
    }
  };

  try {
    const root = parseJsonText(text);
    if (root.type === 'object') root.members.forEach(readMember);
    else fault(root.at, `the file takes an object, as {"ring": {"slots": 512}}, not ${shownNode(root)}`);
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    fault(error.at, error.message);
  }
  return { path, values, command, faults, faulty };
}

function unknownGroup(name: string): string {
  const flag = flagMeant(name);
  if (flag !== undefined) return placeOf(flag);
  const meant = nearest(name, ROOT_KEYS, MOST_WRONG_LETTERS);
  return `unknown group ${shown(name)}${meant === undefined ? `; there are ${ROOT_KEYS.join(', ')}` : `: did you mean ${meant}?`}`;
}

function unknownOption(group: string, name: string): string {
  const key = `${group}.${shown(name)}`;
  if (OPTIONS.get(name)?.ofCommand) return `${key} is no option of a file: it names the file itself`;
  const instead = insteadOf(name);
  if (instead !== undefined) return `${key} is no option any more: ${instead}`;
  const flag = flagMeant(name);
  if (flag !== undefined)
    return flag === name ? `${placeOf(flag)}, not in ${group}` : `unknown option ${key}: did you mean ${flag}?`;
  const meant = nearest(name, FLAGS, MOST_WRONG_LETTERS);
  return `unknown option ${key}${meant === undefined ? '; ringmaster --help lists all' : `: did you mean ${meant}?`}`;
}

// Names of the library and of the environment are known too.
function flagMeant(name: string): string | undefined {
  const camel = name.replaceAll('_', '-').toLowerCase();
  return FLAGS.find((flag) => flag === name || flag === camel || keyOf(flag, OPTIONS.get(flag) as Option) === name);
}

function placeOf(flag: string): string {
  const [group] = fullKey(flag).split('.');
  return `${flag} belongs in ${group}, as {"${group}": {"${flag}": …}}`;
}

function shown(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}

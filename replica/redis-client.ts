// A Redis client with just what votes need: commands on one connection, replies in their order, a time limit, and a new
// connection when the old one broke. There is no library because the image of a replica has no node_modules, and RESP2
// is a page of code (https://redis.io/docs/latest/develop/reference/protocol-spec/). The client tells whether a failed
// command may have been carried out; the caller decides what that means.

import net, { type Socket } from 'node:net';

export type RedisReply = string | number | null | RedisError | readonly RedisReply[];

/** A reply that begins with `-`. */
export class RedisError extends Error {
  override readonly name = 'RedisError';
}

/** A command was sent but its reply did not come, so it may have been carried out. */
export class LostReply extends Error {
  override readonly name = 'LostReply';
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: number;
}

export interface RedisClient {
  /**
   * Sends a command and gives its reply. Rejects if Redis refuses or cannot be reached, with LostReply if it does not
   * answer in time.
   */
  send(...command: readonly string[]): Promise<RedisReply>;
  close(): void;
}

const MAX_UNANSWERED = 10_000;
const MAX_REPLY_BYTES = 65_536;

/**
 * Parses `redis://[[user]:password@]host[:port][/database]`. Throws for anything else, without the password in the
 * message.
 */
export function parseRedisUrl(written: string): RedisAddress {
  const url = URL.parse(written);
  const database = /^\/?(\d{0,4})$/.exec(url?.pathname ?? '')?.[1];
  if (url?.protocol !== 'redis:' || url.hostname === '' || database === undefined || url.search !== '') {
    throw new Error('VOTES_URL takes redis://[:password@]host[:port][/database]');
  }
  return {
    // Only a URL has brackets around an IPv6 address.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: Number(database),
  };
}

/** Connects at the first command, and at the first one after a connection was lost. */
export function createRedisClient(address: RedisAddress, timeoutMs: number): RedisClient {
  let connection: Connection | undefined;
  return {
    send: (...command) => {
      if (connection?.alive !== true) connection = new Connection(address, timeoutMs);
      return connection.send(command);
    },
    close: () => connection?.fail('the connection to Redis was closed'),
  };
}

interface Pending {
  readonly resolve: (reply: RedisReply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

class Connection {
  alive = true;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #name: string;
  readonly #greeted: Promise<unknown>;
  readonly #pending: Pending[] = [];
  #connected = false;
  #unanswered = 0;
  #unread: Buffer = Buffer.alloc(0);

  constructor(address: RedisAddress, timeoutMs: number) {
    const { host, port, username, password, database } = address;
    this.#name = `Redis at ${host}:${port}`;
    this.#timeoutMs = timeoutMs;
    this.#socket = net.connect({ host, port, noDelay: true, keepAlive: true });
    this.#socket.once('connect', () => {
      this.#connected = true;
    });
    this.#socket.on('data', (bytes: Buffer) => this.#read(bytes));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      // If a name has several addresses the error has a code but no message.
      this.fail(`${this.#name} cannot be reached: ${error.message || error.code}`);
    });
    // `end` means that Redis sends no more, so a further command would never get its reply.
    for (const over of ['end', 'close']) this.#socket.on(over, () => this.fail(`${this.#name} closed the connection`));
    const greetings: string[][] = [];
    if (password !== '') greetings.push(username === '' ? ['AUTH', password] : ['AUTH', username, password]);
    if (database !== 0) greetings.push(['SELECT', String(database)]);
    this.#greeted = Promise.all(greetings.map((command) => this.#write(command)));
    this.#greeted.catch((error) => this.fail(error.message));
  }

  async send(command: readonly string[]): Promise<RedisReply> {
    if (this.#unanswered >= MAX_UNANSWERED)
      throw new Error(`${MAX_UNANSWERED} commands wait for ${this.#name} already`);
    this.#unanswered += 1;
    try {
      // Waits for the greeting, so that no command is carried out as another user or in another database.
      await this.#greeted.catch((error) => {
        throw new Error(error.message, { cause: error });
      });
      return await this.#write(command);
    } finally {
      this.#unanswered -= 1;
    }
  }

  /** Ends the connection, and rejects all commands that wait for replies. If it never connected, nothing was sent. */
  fail(reason: string): void {
    this.alive = false;
    this.#socket.destroy();
    const error = this.#connected ? new LostReply(reason) : new Error(reason);
    for (const { reject, timer } of this.#pending.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }

  #write(command: readonly string[]): Promise<RedisReply> {
    return new Promise((resolve, reject) => {
      // Replies are not numbered. If one never came, each later one would be taken for the reply before it.
      const late = () => this.fail(`${this.#name} did not answer within ${this.#timeoutMs} ms`);
      this.#pending.push({ resolve, reject, timer: setTimeout(late, this.#timeoutMs) });
      this.#socket.write(encodeCommand(command));
    });
  }

  #read(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    try {
      let at = 0;
      for (let parsed = parseReply(this.#unread, at); parsed !== undefined; parsed = parseReply(this.#unread, at)) {
        at = parsed.end;
        this.#settle(parsed.reply);
      }
      this.#unread = this.#unread.subarray(at);
      if (this.#unread.length > MAX_REPLY_BYTES) throw new Error(`a reply of more than ${MAX_REPLY_BYTES} bytes`);
    } catch (error) {
      this.fail(`${this.#name} sent what is not understood: ${(error as Error).message}`);
    }
  }

  #settle(reply: RedisReply): void {
    const pending = this.#pending.shift();
    if (pending === undefined) throw new Error('a reply that nobody waits for');
    clearTimeout(pending.timer);
    if (reply instanceof RedisError) pending.reject(new RedisError(`${this.#name} says: ${reply.message}`));
    else pending.resolve(reply);
  }
}

/** A command as an array of bulk strings. */
function encodeCommand(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/**
 * The reply that begins at `at`, and where it ends; `undefined` if it has not come whole. Throws if it is not RESP2.
 */
export function parseReply(bytes: Buffer, at: number, depth = 0): { reply: RedisReply; end: number } | undefined {
  if (depth > 8) throw new Error('arrays within arrays, too deep');
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd === -1) return undefined;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[at] as number)) {
    case '+':
      return { reply: line, end };
    case '-':
      return { reply: new RedisError(line), end };
    case ':':
      return { reply: wholeNumber(line), end };
    case '$':
      return parseBulk(bytes, end, wholeNumber(line));
    case '*':
      return parseArray(bytes, end, wholeNumber(line), depth);
    default:
      throw new Error(`a reply that begins with byte ${bytes[at]}`);
  }
}

function parseBulk(bytes: Buffer, at: number, sizeBytes: number): { reply: RedisReply; end: number } | undefined {
  if (sizeBytes === -1) return { reply: null, end: at };
  const end = at + sizeBytes + 2;
  return bytes.length < end ? undefined : { reply: bytes.toString('utf8', at, end - 2), end };
}

function parseArray(bytes: Buffer, at: number, count: number, depth: number) {
  if (count === -1) return { reply: null, end: at };
  const reply: RedisReply[] = [];
  let end = at;
  while (reply.length < count) {
    const element = parseReply(bytes, end, depth + 1);
    if (element === undefined) return undefined;
    reply.push(element.reply);
    end = element.end;
  }
  return { reply, end };
}

function wholeNumber(line: string): number {
  if (!/^-?\d{1,15}$/.test(line)) throw new Error(`${JSON.stringify(line)} is no number`);
  return Number(line);
}

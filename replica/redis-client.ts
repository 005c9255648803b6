// Commands to Redis, each within a time limit, over one connection that is made anew after it broke. @redis/client
// speaks the protocol. Its own queue and reconnects are off, since a vote must be refused in time, and it must be known
// whether a command that failed may have been carried out.

import { ConnectionTimeoutError, createClient, ErrorReply, SocketClosedUnexpectedlyError } from '@redis/client';

/** A command was sent but its reply did not come, so it may have been carried out. */
export class LostReply extends Error {
  override readonly name = 'LostReply';
}

export interface RedisClient {
  /**
   * Sends a command and gives its reply. Rejects if Redis refuses or cannot be reached, with LostReply if it does not
   * answer in time.
   */
  send(...command: readonly string[]): Promise<unknown>;
  close(): void;
}

const MAX_UNANSWERED = 10_000;

/**
 * Connects at the first command, and at the first one after a connection was lost. Throws if `url` is none of a Redis,
 * without the password in the message.
 */
export function createRedisClient(url: string, timeoutMs: number): RedisClient {
  const name = nameOf(url);
  let connection: Connection | undefined;
  let unanswered = 0;
  return {
    send: async (...command) => {
      if (unanswered >= MAX_UNANSWERED) throw new Error(`${MAX_UNANSWERED} commands wait for ${name} already`);
      if (connection?.isOver !== false) connection = new Connection(url, name, timeoutMs);
      unanswered += 1;
      try {
        return await connection.send(command);
      } finally {
        unanswered -= 1;
      }
    },
    close: () => connection?.end('the connection to Redis was closed'),
  };
}

function nameOf(written: string): string {
  const url = URL.parse(written);
  const isRedis = url !== null && ['redis:', 'rediss:'].includes(url.protocol) && url.hostname !== '';
  if (!isRedis || !/^\/?\d{0,4}$/.test(url.pathname) || url.search !== '') {
    throw new Error('VOTES_URL takes redis[s]://[[user]:password@]host[:port][/database]');
  }
  return `Redis at ${url.hostname}:${url.port || 6379}`;
}

class Connection {
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #client: ReturnType<typeof createClient>;
  readonly #connected: Promise<unknown>;
  // Why the connection is over; `undefined` as long as it is not.
  #end: string | undefined;

  constructor(url: string, name: string, timeoutMs: number) {
    this.#name = name;
    this.#timeoutMs = timeoutMs;
    this.#client = createClient({
      url,
      // Spoken by every Redis; the later protocol begins with a command that old ones refuse.
      RESP: 2,
      maintNotifications: 'disabled',
      disableClientInfo: true,
      // Only commands that are not sent yet would have this limit.
      commandOptions: { timeout: 0 },
      socket: { connectTimeout: timeoutMs, reconnectStrategy: false },
    });
    const failed = (error: Error) => this.end(this.#describe(error));
    this.#client.on('error', failed);
    // Resolves once the password and the database are accepted, so no command goes to another database.
    this.#connected = this.#client.connect();
    this.#connected.catch(failed);
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  async send(command: readonly string[]): Promise<unknown> {
    // Replies are not numbered. If one never came, each later one would be taken for the reply before it.
    const timer = setTimeout(() => this.end(this.#late), this.#timeoutMs);
    let isSent = false;
    try {
      await this.#connected;
      isSent = !this.isOver;
      return await this.#client.sendCommand(command);
    } catch (error) {
      if (error instanceof ErrorReply) throw new Error(this.#describe(error), { cause: error });
      const reason = this.#end ?? this.#describe(error as Error);
      throw isSent ? new LostReply(reason, { cause: error }) : new Error(reason, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection, and rejects all commands that wait for replies. */
  end(reason: string): void {
    if (this.isOver) return;
    this.#end = reason;
    this.#client.destroy();
  }

  get #late(): string {
    return `${this.#name} did not answer within ${this.#timeoutMs} ms`;
  }

  #describe(error: NodeJS.ErrnoException): string {
    if (error instanceof ErrorReply) return `${this.#name} says: ${error.message}`;
    if (error instanceof ConnectionTimeoutError) return this.#late;
    if (error instanceof SocketClosedUnexpectedlyError) return `${this.#name} closed the connection`;
    // If a name has several addresses the error has a code but no message.
    if (error.code !== undefined) return `${this.#name} cannot be reached: ${error.message || error.code}`;
    return `${this.#name} sent what is not understood: ${error.message}`;
  }
}

// What this proxy asks of the parser in Node's `http.Server` that is not in the documentation: to stop behind a head, to keep what
// it has not read for later, and to begin anew on a connection. `checkParser` tries all of it before the proxy listens.

import http, { type IncomingMessage, type Server } from 'node:http';
import { Duplex } from 'node:stream';

interface Parser {
  // Called for each head; what it returns says what comes behind (`on_headers_complete` of llhttp).
  onIncoming: (request: IncomingMessage & { readonly upgrade: boolean }, shouldKeepAlive: boolean) => number;
  execute(bytes: Buffer): unknown;
  pause(): void;
  resume(): void;
}

type ParsedSocket = Duplex & {
  readonly parser?: Parser | null;
  readonly _readableState: { readonly ended: boolean };
  // `http.Server` has paused it, and will resume it when it has drained.
  readonly _paused?: boolean;
};

/** An error of the parser. */
export interface ParserError extends NodeJS.ErrnoException {
  // What it was given last, and how far it came.
  readonly reason?: string;
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

// Nothing behind this head is of this message or in this protocol: it is left unread. Node would go on to read a body, and would
// lose what follows a request whose Upgrade is passed over.
const OTHER_PROTOCOL = 2;
const STOP = 21;
const NOTHING = Buffer.alloc(1).subarray(0, 0);

/** Who says when a parser stops. */
export interface Stopping {
  /** Asked behind each head, when its `request` event is over. */
  readonly stopsNow: boolean;
}

/** The parser of one connection, which can be told to stop behind a head. */
export class HeadStop {
  /** It has stopped, and what it has not read waits in the socket. */
  held = false;
  readonly #socket: ParsedSocket;
  // It was told to stop, and has not said yet where it did.
  #stopping = false;

  /** To be made when the connection has come to `http.Server`. */
  constructor(socket: Duplex, stopping: Stopping) {
    this.#socket = socket as ParsedSocket;
    const parser = this.#socket.parser as Parser;
    const { onIncoming } = parser;
    parser.onIncoming = (request, shouldKeepAlive) => {
      onIncoming(request, shouldKeepAlive);
      if (request.upgrade) return OTHER_PROTOCOL;
      this.#stopping = stopping.stopsNow;
      return this.#stopping ? STOP : 0;
    };
  }

  /** Nothing is read now: it has stopped, or `http.Server` has let go of the connection. */
  get rests(): boolean {
    return this.held || this.#socket.parser === undefined || this.#socket.parser === null;
  }

  /** The other side has ended, and nobody was told of that: there is something to be read before. */
  get hasEnded(): boolean {
    return this.#socket._readableState.ended && !this.#socket.readableEnded;
  }

  /** If that error only says that the parser has stopped: what it has not read. */
  rest(error: ParserError): Buffer | undefined {
    if (error.code !== 'HPE_PAUSED' || error.rawPacket === undefined) return undefined;
    // What comes while it is stopped is not looked at, and has no place in it.
    const from = this.#stopping ? (error.bytesParsed ?? 0) : 0;
    this.#stopping = false;
    return error.rawPacket.subarray(from);
  }

  /** What the parser has not read waits, and the connection with it, until `goOn`. */
  hold(rest: Buffer): void {
    const socket = this.#socket;
    if (!this.held) {
      this.held = true;
      // Hearing data takes the connection from the parser, which otherwise reads from it on its own, and would not give back.
      socket.on('data', ignore);
      socket.off('data', ignore);
      // The message whose head it was is over, if it has no body: that is said only with the next bytes, and there may be none.
      const parser = socket.parser as Parser;
      parser.resume();
      parser.execute(NOTHING);
      parser.pause();
    }
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    readFurther(socket);
  }

  /** `http.Server` resumes a connection that it had paused itself, held or not. */
  onDrain(): void {
    if (!this.held) return;
    this.#socket.parser?.pause();
    this.#socket.pause();
  }

  /** The parser reads on. Not to be called by what it calls. */
  goOn(): void {
    if (!this.held) return;
    this.held = false;
    const socket = this.#socket;
    if (socket.destroyed || socket._paused === true) return;
    socket.parser?.resume();
    socket.resume();
  }
}

/**
 * Gives a connection back to `http.Server`, which let go of it after an Upgrade: it reads it from here on as if it had just come,
 * and says so by its `connection` event. Not to be called by what a parser calls.
 */
export function readAnew(server: Server, socket: Duplex): void {
  server.emit('connection', socket);
  socket.resume();
}

/** To be called of a connection that `http.Server` lets go of: it may have been about to read on, and would not do so any more. */
export function readFurther(socket: Duplex): void {
  socket._read(0);
}

function ignore(): void {}

const HEAD = ' HTTP/1.1\r\nHost: a\r\n';
const TRIAL = `GET /1${HEAD}\r\nPOST /2${HEAD}Content-Length: 1\r\n\r\nxGET /3${HEAD}\r\nPOST /4${HEAD}Connection: upgrade\r\nUpgrade: a\r\nContent-Length: 4\r\n\r\nbody`;
const EXPECTED = '/1 stop:162 whole:true /2 /3 upgrade:/4:body';

/** Rejects if the parser of this Node does not do what is asked of it here. */
export async function checkParser(): Promise<void> {
  const seen: string[] = [];
  let first: IncomingMessage | undefined;
  const server = http.createServer();
  const socket = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
  await new Promise<void>((resolve) => {
    const over = setTimeout(resolve, TRIAL_MS);
    const done = () => {
      clearTimeout(over);
      resolve();
    };
    server.on('request', (request, response) => {
      seen.push(`${request.url}`);
      request.resume();
      response.end();
      first ??= request;
    });
    server.on('upgrade', (request, _socket, early) => {
      seen.push(`upgrade:${request.url}:${early}`);
      done();
    });
    server.emit('connection', socket);
    const stop = new HeadStop(socket, {
      get stopsNow() {
        return seen.length === 1;
      },
    });
    server.on('clientError', (error) => {
      const rest = stop.rest(error);
      if (rest === undefined) return done();
      seen.push(`stop:${rest.length}`);
      stop.hold(rest);
      setImmediate(() => {
        seen.push(`whole:${first?.complete}`);
        stop.goOn();
      });
    });
    socket.push(TRIAL);
  });
  socket.destroy();
  if (seen.join(' ') === EXPECTED) return;
  throw new Error(`Node ${process.version} reads HTTP in another way than this program knows: ${seen.join(' ')}`);
}

const TRIAL_MS = 10_000;

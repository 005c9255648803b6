import { Writable } from 'node:stream';
import { WriteStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { byLine, createReplicaOutput, type OutputMode } from '../../lib/fleet/runtimes/replica-output.ts';

const replica = (seat: number, hostname = `server${seat}`) => ({ seat, incarnation: seat, hostname });

/** A place that keeps what is written, or that takes nothing until `resume`. */
class Place extends Writable {
  text = '';
  isTTY: boolean;
  #stalled: (() => void) | undefined;
  #stalls: boolean;

  constructor({ isTTY = false, stalls = false } = {}) {
    super();
    this.isTTY = isTTY;
    this.#stalls = stalls;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    if (this.#stalls) this.#stalled = done;
    else done();
  }

  // As a terminal has it.
  getColorDepth(): number {
    return WriteStream.prototype.getColorDepth();
  }

  resume(): void {
    this.#stalls = false;
    this.#stalled?.();
  }
}

function output(mode: OutputMode, stdout = new Place(), onDropped: (count: number) => void = () => {}) {
  const stderr = new Place();
  return { stdout, stderr, made: createReplicaOutput(mode, { stdout, stderr }, onDropped) };
}

const lines = (...pieces: string[]) => {
  const told: string[] = [];
  const sink = byLine((line) => told.push(line));
  for (const piece of pieces) sink.write(piece);
  sink.end();
  return told;
};

t.test('lines come whole, whatever pieces they come in; the last one without its end', async (t) => {
  t.same(lines(), []);
  t.same(lines('a\nb', 'c\r\n', '\n', 'd'), ['a', 'bc', '', 'd']);
});

t.test('a line that never ends is told in parts', async (t) => {
  const told = lines(...Array.from({ length: 100 }, () => 'x'.repeat(10_000)));
  t.equal(told.join(''), 'x'.repeat(1_000_000));
  t.ok(told.every((part) => part.length <= 16_384));
  t.ok(lines(`${'x'.repeat(100_000)}\n`).every((part) => part.length <= 16_384));
});

t.test('prefix: each line behind the hostname, on the stream that it was written to', async (t) => {
  const { stdout, stderr, made } = output('prefix');
  const one = made.sink(replica(1), 'stdout');
  const ten = made.sink(replica(10), 'stderr');
  one?.write('hel');
  ten?.write('oh no\n');
  one?.write('lo\nthere');
  made.sink(replica(2), 'stdout')?.write('hi\n');
  one?.end();
  t.equal(stdout.text, 'server1 | hello\nserver2  | hi\nserver1 | there\n');
  t.equal(stderr.text, 'server10 | oh no\n');
});

t.test('colours go by the seat, on a terminal alone, and not with NO_COLOR', async (t) => {
  const shown = (isTTY: boolean, seat: number, hostname: string) => {
    const { stdout, made } = output('prefix', new Place({ isTTY }));
    made.sink(replica(seat, hostname), 'stdout')?.write('x\n');
    return stdout.text;
  };
  const before = process.env;
  t.teardown(() => {
    process.env = before;
  });
  // Node asks many variables for the colours of a terminal, of which CI is one: none of those of the run may be there.
  process.env = { TERM: 'xterm' };
  t.equal(shown(false, 1, 'a'), 'a | x\n');
  t.equal(stripVTControlCharacters(shown(true, 1, 'a')), 'a | x\n');
  t.not(shown(true, 1, 'a'), 'a | x\n');
  t.not(shown(true, 1, 'a'), shown(true, 2, 'a'));
  t.equal(shown(true, 1, 'a'), shown(true, 1, 'b').replace('b', 'a'), 'the next replica in a seat has its colour');
  process.env.NO_COLOR = '1';
  t.equal(shown(true, 1, 'a'), 'a | x\n');
});

t.test('the attack: what a client sends is printed by a replica, and moves the cursor or hides a line', async (t) => {
  const shown = (isTTY: boolean, line: string) => {
    const { stdout, made } = output('prefix', new Place({ isTTY }));
    made.sink(replica(1, 'a'), 'stdout')?.write(`${line}\n`);
    return stdout.text.slice(stdout.text.indexOf('x'), -1);
  };
  t.equal(shown(true, 'x\u001b[2K\u001b[1Ay\rz\u009b2J\u202e'), 'x\\u001b[2K\\u001b[1Ay\\u000dz\\u009b2J\\u202e');
  t.equal(shown(true, 'x\u001b]0;title\u0007'), 'x\\u001b]0;title\\u0007');
  t.equal(shown(true, 'x\t\u001b[1;31mred'), 'x\t\u001b[1;31mred\u001b[0m', 'colours stay, and end with their line');
  t.equal(shown(true, 'x plain ü€'), 'x plain ü€');
  t.equal(shown(false, 'x\u001b[2K\r'), 'x\u001b[2K', 'no terminal: as it was written, but for the line end');
});

t.test('inherit: as it is; off: nothing, but the last lines of one that never came up, and those once', async (t) => {
  const as = output('inherit');
  as.made.sink(replica(1), 'stdout')?.write('a\nb');
  as.made.showLast(replica(1), ['a', 'b']);
  t.same([as.stdout.text, as.stderr.text], ['a\nb', '']);
  const off = output('off');
  off.made.sink(replica(1), 'stdout')?.write('a\n');
  off.made.sink(replica(1), 'stderr')?.write('b\n');
  off.made.showLast(replica(1), ['b', 'exit code 1']);
  off.made.showLast(replica(2), ['b', 'exit code 1']);
  off.made.showLast(replica(2), ['b', 'exit code 2']);
  t.equal(off.stdout.text, '');
  t.equal(off.stderr.text, 'server1 | b\nserver1 | exit code 1\nserver2 | b\nserver2 | exit code 2\n');
});

t.test('however many there are in a process, none stays as a listener of a stream', async (t) => {
  const { stdout, stderr, made } = output('prefix');
  const before = stdout.listenerCount('drain');
  for (let count = 0; count < 20; count++) createReplicaOutput('prefix', { stdout, stderr }, () => {});
  made.sink(replica(1), 'stdout')?.write('x\n');
  t.same([stdout.listenerCount('drain'), stderr.listenerCount('drain')], [before, before]);
});

for (const mode of ['prefix', 'inherit'] as const) {
  t.test(`${mode}: a reader that stalls never fills the memory`, async (t) => {
    const place = new Place({ stalls: true });
    const dropped: number[] = [];
    const { made } = output(mode, place, (count) => dropped.push(count));
    const sink = made.sink(replica(1), 'stdout');
    for (let count = 0; count < 5000; count++) sink?.write(`${'x'.repeat(1000)}\n`);
    t.ok(place.writableLength < 1.1 * 2 ** 20, `${place.writableLength} bytes wait`);
    const drained = new Promise((resolve) => place.once('drain', resolve));
    place.resume();
    await drained;
    if (mode === 'prefix') t.equal(place.text.split('\n').length - 1 + (dropped[0] ?? 0), 5000);
    sink?.write('more\n');
    t.match(place.text, /more\n$/);
  });
}

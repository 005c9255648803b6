// Tests the reader that judges what is on the wire: if it accepted everything, no case and no fuzzing could fail.

import t from 'tap';
import { Garbled, readReply, readRequest } from './message.ts';

const request = (fields: string, body = '') => readRequest(`POST /x HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`);
const reply = (text: string, method = 'GET', ended = false) => readReply(text, method, ended);

t.test('it finds where a message ends', async (t) => {
  t.match(request('Content-Length: 3\r\n', 'abcd'), { body: 'abc', rest: 'd', complete: true, framing: 'length' });
  t.match(request('Content-Length: 3\r\n', 'ab'), { complete: false });
  t.match(request('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\nX: y\r\n\r\nrest'), {
    ...{ body: 'abc', rest: 'rest', complete: true, framing: 'chunked' },
    trailers: [['X', 'y']],
  });
  for (const part of ['3', '3\r\nab', '3\r\nabc\r\n', '3\r\nabc\r\n0\r\n', '3\r\nabc\r\n0\r\nX: y\r\n']) {
    t.match(request('Transfer-Encoding: chunked\r\n', part), { complete: false }, JSON.stringify(part));
  }
  t.match(request('', 'rest'), { framing: 'none', rest: 'rest' });
  t.equal(readRequest('GET / HTTP/1.1\r\nHost: a\r\n'), undefined);
  t.match(reply('HTTP/1.1 200 OK\r\n\r\nabc'), { framing: 'close', complete: false });
  t.match(reply('HTTP/1.1 200 OK\r\n\r\nabc', 'GET', true), { body: 'abc', complete: true });
  for (const [status, method] of [
    ['204', 'GET'],
    ['304', 'GET'],
    ['103', 'GET'],
    ['200', 'HEAD'],
  ] as const) {
    t.match(reply(`HTTP/1.1 ${status} x\r\nContent-Length: 3\r\n\r\nrest`, method), { framing: 'none', rest: 'rest' });
  }
});

t.test('it takes nothing that can be read in two ways', async (t) => {
  for (const fields of [
    'Content-Length: 3\r\nContent-Length: 3\r\n',
    'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
    'Content-Length: +3\r\n',
    'Content-Length: 3, 3\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
    'Host: b\r\n',
    'X-A : b\r\n',
    'X-A: b\r\n c\r\n',
    'X-A: b\nX-B: c\r\n',
    'X-A: b\rc\r\n',
    'X-A: b\0\r\n',
    ': b\r\n',
    'X-A\r\n',
  ]) {
    t.throws(() => request(fields, '0\r\n\r\n'), Garbled, JSON.stringify(fields));
  }
  for (const body of ['x\r\n', '3;a\r\nabc\r\n', '+3\r\nabc\r\n', '3\r\nabcd\r\n', '0\r\nX\r\n\r\n', '\r\n']) {
    t.throws(() => request('Transfer-Encoding: chunked\r\n', body), Garbled, JSON.stringify(body));
  }
  for (const line of ['GET  / HTTP/1.1', 'GET / HTTP/1.2', 'GET /', 'G(T / HTTP/1.1', 'GET /\0 HTTP/1.1']) {
    t.throws(() => readRequest(`${line}\r\nHost: a\r\n\r\n`), Garbled, JSON.stringify(line));
  }
  for (const line of ['HTTP/1.1 099 x', 'HTTP/1.1 1000 x', 'HTTP/2 200', 'HTTP/1.1 200OK', 'HTTP/1.1 200 \x01']) {
    t.throws(() => reply(`${line}\r\n\r\n`), Garbled, JSON.stringify(line));
  }
});

t.test('of what was sent it takes what a recipient may, and no more', async (t) => {
  const sent = (text: string) => readRequest(text, 'sent');
  t.match(sent('\r\nGET  /x HTTP/1.0\r\n\r\n'), { complete: true });
  const chunked = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  t.match(sent(`${chunked}3 ;a="b"\r\nabc\r\n0\r\n\r\n`), { body: 'abc', complete: true });
  for (const size of ['3 a', '3;a\nb', '3;\0'])
    t.throws(() => sent(`${chunked}${size}\r\nabc\r\n0\r\n\r\n`), Garbled, JSON.stringify(size));
  t.throws(() => sent('GET /x HTTP/1.1\r\n\r\n'), Garbled);
});

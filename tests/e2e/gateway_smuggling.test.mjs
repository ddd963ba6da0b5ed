// Nothing is smuggled through the front door, in either direction. A client and an upstream of bare
// sockets say what no honest one says; whatever comes out of the gateway is read by the strictest
// reader (lib/strict.mjs). The upstream must see whole requests, as many as were sent and none that
// hides in another; the client one answer to each request, and its own.
//
// The bait is GET /bait: the gateway answers it itself, so an upstream that sees it was tricked.

import assert from 'node:assert/strict';
import net from 'node:net';
import { after } from 'node:test';
import { onNonet, until } from './lib/node.mjs';
import { readRequests, readResponses, values } from './lib/strict.mjs';

const BAIT = 'GET /bait HTTP/1.1\r\nHost: x\r\n\r\n';
const CLOSE = 'Connection: close\r\n';

// ---- both sides ---------------------------------------------------------------------------------

// An upstream of which PLAYS says, by path, what it answers: text, or a function of the socket. An
// early one is played when the head is there, the others when the request is whole.
class Upstream {
  static async start() {
    const upstream = new Upstream();
    Object.assign(upstream, { plays: {}, early: {}, requests: [], rests: [], faults: [] });
    upstream.sockets = new Set();
    upstream.server = net.createServer((socket) => upstream.serve(socket));
    await new Promise((resolve) => upstream.server.listen(0, '127.0.0.1', resolve));
    upstream.url = `http://127.0.0.1:${upstream.server.address().port}`;
    return upstream;
  }

  serve(socket) {
    const connection = { text: '', early: false };
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (bytes) => {
      connection.text += bytes.toString('latin1');
      try {
        this.take(socket, connection);
      } catch (error) {
        this.faults.push(error.message);
        socket.destroy();
      }
    });
  }

  take(socket, connection) {
    const { messages, rest } = readRequests(connection.text);
    for (const request of messages) {
      this.requests.push(request);
      if (connection.early) continue;
      this.play(
        socket,
        this.plays[request.target] ?? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      );
    }
    connection.text = rest;
    const early = this.early[/^\S+ (\S+) HTTP\/1.1\r\n[^]*\r\n\r\n/.exec(rest)?.[1]];
    if (early && !connection.early) {
      connection.early = true;
      this.play(socket, early);
    }
  }

  play(socket, answer) {
    if (typeof answer === 'function') answer(socket);
    else socket.write(answer, 'latin1');
  }

  // What came since the last call; throws if any of it was not strict.
  taken() {
    assert.deepEqual(this.faults.splice(0), []);
    return this.requests.splice(0);
  }

  stop() {
    this.server.close();
    this.sockets.forEach((socket) => socket.destroy());
  }
}

// A client that sends what it is told and keeps all that comes.
class Client {
  static async open(t, server) {
    const client = new Client();
    const [host, port] = server.ports.http.split(':');
    Object.assign(client, { heard: '', closed: false, methods: [] });
    client.socket = net.connect(Number(port), host);
    t.after(() => client.socket.destroy());
    client.socket.on('data', (bytes) => (client.heard += bytes.toString('latin1')));
    client.socket.on('error', () => {});
    client.socket.on('close', () => (client.closed = true));
    await new Promise((resolve, reject) => {
      client.socket.once('connect', resolve).once('error', reject);
    });
    return client;
  }

  send(text, ...methods) {
    this.methods.push(...methods);
    this.socket.write(text, 'latin1');
    return this;
  }

  read() {
    return readResponses(this.heard, this.methods, this.closed);
  }

  finals() {
    return this.read().messages.filter(({ status }) => status >= 200);
  }

  // Waits until COUNT answers are whole, or the gateway has closed.
  async answers(count) {
    await until(() => this.closed || this.finals().length >= count, 'an answer');
    return this.finals();
  }

  async end() {
    await until(() => this.closed, 'the end of the connection');
    return this.read();
  }
}

const upstream = await Upstream.start();
after(() => upstream.stop());

const listen = { http: 0 };
const CONFIG = `
gateway:
  routes:
    - {match: {path: "/*"}, to: {http: "${upstream.url}", eject: off, retry: off}}
    - {match: {path: /bait}, to: {respond: {status: 403, body: bait}}}
    - {match: {path: "/rewritten/{id}"}, to: {http: "${upstream.url}"}, rewrite: "/to/{id}"}
    - {match: {path: "/moved/{id}"}, to: {redirect: "/to/{id}"}}
`;

// ---- from the client ----------------------------------------------------------------------------

const post = (fields, body = '') => `POST /a HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;
const get = (fields, target = '/a') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
const hidden = `0\r\n\r\n${BAIT}`;
const chunked = (body) => post('Transfer-Encoding: chunked\r\n', body);

// Refused with one answer and the end of the connection, and nobody was told. The status is 400
// where none is given.
const REFUSED = {
  'CL.TE': post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', hidden),
  'TE.CL': post(
    'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n',
    `8\r\nSMUGGLED\r\n${hidden}`,
  ),
  'CL.TE with an empty coding': post('Content-Length: 0\r\nTransfer-Encoding: \r\n', BAIT),
  'CL.TE with an unknown coding': post('Content-Length: 0\r\nTransfer-Encoding: cow\r\n', BAIT),
  'TE.TE, the same twice': post('Transfer-Encoding: chunked\r\n'.repeat(2), hidden),
  'TE.TE, one of them misspelt': post(
    'Transfer-Encoding: xchunked\r\nTransfer-Encoding: chunked\r\n',
    hidden,
  ),
  'TE.TE, in another case': post(
    'Transfer-Encoding: chunked\r\nTRANSFER-ENCODING: identity\r\n',
    hidden,
  ),
  'a coding with an empty element': chunked(hidden).replace('chunked', 'chunked,'),
  'a coding after an empty element': chunked(hidden).replace('chunked', ', chunked'),
  'a coding with a parameter': [501, chunked(hidden).replace('chunked', 'chunked;q=1')],
  'a coding behind a form feed': chunked(hidden).replace('chunked', '\x0cchunked'),
  'a coding before a NUL': chunked(hidden).replace('chunked', 'chunked\0'),
  'a coding before a DEL': chunked(hidden).replace('chunked', 'chunked\x7f'),
  'a coding behind a blank of Latin-1': [501, chunked(hidden).replace('chunked', '\xa0chunked')],
  'a coding behind a byte order mark': [
    501,
    chunked(hidden).replace('chunked', '\xef\xbb\xbfchunked'),
  ],
  identity: [501, chunked(hidden).replace('chunked', 'identity')],
  'two codings': [501, chunked(hidden).replace('chunked', 'gzip, chunked')],
  'a tab before the colon': chunked(hidden).replace('Encoding:', 'Encoding\t:'),
  'a CR before the colon': chunked(hidden).replace('Encoding:', 'Encoding\r:'),
  'a field with a blank in its name': post('Transfer Encoding: chunked\r\n', hidden),
  'a name in quotes': post('"Content-Length": 30\r\n', BAIT),
  'a first field that is folded': 'POST /a HTTP/1.1\r\n Host: x\r\nContent-Length: 0\r\n\r\n',
  'a coding behind a fold with a tab': post('X: y\r\n\tTransfer-Encoding: chunked\r\n', hidden),
  'a coding behind an empty fold': post('X: y\r\n \r\nTransfer-Encoding: chunked\r\n', hidden),
  'a coding that ends with a bare LF': chunked(hidden).replace('chunked\r', 'chunked'),
  'a head that ends with bare LFs': 'POST /a HTTP/1.1\nHost: x\nContent-Length: 0\n\n' + BAIT,
  'a head that ends with LF CR LF': `POST /a HTTP/1.1\r\nHost: x\n\r\n${BAIT}`,
  'a head that ends with CR CR LF': `POST /a HTTP/1.1\r\nHost: x\r\r\n\r\n${BAIT}`,
  'a length of 00': post('Content-Length: 00\r\n', BAIT),
  'a length with a leading zero': post('Content-Length: 010\r\n', BAIT),
  'a negative length': post('Content-Length: -1\r\n', BAIT),
  'a length with an exponent': post('Content-Length: 1e1\r\n', BAIT),
  'a length with a fraction': post('Content-Length: 0.0\r\n', BAIT),
  'a length with a blank in it': post('Content-Length: 3 0\r\n', BAIT),
  'a length with an underscore': post('Content-Length: 3_0\r\n', BAIT),
  'a length beyond 64 bits': post('Content-Length: 18446744073709551616\r\n', BAIT),
  'a length in other digits': post('Content-Length: \xef\xbc\x90\r\n', BAIT),
  'a length in quotes': post('Content-Length: "0"\r\n', BAIT),
  'a length of nothing': post('Content-Length: \r\n', BAIT),
  'a length with a semicolon': post('Content-Length: 0;x\r\n', BAIT),
  'the same length twice': post('Content-Length: 0\r\nContent-Length: 0\r\n', BAIT),
  'the same length twice in a list': post('Content-Length: 0, 0\r\n', BAIT),
  'Host twice, the same': get('Host: x\r\n'),
  'Host as a list': 'GET /a HTTP/1.1\r\nHost: x, y\r\n\r\n',
  'Host with a user': 'GET /a HTTP/1.1\r\nHost: u@x\r\n\r\n',
  'Host with a path': 'GET /a HTTP/1.1\r\nHost: x/bait\r\n\r\n',
  'Host with a blank': 'GET /a HTTP/1.1\r\nHost: x y\r\n\r\n',
  'Host with a port of words': 'GET /a HTTP/1.1\r\nHost: x:80.evil\r\n\r\n',
  'no Host': 'GET /a HTTP/1.1\r\n\r\n',
  'a target of another host': get(CLOSE, 'http://y/a'),
  'a target with a user': get('', 'http://u@x/a'),
  'a target without a slash': get('', 'a'),
  'a target with a fragment': get('', '/a#b'),
  'a target with a NUL': get('', '/a\0'),
  'a target with a tab': get('', '/a\tHTTP/1.1'),
  'a target with line ends in escapes': get(CLOSE, '/a%0d%0aX:%20y%0d%0a%0d%0a'),
  'a rewrite of line ends in escapes': get(CLOSE, '/rewritten/%0d%0aX:%20y'),
  'a redirect of line ends in escapes': get(CLOSE, '/moved/%0d%0aSet-Cookie:%20a=b'),
  'a target that climbs out': get(CLOSE, '/../bait'),
  'a request line with two versions': 'GET /a HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'a request line with two spaces': 'GET  /a HTTP/1.1\r\nHost: x\r\n\r\n',
  'a request line with tabs': 'GET\t/a\tHTTP/1.1\r\nHost: x\r\n\r\n',
  'a request line behind a space': ` GET /a HTTP/1.1\r\nHost: x\r\n\r\n`,
  'a request line with a NUL in the method': 'G\0ET /a HTTP/1.1\r\nHost: x\r\n\r\n',
  'a request line without a version': 'GET /a\r\n\r\n',
  'a version of three digits': 'GET /a HTTP/1.10\r\nHost: x\r\n\r\n',
  'a version in small letters': 'GET /a http/1.1\r\nHost: x\r\n\r\n',
  'HTTP/2.0': [505, 'GET /a HTTP/2.0\r\nHost: x\r\n\r\n'],
  'the preface of HTTP/2': [
    505,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0d\0\x04\0\0\xff\xff',
  ],
  'a hello of TLS': '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\r\n\r\n',
  'an expectation that nobody knows': [
    417,
    post('Expect: 200-ok\r\nContent-Length: 30\r\n', BAIT),
  ],
  'a tunnel': [[400, 404, 405, 501], `CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n${BAIT}`],
};

// Malformed behind a head that is good: the upstream may have heard the beginning of the request,
// but must never hear its end; the client gets one answer.
const BROKEN = {
  'a chunk with a sign': '+5\r\nhello\r\n',
  'a chunk in hex of C': '0x5\r\nhello\r\n',
  'a chunk with a blank in front': ' 5\r\nhello\r\n',
  'a chunk with a tab behind': '5\t\r\nhello\r\n',
  'a chunk without a size': '\r\nhello\r\n',
  'a chunk with an empty size and an extension': ';a=b\r\nhello\r\n',
  'a chunk beyond 64 bits': '10000000000000005\r\nhello\r\n',
  'a chunk line that ends with LF': '5\nhello\r\n',
  'a chunk line that ends with CR': '5\rhello\r\n',
  'a chunk that ends with LF': '5\r\nhello\n',
  'a chunk longer than its size': '5\r\nhelloX\r\n',
  'a chunk shorter than its size': '5\r\nhell\r\n0\r\n\r\n',
  'an extension with a bare LF': '5;a\nb\r\nhello\r\n',
  'an extension with a bare CR': '5;a\rb\r\nhello\r\n',
  'an extension with a NUL': '5;a\0b\r\nhello\r\n',
  'an extension with an open quote': '5;a="b\r\nhello\r\n',
  'an extension without a name': '5;\r\nhello\r\n',
  'a last chunk with LF': '5\r\nhello\r\n0\n\n',
  'trailers that end with LF': '5\r\nhello\r\n0\r\nX: y\n\r\n',
  'a trailer without a colon': '5\r\nhello\r\n0\r\nXy\r\n\r\n',
  'a trailer with a blank before the colon': '5\r\nhello\r\n0\r\nX : y\r\n\r\n',
  'a trailer that is folded': '5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n',
  'a length among the trailers': '5\r\nhello\r\n0\r\nContent-Length: 30\r\n\r\n',
  'a coding among the trailers': '5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a Host among the trailers': '5\r\nhello\r\n0\r\nHost: y\r\n\r\n',
};

// What is good goes through as just so many requests, each [target, body].
const TAKEN = {
  'a coding in capitals': [
    post(`Transfer-Encoding: CHUNKED\r\n${CLOSE}`, '5\r\nhello\r\n0\r\n\r\n'),
    ['/a', 'hello'],
  ],
  'chunks with extensions, which end here': [
    post(`Transfer-Encoding: chunked\r\n${CLOSE}`, '5;a=b;c="d;e"\r\nhello\r\n0;f\r\n\r\n'),
    ['/a', 'hello'],
  ],
  'chunks with leading zeros': [
    post(`Transfer-Encoding: chunked\r\n${CLOSE}`, '0005\r\nhello\r\n000\r\n\r\n'),
    ['/a', 'hello'],
  ],
  'a request inside of a body with a length': [
    post(`Content-Length: ${BAIT.length}\r\n`, BAIT) + get(CLOSE, '/b'),
    ['/a', BAIT],
    ['/b', ''],
  ],
  'a request inside of a chunk': [
    chunked(`${BAIT.length.toString(16)}\r\n${BAIT}\r\n0\r\n\r\n`) + get(CLOSE, '/b'),
    ['/a', BAIT],
    ['/b', ''],
  ],
  'GET with a body': [
    get(`Content-Length: ${BAIT.length}\r\n`) + BAIT + get(CLOSE, '/b'),
    ['/a', BAIT],
    ['/b', ''],
  ],
  'a coding that Connection names away': [
    post(
      'Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding, close\r\n',
      '5\r\nhello\r\n0\r\n\r\n',
    ),
    ['/a', 'hello'],
  ],
  'a length with a blank behind': [
    post(`Content-Length: 5 \r\n${CLOSE}`, 'hello'),
    ['/a', 'hello'],
  ],
  'bytes behind the last request': [
    post(`Content-Length: 5\r\n${CLOSE}`, `hello${BAIT}`),
    ['/a', 'hello'],
  ],
  'a target with its own host': [get(CLOSE, 'http://x/a'), ['/a', '']],
  'a rewrite of blanks in escapes': [
    get(CLOSE, '/rewritten/b%20HTTP:%3f%23'),
    ['/to/b%20HTTP:%3F%23', ''],
  ],
  'values beyond ASCII': [get(`X: \xe4\xff\r\n${CLOSE}`), ['/a', '']],
  'an upgrade that the upstream does not want': [
    get(
      'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n' +
        'Connection: Upgrade, HTTP2-Settings\r\n',
    ) + get(CLOSE, '/b'),
    ['/a', ''],
    ['/b', ''],
  ],
};

onNonet('smuggling: from the client', { config: CONFIG, listen }, (it) => {
  for (const [name, value] of Object.entries(REFUSED)) {
    const [status, text] = Array.isArray(value) ? value : [400, value];
    it(`${name} is refused, and nobody is told`, async (t, server) => {
      const client = await Client.open(t, server);
      const { messages, rest } = await client.send(text).end();
      assert.equal(messages.length, 1, client.heard);
      assert.ok([status].flat().includes(messages[0].status), messages[0].line);
      assert.equal(rest, '');
      assert.deepEqual(upstream.taken(), []);
    });
  }

  for (const [name, body] of Object.entries(BROKEN)) {
    it(`${name} never becomes a request`, async (t, server) => {
      const client = await Client.open(t, server);
      const { messages, rest } = await client.send(chunked(body + hidden)).end();
      assert.equal(messages.length, 1, client.heard);
      assert.equal(messages[0].status, 400);
      assert.equal(rest, '');
      assert.deepEqual(upstream.taken(), []);
    });
  }

  for (const [name, [text, ...wanted]] of Object.entries(TAKEN)) {
    it(`${name}: ${wanted.length} and no more`, async (t, server) => {
      const client = await Client.open(t, server);
      const { messages, rest } = await client.send(text).end();
      const finals = messages.filter((message) => message.status >= 200);
      assert.deepEqual(
        finals.map((m) => [m.status, m.body]),
        wanted.map(() => [200, 'ok']),
      );
      assert.equal(rest, '');
      const seen = upstream.taken();
      assert.deepEqual(
        seen.map((request) => [request.target, request.body]),
        wanted,
      );
      for (const field of ['upgrade', 'http2-settings']) {
        assert.deepEqual(values(seen[0], field), []);
      }
    });
  }
});

// ---- from the upstream --------------------------------------------------------------------------

const OK = 'HTTP/1.1 200 OK\r\n';
const HELLO = 'Content-Length: 5\r\n\r\nhello';
const POISON = `${OK}Content-Length: 6\r\n\r\npoison`;
const inChunks = (body) => `${OK}Transfer-Encoding: chunked\r\n\r\n${body}`;
const thenEnd = (text) => (socket) => socket.end(text, 'latin1');

// Answers that are none: the client is told 502, and nothing of them.
const BAD = {
  'both a length and a coding': `${OK}Transfer-Encoding: chunked\r\n${HELLO}`,
  'two lengths': `${OK}Content-Length: 6\r\n${HELLO}`,
  'a list of lengths': `${OK}Content-Length: 5, 5\r\n\r\nhello`,
  'a length with a leading zero': `${OK}Content-Length: 05\r\n\r\nhello`,
  'a negative length': `${OK}Content-Length: -5\r\n\r\nhello`,
  'a length of nothing': `${OK}Content-Length: \r\n\r\nhello`,
  'a length beyond 64 bits': `${OK}Content-Length: 18446744073709551621\r\n\r\nhello`,
  'a coding twice': `${OK}${'Transfer-Encoding: chunked\r\n'.repeat(2)}\r\n0\r\n\r\n`,
  'an unknown coding': `${OK}Transfer-Encoding: cow\r\n\r\n0\r\n\r\n`,
  'a coding behind a vertical tab': `${OK}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
  'a coding in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a field with a bare LF': `${OK}X: a\nSet-Cookie: b=c\r\n${HELLO}`,
  'a field with a bare CR': `${OK}X: a\rSet-Cookie: b=c\r\n${HELLO}`,
  'a field with a NUL': `${OK}X: a\0b\r\n${HELLO}`,
  'a field that is folded': `${OK}X: a\r\n Content-Length: 9\r\n${HELLO}`,
  'a blank before the colon': `${OK}Content-Length : 5\r\n\r\nhello`,
  'a field without a name': `${OK}: a\r\n${HELLO}`,
  'a field without a colon': `${OK}Xa\r\n${HELLO}`,
  'a status of two digits': `HTTP/1.1 20 OK\r\n${HELLO}`,
  'a status of four digits': `HTTP/1.1 2000 OK\r\n${HELLO}`,
  'a status without a space behind': `HTTP/1.1 200OK\r\n${HELLO}`,
  'a status of 600': `HTTP/1.1 600 OK\r\n${HELLO}`,
  'two spaces before the status': `HTTP/1.1  200 OK\r\n${HELLO}`,
  'a reason with a control byte': `HTTP/1.1 200 O\x01K\r\n${HELLO}`,
  'another protocol': `ICY 200 OK\r\n${HELLO}`,
  'no head, only a body': thenEnd('hello\r\n\r\n'),
  'an empty line in front': `\r\n${OK}${HELLO}`,
  '101 that nobody asked for':
    'HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n',
  '100 with a length': `HTTP/1.1 100 Continue\r\n${HELLO}${OK}${HELLO}`,
  '204 with a length': `HTTP/1.1 204 No Content\r\n${HELLO}`,
  '204 with a coding': 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
};

// Answers whose body breaks off: the client must not take them for whole.
const CUT = {
  'a length that is not reached': thenEnd(`${OK}Content-Length: 50\r\n\r\nhello`),
  'chunks without the last one': thenEnd(inChunks('5\r\nhello\r\n')),
  'a last chunk without its end': thenEnd(inChunks('5\r\nhello\r\n0\r\n')),
  'a chunk in hex of C': inChunks('5\r\nhello\r\n0x5\r\nhello\r\n0\r\n\r\n'),
  'a chunk with a sign': inChunks('5\r\nhello\r\n-5\r\nhello\r\n0\r\n\r\n'),
  'a chunk line that ends with LF': inChunks('5\r\nhello\r\n5\nhello\r\n0\r\n\r\n'),
  'a chunk longer than its size': inChunks('5\r\nhello\r\n5\r\nhelloX\r\n0\r\n\r\n'),
  'a trailer that is folded': inChunks('5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n'),
  'a length among the trailers': inChunks('5\r\nhello\r\n0\r\nContent-Length: 0\r\n\r\n'),
};

// Answers to METHOD that are good, with the STATUS and BODY that the client gets; some have more
// behind them, which is nobody's.
const GOOD = {
  'one answer': ['GET', `${OK}${HELLO}`, 200, 'hello'],
  'an answer with another behind it': ['GET', `${OK}${HELLO}${POISON}`, 200, 'hello'],
  'an answer with another that comes in two parts': [
    'GET',
    (socket) => {
      socket.write(`${OK}${HELLO}HTTP/1.1 2`);
      setImmediate(() => socket.write('00 OK\r\nContent-Length: 6\r\n\r\npoison'));
    },
    200,
    'hello',
  ],
  'chunks with another answer behind': [
    'GET',
    inChunks(`5\r\nhello\r\n0\r\n\r\n${POISON}`),
    200,
    'hello',
  ],
  'chunks with extensions': ['GET', inChunks('5;a="b"\r\nhello\r\n0\r\n\r\n'), 200, 'hello'],
  'an answer until the end': ['GET', thenEnd(`${OK}\r\nhello${POISON}`), 200, `hello${POISON}`],
  'HTTP/1.0 until the end': ['GET', thenEnd('HTTP/1.0 200 OK\r\n\r\nhello'), 200, 'hello'],
  'HTTP/1.0 with a length': ['GET', `HTTP/1.0 200 OK\r\n${HELLO}${POISON}`, 200, 'hello'],
  'hints before the answer': [
    'GET',
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}${HELLO}`,
    200,
    'hello',
  ],
  '100 that nobody waits for': [
    'GET',
    `HTTP/1.1 100 Continue\r\n\r\n${OK}${HELLO}`,
    200,
    'hello',
  ],
  '204 with bytes behind': ['GET', `HTTP/1.1 204 No Content\r\n\r\nhello${POISON}`, 204, ''],
  '304 with a length': ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 304, ''],
  '304 with a body': ['GET', `HTTP/1.1 304 Not Modified\r\n${HELLO}${POISON}`, 304, ''],
  'HEAD with a length': ['HEAD', `${OK}Content-Length: 5\r\n\r\n`, 200, ''],
  'HEAD with a coding': ['HEAD', `${OK}Transfer-Encoding: chunked\r\n\r\n`, 200, ''],
  'HEAD with a body': ['HEAD', `${OK}${HELLO}${POISON}`, 200, ''],
  'HEAD with chunks': ['HEAD', inChunks(`5\r\nhello\r\n0\r\n\r\n${POISON}`), 200, ''],
  'no reason': ['GET', `HTTP/1.1 200\r\n${HELLO}`, 200, 'hello'],
  'a coding that Connection names away': [
    'GET',
    inChunks('5\r\nhello\r\n0\r\n\r\n').replace(OK, `${OK}Connection: Transfer-Encoding\r\n`),
    200,
    'hello',
  ],
};

onNonet('smuggling: from the upstream', { config: CONFIG, listen }, (it) => {
  // Asks for /played, and then on the same connection, or another one, for /fine: its answer must
  // be its own. Gives the client and the final answer to the first, if it was whole.
  async function play(t, server, method, answer) {
    upstream.plays['/played'] = answer;
    const client = await Client.open(t, server);
    client.send(`${method} /played HTTP/1.1\r\nHost: x\r\n\r\n`, method);
    const [first] = await client.answers(1);
    for (let i = 0; i < 3; i++) {
      const next = client.closed || i ? await Client.open(t, server) : client;
      next.send(get(CLOSE, '/fine'), 'GET');
      const { messages, rest } = await next.end();
      const own = messages[messages.length - 1];
      // The connection may have closed between the two: that is no answer, and not a wrong one.
      if (next === client && messages.filter((m) => m.status >= 200).length === 1) continue;
      assert.deepEqual([own?.status, own?.body, rest], [200, 'ok', ''], next.heard);
    }
    assert.ok(!client.heard.includes('poison') || first.body.includes('poison'), client.heard);
    upstream.taken();
    return { client, first };
  }

  for (const [name, answer] of Object.entries(BAD)) {
    it(`${name}: 502`, async (t, server) => {
      const { client, first } = await play(t, server, 'GET', answer);
      assert.equal(first?.status, 502, client.heard);
      assert.doesNotMatch(client.heard, /hello|set-cookie/i);
    });
  }

  for (const [name, answer] of Object.entries(CUT)) {
    it(`${name}: cut short for the client, too`, async (t, server) => {
      const { client, first } = await play(t, server, 'GET', answer);
      assert.equal(first, undefined, client.heard);
      assert.match(client.heard, /^HTTP\/1\.1 200 /);
    });
  }

  for (const [name, [method, answer, status, body]] of Object.entries(GOOD)) {
    it(`${name}: one answer`, async (t, server) => {
      const { client, first } = await play(t, server, method, answer);
      assert.deepEqual([first?.status, first?.body], [status, body], client.heard);
    });
  }

  it('an answer before the body has come ends the connection, not the body', async (t, server) => {
    upstream.early['/early'] = 'HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge';
    const client = await Client.open(t, server);
    const length = 100_000 + BAIT.length;
    client.send(`POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`, 'POST');
    const [first] = await client.answers(1);
    assert.deepEqual([first.status, first.body], [413, 'large']);
    client.send(BAIT + 'x'.repeat(100_000) + BAIT);
    const { messages, rest } = await client.end();
    assert.equal(messages.length, 1, client.heard);
    assert.equal(rest, '');
    assert.ok(upstream.taken().every(({ target }) => target === '/early'));
  });

  it('an answer before any question goes to nobody else', async (t, server) => {
    const greeting = (socket) => socket.write(`${OK}Content-Length: 8\r\n\r\ngreeting`);
    upstream.server.on('connection', greeting);
    upstream.sockets.forEach((socket) => socket.destroy());
    for (let i = 0; i < 5; i++) {
      const client = await Client.open(t, server);
      const { messages } = await client.send(get(CLOSE, '/fine'), 'GET').end();
      assert.equal(messages.length, 1, client.heard);
    }
    upstream.server.off('connection', greeting);
    upstream.sockets.forEach((socket) => socket.destroy());
    const client = await Client.open(t, server);
    const { messages } = await client.send(get(CLOSE, '/fine'), 'GET').end();
    assert.equal(messages[0].body, 'ok');
  });
});

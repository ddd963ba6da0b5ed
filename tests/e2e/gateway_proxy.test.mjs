// The reverse proxy between clients and services that keep the rules, and ones that do not: what
// goes through, what is refused, and that nothing ever is taken for something else.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after } from 'node:test';
import { Agent, request } from 'undici';
import { MIB, residentMib, SANITIZED } from './lib/abuse.mjs';
import { onNonet, sleep, until } from './lib/node.mjs';
import { Client, deadPort, Honest, Hostile } from './lib/service.mjs';

const listen = { http: 0 };
const agent = new Agent({ connections: 50, pipelining: 1 });
after(() => agent.close());

async function ask(server, target, options = {}) {
  const response = await request(`http://${server.ports.http}${target}`, {
    dispatcher: agent,
    ...options,
  });
  return { ...response, text: await response.body.text() };
}

async function tells(server, target, options) {
  const answer = await ask(server, target, options);
  assert.equal(answer.statusCode, 200);
  return JSON.parse(answer.text);
}

// What a client hears for TEXT until the gateway closes, or MS have passed.
async function raw(t, server, text, ms = 3000) {
  const client = await Client.open(t, server);
  client.send(text);
  await until(() => client.ended || client.closed, 'the end', ms).catch(() => {});
  client.socket.destroy();
  return client.heard;
}

const get = (target, more = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

// ---- what goes through --------------------------------------------------------------------------

const honest = await Honest.start();
const talker = await Honest.start((q, response, body) => {
  const part = q.url.split('/')[2]?.split('?')[0];
  if (part === 'empty') response.writeHead(204).end();
  else if (part === 'same') response.writeHead(304, { ETag: '"1"' }).end();
  else if (part === 'length') response.writeHead(200, { 'Content-Length': 5 }).end('hello');
  else if (part === 'chunks') response.write('hel', () => response.end('lo'));
  else if (part === 'cookies')
    response
      .writeHead(200, [
        ...['Set-Cookie', 'a=1', 'set-cookie', 'b=2'],
        ...['X-Hop', '1', 'Connection', 'X-Hop'],
      ])
      .end();
  else if (part === 'trailers') {
    response.writeHead(200, { Trailer: 'X-Sum, Content-Type' });
    response.write('body');
    response.addTrailers({ 'X-Sum': '4', 'X-Nonet-Principal': 'root' });
    response.end();
  } else if (part === 'hints') {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.end('hinted');
  } else response.writeHead(500, { 'X-Own': '1', 'x-request-id': 'own' }).end('own trouble');
});
after(() => [honest, talker].forEach((service) => service.stop()));

const ROUTES = `
gateway:
  trusted_proxies: ["127.0.0.9"]
  routes:
    - {match: {path: "/*"}, to: {http: ["${honest.url}"]}}
    - {match: {path: "/talk/*"}, to: {http: "${talker.url}"}}
    - {match: {path: "/kept/*"}, to: {http: "${honest.url}", keep_host: true}}
    - {match: {path: "/old/{id}/*"}, to: {http: "${honest.url}"}, rewrite: "/new/{*}/of/{id}"}
    - match: {path: /changed}
      to: {http: "${honest.url}"}
      request_headers: {remove: [Cookie], set: {X-Set: by route, Host: other}, add: {X-Add: more}}
      response_headers: {set: {Content-Type: text/x}, add: {X-Added: "1"}, remove: [Date]}
`;

onNonet('proxy: what goes through', { config: ROUTES, listen }, (it) => {
  it('method, target, headers and body there; status, headers and body back', async (t, server) => {
    const told = await tells(server, '/a/b%20c?d=%2F&e', {
      method: 'PATCH',
      headers: { 'x-thing': 'thing', cookie: 'a=1', 'user-agent': 'test' },
      body: 'hello',
    });
    assert.equal(told.method, 'PATCH');
    assert.equal(told.url, '/a/b%20c?d=%2F&e');
    assert.equal(told.body, 'hello');
    assert.equal(told.headers['x-thing'], 'thing');
    assert.equal(told.headers.cookie, 'a=1');
    assert.equal(told.headers['content-length'], '5');
    assert.equal(told.headers['user-agent'], 'test');
  });

  it('the service is told who asks, and through whom', async (t, server) => {
    const { headers } = await tells(server, '/', {
      headers: {
        'x-forwarded-for': '10.0.0.1',
        'x-forwarded-proto': 'https',
        'x-forwarded-port': '99',
        forwarded: 'for=10.0.0.1',
        'x-nonet-principal': 'root',
        x_nonet_principal: 'root',
        'x-request-id': 'mine',
        te: 'trailers, deflate',
        'proxy-authorization': 'Basic x',
        proxy: 'evil',
      },
    });
    assert.equal(headers.host, `127.0.0.1:${honest.port}`);
    assert.equal(headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(headers['x-forwarded-proto'], 'http');
    assert.equal(headers['x-forwarded-host'], server.ports.http);
    assert.equal(headers.forwarded, `for=127.0.0.1;proto=http;host="${server.ports.http}"`);
    assert.equal(headers['x-request-id'], 'mine');
    assert.match(headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.equal(headers.te, 'trailers');
    for (const name of ['x-forwarded-port', 'x-nonet-principal', 'x_nonet_principal', 'proxy']) {
      assert.equal(headers[name], undefined, name);
    }
    assert.equal(headers['proxy-authorization'], undefined);
  });

  it('a trusted proxy is believed', async (t, server) => {
    const [host, port] = server.ports.http.split(':');
    const told = await new Promise((resolve, reject) => {
      const headers = { 'X-Forwarded-For': '192.0.2.7', 'X-Forwarded-Proto': 'https' };
      http
        .get({ host, port, path: '/', headers, localAddress: '127.0.0.9' }, async (response) => {
          let text = '';
          for await (const part of response) text += part;
          resolve(JSON.parse(text));
        })
        .on('error', reject);
    });
    assert.equal(told.headers['x-forwarded-for'], '192.0.2.7, 127.0.0.9');
    assert.equal(told.headers['x-forwarded-proto'], 'https');
  });

  it('an answer has one id, and it is ours', async (t, server) => {
    const heard = await raw(
      t,
      server,
      get('/talk/other', 'X-Request-Id: mine\r\nConnection: close\r\n'),
    );
    assert.match(heard, /\r\nX-Own: 1\r\n/);
    assert.deepEqual(heard.match(/x-request-id: .*/gi), ['X-Request-Id: mine']);
  });

  it('Host stays where a route says so', async (t, server) => {
    const told = await tells(server, '/kept/', { headers: { host: 'shop.example' } });
    assert.equal(told.headers.host, 'shop.example');
  });

  it('a route changes headers both ways', async (t, server) => {
    const answer = await ask(server, '/changed', { headers: { cookie: 'a', 'x-set': 'c' } });
    const told = JSON.parse(answer.text);
    assert.equal(told.headers.cookie, undefined);
    assert.equal(told.headers['x-set'], 'by route');
    assert.equal(told.headers['x-add'], 'more');
    assert.equal(told.headers.host, 'other');
    assert.equal(answer.headers['content-type'], 'text/x');
    assert.equal(answer.headers['x-added'], '1');
  });

  it('a path is rewritten, and the query kept', async (t, server) => {
    const told = await tells(server, '/old/a%20b/c/d%3F?e=f');
    assert.equal(told.url, '/new/c/d%3F/of/a%20b?e=f');
  });

  it('a path that is not in its one form goes on in it', async (t, server) => {
    for (const [sent, wanted] of [
      ['/x/../y?q', '/y?q'],
      ['/x/%2e%2e/y', '/y'],
      ['//x', '/x'],
      ['/x/./y;v', '/x/y%3Bv'],
      ['/%78%79', '/%78%79'],
      ['http://x/abs?q', '/abs?q'],
    ]) {
      const heard = await raw(t, server, get(sent, 'Connection: close\r\n'));
      assert.match(heard, /^HTTP\/1\.1 200 /, sent);
      assert.equal(JSON.parse(heard.split('\r\n\r\n')[1]).url, wanted, sent);
    }
    for (const trap of ['/..', '/x/..;/y', '/x%2fy', '/x%00', '/x\\y', '/%zz']) {
      const before = honest.asked.length;
      const heard = await raw(t, server, get(trap, 'Connection: close\r\n'));
      assert.match(heard, /^HTTP\/1\.1 400 /, trap);
      assert.equal(honest.asked.length, before);
    }
  });

  it('answers without a body, and HEAD', async (t, server) => {
    const empty = await ask(server, '/talk/empty');
    assert.deepEqual([empty.statusCode, empty.text], [204, '']);
    const same = await ask(server, '/talk/same');
    assert.deepEqual([same.statusCode, same.headers.etag, same.text], [304, '"1"', '']);
    const head = await ask(server, '/talk/length', { method: 'HEAD' });
    assert.deepEqual([head.statusCode, head.headers['content-length'], head.text], [200, '5', '']);
    const after = await ask(server, '/talk/length');
    assert.deepEqual([after.headers['content-length'], after.text], ['5', 'hello']);
    const chunks = await ask(server, '/talk/chunks');
    assert.deepEqual([chunks.headers['transfer-encoding'], chunks.text], ['chunked', 'hello']);
  });

  it('answers keep their lines, and leave those of the hop', async (t, server) => {
    const { headers } = await ask(server, '/talk/cookies');
    assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal(headers['x-hop'], undefined);
    const own = await ask(server, '/talk/trouble');
    assert.deepEqual([own.statusCode, own.headers['x-own'], own.text], [500, '1', 'own trouble']);
  });

  it('trailers go both ways, but none that speak of identity or framing', async (t, server) => {
    const answer = await ask(server, '/talk/trailers');
    assert.equal(answer.text, 'body');
    assert.deepEqual(answer.trailers, { 'x-sum': '4' });
    const post = (trailers) =>
      raw(
        t,
        server,
        'POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
          `3;ext=1\r\nabc\r\n0\r\n${trailers}\r\n`,
      );
    const heard = await post('X-Sum: 3\r\nX-Nonet-Principal: root\r\nX_Forwarded_For: 1\r\n');
    const told = JSON.parse(heard.split('\r\n\r\n')[1]);
    assert.equal(told.body, 'abc');
    assert.deepEqual(told.trailers, { 'x-sum': '3' });
    assert.match(await post('Content-Length: 5\r\n'), /^HTTP\/1\.1 400 /);
  });

  it('early hints reach the client first', async (t, server) => {
    const heard = await raw(t, server, get('/talk/hints', 'Connection: close\r\n'));
    const [hints, answer] = heard.split('\r\n\r\n');
    assert.match(hints, /^HTTP\/1\.1 103 [^]*\r\nlink: <\/a\.css>; rel=preload$/i);
    assert.match(answer, /^HTTP\/1\.1 200 /);
    const old = await raw(t, server, 'GET /talk/hints HTTP/1.0\r\nHost: x\r\n\r\n');
    assert.match(old, /^HTTP\/1\.1 200 /);
  });

  it('a client that waits for 100 is told to go on, once', async (t, server) => {
    const client = await Client.open(t, server);
    client.send(
      'POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n' +
        'Connection: close\r\n\r\n',
    );
    await until(() => client.heard.includes('100 Continue\r\n\r\n'), '100');
    client.send('abc');
    await until(() => client.ended, 'the answer');
    assert.equal(client.heard.match(/ 100 /g).length, 1);
    assert.match(client.heard, /"body":"abc"/);
    assert.doesNotMatch(client.heard, /expect/i);
  });

  it('HTTP/1.0 clients are served, until the end where no length is known', async (t, server) => {
    const heard = await raw(t, server, 'GET /talk/chunks HTTP/1.0\r\n\r\n');
    assert.match(heard, /^HTTP\/1\.1 200 [^]*\r\n\r\nhello$/);
    assert.doesNotMatch(heard, /transfer-encoding/i);
  });

  it('connections to the service are used again', async (t, server) => {
    const before = honest.connections;
    for (let i = 0; i < 20; i++) await tells(server, '/again');
    assert.ok(honest.connections - before <= 1);
  });

  it('pipelined requests are answered in order', async (t, server) => {
    const some = Array.from({ length: 10 }, (_, i) => get(`/p${i}`)).join('');
    const heard = await raw(t, server, some + get('/last', 'Connection: close\r\n'));
    const urls = [...heard.matchAll(/"url":"\/(\w+)"/g)].map((match) => match[1]);
    assert.deepEqual(urls, ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8', 'p9', 'last']);
  });
});

// ---- hostile services ---------------------------------------------------------------------------

const OK = 'HTTP/1.1 200 OK\r\n';
const says = (text) => (socket) => socket.write(text);
const saysAndEnds = (text) => (socket) => socket.end(text);
const times = {};

const hostile = await Hostile.start({
  fine: says(`${OK}Content-Length: 4\r\n\r\nfine`),
  closes: (socket) => socket.end(),
  resets: (socket) => socket.resetAndDestroy(),
  half_head: saysAndEnds('HTTP/1.1 200 OK\r\nContent-Le'),
  stalls: () => {},
  stalls_in_head: says('HTTP/1.1 200 OK\r\nContent-Le'),
  garbage: says('\x00\x01\x02 this is no HTTP\r\n\r\n'),
  tls: says('\x15\x03\x01\x00\x02\x02\x46'),
  version_2: says('HTTP/2.0 200 OK\r\n\r\n'),
  two_lengths: says(`${OK}Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine!`),
  same_lengths: says(`${OK}Content-Length: 4\r\nContent-Length: 4\r\n\r\nfine`),
  both: says(`${OK}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n`),
  coding: says(`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n`),
  signed: says(`${OK}Content-Length: +4\r\n\r\nfine`),
  folded: says(`${OK}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`),
  colon: says(`${OK}X-A : b\r\nContent-Length: 0\r\n\r\n`),
  bare: says('HTTP/1.1 200 OK\nContent-Length: 4\n\nfine'),
  huge: says(`${OK}X-Huge: ${'h'.repeat(17_000)}\r\nContent-Length: 0\r\n\r\n`),
  many: says(`${OK}${'X-Many: 1\r\n'.repeat(120)}Content-Length: 0\r\n\r\n`),
  unasked: says('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
  hints_for_ever: (socket) => {
    const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 1);
    socket.on('close', () => clearInterval(timer));
  },
  short: saysAndEnds(`${OK}Content-Length: 100\r\n\r\nshort`),
  short_reset: (socket) => {
    socket.write(`${OK}Content-Length: 100\r\n\r\nshort`, () => socket.resetAndDestroy());
  },
  short_chunks: saysAndEnds(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n`),
  bad_chunk: says(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n`),
  until_end: saysAndEnds('HTTP/1.0 200 OK\r\n\r\nuntil the end'),
  lingers: (socket) => {
    socket.write(`${OK}Content-Length: 4\r\n\r\nfine`);
    socket.end();
  },
  // Behind its answer another one, which is nobody's.
  extra: says(`${OK}Content-Length: 4\r\n\r\nfine${OK}Content-Length: 6\r\n\r\npoison`),
  extra_later: (socket) => {
    socket.write(`${OK}Content-Length: 4\r\n\r\nfine`);
    setTimeout(() => socket.write(`${OK}Content-Length: 6\r\n\r\npoison`), 10);
  },
  // Answers the first request of a connection; is gone when the second one comes.
  race: (socket, head, connection) => {
    if (connection.heads > 1) socket.resetAndDestroy();
    else socket.write(`${OK}Content-Length: 4\r\n\r\nfine`);
  },
  // As RACE, but for requests with this one's words.
  flaky: (socket, head) => {
    const word = /x-word: (\w+)/i.exec(head)[1];
    times[word] = (times[word] ?? 0) + 1;
    if (times[word] > 1) socket.write(`${OK}Content-Length: 4\r\n\r\nfine`);
    else socket.end();
  },
  early: says(`HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge`),
  echo: (socket, head, connection) => {
    connection.raw = true;
    socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = (text) => socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
    if (connection.text) chunk(connection.text);
    socket.removeAllListeners('data');
    socket.on('data', (bytes) => chunk(bytes.toString('latin1')));
  },
  waits: (socket, head, connection) => (connection.raw = true),
});
after(() => hostile.stop());
const dead = await deadPort();

const HOSTILE = `
gateway:
  limits: {body_timeout: 1s}
  routes:
    - {match: {path: "/*"}, to: {http: "${hostile.url}", timeout: 500ms, eject: off, retry: off}}
    - {match: {path: "/again/*"}, rewrite: "/{*}", to: {http: "${hostile.url}", eject: off}}
    - {match: {path: "/dead/*"}, to: {http: "http://127.0.0.1:${dead}", eject: off}}
    - {match: {path: "/gone/*"}, to: {http: "http://no-such-host.invalid", eject: off}}
    - {match: {path: "/one/*"}, rewrite: "/{*}", to: {http: "${hostile.url}", connections: 1,
        connect_timeout: 200ms, timeout: 1s, eject: off, retry: off}}
`;

onNonet('proxy: hostile services', { config: HOSTILE, listen }, (it) => {
  const isProblem = (answer, status) => {
    assert.equal(answer.statusCode, status);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    const problem = JSON.parse(answer.text);
    assert.equal(problem.status, status);
    for (const internal of [/127\.0\.0\.1/, /ECONN/, new RegExp(hostile.port), /refused/i]) {
      assert.doesNotMatch(problem.detail, internal);
    }
  };

  const refused = {
    502: [
      ...['closes', 'resets', 'half_head', 'garbage', 'tls', 'version_2', 'two_lengths'],
      ...['same_lengths', 'both', 'coding', 'signed', 'folded', 'colon', 'bare', 'huge', 'many'],
      ...['unasked', 'hints_for_ever'],
    ],
    504: ['stalls', 'stalls_in_head'],
  };
  for (const [status, words] of Object.entries(refused)) {
    for (const word of words) {
      it(`${word}: ${status}, and the next request is served`, async (t, server) => {
        isProblem(await ask(server, `/${word}`), Number(status));
        assert.equal((await ask(server, '/fine')).text, 'fine');
      });
    }
  }

  it('nobody there: 502; no such name: 503', async (t, server) => {
    isProblem(await ask(server, '/dead/x'), 502);
    isProblem(await ask(server, '/gone/x'), 503);
    isProblem(await ask(server, '/dead/x', { method: 'POST', body: 'abc' }), 502);
  });

  for (const word of ['short', 'short_reset', 'short_chunks', 'bad_chunk']) {
    it(`${word}: the client sees that the answer is short`, async (t, server) => {
      const heard = await raw(t, server, get(`/${word}`) + get('/fine'));
      assert.match(heard, /^HTTP\/1\.1 200 /);
      assert.doesNotMatch(heard, /\r\n0\r\n\r\n|fine/);
      await assert.rejects(ask(server, `/${word}`));
    });
  }

  it('an answer that ends with its connection is whole', async (t, server) => {
    assert.equal((await ask(server, '/until_end')).text, 'until the end');
    assert.equal((await ask(server, '/lingers')).text, 'fine');
  });

  it('an answer that nobody asked for is given to nobody', async (t, server) => {
    for (const word of ['extra', 'extra_later']) {
      for (let i = 0; i < 5; i++) {
        assert.equal((await ask(server, `/${word}`)).text, 'fine');
        if (word === 'extra_later') await sleep(100);
        assert.equal((await ask(server, '/fine')).text, 'fine');
      }
    }
  });

  it('the keep-alive race is not seen by clients', async (t, server) => {
    for (let i = 0; i < 20; i++) assert.equal((await ask(server, '/race')).text, 'fine');
    // A POST may have been acted upon: that is for the client to know.
    const statuses = new Set();
    for (let i = 0; i < 6; i++) {
      statuses.add((await ask(server, '/race', { method: 'POST', body: 'x' })).statusCode);
    }
    assert.ok(statuses.has(502));
  });

  it('what does no harm is tried again, and nothing else', async (t, server) => {
    let number = 0;
    const flaky = async (method, body) => {
      const word = `w${number++}`;
      const { statusCode } = await ask(server, '/again/flaky', {
        method,
        body,
        headers: { 'x-word': word },
      });
      return [statusCode, times[word]];
    };
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
      assert.deepEqual(await flaky(method), [200, 2], method);
    }
    assert.deepEqual(await flaky('POST'), [502, 1]);
    assert.deepEqual(await flaky('PATCH'), [502, 1]);
    assert.deepEqual(await flaky('PUT', 'body'), [502, 1]);
  });

  it('no place in time: 503', async (t, server) => {
    const shards = Number(process.env.NONET_SHARDS ?? 1); // each has one connection
    const before = hostile.heads.length;
    const first = Array.from({ length: shards * 4 }, () => ask(server, '/one/stalls'));
    await until(() => hostile.heads.length === before + shards, 'the first ones');
    const from = Date.now();
    const second = await ask(server, '/one/fine');
    isProblem(second, 503);
    assert.equal(second.headers['retry-after'], '1');
    assert.ok(Date.now() - from < 2000);
    for (const answer of first) assert.ok((await answer).statusCode >= 503);
  });

  it('an answer before the body is whole ends both connections', async (t, server) => {
    const client = await Client.open(t, server);
    client.send('POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n' + get('/fine'));
    await until(() => client.ended, 'the end');
    assert.match(client.heard, /^HTTP\/1\.1 413 [^]*large$/);
    assert.equal(client.heard.match(/HTTP\/1\.1/g).length, 1);
    assert.equal((await ask(server, '/fine')).text, 'fine');
  });

  it('bodies flow both ways at once', async (t, server) => {
    const client = await Client.open(t, server);
    client.send('POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (const word of ['one', 'two', 'three']) {
      client.send(`${word.length}\r\n${word}\r\n`);
      await until(() => client.heard.includes(word), word);
    }
  });

  it('a client that goes takes its call along', async (t, server) => {
    for (const more of ['', 'Content-Length: 10\r\n']) {
      const ended = hostile.ended;
      const client = await Client.open(t, server);
      const count = hostile.heads.length;
      client.send(get('/waits', more));
      await until(() => hostile.heads.length > count, 'the call');
      client.socket.resetAndDestroy();
      await until(() => hostile.ended > ended, 'the end of the call');
    }
  });

  it('a body that does not come in time: 408, and the call ends', async (t, server) => {
    const ended = hostile.ended;
    const heard = await raw(
      t,
      server,
      'POST /waits HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc',
      5000,
    );
    assert.match(heard, /^HTTP\/1\.1 408 /);
    await until(() => hostile.ended > ended, 'the end of the call');
  });
});

// ---- smuggling ----------------------------------------------------------------------------------

const witness = await Hostile.start({
  a: says(`${OK}Content-Length: 1\r\n\r\na`),
  body: (socket, head, connection) => {
    connection.raw = true;
    setTimeout(() => socket.end(`${OK}Content-Length: 1\r\n\r\nb`), 100);
  },
});
after(() => witness.stop());

onNonet(
  'proxy: smuggling',
  { config: `gateway: {routes: [{match: {path: "/*"}, to: {http: "${witness.url}"}}]}\n`, listen },
  (it) => {
    const inner = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const post = (fields, body) => `POST /a HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;
    const refused = {
      'length and coding': post(
        `Content-Length: ${inner.length + 5}\r\nTransfer-Encoding: chunked\r\n`,
        `0\r\n\r\n${inner}`,
      ),
      'coding and length': post(
        'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
        `0\r\n\r\n${inner}`,
      ),
      'two lengths': post(`Content-Length: 0\r\nContent-Length: ${inner.length}\r\n`, inner),
      'a list of lengths': post(`Content-Length: 0, ${inner.length}\r\n`, inner),
      'a length with a sign': post('Content-Length: +0\r\n', inner),
      'a length in hex': post('Content-Length: 0x0\r\n', inner),
      'an unknown coding': post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${inner}`),
      'a coding twice': post('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n${inner}`),
      'a coding in two lines': post(
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
        `0\r\n\r\n${inner}`,
      ),
      'a quoted coding': post('Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${inner}`),
      'a vertical tab before the coding': post(
        'Transfer-Encoding: \x0bchunked\r\n',
        `0\r\n\r\n${inner}`,
      ),
      'a blank before the colon': post('Content-Length : 0\r\n', inner),
      'a folded coding': post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${inner}`),
      'a NUL in a name': post('Transfer-Encoding\x00: chunked\r\n', `0\r\n\r\n${inner}`),
      'a bare CR': post('X: a\rTransfer-Encoding: chunked\r\n', `0\r\n\r\n${inner}`),
      'a bare LF': post('X: a\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${inner}`),
      'a coding in 1.0': `POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
      'two hosts': `GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n${inner}`,
      'a blank in the target': `GET /a b HTTP/1.1\r\nHost: x\r\n\r\n${inner}`,
    };
    for (const [name, text] of Object.entries(refused)) {
      it(`${name} is refused and reaches nobody`, async (t, server) => {
        const before = witness.heads.length;
        const heard = await raw(t, server, text);
        assert.match(heard, /^HTTP\/1\.1 (400|501) /);
        assert.equal(heard.match(/HTTP\/1\.1/g).length, 1);
        await ask(server, '/a');
        assert.equal(witness.heads.length, before + 1);
        assert.ok(!witness.bytes.includes('smuggled'));
      });
    }

    it('a host that is not the target\'s is refused', async (t, server) => {
      const text = 'GET http://y/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
      assert.match(await raw(t, server, text), /^HTTP\/1\.1 400 /);
    });

    it('a name with an underscore says nothing of framing', async (t, server) => {
      const text = post(`Content_Length: ${inner.length}\r\nTransfer_Encoding: chunked\r\n`, '');
      const heard = await raw(t, server, text + get('/a', 'Connection: close\r\n'));
      assert.equal(heard.match(/HTTP\/1\.1 200/g).length, 2);
      assert.ok(!/content_length|transfer_encoding/i.test(witness.bytes));
    });

    it('a body that looks like a request stays a body', async (t, server) => {
      const from = witness.heads.length;
      const length = `Content-Length: ${inner.length}\r\n`;
      const text = `POST /body HTTP/1.1\r\nHost: x\r\n${length}\r\n${inner}`;
      const heard = await raw(t, server, text + get('/a', 'Connection: close\r\n'));
      assert.equal(heard.match(/HTTP\/1\.1 200/g).length, 2);
      assert.equal(witness.heads.length, from + 2);
      const chunked =
        'POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n' +
        `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
      await raw(t, server, chunked + get('/a', 'Connection: close\r\n'));
      assert.equal(witness.heads.length, from + 4);
    });

    it('Connection names away neither framing nor who asks', async (t, server) => {
      const from = witness.heads.length;
      const text =
        'POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n' +
        'Connection: content-length, host, x-forwarded-for, close\r\n\r\nabc';
      assert.match(await raw(t, server, text), /^HTTP\/1\.1 200 /);
      const head = witness.heads[from];
      assert.match(head, /\r\nContent-Length: 3\r\n/);
      assert.match(head, /\r\nHost: 127\.0\.0\.1:\d+\r\n/);
      assert.match(head, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
      assert.doesNotMatch(head, /\r\nConnection:/i);
    });

    it('a chunk that is malformed ends both sides', async (t, server) => {
      const bad = ['zz\r\n', '5 \r\nabcde\r\n', '3\nabc\r\n', '3\r\nabcd\r\n', '-1\r\n\r\n'];
      for (const chunk of bad) {
        const text = `POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`;
        const heard = await raw(t, server, text + inner);
        assert.match(heard, /^HTTP\/1\.1 400 /, JSON.stringify(chunk));
        assert.equal(heard.match(/HTTP\/1\.1/g).length, 1);
      }
      assert.ok(!witness.heads.some((head) => head.startsWith('GET /smuggled')));
    });
  },
);

// ---- streams ------------------------------------------------------------------------------------

const LARGE = 64 * MIB;
const hashOf = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const block = crypto.createHash('sha512').update('block').digest();
const large = Buffer.alloc(LARGE);
for (let at = 0; at < LARGE; at += block.length) block.copy(large, at);
for (let at = 0; at < LARGE; at += 4096) large.writeUInt32LE(at, at);

// Sends for ever, as fast as it is taken, and counts.
function pour(socket, counter) {
  const more = () => {
    do counter.sent += 65536;
    while (socket.write(large.subarray(0, 65536)));
  };
  socket.on('drain', more);
  more();
}

const streams = { down: { sent: 0 }, up: { taken: 0 } };
const streamer = await Honest.start();
streamer.server.removeAllListeners('request');
streamer.server.on('request', async (q, response) => {
  if (q.url === '/large') return response.end(large);
  if (q.url === '/endless') {
    response.writeHead(200);
    return pour(response, streams.down);
  }
  if (q.url === '/never_reads') return undefined;
  const hash = crypto.createHash('sha256');
  let length = 0;
  for await (const part of q) {
    hash.update(part);
    length += part.length;
  }
  return response.end(JSON.stringify({ length, hash: hash.digest('hex') }));
});
after(() => streamer.stop());

onNonet(
  'proxy: streams',
  {
    config: `
gateway:
  limits: {write_timeout: 30s, body_timeout: 30s}
  routes:
    - {match: {path: "/*"}, to: {http: "${streamer.url}"}, max_body: 1GB}
    - match: {path: "/impatient/*"}
      rewrite: "/{*}"
      max_body: 1GB
      to: {http: "${streamer.url}", timeout: 500ms}
`,
    listen,
  },
  (it) => {
    it('a large answer arrives as it was sent', async (t, server) => {
      const response = await request(`http://${server.ports.http}/large`, { dispatcher: agent });
      const got = Buffer.from(await response.body.arrayBuffer());
      assert.equal(hashOf(got), hashOf(large));
    });

    it('a large body arrives as it was sent, with a length and in chunks', async (t, server) => {
      for (const chunked of [false, true]) {
        const [host, port] = server.ports.http.split(':');
        const headers = chunked ? {} : { 'Content-Length': large.length };
        const q = http.request({ host, port, method: 'POST', path: '/hash', headers });
        const response = once(q, 'response');
        for (let at = 0; chunked && at < LARGE; at += MIB) q.write(large.subarray(at, at + MIB));
        q.end(chunked ? undefined : large);
        let text = '';
        for await (const part of (await response)[0]) text += part;
        assert.deepEqual(JSON.parse(text), { length: LARGE, hash: hashOf(large) });
      }
    });

    it('a client that does not read pushes back on the service', async (t, server) => {
      const before = residentMib(server);
      const client = await Client.open(t, server);
      client.socket.pause();
      client.send(get('/endless'));
      await until(() => streams.down.sent > 0, 'the answer');
      for (let last = -1; last !== streams.down.sent; await sleep(300)) last = streams.down.sent;
      assert.ok(streams.down.sent < 64 * MIB, `${streams.down.sent} bytes were taken`);
      if (!SANITIZED) assert.ok(residentMib(server) - before < 8);
      client.socket.destroy();
    });

    it('a service that does not read pushes back on the client', async (t, server) => {
      const before = residentMib(server);
      const client = await Client.open(t, server);
      const counter = { sent: 0 };
      client.send('POST /never_reads HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n');
      pour(client.socket, counter);
      for (let last = -1; last !== counter.sent; await sleep(300)) last = counter.sent;
      assert.ok(counter.sent < 64 * MIB, `${counter.sent} bytes were taken`);
      if (!SANITIZED) assert.ok(residentMib(server) - before < 8);
      client.socket.destroy();
    });

    it('a service that takes nothing of a body for too long: 504', async (t, server) => {
      const client = await Client.open(t, server);
      client.send('POST /impatient/never_reads HTTP/1.1\r\nHost: x\r\n');
      client.send('Content-Length: 900000000\r\n\r\n');
      pour(client.socket, { sent: 0 });
      await until(() => client.heard || client.closed, 'the answer');
      assert.match(client.heard, /^HTTP\/1\.1 504 /);
      client.socket.destroy();
    });

    it('a slow client gets all of it', async (t, server) => {
      const client = await Client.open(t, server);
      const hash = crypto.createHash('sha256');
      let length = 0;
      client.socket.removeAllListeners('data');
      client.socket.on('data', (bytes) => {
        const body = length ? bytes : bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
        hash.update(body);
        length += body.length;
        client.socket.pause();
        setTimeout(() => client.socket.resume(), 1);
      });
      client.send(get('/large', 'Connection: close\r\n'));
      await until(() => client.ended, 'the end', 60_000);
      assert.equal(length, LARGE);
      assert.equal(hash.digest('hex'), hashOf(large));
    });
  },
);

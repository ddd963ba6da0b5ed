// HTTP to subjects: requests that services answer, messages that are published, durable ones.

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Svcm } from '@nats-io/services';
import { headers as natsHeaders } from '@nats-io/transport-node';
import { Agent, request } from 'undici';
import { check, onNonet, sleep, startNonet, until } from './lib/node.mjs';

const listen = { http: 0 };
const KIB = 1024;

// Asks SERVER for TARGET; gives {statusCode, headers, text, json}.
async function ask(server, target, options = {}) {
  const response = await request(`http://${server.ports.http}${target}`, options);
  const text = await response.body.text();
  const json = text && /json/.test(response.headers['content-type']) ? JSON.parse(text) : null;
  return { statusCode: response.statusCode, headers: response.headers, text, json };
}

const post = (server, target, body, headers = {}) =>
  ask(server, target, { method: 'POST', body, headers });

function assertProblem(answer, status, detail) {
  assert.equal(answer.statusCode, status, answer.text);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  assert.equal(answer.json.status, status);
  assert.match(answer.json.detail, detail);
  assert.equal(answer.json.instance, answer.headers['x-request-id']);
}

// --- request ---------------------------------------------------------------------------------

const REQUESTS = `
gateway:
  routes:
    - {match: {path: "/ask/{name}"}, to: {request: "ask.{name}", timeout: 2s}}
    - {match: {path: "/deep/*"}, to: {request: "deep.{*}"}}
    - {match: {path: /late}, to: {request: late, timeout: 300ms}}
    - {match: {path: /small}, to: {request: "ask.echo"}, max_body: 10}
limits: {max_payload: 64KB}
`;

// Answers requests on SUBJECT as ANSWER(message) does.
async function serve(t, server, subject, answer) {
  const connection = await server.connect(t);
  connection.subscribe(subject, { callback: (error, message) => answer(message) });
  await connection.flush();
  return connection;
}

function headersOf(entries) {
  const all = natsHeaders();
  for (const [key, value] of entries) all.append(key, value);
  return all;
}

onNonet('gateway: request', { config: REQUESTS, listen }, (it) => {
  it('a service of the official client answers', async (t, server) => {
    const connection = await server.connect(t);
    const service = await new Svcm(connection).add({ name: 'auctions', version: '1.0.0' });
    service.addEndpoint('get', {
      subject: 'ask.auction',
      handler: (error, message) => message.respond(JSON.stringify({ got: message.string() })),
    });
    await connection.flush();
    const answer = await post(server, '/ask/auction', 'hello');
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.deepEqual(answer.json, { got: 'hello' });
  });

  it("a service's error is its status, and its words the problem", async (t, server) => {
    const connection = await server.connect(t);
    const service = await new Svcm(connection).add({ name: 'errors', version: '1.0.0' });
    service.addEndpoint('fail', {
      subject: 'ask.fail',
      handler: (error, message) =>
        message.respondError(Number(message.string()), 'no such auction'),
    });
    await connection.flush();
    assertProblem(await post(server, '/ask/fail', '404'), 404, /^no such auction$/);
    assertProblem(await post(server, '/ask/fail', '503'), 503, /^no such auction$/);
    assertProblem(await post(server, '/ask/fail', '7'), 500, /^no such auction$/);
  });

  it('is told what was asked, and nothing secret', async (t, server) => {
    let told = null;
    await serve(t, server, 'ask.me', (message) => {
      told = message;
      message.respond('ok');
    });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const answer = await ask(server, '/ask/me?a=1&b=%20', {
      method: 'PUT',
      body: 'body',
      headers: {
        traceparent,
        'content-type': 'text/csv',
        accept: 'text/html',
        'x-request-id': 'r-17',
        cookie: 'session=1',
        authorization: 'Bearer x',
        'nonet-principal': 'root',
      },
    });
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['x-request-id'], 'r-17');
    assert.equal(told.string(), 'body');
    const get = (name) => told.headers.get(name);
    assert.deepEqual(
      ['Nonet-Method', 'Nonet-Path', 'Nonet-Query', 'Nonet-Client', 'X-Request-Id'].map(get),
      ['PUT', '/ask/me', 'a=1&b=%20', '127.0.0.1', 'r-17'],
    );
    assert.deepEqual(['Content-Type', 'Accept'].map(get), ['text/csv', 'text/html']);
    assert.match(get('traceparent'), /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    assert.notEqual(get('traceparent'), traceparent); // a span of the gateway's own
    for (const name of ['Cookie', 'Authorization', 'Nonet-Principal'])
      assert.equal(told.headers.has(name), false, name);
  });

  it('a reply chooses status, type and headers', async (t, server) => {
    await serve(t, server, 'ask.made', (message) =>
      message.respond('made', {
        headers: headersOf([
          ['Nonet-Status', '201'],
          ['Location', '/ask/7'],
          ['Content-Type', 'text/x-made'],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
          ['Connection', 'close'],
          ['Content-Length', '9999'],
          ['Transfer-Encoding', 'chunked'],
          ['Nats-Stream', 'S'],
        ]),
      }),
    );
    const answer = await ask(server, '/ask/made');
    assert.equal(answer.statusCode, 201);
    assert.equal(answer.text, 'made');
    assert.equal(answer.headers['content-type'], 'text/x-made');
    assert.equal(answer.headers.location, '/ask/7');
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal(answer.headers['content-length'], '4');
    assert.notEqual(answer.headers.connection, 'close');
    for (const name of ['transfer-encoding', 'nats-stream', 'nonet-status'])
      assert.equal(answer.headers[name], undefined, name);
  });

  it('what a reply is, is told from its bytes', async (t, server) => {
    const replies = {
      object: ['{"a":1}', 'application/json'],
      array: [' [1] ', 'application/json'],
      text: ['plain {', 'text/plain; charset=utf-8'],
      bytes: [new Uint8Array([0, 255]), 'application/octet-stream'],
      empty: ['', undefined],
    };
    await serve(t, server, 'ask.*', (message) =>
      message.respond(replies[message.subject.slice(4)]?.[0]),
    );
    for (const [name, [, type]] of Object.entries(replies)) {
      const answer = await ask(server, `/ask/${name}`);
      assert.equal(answer.statusCode, 200);
      assert.equal(answer.headers['content-type'], type, name);
    }
    const head = await ask(server, '/ask/object', { method: 'HEAD' });
    assert.deepEqual([head.statusCode, head.text], [200, '']);
    assert.equal(head.headers['content-length'], '7');
  });

  it('a path that makes no subject is a bad request', async (t, server) => {
    const heard = [];
    await serve(t, server, '>', (message) => heard.push(message.subject));
    for (const name of ['a.b', '%2A', '%3E', 'a%20b', 'a%0Ab', 'a%7Fb'])
      assertProblem(await ask(server, `/ask/${name}`), 400, /subject|one meaning/);
    assertProblem(await ask(server, '/deep/'), 400, /subject/);
    await sleep(50);
    assert.deepEqual(
      heard.filter((subject) => !subject.startsWith('_')),
      [],
    );
  });

  it('the rest of a path is tokens', async (t, server) => {
    await serve(t, server, 'deep.>', (message) => message.respond(message.subject));
    assert.equal((await ask(server, '/deep/a/b%C3%A4/c')).text, 'deep.a.bä.c');
  });

  it('nobody there is told at once', async (t, server) => {
    const from = Date.now();
    const answer = await ask(server, '/ask/nobody');
    assertProblem(answer, 503, /nobody/);
    assert.equal(answer.headers['retry-after'], '1');
    assert.ok(Date.now() - from < 1000);
  });

  it('no answer in time is 504', async (t, server) => {
    await serve(t, server, 'late', (message) => setTimeout(() => message.respond('late'), 500));
    const from = Date.now();
    assertProblem(await ask(server, '/late'), 504, /in time/);
    assert.ok(Date.now() - from >= 290);
    await sleep(400); // the late answer is for nobody
    assertProblem(await ask(server, '/late'), 504, /in time/);
  });

  it('bodies are bounded by max_payload and the route', async (t, server) => {
    await serve(t, server, 'ask.echo', (message) => message.respond(`${message.data.length}`));
    const large = Buffer.alloc(63 * KIB, 'x');
    assert.equal((await post(server, '/ask/echo', large)).text, `${large.length}`);
    assertProblem(await post(server, '/ask/echo', Buffer.alloc(64 * KIB + 1)), 413, /65536/);
    const pieces = async function* () {
      for (let i = 0; i < 70; i++) yield Buffer.alloc(KIB);
    };
    const chunked = await post(server, '/ask/echo', pieces()).catch(() => null);
    if (chunked) assert.equal(chunked.statusCode, 413);
    assert.equal((await post(server, '/small', '0123456789')).text, '10');
    assertProblem(await post(server, '/small', '0123456789a'), 413, /over 10 bytes/);
    assert.equal((await post(server, '/no/such/route', 'x')).statusCode, 404); // whatever it bears
  });

  it('a client that goes leaves nothing behind', async (t, server) => {
    const waiting = [];
    await serve(t, server, 'ask.slow', (message) => waiting.push(message));
    for (let i = 0; i < 20; i++) {
      const abort = new AbortController();
      const asked = ask(server, '/ask/slow', { signal: abort.signal }).catch(() => 'gone');
      await until(() => waiting.length === i + 1, 'the request');
      abort.abort();
      assert.equal(await asked, 'gone');
    }
    waiting.forEach((message) => message.respond('too late'));
    await serve(t, server, 'ask.fast', (message) => message.respond('fast'));
    assert.equal((await ask(server, '/ask/fast')).text, 'fast');
  });

  it('each of many gets its own answer', async (t, server) => {
    await serve(t, server, 'ask.id', (message) =>
      setTimeout(() => message.respond(message.string()), Math.random() * 20),
    );
    const dispatcher = new Agent({ connections: 50, pipelining: 4 });
    t.after(() => dispatcher.close());
    const options = (body) => ({ method: 'PUT', body, dispatcher });
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => ask(server, '/ask/id', options(`${i}`))),
    );
    answers.forEach((answer, i) => assert.equal(answer.text, `${i}`));
  });
});

// --- publish ---------------------------------------------------------------------------------

const PUBLISHES = `
streams:
  BIDS: {subjects: ["bid.>"]}
  FULL: {subjects: ["full.>"], max_msgs: 3, discard: new}
  SMALL: {subjects: ["small.>"], max_msg_size: 400}
gateway:
  routes:
    - {match: {path: /plain}, to: {publish: plain.new}}
    - {match: {path: /bids}, to: {publish: bid.new, durable: true}}
    - {match: {path: "/bids/{id}"}, to: {publish: "bid.{id}", durable: true}}
    - {match: {path: /full}, to: {publish: full.new, durable: true}}
    - {match: {path: /small}, to: {publish: small.new, durable: true}}
    - {match: {path: /nowhere}, to: {publish: nowhere.new, durable: true, timeout: 500ms}}
`;

onNonet('gateway: publish', { config: PUBLISHES, listen }, (it) => {
  const stored = async (t, server, stream, seq) => {
    const manager = await jetstreamManager(await server.connect(t));
    return manager.streams.getMessage(stream, { seq });
  };
  const state = async (t, server, stream) =>
    (await (await jetstreamManager(await server.connect(t))).streams.info(stream)).state;

  it('subscribers hear it, and 202 says where it went', async (t, server) => {
    const heard = [];
    await serve(t, server, 'plain.>', (message) => heard.push(message));
    const answer = await post(server, '/plain?from=web', 'hello', { 'content-type': 'text/csv' });
    assert.equal(answer.statusCode, 202);
    assert.deepEqual(answer.json, { subject: 'plain.new' });
    await until(() => heard.length === 1, 'the message');
    assert.equal(heard[0].string(), 'hello');
    assert.equal(heard[0].headers.get('Content-Type'), 'text/csv');
    assert.equal(heard[0].headers.get('Nonet-Query'), 'from=web');
    assert.equal(heard[0].reply ?? '', '');
  });

  it('is 202 where nobody listens, too', async (t, server) => {
    assert.equal((await post(server, '/plain', 'x')).statusCode, 202);
  });

  it('a durable one is answered with stream and sequence', async (t, server) => {
    const { last_seq: before } = await state(t, server, 'BIDS');
    for (let i = 1; i <= 3; i++) {
      const answer = await post(server, '/bids', `{"price":${i}}`);
      assert.equal(answer.statusCode, 202);
      assert.deepEqual(answer.json, { stream: 'BIDS', seq: before + i });
    }
    const message = await stored(t, server, 'BIDS', before + 2);
    assert.equal(message.subject, 'bid.new');
    assert.equal(message.string(), '{"price":2}');
    assert.match(message.header.get('traceparent'), /^00-/);
  });

  it('the same Idempotency-Key is stored once', async (t, server) => {
    const headers = { 'idempotency-key': 'k-1' };
    const first = await post(server, '/bids', 'a', headers);
    const again = await post(server, '/bids', 'a', { 'idempotency-key': '"k-1"' });
    assert.deepEqual([again.statusCode, again.json], [202, { ...first.json, duplicate: true }]);
    const many = await Promise.all(
      Array.from({ length: 40 }, () => post(server, '/bids', 'b', { 'idempotency-key': 'k-2' })),
    );
    assert.equal(new Set(many.map(({ json }) => json.seq)).size, 1);
    assert.equal(many.filter(({ json }) => !json.duplicate).length, 1);
    const message = await stored(t, server, 'BIDS', many[0].json.seq);
    assert.equal(message.header.get('Nats-Msg-Id'), 'k-2');
    const bad = await post(server, '/bids', 'a', { 'idempotency-key': 'k'.repeat(300) });
    assertProblem(bad, 400, /Idempotency-Key/);
  });

  it('an expectation that is not met is 412', async (t, server) => {
    const expect = (value) => ({ 'nats-expected-last-subject-sequence': value });
    const first = await post(server, '/bids/expected', 'a', expect('0'));
    assert.equal(first.statusCode, 202);
    const seq = first.json.seq;
    assertProblem(await post(server, '/bids/expected', 'b', expect('0')), 412, /wrong last seq/);
    assert.equal((await post(server, '/bids/expected', 'c', expect(`${seq}`))).statusCode, 202);
    assertProblem(await post(server, '/bids/expected', 'd', expect('x')), 400, /not a number/);
    const other = { 'nats-expected-stream': 'FULL' };
    assertProblem(await post(server, '/bids', 'e', other), 412, /stream/);
  });

  it('a full stream is 507, and what is too large for it 413', async (t, server) => {
    for (let i = 1; i <= 3; i++) assert.equal((await post(server, '/full', 'x')).statusCode, 202);
    assertProblem(await post(server, '/full', 'x'), 507, /maximum messages/);
    assertProblem(await post(server, '/small', Buffer.alloc(500)), 413, /size/);
  });

  it('what no stream stores is 503 and says so', async (t, server) => {
    assertProblem(await post(server, '/nowhere', 'x'), 503, /no stream stores/);
    const heard = [];
    const connection = await serve(t, server, 'nowhere.new', (message) => {
      heard.push(message.string());
      message.respond('thanks');
      message.respond('{"stream":"LIES","seq":0}');
      message.respond('{"error":"?"}');
    });
    const from = Date.now();
    assertProblem(await post(server, '/nowhere', 'y'), 503, /no stream has confirmed/);
    assert.ok(Date.now() - from >= 490);
    assert.deepEqual(heard, ['y']);
    await connection.close();
  });

  it('many at once are dense in the stream', async (t, server) => {
    const { last_seq: before } = await state(t, server, 'BIDS');
    const dispatcher = new Agent({ connections: 64 });
    t.after(() => dispatcher.close());
    const answers = await Promise.all(
      Array.from({ length: 3000 }, (_, i) =>
        ask(server, '/bids', { method: 'POST', body: `${i}`, dispatcher }),
      ),
    );
    assert.ok(answers.every(({ statusCode }) => statusCode === 202));
    const seqs = answers.map(({ json }) => json.seq).sort((a, b) => a - b);
    seqs.forEach((seq, i) => assert.equal(seq, before + 1 + i));
  });
});

check('gateway: what was answered 202 is there after a kill', async (t) => {
  const server = await startNonet(t, { config: PUBLISHES, listen });
  const dispatcher = new Agent({ connections: 32 });
  t.after(() => dispatcher.destroy());
  const kept = new Map();
  let sent = 0;
  const publish = async () => {
    for (;;) {
      const body = `${sent++}`;
      const answer = await ask(server, '/bids', { method: 'POST', body, dispatcher });
      if (answer.statusCode === 202) kept.set(answer.json.seq, body);
    }
  };
  const publishers = Array.from({ length: 32 }, () => publish().catch(() => {}));
  await until(() => kept.size > 2000, 'some messages');
  await server.stop('SIGKILL');
  await Promise.all(publishers);
  await server.start();
  const js = jetstream(await server.connect(t));
  const consumer = await js.consumers.get('BIDS', { deliver_policy: 'all' });
  const last = Math.max(...kept.keys());
  const found = new Map();
  for await (const message of await consumer.consume()) {
    found.set(message.seq, message.string());
    if (message.seq >= last) break;
  }
  for (const [seq, body] of kept) assert.equal(found.get(seq), body, `message ${seq}`);
});

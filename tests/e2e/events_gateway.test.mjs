// Event streams through the gateway: who the gateway has let in appends and reads without the
// node's token, is named in what he appends, and is confined to what his route is for.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import * as jose from 'jose';
import { request } from 'undici';
import { check, onNonet, run, startNonet, temporaryFolder, until } from './lib/node.mjs';

const SECRET = 'a-secret-of-more-than-32-bytes-it-is';
const ANN = { 'x-api-key': 'key-of-ann' };

// The gateway finds the admin listener by its address, so the port is chosen here.
const adminPort = await new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const listen = { http: 0, admin: adminPort };

async function call(base, method, target, { headers = {}, body } = {}) {
  const answer = await request(`${base}${target}`, {
    method,
    headers,
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await answer.body.text();
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text,
    body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
  };
}
const door = (server, ...rest) => call(`http://${server.ports.http}`, ...rest);
const admin = (server, method, target, options = {}) =>
  call(server.admin, method, target, {
    ...options,
    headers: {
      authorization: `Bearer ${server.token}`,
      ...options.headers,
    },
  });
const events = (...metadata) => ({ events: metadata.map((m) => ({ type: 'T', metadata: m })) });

const token = (sub, time = '1h') =>
  new jose.SignJWT({ sub })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(time)
    .sign(new TextEncoder().encode(SECRET));

const CONFIG = `
auth:
  users:
    - {user: root, password: topsecret}
gateway:
  access_log: {path: access.ndjson}
  auth:
    keys: {api_keys: {keys: [{name: ann, key: "key-of-ann"}, {name: bob, key: "key-of-bob"}]}}
    tokens: {jwt: {secret: "${SECRET}", leeway: 0s}}
  routes:
    - {match: {path: "/v1/*"}, to: {node: events}, auth: [keys, tokens], max_body: 1MB}
    - match: {path: "/shop/*"}
      to: {node: events, categories: [order, "a/b"]}
      rewrite: "/v1/{*}"
      auth: keys
      cors: {origins: "https://shop.example"}
    - match: {method: POST, path: "/published/{id}"}
      to: {publish: "es.published.{id}", durable: true}
      auth: keys
    - match: {path: "/one/*"}
      to: {node: events, categories: order}
      rewrite: "/v1/{*}"
      auth: keys
    - match: {path: "/open/*"}
      to: {node: events, read_only: true}
      rewrite: "/v1/{*}"
      auth: none
    - {match: {path: "/any/*"}, to: {node: events}, rewrite: "/{*}", auth: keys}
    - {match: {path: "/limited/*"}, to: {node: events}, rewrite: "/v1/{*}", auth: keys,
       limit: {per: key, rate: 1/h, burst: 2}}
`;

onNonet('event streams through the gateway', { config: CONFIG, listen }, (it) => {
  it('who is let in appends and reads; who is not, does not', async (t, server) => {
    const stored = await door(server, 'POST', '/v1/streams/in-1', {
      headers: ANN,
      body: { expect: 'none', ...events({ reason: 'test' }) },
    });
    assert.equal(stored.status, 201, stored.text);
    assert.equal(stored.headers.etag, '"0"');
    const again = await door(server, 'POST', '/v1/streams/in-1', {
      headers: ANN,
      body: { expect: 'none', ...events({}) },
    });
    assert.equal(again.status, 409);
    const read = await door(server, 'GET', '/v1/streams/in-1', { headers: ANN });
    assert.deepEqual(read.body.events[0].metadata, { actor: 'ann', reason: 'test' });
    for (const [method, target] of [
      ['POST', '/v1/streams/in-1'],
      ['GET', '/v1/streams/in-1'],
      ['POST', '/v1/append'],
    ]) {
      const headers = { 'x-api-key': 'key-of-eve' };
      assert.equal((await door(server, method, target, { headers, body: '{}' })).status, 401);
    }
  });

  it('the actor is who was let in, and nobody can say another', async (t, server) => {
    const bearer = { authorization: `Bearer ${await token('joe@example.com')}` };
    const body = events(
      {},
      { actor: 'root' },
      { actor: 'joe@example.com', k: [1] },
      { actor: { name: 'x' }, on_behalf_of: 'y' },
    );
    const lies = { 'x-nonet-principal': 'root', X_Nonet_Principal: 'root' };
    const stored = await door(server, 'POST', '/v1/streams/actor-1', {
      headers: { ...bearer, ...lies },
      body,
    });
    assert.equal(stored.status, 201, stored.text);
    const { body: read } = await admin(server, 'GET', '/v1/streams/actor-1');
    assert.deepEqual(
      read.events.map((event) => event.metadata),
      [
        { actor: 'joe@example.com' },
        { actor: 'joe@example.com', on_behalf_of: 'root' },
        { actor: 'joe@example.com', k: [1] },
        { actor: 'joe@example.com', on_behalf_of: { name: 'x' } },
      ],
    );
    await door(server, 'POST', '/v1/append', {
      headers: ANN,
      body: {
        appends: [
          { stream: 'actor-2', ...events({}) },
          { stream: 'actor-3', ...events({}) },
        ],
      },
    });
    await door(server, 'POST', '/v1/streams/actor-4', {
      headers: {
        ...ANN,
        'ce-specversion': '1.0',
        'ce-id': 'x',
        'ce-source': 's',
        'ce-type': 'T',
        'ce-metadata': '%7B%22actor%22:%22root%22%7D',
      },
    });
    const odd = await door(server, 'POST', '/v1/streams/actor-5', {
      headers: { authorization: `Bearer ${await token('Jürgen "Ö"')}` },
      body: events({}),
    });
    assert.equal(odd.status, 201, odd.text);
    const { body: fifth } = await admin(server, 'GET', '/v1/streams/actor-5');
    assert.equal(fifth.events[0].metadata.actor, 'Jürgen "Ö"');
    await door(server, 'POST', '/published/1', {
      headers: { ...ANN, 'content-type': 'application/json' },
      body: { x: 1 },
    });
    for (const stream of ['actor-2', 'actor-3', 'actor-4', 'published-1']) {
      const { body } = await admin(server, 'GET', `/v1/streams/${stream}`);
      assert.equal(body.events[0].metadata.actor, 'ann');
    }
  });

  it('on the admin listener a user is the actor where none is said', async (t, server) => {
    const authorization = `Basic ${Buffer.from('root:topsecret').toString('base64')}`;
    const body = events({}, { actor: 'batch' });
    await call(server.admin, 'POST', '/v1/streams/user-1', { headers: { authorization }, body });
    await admin(server, 'POST', '/v1/streams/user-1', { body: events({ a: 1 }) });
    const { body: read } = await admin(server, 'GET', '/v1/streams/user-1');
    assert.deepEqual(
      read.events.map((event) => event.metadata),
      [{ actor: 'root' }, { actor: 'batch' }, { a: 1 }],
    );
    // What the gateway says of itself is believed of the gateway only.
    const lie = await admin(server, 'POST', '/v1/streams/user-2', {
      headers: { 'x-nonet-principal': 'ann', 'x-nonet-categories': 'none' },
      body: events({ b: 1 }),
    });
    assert.equal(lie.status, 201);
    const { body: second } = await admin(server, 'GET', '/v1/streams/user-2');
    assert.deepEqual(second.events[0].metadata, { b: 1 });
    const scheme = { authorization: 'Nonet-Gateway 0123456789', 'x-nonet-principal': 'ann' };
    const forged = await call(server.admin, 'POST', '/v1/streams/user-2', {
      headers: scheme,
      body: events({}),
    });
    assert.equal(forged.status, 401);
  });

  it('a route for some categories is for no others', async (t, server) => {
    const shop = (method, target, body) => door(server, method, target, { headers: ANN, body });
    assert.equal((await shop('POST', '/shop/streams/order-1', events({}))).status, 201);
    assert.equal((await shop('GET', '/shop/streams/order-1')).status, 200);
    assert.equal((await shop('GET', '/shop/streams/order-1/events/0')).status, 200);
    await admin(server, 'POST', '/v1/streams/secret-1', { body: events({}) });
    await admin(server, 'POST', '/v1/streams/orders-1', { body: events({}) });
    for (const [method, target] of [
      ['POST', '/shop/streams/secret-1'],
      ['POST', '/shop/streams/orders-1'],
      ['GET', '/shop/streams/secret-1'],
      ['GET', '/shop/streams/secret-1?follow=1'],
      ['GET', '/shop/streams/secret-1/events/0'],
      ['GET', '/shop/streams/secret-1/state'],
      ['GET', '/shop/events?category=secret'],
    ]) {
      const answer = await shop(method, target, method === 'POST' ? events({}) : undefined);
      assert.equal(answer.status, 403, `${method} ${target}: ${answer.text}`);
    }
    const some = await shop('GET', '/shop/events');
    assert.equal(some.status, 400);
    assert.match(some.body.detail, /^category: /);
    const order = await shop('GET', '/shop/events?category=order');
    assert.deepEqual(
      order.body.events.map((event) => event.stream),
      ['order-1'],
    );
    const one = await shop('GET', '/one/events');
    assert.deepEqual(
      one.body.events.map((event) => event.stream),
      ['order-1'],
    );
    const together = (appends, checks = []) => shop('POST', '/shop/append', { appends, checks });
    const fine = { stream: 'order-2', ...events({}) };
    const slash = { stream: 'a/b-1', ...events({}) };
    assert.equal((await together([fine, slash])).status, 201);
    assert.equal((await together([fine, { stream: 'secret-1', ...events({}) }])).status, 403);
    assert.equal((await together([fine], [{ stream: 'secret-1', expect: 'none' }])).status, 403);
    assert.equal((await together([fine], [{ none: { types: ['T'] } }])).status, 403);
    assert.equal((await together('x')).status, 400);
    const checked = (check) =>
      shop('POST', '/shop/streams/order-2', { ...events({}), checks: [check] });
    assert.equal((await checked({ stream: 'secret-1', expect: 'none' })).status, 403);
    assert.equal((await checked({ none: { types: ['T'] } })).status, 403);
    assert.equal((await checked({ stream: 'order-1', none: { types: ['T'] } })).status, 403);
    const { body } = await admin(server, 'GET', '/v1/streams/order-2');
    assert.equal(body.events.length, 1);
  });

  it('a route to read from takes nothing, and needs nobody', async (t, server) => {
    await admin(server, 'POST', '/v1/streams/open-1', { body: events({}) });
    assert.equal((await door(server, 'GET', '/open/streams/open-1')).status, 200);
    assert.equal((await door(server, 'HEAD', '/open/streams/open-1')).headers.etag, '"0"');
    for (const method of ['POST', 'DELETE', 'PUT']) {
      const answer = await door(server, method, '/open/streams/open-1', { body: events({}) });
      assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD']);
    }
  });

  it('it is no way to the rest of the admin listener', async (t, server) => {
    for (const [method, target] of [
      ['GET', '/any/varz'],
      ['GET', '/any/metrics'],
      ['GET', '/any/v1/status'],
      ['POST', '/any/v1/reload'],
      ['GET', '/any/v1/events/verify'],
      ['DELETE', '/any/v1/streams/in-1'],
      ['PUT', '/any/v1/streams/in-1/limits'],
      ['GET', '/any/v1/audit'],
      ['GET', '/any/nowhere'],
    ])
      assert.equal((await door(server, method, target, { headers: ANN })).status, 404, target);
    assert.equal((await door(server, 'GET', '/any/v1/events', { headers: ANN })).status, 200);
    assert.equal((await admin(server, 'GET', '/varz')).status, 200);
  });

  it('limits, pages of other origins, the access log: as for every route', async (t, server) => {
    const statuses = [];
    for (let i = 0; i < 3; i++)
      statuses.push((await door(server, 'GET', '/limited/events', { headers: ANN })).status);
    assert.deepEqual(statuses, [200, 200, 429]);
    const page = await door(server, 'POST', '/shop/streams/order-9', {
      headers: { ...ANN, origin: 'https://shop.example', 'sec-fetch-site': 'cross-site' },
      body: events({}),
    });
    assert.equal(page.status, 201, page.text);
    assert.equal(page.headers['access-control-allow-origin'], 'https://shop.example');
    const large = await door(server, 'POST', '/v1/streams/large-1', {
      headers: ANN,
      body: { events: [{ type: 'T', data: 'x'.repeat(1_100_000) }] },
    });
    assert.equal(large.status, 413);
    const lines = () => fs.readFileSync(path.join(server.dir, 'app/access.ndjson'), 'utf8');
    const line = await until(() =>
      lines()
        .split('\n')
        .find((text) => /order-9/.test(text)),
    );
    assert.equal(JSON.parse(line).principal, 'ann');
  });

  it('following goes through it, to the end of the client or of the node', async (t, server) => {
    const abort = new AbortController();
    const { body } = await request(`http://${server.ports.http}/v1/streams/tail-1?follow=1`, {
      headers: ANN,
      signal: abort.signal,
    });
    // There is no such stream yet: a problem, not a stream of lines.
    assert.match(await body.text(), /no such event stream/);
    await admin(server, 'POST', '/v1/streams/tail-1', { body: events({ n: 1 }) });
    const answer = await request(`http://${server.ports.http}/v1/streams/tail-1?follow=1`, {
      headers: ANN,
      signal: abort.signal,
    });
    let text = '';
    const lines = () =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    answer.body.setEncoding('utf8').on('data', (part) => (text += part));
    answer.body.on('error', () => {});
    await until(() => lines().some((line) => line.marker === 'caught_up'));
    await admin(server, 'POST', '/v1/streams/tail-1', { body: events({ n: 2 }) });
    await until(() => lines().some((line) => line.revision === 1));
    abort.abort();
  });

  it('following ends with the token that began it', async (t, server) => {
    await admin(server, 'POST', '/v1/streams/expiry-1', { body: events({}) });
    const follow = async (time) => {
      const { body } = await request(`http://${server.ports.http}/v1/streams/expiry-1?follow=1`, {
        headers: { authorization: `Bearer ${await token('joe', time)}` },
      });
      const seen = { text: '', ended: false };
      body.on('data', (part) => (seen.text += part));
      body.on('end', () => (seen.ended = true));
      body.on('error', () => {});
      t.after(() => body.destroy());
      return seen;
    };
    const long = await follow('1h');
    const short = await follow('2s');
    await until(() => short.ended, 'the end');
    assert.match(short.text, /caught_up/);
    assert.equal(long.ended, false);
    // A page has an end of its own, and is as long as ever.
    const { headers } = await door(server, 'GET', '/v1/streams/expiry-1', {
      headers: { ...ANN, accept: 'application/x-ndjson' },
    });
    assert.ok(Number(headers['content-length']) > 0);
  });
});

check('a node stops while somebody follows through its gateway', async (t) => {
  const server = await startNonet(t, { config: CONFIG, listen });
  await admin(server, 'POST', '/v1/streams/tail-1', { body: events({}) });
  const answer = await request(`http://${server.ports.http}/v1/events?follow=1`, { headers: ANN });
  let text = '';
  let ended = false;
  answer.body.on('data', (part) => (text += part));
  answer.body.on('end', () => (ended = true));
  answer.body.on('error', () => {});
  await until(() => text.includes('caught_up'));
  const { status } = await server.stop();
  assert.equal(status, 0);
  await until(() => ended, 'a whole answer');
});

const refused = {
  'nobody is asked who it is': [
    '{match: {path: /v1/*}, to: {node: events}, auth: none}',
    /anybody might append events/,
  ],
  'nothing is said of who may': [
    '{match: {path: /v1/*}, to: {node: events}}',
    /anybody might append events/,
  ],
  'categories of the admin listener': [
    '{match: {path: /v1/*}, to: {node: admin, categories: order}, auth: none}',
    /categories have nothing to do with node: admin/,
  ],
  'the admin listener, read only': [
    '{match: {path: /v1/*}, to: {node: admin, read_only: true}, auth: none}',
    /read_only has nothing to do with node: admin/,
  ],
  'categories of a service': [
    '{match: {path: /v1/*}, to: {http: "http://127.0.0.1:1", categories: order}, auth: none}',
    /categories/,
  ],
  'a category with a dash': [
    '{match: {path: /v1/*}, to: {node: events, categories: order-1, read_only: true}, auth: none}',
    /is not a category of event streams: 'order-1'/,
  ],
  'another API of the node': ['{to: {node: streams}, auth: none}', /there are: admin, events/],
  'headers of its own': [
    '{to: {node: events, read_only: true}, request_headers: {remove: [X-A]}, auth: none}',
    /request_headers has nothing to do here/,
  ],
};
for (const [what, [route, words]] of Object.entries(refused))
  check(`nonet check refuses: ${what}`, async () => {
    const dir = temporaryFolder();
    fs.writeFileSync(path.join(dir, 'nonet.yaml'), `gateway:\n  routes:\n    - ${route}\n`);
    const { status, stdout, stderr } = await run(['check', dir]);
    assert.equal(status, 1);
    assert.match(stdout + stderr, words);
  });

check(
  'nonet check refuses: the admin listener is off, or on a port that nobody knows',
  async () => {
    const dir = temporaryFolder();
    for (const admin of ['off', '{address: "127.0.0.1:0"}']) {
      fs.writeFileSync(path.join(dir, 'nonet.yaml'), `listen: {admin: ${admin}}\n${CONFIG}`);
      const { status, stderr } = await run(['check', dir]);
      assert.equal(status, 1);
      assert.match(stderr, /a route to the node's own APIs finds no admin listener/);
      assert.match(stderr, /give listen.admin an address with a port of its own/);
    }
  },
);

check('nonet check --routes names what a route is for', async () => {
  const dir = temporaryFolder();
  fs.writeFileSync(path.join(dir, 'nonet.yaml'), CONFIG);
  const { status, stdout } = await run(['check', dir, '--routes']);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /node events, categories order, a\/b/);
  assert.match(stdout, /node events, read only/);
});

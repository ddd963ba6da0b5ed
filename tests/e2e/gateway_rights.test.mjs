// Rights on subjects, of who asks by HTTP: what may be asked, published and heard.

import assert from 'node:assert/strict';
import { jetstreamManager } from '@nats-io/jetstream';
import { request } from 'undici';
import WebSocket from 'ws';
import { check, onNonet, sleep, startNonet, until } from './lib/node.mjs';
import { EventStream } from './lib/sse.mjs';

const listen = { http: 0 };
const CONFIG = `
auth:
  users:
    - user: ann
      password: a
      publish: {allow: ["bid.>", "chat.*", "ask.*", "_INBOX.>"]}
      subscribe: {allow: ["bid.>", "chat.>"], deny: ["bid.secret", "chat.secret"]}
    - {user: bob, password: b}
streams:
  BIDS: {subjects: ["bid.>"]}
gateway:
  auth:
    staff: {basic: {realm: staff}}
  routes:
    - {match: {path: "/bids/{id}"}, to: {publish: "bid.{id}", durable: true}, auth: staff}
    - {match: {path: "/publish/{to}/{id}"}, to: {publish: "{to}.{id}"}, auth: staff}
    - {match: {path: "/ask/{to}/{id}"}, to: {request: "{to}.{id}", timeout: 2s}, auth: staff}
    - {match: {path: "/live/{of}"}, to: {sse: "{of}.>"}, auth: staff}
    - match: {path: "/talk/{of}"}
      to: {websocket: {subscribe: "{of}.>", publish: "{of}.all"}}
      auth: staff
`;

const basic = (user, password) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const ann = basic('ann', 'a');
const bob = basic('bob', 'b');
const urlOf = (server, target) => `http://${server.ports.http}${target}`;

async function post(server, target, headers, body = 'x') {
  const answer = await request(urlOf(server, target), { method: 'POST', headers, body });
  return { status: answer.statusCode, json: await answer.body.json() };
}

// A WebSocket, or the status that it was refused with.
async function talk(t, server, target, headers) {
  const socket = new WebSocket(urlOf(server, target).replace('http', 'ws'), { headers });
  t.after(() => socket.terminate());
  socket.got = [];
  socket.on('message', (data) => socket.got.push(data.toString()));
  socket.on('close', (code) => (socket.closed = code));
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (asked, { statusCode }) => resolve(statusCode));
  });
}

onNonet('gateway: rights on subjects', { config: CONFIG, listen }, (it) => {
  const connect = (t, server) => server.connect(t, { user: 'bob', pass: 'b' });

  it('are asked before anything is published', async (t, server) => {
    const heard = [];
    const nc = await connect(t, server);
    nc.subscribe('>', { callback: (error, { subject }) => heard.push(subject) });
    await nc.flush();
    assert.equal((await post(server, '/publish/bid/1', ann)).status, 202);
    const refused = await post(server, '/publish/other/1', ann);
    assert.equal(refused.status, 403);
    assert.match(refused.json.detail, /not allowed/);
    assert.equal((await post(server, '/publish/other/2', bob)).status, 202);
    await until(() => heard.includes('other.2'), 'the last');
    assert.ok(heard.includes('bid.1') && !heard.includes('other.1'));
  });

  it('and before anybody is asked, who is told by whom', async (t, server) => {
    const nc = await connect(t, server);
    const answer = (error, message) => message.respond(message.headers.get('Nonet-Principal'));
    nc.subscribe('ask.me', { callback: answer });
    nc.subscribe('other.me', { callback: answer });
    await nc.flush();
    const ask = async (target, headers) => {
      const { statusCode, body } = await request(urlOf(server, target), { headers });
      return [statusCode, await body.text()];
    };
    assert.deepEqual(await ask('/ask/ask/me', ann), [200, 'ann']);
    assert.deepEqual(await ask('/ask/other/me', bob), [200, 'bob']);
    assert.equal((await ask('/ask/other/me', ann))[0], 403);
  });

  it('the same Idempotency-Key of two people is two', async (t, server) => {
    const key = (headers) => ({ ...headers, 'idempotency-key': 'k' });
    const first = await post(server, '/bids/1', key(ann));
    const second = await post(server, '/bids/1', key(bob));
    const third = await post(server, '/bids/1', key(ann));
    assert.equal(second.json.seq, first.json.seq + 1);
    assert.deepEqual(third.json, { ...first.json, duplicate: true });
    const manager = await jetstreamManager(await connect(t, server));
    const { header } = await manager.streams.getMessage('BIDS', { seq: second.json.seq });
    assert.equal(header.get('Nonet-Principal'), 'bob');
  });

  it('events are those that one may hear', async (t, server) => {
    const open = (target, headers) => EventStream.open(t, urlOf(server, target), { headers });
    const some = await open('/live/bid', ann);
    const all = await open('/live/bid', bob);
    const plain = await open('/live/chat', ann);
    const refused = await open('/live/other', ann);
    assert.deepEqual([some.status, all.status, refused.status], [200, 200, 403]);
    const nc = await connect(t, server);
    for (const id of ['a', 'secret', 'b', 'secret', 'secret', 'c']) {
      nc.publish(`bid.${id}`, 'x');
      nc.publish(`chat.${id}`, 'x');
    }
    await until(() => all.events.length === 6, 'all events');
    await until(() => some.events.length === 3 && plain.events.length === 3, 'three events');
    assert.deepEqual(
      some.events.map(({ subject }) => subject),
      ['bid.a', 'bid.b', 'bid.c'],
    );
    const resumed = await open(`/live/bid?last-event-id=${all.ids[0]}`, ann);
    await until(() => resumed.events.length === 2, 'two events');
    assert.deepEqual(resumed.ids, [all.ids[2], all.ids[5]]);
  });

  it('and so are messages of a WebSocket', async (t, server) => {
    const socket = await talk(t, server, '/talk/chat', ann);
    assert.equal(await talk(t, server, '/talk/other', ann), 403);
    assert.equal(await talk(t, server, '/talk/bid', {}), 401);
    const nc = await connect(t, server);
    for (const id of ['a', 'secret', 'b']) nc.publish(`chat.${id}`, id);
    await until(() => socket.got.length === 2, 'two messages');
    assert.deepEqual(socket.got, ['a', 'b']);
    const from = { headers: { ...ann, origin: 'https://evil.example' } };
    assert.equal(await talk(t, server, '/talk/chat', from.headers), 403); // no page's cookies
  });
});

check('gateway: who loses rights by a reload loses events and sockets, too', async (t) => {
  const server = await startNonet(t, { config: CONFIG, listen });
  const open = (headers) => EventStream.open(t, urlOf(server, '/live/chat'), { headers });
  const streams = [await open(ann), await open(bob)];
  const sockets = [
    await talk(t, server, '/talk/chat', ann),
    await talk(t, server, '/talk/chat', bob),
  ];
  assert.match(await server.reload(CONFIG.replace('"bid.>", "chat.*"', '"bid.>"')), /reloaded/);
  await until(() => streams[0].ended && sockets[0].closed, 'the end of the one', 20_000);
  assert.equal(streams[0].ended, 'end');
  assert.equal(sockets[0].closed, 1008);
  await sleep(50);
  assert.equal(streams[1].ended, null);
  assert.equal(sockets[1].closed, undefined);
  assert.equal(await talk(t, server, '/talk/chat', ann), 403);
});

// Subjects over WebSocket: frames both ways, what ends a socket, which pages may open one.

import assert from 'node:assert/strict';
import net from 'node:net';
import { request } from 'undici';
import WebSocket from 'ws';
import { check, onNonet, sleep, startNonet, until } from './lib/node.mjs';

const listen = { http: 0 };
const KIB = 1024;
const CONFIG = `
gateway:
  routes:
    - match: {path: "/chat/{room}"}
      to: {websocket: {subscribe: ["chat.{room}.>", "chat.{room}.in"], publish: "chat.{room}.in"}}
    - {match: {path: /news}, to: {websocket: {subscribe: "news.>"}}}
    - match: {path: /drop}
      to: {websocket: {publish: drop.in}}
      max_body: 100
      response_headers: {set: {X-Said: by route}}
    - match: {path: /pages}
      to: {websocket: {subscribe: "news.>"}}
      cors: {origins: ["https://shop.example", "https://*.shop.example"]}
limits: {max_payload: 64KB}
`;

// A socket of the client "ws"; got: [text or Buffer], closed: {code, reason} once it is.
async function open(t, server, target, options = {}) {
  const socket = new WebSocket(`ws://${server.ports.http}${target}`, options);
  t.after(() => socket.terminate());
  Object.assign(socket, { got: [], closed: null });
  socket.on('message', (data, isBinary) => socket.got.push(isBinary ? data : data.toString()));
  socket.on('close', (code, reason) => (socket.closed = { code, reason: reason.toString() }));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

// What a handshake with HEADERS is refused with.
async function refused(t, server, target, options) {
  const socket = new WebSocket(`ws://${server.ports.http}${target}`, options);
  t.after(() => socket.terminate());
  socket.on('error', () => {});
  return new Promise((resolve, reject) => {
    socket.once('unexpected-response', (asked, response) => resolve(response.statusCode));
    socket.once('open', () => reject(new Error('it was let in')));
  });
}

const closing = (socket) => until(() => socket.closed, 'the end');

onNonet('gateway: websocket', { config: CONFIG, listen }, (it) => {
  it('messages of its subjects are frames, text or binary', async (t, server) => {
    const socket = await open(t, server, '/chat/7');
    const nc = await server.connect(t);
    nc.publish('chat.7.out', 'hällo');
    nc.publish('chat.8.out', 'not this');
    nc.publish('chat.7.out', new Uint8Array([0, 255, 1]));
    nc.publish('chat.7.out', '');
    await until(() => socket.got.length === 3, 'three messages');
    assert.deepEqual(socket.got, ['hällo', Buffer.from([0, 255, 1]), '']);
  });

  it('the handshake is answered with what every answer carries', async (t, server) => {
    const socket = new WebSocket(`ws://${server.ports.http}/drop`, {
      headers: { 'x-request-id': 'r-7' },
    });
    t.after(() => socket.terminate());
    const { headers } = await new Promise((resolve, reject) =>
      socket.once('upgrade', resolve).once('error', reject),
    );
    assert.equal(headers['x-request-id'], 'r-7');
    assert.equal(headers['x-said'], 'by route');
  });

  it('what is published behind the handshake arrives', async (t, server) => {
    for (let i = 0; i < 20; i++) {
      const socket = await open(t, server, `/chat/x${i}`);
      const nc = await server.connect(t);
      nc.publish(`chat.x${i}.out`, 'now');
      await until(() => socket.got.length === 1, 'the message');
    }
  });

  it("the client's messages are published, and come back where it listens", async (t, server) => {
    const nc = await server.connect(t);
    const heard = [];
    nc.subscribe('chat.9.in', { callback: (error, message) => heard.push(message) });
    await nc.flush();
    const socket = await open(t, server, '/chat/9?as=ann', { headers: { 'x-request-id': 'r-1' } });
    const other = await open(t, server, '/chat/9');
    socket.send('text');
    socket.send(Buffer.from([1, 2, 3]));
    socket.send('');
    await until(() => heard.length === 3 && other.got.length === 3, 'three messages');
    assert.deepEqual(
      heard.map((message) => [...message.data]),
      [[...Buffer.from('text')], [1, 2, 3], []],
    );
    assert.equal(heard[0].headers.get('X-Request-Id'), 'r-1');
    assert.equal(heard[0].headers.get('Nonet-Query'), 'as=ann');
    await until(() => socket.got.length === 3, 'its own');
    await sleep(20);
    assert.equal(socket.got.length, 3); // once, though two of its subjects have it
  });

  it('many messages keep their order', async (t, server) => {
    const socket = await open(t, server, '/chat/order');
    for (let i = 0; i < 5000; i++) socket.send(`${i}`);
    await until(() => socket.got.length === 5000, 'all messages');
    socket.got.forEach((text, i) => assert.equal(text, `${i}`));
  });

  it('who may not publish is closed with 1008', async (t, server) => {
    const socket = await open(t, server, '/news');
    socket.send('x');
    await closing(socket);
    assert.deepEqual(socket.closed, { code: 1008, reason: 'this takes no messages' });
  });

  it('too large is 1009', async (t, server) => {
    const heard = [];
    const nc = await server.connect(t);
    nc.subscribe('drop.in', { callback: (error, message) => heard.push(message.data.length) });
    await nc.flush();
    const small = await open(t, server, '/drop');
    small.send(Buffer.alloc(100));
    small.send(Buffer.alloc(101));
    await closing(small);
    assert.equal(small.closed.code, 1009);
    const large = await open(t, server, '/chat/large');
    large.send('x'.repeat(63 * KIB));
    await until(() => large.got.length === 1, 'the large message');
    large.send('x'.repeat(64 * KIB));
    await closing(large);
    assert.equal(large.closed.code, 1009);
    assert.deepEqual(heard, [100]);
  });

  it('who does not read is closed, and the others are not', async (t, server) => {
    const [host, port] = server.ports.http.split(':');
    const slow = net.connect(Number(port), host);
    t.after(() => slow.destroy());
    let heard = '';
    let over = false;
    slow.on('data', (bytes) => (heard = (heard + bytes.toString('latin1')).slice(-200)));
    slow.on('close', () => (over = true));
    slow.on('error', () => {});
    slow.write(
      'GET /chat/slow HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await until(() => heard.includes('Sec-WebSocket-Accept'), 'the handshake');
    slow.pause();
    const fast = await open(t, server, '/chat/slow');
    const nc = await server.connect(t);
    const payload = 'x'.repeat(60 * KIB);
    const count = 500; // 30 MB
    for (let i = 0; i < count; i++) {
      nc.publish('chat.slow.out', payload);
      if (i % 20 === 19) await until(() => fast.got.length === i + 1, 'the fast one', 20_000);
    }
    slow.resume();
    await until(() => over || heard.includes('faster than they are read'), 'the end of the slow');
    const code = Buffer.from(heard.slice(-60), 'latin1').indexOf(Buffer.from([0x03, 0xf5]));
    assert.ok(over || code >= 0, '1013');
    assert.equal(fast.closed, null);
  });

  it('what is no handshake is told what would be', async (t, server) => {
    const plain = await request(`http://${server.ports.http}/news`);
    assert.equal(plain.statusCode, 426);
    assert.equal(plain.headers.upgrade, 'websocket');
    assert.equal((await plain.body.json()).status, 426);
    assert.equal(await refused(t, server, '/news', { protocolVersion: 8 }), 426);
    assert.equal(await refused(t, server, '/chat/a.b'), 400);
  });

  it('pages may open one where the route says so', async (t, server) => {
    const from = (origin) => ({ headers: { origin } });
    await open(t, server, '/pages', from('https://shop.example'));
    await open(t, server, '/pages', from('https://www.shop.example'));
    await open(t, server, '/pages', from(`http://${server.ports.http}`));
    const own = { host: 'chat.example', origin: 'https://chat.example:443' };
    await open(t, server, '/pages', { headers: own }); // its port is the usual one
    await open(t, server, '/pages');
    await open(t, server, '/news', from('https://other.example'));
    for (const origin of ['https://evil.example', 'http://shop.example', 'null'])
      assert.equal(await refused(t, server, '/pages', from(origin)), 403, origin);
  });
});

check('gateway: sockets outlive a reload, and hear of the end', async (t) => {
  const server = await startNonet(t, { config: CONFIG, listen });
  const sockets = await Promise.all(
    Array.from({ length: 50 }, () => open(t, server, '/chat/all')),
  );
  assert.match(await server.reload(CONFIG.replace('/news', '/other')), /reloaded/);
  sockets[0].send('after');
  await until(() => sockets.every(({ got }) => got.length === 1), 'the message');
  const { status } = await server.stop();
  assert.equal(status, 0);
  await until(() => sockets.every(({ closed }) => closed), 'the end');
  for (const { closed } of sockets)
    assert.deepEqual(closed, { code: 1001, reason: 'the node stops' });
});

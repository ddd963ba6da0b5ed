// What a stop does to what has no end of its own: WebSockets to subjects, WebSockets through the
// proxy, event streams; and to requests under way. None makes it take all of drain_timeout.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after } from 'node:test';
import { request } from 'undici';
import WebSocket, { WebSocketServer } from 'ws';
import { check, startNonet, until } from './lib/node.mjs';
import { Honest } from './lib/service.mjs';
import { EventStream } from './lib/sse.mjs';

const echo = new WebSocketServer({ port: 0, host: '127.0.0.1' });
echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
await once(echo, 'listening');
const slow = await Honest.start((q, response) => setTimeout(() => response.end('slow'), 700));
after(() => {
  echo.clients.forEach((socket) => socket.terminate());
  echo.close();
  slow.stop();
});

const config = `
limits: {drain_timeout: 15s}
gateway:
  routes:
    - {match: {path: /echo}, to: {http: "http://127.0.0.1:${echo.address().port}"}}
    - {match: {path: /slow}, to: {http: "${slow.url}"}}
    - {match: {path: /socket}, to: {websocket: {subscribe: a, publish: a}}}
    - {match: {path: /events}, to: {sse: a}}
`;

async function openSocket(t, server, target) {
  const socket = new WebSocket(`ws://${server.ports.http}${target}`);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  socket.over = once(socket, 'close').then(([code]) => code);
  socket.on('error', () => {});
  return socket;
}

check('a stop is over when the last request is, whatever else is open', async (t) => {
  const server = await startNonet(t, { config, listen: { http: 0 } });
  const twenty = Array.from({ length: 20 }, () => openSocket(t, server, '/echo'));
  const tunnels = await Promise.all(twenty);
  const own = await openSocket(t, server, '/socket');
  const events = await EventStream.open(t, `http://${server.ports.http}/events`);
  const answer = request(`http://${server.ports.http}/slow`).then(({ body }) => body.text());
  await until(() => slow.asked.length, 'the request to be under way');
  const stopped = server.stop();
  assert.equal(await answer, 'slow');
  assert.equal(await own.over, 1001);
  for (const socket of tunnels) assert.equal(await socket.over, 1006); // no frame: the end
  await until(() => events.ended === 'end', 'the end of the events');
  assert.deepEqual(await stopped, { status: 0, signal: null });
  assert.doesNotMatch(server.log, /drain ended before/); // which is what drain_timeout would say
});

check('a tunnel is closed between two messages, not within one', async (t) => {
  const server = await startNonet(t, { config, listen: { http: 0 } });
  const socket = await openSocket(t, server, '/echo');
  let heard = 0;
  socket.on('message', (data) => (heard += data.length));
  let sent = 0;
  const timer = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(Buffer.alloc(100_000));
    sent += 100_000;
  }, 20);
  t.after(() => clearInterval(timer));
  await until(() => heard > 500_000, 'messages');
  const stopped = server.stop();
  const from = heard;
  await until(() => heard > from + 2_000_000, 'messages while the node stops');
  clearInterval(timer);
  await socket.over;
  assert.equal(heard, sent);
  await stopped;
});

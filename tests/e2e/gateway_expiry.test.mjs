// What goes on longer than an answer ends with the token that began it: streams of events and
// WebSockets, the node's own and those of services.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after } from 'node:test';
import * as jose from 'jose';
import WebSocket, { WebSocketServer } from 'ws';
import { onNonet, until } from './lib/node.mjs';
import { EventStream } from './lib/sse.mjs';

const SECRET = 'a secret that is shared and long enough for HS256';
const listen = { http: 0 };

const service = http.createServer((asked, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: first\n\n');
});
const sockets = new WebSocketServer({ server: service });
await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
after(() => {
  sockets.clients.forEach((client) => client.terminate());
  service.close();
  service.closeAllConnections();
});

const CONFIG = `
gateway:
  auth:
    tokens: {jwt: {secret: "${SECRET}", leeway: 0s}}
    lax: {jwt: {secret: "${SECRET}", leeway: 1h}}
  routes:
    - {match: {path: /events}, to: {sse: "news.>"}, auth: tokens}
    - {match: {path: /lax}, to: {sse: "news.>"}, auth: lax}
    - {match: {path: /socket}, to: {websocket: {subscribe: "news.>"}}, auth: tokens}
    - match: {path: "/service/*"}
      to: {http: "http://127.0.0.1:${service.address().port}"}
      auth: tokens
`;

const token = (seconds) =>
  new jose.SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(`${seconds}s`)
    .sign(new TextEncoder().encode(SECRET));
const bearer = async (seconds) => ({ authorization: `Bearer ${await token(seconds)}` });
const SHORT = 2;
const LONG = 600;

onNonet('gateway: the end of a token', { config: CONFIG, listen }, (it) => {
  const events = async (t, server, target, seconds) =>
    EventStream.open(t, `http://${server.ports.http}${target}`, { headers: await bearer(seconds) });
  const socket = async (t, server, target, seconds) => {
    const headers = await bearer(seconds);
    const opened = new WebSocket(`ws://${server.ports.http}${target}`, { headers });
    t.after(() => opened.terminate());
    opened.on('close', (code, reason) => (opened.closed = { code, reason: reason.toString() }));
    await new Promise((resolve, reject) => opened.once('open', resolve).once('error', reject));
    return opened;
  };

  it('ends the events it began, and no others', async (t, server) => {
    const long = await events(t, server, '/events', LONG);
    const lax = await events(t, server, '/lax', SHORT);
    const short = await events(t, server, '/events', SHORT);
    assert.equal(short.response.statusCode, 200);
    assert.equal(await until(() => short.ended, 'the end'), 'end');
    const nc = await server.connect(t);
    nc.publish('news.one', 'still here');
    await until(() => long.events.length && lax.events.length, 'an event');
    assert.equal(long.ended ?? null, null);
    assert.equal(lax.ended ?? null, null);
  });

  it('ends the WebSocket it began, with a word', async (t, server) => {
    const long = await socket(t, server, '/socket', LONG);
    const short = await socket(t, server, '/socket', SHORT);
    await until(() => short.closed, 'the end');
    assert.deepEqual(short.closed, { code: 1008, reason: 'the token has expired' });
    assert.equal(long.closed, undefined);
  });

  it('ends events of a service, and cuts connections joined to it', async (t, server) => {
    const longEvents = await events(t, server, '/service/x', LONG);
    const longSocket = await socket(t, server, '/service/x', LONG);
    const shortEvents = await events(t, server, '/service/x', SHORT);
    const shortSocket = await socket(t, server, '/service/x', SHORT);
    assert.equal(await until(() => shortEvents.ended, 'the end of events'), 'end');
    await until(() => shortSocket.closed, 'the end of the WebSocket');
    assert.equal(longEvents.ended ?? null, null);
    assert.equal(longSocket.closed, undefined);
  });
});

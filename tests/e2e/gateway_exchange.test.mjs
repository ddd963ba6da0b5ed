// A bound on the whole of a request (exchange_timeout): what the client hears, what the service is
// left with, and what the access log says.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { request } from 'undici';
import { onNonet, until } from './lib/node.mjs';
import { Client, Hostile } from './lib/service.mjs';

const OK = 'HTTP/1.1 200 OK\r\n';
const trickle = (socket) => {
  socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n`);
  const timer = setInterval(() => socket.write('1\r\nx\r\n'), 20);
  socket.on('close', () => clearInterval(timer)).on('end', () => clearInterval(timer));
};
const service = await Hostile.start({
  fine: (socket) => socket.write(`${OK}Content-Length: 4\r\n\r\nfine`),
  stalls: () => {},
  trickles: trickle,
  sinks: () => {},
});
after(() => service.stop());

const config = `
gateway:
  access_log: {path: access.ndjson}
  routes:
    - {match: {path: /a/only, host: other.example, method: PUT}, to: {respond: {body: x}}}
    - match: {host: "127.0.0.1", path: "/*"}
      to: {http: "${service.url}"}
      exchange_timeout: 400ms
    - match: {host: "127.0.0.1", path: "/free/*"}
      rewrite: "/{*}"
      to: {http: "${service.url}"}
    - match: {host: "127.0.0.1", path: /ask}
      to: {request: slow.one, timeout: 30s}
      exchange_timeout: 400ms
`;

onNonet('gateway: a bound on a whole request', { config, listen: { http: 0 } }, (it) => {
  const ask = async (server, target, options) => {
    const response = await request(`http://${server.ports.http}${target}`, options);
    return { ...response, text: await response.body.text() };
  };
  // The line of the access log for PATH.
  const logged = (server, target) =>
    until(() => {
      const file = path.join(server.dir, 'app', 'access.ndjson');
      const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : [];
      return lines.filter(Boolean).map((line) => JSON.parse(line)).find((x) => x.path === target);
    }, `a line for ${target}`);

  it('no answer has begun: 504, and the service sees the end of its call', async (t, server) => {
    const before = service.ended;
    const answer = await ask(server, '/stalls');
    assert.equal(answer.statusCode, 504);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.match(JSON.parse(answer.text).detail, /longer than it may/);
    await until(() => service.ended > before, 'the end of the call');
    const line = await logged(server, '/stalls');
    assert.equal(line.status, 504);
    assert.equal(line.reason, 'exchange timeout');
    assert.ok(line.duration_us >= 390_000);
  });

  it('an answer has begun: it is cut, and never taken for whole', async (t, server) => {
    const before = service.ended;
    await assert.rejects(ask(server, '/trickles'));
    await until(() => service.ended > before, 'the end of the call');
    const line = await logged(server, '/trickles');
    assert.equal(line.status, 200);
    assert.equal(line.reason, 'exchange timeout');
  });

  it('a body that goes on and on: 504, and the connection ends', async (t, server) => {
    const client = await Client.open(t, server);
    client.send('POST /sinks HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n');
    const timer = setInterval(() => client.send('1\r\nx\r\n'), 20);
    t.after(() => clearInterval(timer));
    await until(() => client.ended, 'the end');
    assert.match(client.heard, /^HTTP\/1\.1 504 /);
    assert.equal((await logged(server, '/sinks')).reason, 'exchange timeout');
  });

  it('a subject that is asked has it, too', async (t, server) => {
    const nc = await server.connect(t);
    nc.subscribe('slow.one', { callback: () => {} });
    await nc.flush();
    assert.equal((await ask(server, '/ask')).statusCode, 504);
    assert.equal((await logged(server, '/ask')).reason, 'exchange timeout');
  });

  it('what no route is for has an id and a line, too', async (t, server) => {
    for (const [method, target, status] of [
      ['GET', '/a/none', 404],
      ['DELETE', '/a/only', 405],
    ]) {
      const host = { host: 'other.example' };
      const answer = await ask(server, target, { method, headers: host });
      assert.equal(answer.statusCode, status);
      assert.equal(answer.headers.allow, status === 405 ? 'PUT' : undefined);
      const line = await logged(server, target);
      assert.equal(line.id, answer.headers['x-request-id']);
      assert.equal(JSON.parse(answer.text).instance, line.id);
      assert.deepEqual([line.route, line.status, line.reason], ['none', status, 'no route']);
    }
  });

  it('what is quick is not touched, and a route without it waits', async (t, server) => {
    assert.equal((await ask(server, '/fine')).text, 'fine');
    assert.equal((await logged(server, '/fine')).reason, '');
    const client = await Client.open(t, server);
    client.send('GET /free/trickles HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await until(() => client.heard.split('\r\nx\r\n').length > 40, 'parts beyond the bound');
    assert.equal(client.ended, false);
  });
});

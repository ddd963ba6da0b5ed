// Several services behind one route: who is asked, who is left out, what a reload keeps, what
// becomes of connections that speak another protocol, copies for a service on trial, TLS.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after } from 'node:test';
import { Agent, request } from 'undici';
import { WebSocket, WebSocketServer } from 'ws';
import {
  check,
  onNonet,
  run,
  SHARDS,
  sleep,
  startNonet,
  temporaryFolder,
  until,
} from './lib/node.mjs';
import { Client, deadPort, Honest, Hostile } from './lib/service.mjs';

const listen = { http: 0 };
const agent = new Agent({ connections: 100, pipelining: 1 });
after(() => agent.close());

async function ask(server, target, options = {}) {
  const response = await request(`http://${server.ports.http}${target}`, {
    dispatcher: agent,
    ...options,
  });
  return { ...response, text: await response.body.text() };
}

const statusOf = async (...args) => (await ask(...args)).statusCode;

// Services that answer with their own name.
async function named(...names) {
  const services = {};
  for (const name of names) {
    const service = await Honest.start((q, response) => {
      response.statusCode = service.status ?? 200;
      response.end(q.url.startsWith('/healthz') ? '' : name);
    });
    services[name] = service;
  }
  after(() => Object.values(services).forEach((service) => service.stop()));
  return services;
}

async function counts(server, target, times, options = () => ({})) {
  const count = {};
  for (let i = 0; i < times; i++) {
    const { text } = await ask(server, target, options(i));
    count[text] = (count[text] ?? 0) + 1;
  }
  return count;
}

// All requests to one service.
const toAll = (url, more = '') => `
gateway:
  routes:
    - {match: {path: "/*"}, to: {http: "${url}"${more}}}
`;

// The value of a line of /metrics, or undefined.
async function metric(server, line) {
  const text = await (await fetch(`${server.admin}/metrics`)).text();
  const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
  return found && Number(found.split(' ').pop());
}

// ---- balance ------------------------------------------------------------------------------------

const abc = await named('a', 'b', 'c');
const urls = (services) => JSON.stringify(Object.values(services).map((service) => service.url));

onNonet(
  'upstreams: balance',
  {
    config: `
gateway:
  routes:
    - {match: {path: "/*"}, to: {http: ${urls(abc)}}}
    - {match: {path: "/turn/*"}, to: {http: ${urls(abc)}, balance: round_robin, weights: [2, 1, 0]}}
    - {match: {path: "/user/*"}, to: {http: ${urls(abc)}, balance: hash, hash_header: X-User}}
    - {match: {path: "/cookie/*"}, to: {http: ${urls(abc)}, balance: hash, hash_cookie: s}}
    - {match: {path: "/address/*"}, to: {http: ${urls(abc)}, balance: hash}}
`,
    listen,
  },
  (it) => {
    it('all get some', async (t, server) => {
      const count = await counts(server, '/', 120);
      for (const name of ['a', 'b', 'c']) assert.ok(count[name] > 15, JSON.stringify(count));
    });

    it('each in turn, by weight', async (t, server) => {
      if (process.env.NONET_SHARDS > 1) return t.skip('turns are kept by each shard');
      assert.deepEqual(await counts(server, '/turn/', 30), { a: 20, b: 10 });
      return undefined;
    });

    it('by header, by cookie, by address: the same key, the same service', async (t, server) => {
      const names = new Set();
      for (let user = 0; user < 30; user++) {
        const headers = { 'x-user': `user ${user}` };
        const { text } = await ask(server, '/user/', { headers });
        names.add(text);
        for (let i = 0; i < 3; i++) {
          assert.equal((await ask(server, '/user/', { headers })).text, text);
          const cookie = { cookie: `other=1; s=user ${user}; more=2` };
          assert.equal((await ask(server, '/cookie/', { headers: cookie })).text, text);
        }
      }
      assert.equal(names.size, 3);
      assert.equal(Object.keys(await counts(server, '/address/', 10)).length, 1);
    });
  },
);

// ---- health -------------------------------------------------------------------------------------

check('a service that is unwell is not asked until it is well again', async (t) => {
  const { one, two } = await named('one', 'two');
  const server = await startNonet(t, {
    config: `
gateway:
  routes:
    - match: {path: "/*"}
      to:
        http: ["${one.url}", "${two.url}"]
        health: {path: /healthz?deep, every: 100ms, timeout: 5s, rise: 2, fall: 2}
        eject: off
        retry: off
`,
    listen,
  });
  const healthy = (service) =>
    metric(server, `nonet_gateway_upstream_healthy{upstream="${service.url}"}`);
  const shards = Number(process.env.NONET_SHARDS ?? 1);
  await until(() => one.asked.some((q) => q.url === '/healthz?deep'), 'a question');
  assert.equal(await healthy(one), shards);
  one.status = 500;
  await until(async () => (await healthy(one)) === 0, 'one to be unwell');
  assert.match(server.log, /warn .*a service is unwell.*reason="?.*500/);
  assert.deepEqual(await counts(server, '/', 20), { two: 20 });
  two.status = 404;
  await until(async () => (await healthy(two)) === 0, 'two to be unwell');
  const none = await ask(server, '/');
  assert.equal(none.statusCode, 503);
  assert.match(JSON.parse(none.text).detail, /no upstream is available/);
  one.status = 302;
  await until(async () => (await healthy(one)) === shards, 'one to be well again');
  assert.match(server.log, /info .*a service is well again/);
  assert.equal((await ask(server, '/')).text, 'one');
  const failures = `nonet_gateway_upstream_failures_total{upstream="${two.url}",kind="health"}`;
  assert.ok((await metric(server, failures)) >= 2);
});

check('a service that stalls or is gone is found unwell, too', async (t) => {
  const stalling = await Hostile.start({
    healthz: () => {},
    x: (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'),
  });
  t.after(() => stalling.stop());
  const dead = await deadPort();
  const server = await startNonet(t, {
    config: `
gateway:
  routes:
    - match: {path: "/*"}
      to:
        http: ["${stalling.url}", "http://127.0.0.1:${dead}"]
        health: {every: 100ms, timeout: 50ms}
        eject: off
`,
    listen,
  });
  await until(async () => (await statusOf(server, '/x')) === 503, 'both to be unwell');
});

// ---- ejection, retries --------------------------------------------------------------------------

check('a service that fails requests is left out for a while, and comes back', async (t) => {
  const { good, bad } = await named('good', 'bad');
  bad.status = 503;
  const server = await startNonet(t, {
    config: `
gateway:
  routes:
    - match: {path: "/*"}
      to:
        http: ["${good.url}", "${bad.url}"]
        balance: round_robin
        eject: {failures: 3, time: 300ms}
`,
    listen,
    args: ['--shards', '1'],
  });
  const statuses = [];
  for (let i = 0; i < 30; i++) statuses.push(await statusOf(server, '/'));
  assert.equal(statuses.filter((status) => status === 503).length, 3); // and no retry of an answer
  const healthy = `nonet_gateway_upstream_healthy{upstream="${bad.url}"}`;
  assert.equal(await metric(server, healthy), 0);
  assert.match(server.log, /warn .*a service fails requests/);
  await until(async () => (await metric(server, healthy)) === 1, 'it to come back');
  assert.match(server.log, /info .*a service is asked again/);
  await until(async () => (await statusOf(server, '/')) === 503, 'it to be asked');
  assert.equal(await metric(server, healthy), 0); // one failure is enough now
  bad.status = 200;
  await until(async () => (await metric(server, healthy)) === 1, 'it to come back');
  for (let i = 0; i < 6; i++) assert.equal(await statusOf(server, '/'), 200);
});

check('where all are left out, all are asked', async (t) => {
  const { only } = await named('only');
  only.status = 502;
  const server = await startNonet(t, {
    config: `
gateway:
  routes:
    - {match: {path: "/*"}, to: {http: "${only.url}", eject: {failures: 1, time: 60s}}}
`,
    listen,
  });
  for (let i = 0; i < 5; i++) assert.equal(await statusOf(server, '/'), 502);
  only.status = 200;
  assert.equal(await statusOf(server, '/'), 200);
});

check('nobody there: another service is asked, whatever the method', async (t) => {
  const { alive } = await named('alive');
  const dead = `http://127.0.0.1:${await deadPort()}`;
  const server = await startNonet(t, {
    config: `
gateway:
  routes:
    - match: {path: "/*"}
      to: {http: ["${dead}", "${alive.url}"], balance: round_robin, eject: off}
    - match: {path: "/never/*"}
      to: {http: ["${dead}", "${alive.url}"], balance: round_robin, eject: off, retry: off}
`,
    listen,
  });
  const body = Buffer.alloc(100_000, 'x');
  for (let i = 0; i < 10; i++) {
    assert.equal(await statusOf(server, '/'), 200);
    assert.equal(await statusOf(server, '/', { method: 'POST', body }), 200);
  }
  const statuses = new Set();
  for (let i = 0; i < 10; i++) statuses.add(await statusOf(server, '/never/'));
  assert.deepEqual([...statuses].sort(), [200, 502]);
});

check('retries have a budget', async (t) => {
  const dead = `http://127.0.0.1:${await deadPort()}`;
  const server = await startNonet(t, {
    config: `
gateway:
  routes:
    - match: {path: "/*"}
      to: {http: "${dead}", eject: off, retry: {attempts: 5, budget_percent: 1}}
`,
    listen,
    args: ['--shards', '1'],
  });
  const from = Date.now();
  await Promise.all(Array.from({ length: 100 }, () => statusOf(server, '/')));
  const seconds = (Date.now() - from) / 1000;
  const tried = await metric(
    server,
    `nonet_gateway_upstream_failures_total{upstream="${dead}",kind="connect"}`,
  );
  assert.ok(tried > 105 && tried <= 100 + 10 + 1 + 10 * seconds + 1, `${tried} in ${seconds} s`);
});

// ---- what is seen -------------------------------------------------------------------------------

check('the access log says who was asked, how often, and why it failed', async (t) => {
  const { alive } = await named('alive');
  const dead = `http://127.0.0.1:${await deadPort()}`;
  const server = await startNonet(t, {
    config: `
gateway:
  access_log: {path: access.ndjson}
  routes:
    - match: {path: "/*"}
      to: {http: ["${dead}", "${alive.url}"], balance: round_robin, eject: off}
    - {match: {path: /dead}, to: {http: "${dead}", eject: off, retry: off}}
`,
    listen,
    args: ['--shards', '1'],
  });
  await ask(server, '/first');
  await ask(server, '/post', { method: 'POST', body: 'abc' });
  await ask(server, '/dead');
  const file = path.join(server.dir, 'app', 'access.ndjson');
  const lines = await until(() => {
    const all = fs.readFileSync(file, 'utf8').trim().split('\n').filter(Boolean);
    return all.length === 3 && all.map((line) => JSON.parse(line));
  }, 'three lines');
  const [first, post, gone] = lines;
  assert.deepEqual([first.status, first.upstream, first.retries], [200, alive.url, 1]);
  assert.deepEqual([post.status, post.upstream, post.bytes_in], [200, alive.url, 3]);
  assert.deepEqual([gone.status, gone.upstream, gone.reason], [502, dead, 'no connection']);
  assert.ok(post.connected_us >= 0 && post.sent_us >= post.connected_us);
  assert.ok(first.connected_us >= 0 && first.sent_us >= 0);
});

// ---- reload -------------------------------------------------------------------------------------

check('a reload keeps connections, and lets go of what is not named', async (t) => {
  const { keep, gone } = await named('keep', 'gone');
  const config = (more, services) => `
gateway:
  routes:
    - {match: {path: "/*"}, to: {http: ${JSON.stringify(services)}, balance: round_robin}}
    - {match: {path: "/more"}, to: {respond: {body: "${more}"}}}
`;
  const server = await startNonet(t, {
    config: config('one', [keep.url, gone.url]),
    listen,
    args: ['--shards', '1'],
  });
  assert.deepEqual(await counts(server, '/', 4), { keep: 2, gone: 2 });
  const before = keep.connections;
  assert.match(await server.reload(config('two', [keep.url])), /reloaded/);
  assert.equal((await ask(server, '/more')).text, 'two');
  assert.deepEqual(await counts(server, '/', 4), { keep: 4 });
  assert.equal(keep.connections, before);
  await until(() => gone.sockets.size === 0, 'the idle connection to end');
  const healthy = (service) =>
    metric(server, `nonet_gateway_upstream_healthy{upstream="${service.url}"}`);
  assert.equal(await healthy(gone), undefined);
  assert.equal(await healthy(keep), 1);
  assert.match(await server.reload(config('three', [keep.url, gone.url])), /reloaded/);
  assert.equal(await healthy(gone), 1);
  assert.deepEqual(await counts(server, '/', 4), { keep: 2, gone: 2 });
});

check('reloads under load lose no request', async (t) => {
  const { a, b } = await named('a', 'b');
  const config = (services, number) => `
gateway:
  routes:
    - {match: {path: "/*"}, to: {http: ${JSON.stringify(services)}}}
    - {match: {path: "/number"}, to: {respond: {body: "${number}"}}}
`;
  const server = await startNonet(t, { config: config([a.url, b.url], 0), listen });
  let [over, served] = [false, 0];
  const clients = Array.from({ length: 8 }, async () => {
    while (!over) {
      assert.equal(await statusOf(server, '/', { method: served % 3 ? 'GET' : 'POST' }), 200);
      served++;
    }
  });
  for (let i = 1; i <= 12; i++) {
    const services = [[a.url], [b.url], [a.url, b.url]][i % 3];
    assert.match(await server.reload(config(services, i)), /reloaded/);
    await until(async () => (await ask(server, '/number')).text === String(i), 'the new table');
    const from = served;
    await until(() => served > from + 50, 'requests');
  }
  over = true;
  await Promise.all(clients);
});

check('a stream of events goes through at once, and ends with the node', async (t) => {
  let open = null;
  const service = await Honest.start((q, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.write('data: 1\n\n');
    open = response;
  });
  t.after(() => service.stop());
  const server = await startNonet(t, { config: toAll(service.url), listen });
  const response = await request(`http://${server.ports.http}/`);
  let text = '';
  const read = (async () => {
    for await (const part of response.body) text += part;
  })();
  for (let i = 2; i < 5; i++) {
    await until(() => text.endsWith(`data: ${i - 1}\n\n`), 'an event');
    open.write(`data: ${i}\n\n`);
  }
  const from = Date.now();
  const exit = await server.stop();
  await read; // whole: the client may come back
  assert.equal(exit.status, 0);
  assert.ok(Date.now() - from < 5000);
});

check('nonet status tells of each service of each route', async (t) => {
  const [one, two] = [await Honest.start(), await Honest.start()];
  t.after(() => Promise.all([one.stop(), two.stop()]));
  const dead = `http://127.0.0.1:${await deadPort()}`;
  const server = await startNonet(t, {
    config: `
gateway:
  routes:
    - {name: a, match: {path: "/a"}, to: {http: ["${one.url}", "${two.url}"], mirror: "${two.url}"}}
    - {name: b, match: {path: "/b"}, to: {http: "${one.url}"}}
    - {name: c, match: {path: "/c"}, to: {http: "${dead}", retry: off}}
`,
    listen,
  });
  await request(`http://${server.ports.http}/c`).then(({ body }) => body.dump());
  const status = async (...more) => {
    const { stdout, stderr, status } = await run(['status', '--server', server.url, ...more]);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const { upstreams } = JSON.parse(await status('--json')).gateway;
  assert.deepEqual(
    upstreams.map(({ route, url, state }) => [route, url, state]),
    [
      ['a', one.url, 'in service'],
      ['a', two.url, 'in service'],
      ['a', two.url, 'mirror'],
      ['b', one.url, 'in service'],
      ['c', dead, 'in service'],
    ],
  );
  if (SHARDS === '1') assert.equal(upstreams[4].connect_failures, 1);
  const line = new RegExp(`^gateway\\.upstreams +route=b url=${one.url} state="in service" `, 'm');
  assert.match(await status(), line);
});

// ---- upgrades -----------------------------------------------------------------------------------

async function webSockets(t) {
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/chat' });
  await new Promise((resolve) => sockets.once('listening', resolve));
  sockets.on('connection', (socket, q) => {
    socket.send(`hello ${q.headers['x-forwarded-for']}`);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  t.after(() => {
    sockets.clients.forEach((client) => client.terminate());
    sockets.close();
  });
  return `http://127.0.0.1:${sockets.address().port}`;
}

const heard = (socket) =>
  new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve(data));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });

check('a WebSocket goes through, outlives a reload, and ends with the node', async (t) => {
  const url = await webSockets(t);
  const config = (word) => `
gateway:
  routes:
    - {match: {path: "/chat"}, to: {http: "${url}"}}
    - {match: {path: "/no"}, to: {http: "${url}"}}
    - {match: {path: "/word"}, to: {respond: {body: ${word}}}}
`;
  const server = await startNonet(t, { config: config('one'), listen });
  const socket = new WebSocket(`ws://${server.ports.http}/chat`, { perMessageDeflate: true });
  assert.equal(String(await heard(socket)), 'hello 127.0.0.1');
  const large = Buffer.alloc(3_000_000, 'abc');
  socket.send(large);
  assert.ok(large.equals(await heard(socket)));
  assert.match(await server.reload(config('two')), /reloaded/);
  assert.equal((await ask(server, '/word')).text, 'two');
  socket.send('still here');
  assert.equal(String(await heard(socket)), 'still here');
  // A wish that is not granted is an answer like any other.
  const refused = new WebSocket(`ws://${server.ports.http}/no`);
  const status = await new Promise((resolve) => {
    refused.on('unexpected-response', (q, response) => resolve(response.statusCode));
    refused.on('error', () => {});
  });
  assert.equal(status, 400);
  refused.terminate();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.close(1000);
  await closed;
  const other = new WebSocket(`ws://${server.ports.http}/chat`);
  await heard(other);
  const cut = new Promise((resolve) => other.once('close', resolve));
  const exit = await server.stop();
  assert.equal(exit.status, 0);
  await cut;
});

check('any other protocol goes through both ways, each side with its own end', async (t) => {
  const peers = [];
  const service = net.createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const before = text.includes('\r\n\r\n');
      text += bytes.toString('latin1');
      if (!before && text.includes('\r\n\r\n')) {
        peers.push({ socket, head: text });
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: Telegraph\r\n' +
            'X-Line: 1\r\nX-Hop: 1\r\nConnection: x-hop\r\n\r\nready\n',
        );
      } else if (before) socket.write(bytes.toString('latin1').toUpperCase());
    });
    socket.on('end', () => {
      socket.write('last words');
      socket.end();
    });
  });
  await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    service.close();
    peers.forEach((peer) => peer.socket.destroy());
  });
  const url = `http://127.0.0.1:${service.address().port}`;
  const server = await startNonet(t, {
    config: toAll(url),
    listen,
  });
  const wish = (protocol, more = 'X-Request-Id: w-1\r\n') =>
    `GET /wire HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n${more}\r\n`;
  const client = await Client.open(t, server);
  client.send(wish('h2c, telegraph') + 'early ');
  await until(() => client.heard.includes('ready\n'), '101');
  assert.match(client.heard, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assert.match(client.heard, /\r\nUpgrade: Telegraph\r\n/);
  assert.match(client.heard, /\r\nX-Line: 1\r\n/);
  assert.match(client.heard, /\r\nX-Request-Id: w-1\r\n/);
  assert.doesNotMatch(client.heard, /X-Hop/);
  assert.match(peers[0].head, /\r\nConnection: upgrade\r\nUpgrade: telegraph\r\n/i);
  client.send('late');
  await until(() => client.heard.endsWith('EARLY LATE'), 'both');
  client.socket.end();
  await until(() => client.ended, 'the end of the service');
  assert.ok(client.heard.endsWith('EARLY LATElast words'));
  // One side is lost: so is the other.
  const second = await Client.open(t, server);
  second.send(wish('telegraph'));
  await until(() => second.heard.includes('ready\n'), '101');
  peers[1].socket.resetAndDestroy();
  await until(() => second.ended || second.closed, 'the end');
});

check('HTTP/2 and TLS cannot be smuggled past the routes by an upgrade', async (t) => {
  const { plain } = await named('plain');
  const server = await startNonet(t, {
    config: toAll(plain.url),
    listen,
  });
  for (const protocol of ['h2c', 'TLS/1.0', 'HTTP/2.0', 'H2C, tls/1.2']) {
    const client = await Client.open(t, server);
    client.send(
      `GET / HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade, HTTP2-Settings\r\n` +
        `Upgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
    );
    await until(() => client.ended, 'the answer');
    assert.match(client.heard, /^HTTP\/1\.1 200 [^]*plain$/);
    const { headers } = plain.asked.at(-1);
    assert.equal(headers.upgrade, undefined);
    assert.equal(headers['http2-settings'], undefined);
  }
});

check('a protocol that was not asked for is no answer', async (t) => {
  const liar = await Hostile.start({
    x: (socket) =>
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n',
      ),
  });
  t.after(() => liar.stop());
  const server = await startNonet(t, {
    config: toAll(liar.url, ', eject: off'),
    listen,
  });
  for (const wish of ['', 'Connection: upgrade\r\nUpgrade: mine\r\n']) {
    const client = await Client.open(t, server);
    client.send(`GET /x HTTP/1.1\r\nHost: x\r\n${wish}\r\n`);
    await until(() => client.heard.includes('\r\n\r\n'), 'the answer');
    assert.match(client.heard, /^HTTP\/1\.1 502 /);
  }
});

check('a tunnel pushes back on whoever is too fast', async (t) => {
  const counter = { sent: 0 };
  const service = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: pour\r\n\r\n');
      const block = Buffer.alloc(65536);
      const more = () => {
        do counter.sent += block.length;
        while (socket.write(block));
      };
      socket.on('drain', more);
      more();
    });
  });
  await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
  const server = await startNonet(t, {
    config: toAll(`http://127.0.0.1:${service.address().port}`),
    listen,
  });
  const client = await Client.open(t, server);
  client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: pour\r\n\r\n');
  await until(() => client.heard.length > 0, '101');
  client.socket.pause();
  for (let last = -1; last !== counter.sent; await sleep(300)) last = counter.sent;
  assert.ok(counter.sent < 64 << 20, `${counter.sent} bytes were taken`);
  const before = counter.sent;
  client.socket.resume();
  await until(() => counter.sent > before + (64 << 20), 'it to go on', 20_000);
  client.socket.destroy();
  await new Promise((resolve) => service.close(resolve));
});

// ---- mirror -------------------------------------------------------------------------------------

check('a service on trial gets copies, and nobody waits for it', async (t) => {
  const { real } = await named('real');
  const trial = await Honest.start((q, response, body) => {
    q.body = body.toString();
    response.writeHead(500).end('trial');
  });
  t.after(() => trial.stop());
  const config = (mirror) => `
gateway:
  routes:
    - match: {path: "/*"}
      rewrite: "/v2/{*}"
      to: {http: "${real.url}", mirror: "${mirror}"}
`;
  const server = await startNonet(t, { config: config(trial.url), listen });
  assert.equal((await ask(server, '/a?b')).text, 'real');
  await until(() => trial.asked.length === 1, 'a copy');
  assert.equal(trial.asked[0].url, '/v2/a?b');
  assert.equal(trial.asked[0].headers.host, `127.0.0.1:${trial.port}`);
  for (const [body, copied] of [
    ['small', 'small'],
    [Buffer.alloc(60_000, 'm'), 'm'.repeat(60_000)],
    ['', ''],
  ]) {
    const before = trial.asked.length;
    assert.equal((await ask(server, '/p', { method: 'POST', body })).text, 'real');
    await until(() => trial.asked.length === before + 1, 'a copy');
    assert.equal(trial.asked.at(-1).method, 'POST');
    assert.equal(trial.asked.at(-1).body, copied);
  }
  const before = trial.asked.length;
  const large = Buffer.alloc(100_000, 'l');
  assert.equal((await ask(server, '/p', { method: 'POST', body: large })).text, 'real');
  assert.equal((await ask(server, '/a')).text, 'real');
  await until(() => trial.asked.length > before, 'the next copy');
  assert.equal(trial.asked.at(-1).method, 'GET');
  assert.equal(trial.asked.length, before + 1);
  const dead = `http://127.0.0.1:${await deadPort()}`;
  assert.match(await server.reload(config(dead)), /reloaded/);
  for (let i = 0; i < 20; i++) assert.equal((await ask(server, '/a')).text, 'real');
});

// ---- TLS ----------------------------------------------------------------------------------------

const dir = temporaryFolder();
const file = (name) => path.join(dir, name);
const read = (name) => fs.readFileSync(file(name));

function openssl(...args) {
  execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

function authority(name) {
  const out = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
  openssl('req', '-x509', ...EC, '-subj', `/CN=${name}`, ...out);
}

function certificate(name, by, san) {
  openssl('req', ...EC, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  fs.writeFileSync(file(`${name}.ext`), `subjectAltName=${san}\n`);
  openssl(
    ...['x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.pem`, '-CAkey', `${by}.key`],
    ...['-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`],
  );
}

check('services are spoken to in TLS, and checked', async (t) => {
  authority('ours');
  authority('others');
  certificate('inner', 'ours', 'DNS:inner.test,IP:127.0.0.1');
  certificate('gate', 'ours', 'DNS:gate');
  const names = [];
  const service = https.createServer(
    {
      key: read('inner.key'),
      cert: read('inner.pem'),
      ca: read('ours.pem'),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (q, response) => {
      names.push(q.socket.servername);
      response.end(`${q.socket.authorized ? q.socket.getPeerCertificate().subject.CN : 'nobody'}`);
    },
  );
  let connections = 0;
  service.on('secureConnection', () => connections++);
  await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    service.closeAllConnections();
    service.close();
  });
  const url = `https://127.0.0.1:${service.address().port}`;
  const config = (ca) => `
gateway:
  routes:
    - {match: {path: /checked}, to: {http: "${url}", tls: {ca: ca.pem}, eject: off}}
    - {match: {path: /named}, to: {http: "${url}", tls: {ca: ca.pem, server_name: inner.test}}}
    - match: {path: /other}
      to: {http: "${url}", tls: {ca: ca.pem, server_name: other.test}, eject: off}
    - {match: {path: /system}, to: {http: "${url}", eject: off}}
    - {match: {path: /unchecked}, to: {http: "${url}", tls: {verify: false}}}
    - match: {path: /client}
      to: {http: "${url}", tls: {ca: ca.pem, cert: gate.pem, key: gate.key}}
`;
  const files = {
    'ca.pem': read('ours.pem'),
    'gate.pem': read('gate.pem'),
    'gate.key': read('gate.key'),
  };
  const server = await startNonet(t, { config: config(), files, listen, args: ['--shards', '1'] });
  const [good, text] = [200, 'nobody'];
  for (const [target, status, body] of [
    ['/checked', good, text],
    ['/named', good, text],
    ['/other', 502],
    ['/system', 502],
    ['/unchecked', good, text],
    ['/client', good, 'gate'],
  ]) {
    const answer = await ask(server, target);
    assert.equal(answer.statusCode, status, target);
    if (body) assert.equal(answer.text, body, target);
  }
  assert.equal(names[1], 'inner.test');
  // The same files: the same connections. Another authority: new ones, and a refusal.
  const before = connections;
  assert.match(await server.reload(config()), /reloaded/);
  assert.equal(await statusOf(server, '/checked'), 200);
  assert.equal(connections, before);
  server.options.files['ca.pem'] = read('others.pem');
  assert.match(await server.reload(config()), /reloaded/);
  assert.equal(await statusOf(server, '/checked'), 502);
  delete server.options.files['ca.pem'];
  fs.rmSync(path.join(server.dir, 'app', 'ca.pem'));
  assert.match(await server.reload(config()), /refused/);
  assert.equal(await statusOf(server, '/unchecked'), 200);
});

// Services whose URLs have names: asked of a DNS server of this file, again when the answer's time
// is over. Addresses come and go under load, DNS fails, names do not exist yet.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import http from 'node:http';
import { after } from 'node:test';
import dnsPacket from 'dns-packet';
import { Agent, request } from 'undici';
import { check, run, SHARDS, startNonet, until } from './lib/node.mjs';
import { Client } from './lib/service.mjs';

const listen = { http: 0 };
const agent = new Agent({ connections: 64, pipelining: 1 });
after(() => agent.close());

async function ask(server, target = '/', options = {}) {
  const response = await request(`http://${server.ports.http}${target}`, {
    dispatcher: agent,
    ...options,
  });
  return { status: response.statusCode, text: await response.body.text() };
}

// A DNS server: `records` by name, each {addresses, ttl}; a name without is NXDOMAIN.
class Dns {
  static async start(t) {
    const dns = new Dns();
    Object.assign(dns, { records: {}, asked: {}, silent: false, port: 0 });
    await dns.open();
    t.after(() => dns.close());
    return dns;
  }

  async open() {
    this.socket = dgram.createSocket('udp4', (bytes, from) => this.answer(bytes, from));
    await new Promise((resolve) => this.socket.bind(this.port, '127.0.0.1', resolve));
    this.port = this.socket.address().port;
  }

  close() {
    this.socket?.close();
    this.socket = null;
  }

  answer(bytes, from) {
    const query = dnsPacket.decode(bytes);
    const { name, type } = query.questions[0];
    const found = this.records[name.toLowerCase()];
    this.asked[name] = (this.asked[name] ?? 0) + 1;
    if (this.silent) return;
    const answers = (found?.addresses ?? [])
      .filter((address) => type === (address.includes(':') ? 'AAAA' : 'A'))
      .map((data) => ({ type, name, ttl: found.ttl ?? 1, data }));
    const flags = dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | (found ? 0 : 3);
    const packet = { type: 'response', id: query.id, flags, questions: query.questions, answers };
    this.socket.send(dnsPacket.encode(packet), from.port, from.address);
  }
}

// Services that answer with their address, all on one port. `slow` holds answers that are not yet
// given.
async function services(t, ...addresses) {
  const all = [];
  let port = 0;
  for (const address of addresses) {
    const service = { address, sockets: new Set(), asked: 0, slow: [] };
    service.server = http.createServer({ keepAliveTimeout: 60_000 }, (q, response) => {
      service.asked++;
      if (q.url === '/slow') service.slow.push(response);
      else response.end(address);
    });
    service.server.on('connection', (socket) => {
      service.sockets.add(socket);
      socket.on('close', () => service.sockets.delete(socket));
    });
    await new Promise((resolve, reject) =>
      service.server.once('error', reject).listen(port, address, resolve),
    );
    port = service.server.address().port;
    t.after(() => {
      service.server.close();
      service.sockets.forEach((socket) => socket.destroy());
    });
    all.push(service);
  }
  return [port, ...all];
}

const config = (dns, port, more = '') => `
gateway:
  resolver: "127.0.0.1:${dns.port}"
  routes:
    - {match: {path: "/*"}, to: {http: "http://shop.test:${port}"${more}}}
`;

// Requests without a pause until stopped; what has come back is in `counts`, by text, and `bad`.
function load(server, width = 16) {
  const state = { counts: {}, bad: [], done: false };
  const one = async () => {
    while (!state.done) {
      const { status, text } = await ask(server).catch((e) => ({ status: 0, text: e.message }));
      if (status === 200) state.counts[text] = (state.counts[text] ?? 0) + 1;
      else state.bad.push(`${status} ${text}`);
    }
  };
  const all = Array.from({ length: width }, one);
  state.stop = async () => {
    state.done = true;
    await Promise.all(all);
    return state;
  };
  return state;
}

async function statusOf(server) {
  const { stdout } = await run(['status', '--json', '--server', server.url]);
  return JSON.parse(stdout).rooms?.gateway ?? JSON.parse(stdout).gateway;
}

const nameOf = async (server) => (await statusOf(server)).names['shop.test'];

check('addresses come and go under load, and no request is lost', async (t) => {
  const dns = await Dns.start(t);
  const [port, two, three] = await services(t, '127.0.0.2', '127.0.0.3');
  dns.records['shop.test'] = { addresses: ['127.0.0.2'] };
  const server = await startNonet(t, { config: config(dns, port), listen });
  const running = load(server);
  await until(() => running.counts['127.0.0.2'] > 100, 'the first address');
  const slow = ask(server, '/slow');
  await until(() => two.slow.length === 1, 'a slow request');

  dns.records['shop.test'] = { addresses: ['127.0.0.3', '127.0.0.2'] };
  await until(() => running.counts['127.0.0.3'] > 100, 'a second address');
  const before = running.counts['127.0.0.2'];
  await until(() => running.counts['127.0.0.2'] > before + 100, 'the first one, too');

  dns.records['shop.test'] = { addresses: ['127.0.0.3'] };
  await until(() => two.sockets.size === 1, 'the end of all connections but the slow one');
  const at = running.counts['127.0.0.3'];
  await until(() => running.counts['127.0.0.3'] > at + 100, 'the other address alone');
  const { counts, bad } = await running.stop();
  assert.deepEqual(bad, []);
  assert.equal(counts['127.0.0.2'] + counts['127.0.0.3'], two.asked - 1 + three.asked);

  two.slow[0].end('at last');
  assert.deepEqual(await slow, { status: 200, text: 'at last' });
  await until(() => two.sockets.size === 0, 'the end of the slow connection');
  const asked = two.asked;
  for (let i = 0; i < 20; i++) assert.equal((await ask(server)).text, '127.0.0.3');
  assert.equal(two.asked, asked);
  const known = { state: 'known', addresses: ['127.0.0.3'], ttl_s: 1 };
  assert.deepEqual(await nameOf(server), known);
});

check('a tunnel through an address that goes stays open', async (t) => {
  const dns = await Dns.start(t);
  const [port, two] = await services(t, '127.0.0.2', '127.0.0.3');
  two.server.on('upgrade', (q, socket) => {
    socket.write('HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  dns.records['shop.test'] = { addresses: ['127.0.0.2'] };
  const server = await startNonet(t, { config: config(dns, port), listen });
  const client = await Client.open(t, server);
  client.send('GET /echo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
  await until(() => client.heard.includes('\r\n\r\n'), 'the tunnel');
  dns.records['shop.test'] = { addresses: ['127.0.0.3'] };
  await until(async () => (await ask(server)).text === '127.0.0.3', 'the other address');
  client.send('still here');
  await until(() => client.heard.endsWith('still here'), 'the echo');
});

check('when DNS dies the last addresses go on, and it is said once', async (t) => {
  const dns = await Dns.start(t);
  const [port, , three] = await services(t, '127.0.0.2', '127.0.0.3');
  dns.records['shop.test'] = { addresses: ['127.0.0.2'] };
  const server = await startNonet(t, { config: config(dns, port), listen });
  const running = load(server, 4);
  await until(() => running.counts['127.0.0.2'] > 10, 'an answer');
  dns.close();
  const stale = await until(async () => {
    const name = await nameOf(server);
    return name.state === 'stale' && name;
  }, 'a stale name');
  assert.deepEqual(stale.addresses, ['127.0.0.2']);
  assert.match(stale.reason, /DNS servers/);
  const at = running.counts['127.0.0.2'];
  await until(() => running.counts['127.0.0.2'] > at + 100, 'more answers');
  dns.records['shop.test'] = { addresses: ['127.0.0.3'] };
  await dns.open();
  await until(() => three.asked > 10, 'the new address', 30_000);
  assert.deepEqual((await running.stop()).bad, []);
  const warned = server.log.match(/its last addresses go on/g).length;
  assert.ok(warned <= Number(SHARDS), `${warned} warnings`);
  await until(async () => (await nameOf(server)).state === 'known', 'a known name');
  assert.match(server.log, /resolved again/);
});

check('a name that does not exist yet, or is asked in vain, and then appears', async (t) => {
  const dns = await Dns.start(t);
  const [port] = await services(t, '127.0.0.2');
  const server = await startNonet(t, { config: config(dns, port), listen });
  const first = await ask(server); // waits for the first answer
  assert.equal(first.status, 503);
  assert.match(JSON.parse(first.text).detail, /cannot be resolved/);
  const { state, addresses, reason } = await nameOf(server);
  assert.deepEqual({ state, addresses }, { state: 'unknown', addresses: [] });
  assert.match(reason, /no such name/);
  dns.records['shop.test'] = { addresses: ['127.0.0.2'] };
  await until(async () => (await ask(server)).status === 200, 'the name', 30_000);
});

check('requests of the first moment wait for DNS, and none is refused', async (t) => {
  const dns = await Dns.start(t);
  const [port] = await services(t, '127.0.0.2');
  dns.silent = true;
  dns.records['shop.test'] = { addresses: ['127.0.0.2'] };
  const server = await startNonet(t, { config: config(dns, port), listen });
  const waiting = Array.from({ length: 20 }, () => ask(server));
  await until(() => dns.asked['shop.test'] > 0, 'a question');
  dns.silent = false; // it is asked once more
  for (const { status, text } of await Promise.all(waiting))
    assert.deepEqual([status, text], [200, '127.0.0.2']);
});

check('a reload takes another resolver, and keeps the names it has', async (t) => {
  const [old, dns] = [await Dns.start(t), await Dns.start(t)];
  const [port] = await services(t, '127.0.0.2', '127.0.0.3');
  old.records['shop.test'] = { addresses: ['127.0.0.2'], ttl: 300 };
  dns.records['shop.test'] = { addresses: ['127.0.0.3'], ttl: 300 };
  const server = await startNonet(t, { config: config(old, port), listen });
  assert.equal((await ask(server)).text, '127.0.0.2');
  const asked = old.asked['shop.test'];
  await server.reload(config(old, port, ', timeout: 9s'));
  assert.equal((await ask(server)).text, '127.0.0.2');
  assert.equal(old.asked['shop.test'], asked);
  await server.reload(config(dns, port));
  await until(async () => (await ask(server)).text === '127.0.0.3', 'the other answer');
});

check('localhost and the names of /etc/hosts need no server', async (t) => {
  const [port] = await services(t, '127.0.0.1');
  const server = await startNonet(t, {
    config: `
gateway:
  resolver: "127.0.0.1:1"
  routes:
    - {match: {path: "/*"}, to: {http: "http://localhost:${port}"}}
`,
    listen,
  });
  for (let i = 0; i < 5; i++) assert.equal((await ask(server)).text, '127.0.0.1');
});

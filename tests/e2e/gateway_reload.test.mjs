// Reload after reload under load: no request fails, no WebSocket and no event stream closes, and
// nothing that was said on them is lost.
//
//     GATEWAY_REQUESTS=100000 node --test gateway_reload.test.mjs
//
// Every reload brings other routes, other services behind them, other keys, and with TLS the other
// certificate. Requests go on all the while; between two reloads each WebSocket has a message
// echoed and each event stream hears a tick.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import tls from 'node:tls';
import { Agent, request } from 'undici';
import WebSocket, { WebSocketServer } from 'ws';
import { Certificates } from './lib/certificates.mjs';
import { onNonet, until } from './lib/node.mjs';
import { Honest } from './lib/service.mjs';
import { EventStream } from './lib/sse.mjs';

const REQUESTS = Number(process.env.GATEWAY_REQUESTS ?? 20_000);
const CONNECTIONS = 32;
const SOCKETS = 200; // through the proxy, as many to subjects, as many event streams
const RELOADS = 50;
const STEADY_KEY = 'a-key-that-stays';
const LARGE = 'x'.repeat(20_000);

const certificates = new Certificates();
certificates.authority('authority');
certificates.signed('first', 'authority', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
certificates.signed('second', 'authority', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
const ca = certificates.read('authority.pem');

// ---- what stands behind the gateway -------------------------------------------------------------

const tellLength = (q, response, body) => response.end(`${q.url} ${body.length}`);
const services = [];
for (let i = 0; i < 3; i++) services.push(await Honest.start(tellLength));

async function startEcho() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return server;
}
const echoes = [await startEcho(), await startEcho()];
const urlOfEcho = (server) => `http://127.0.0.1:${server.address().port}`;

after(() => {
  services.forEach((service) => service.stop());
  echoes.forEach((echo) => {
    echo.clients.forEach((client) => client.terminate());
    echo.close();
  });
});

// ---- the config, different each time ------------------------------------------------------------

const certificateOf = (n) => (n % 2 ? 'second' : 'first');
const keyOf = (n) => `a-key-of-reload-${n}`;
const wordOf = (n) => `word of ${n}`;

function config(n, secure) {
  const two = [services[n % 3].url, services[(n + 1) % 3].url];
  const balance = ['least_requests', 'round_robin', 'hash'][n % 3];
  const by = balance === 'hash' ? ', hash_header: X-Number' : '';
  const more = Array.from(
    { length: n % 7 },
    (_, i) => `    - {match: {path: "/of/${n}/${i}"}, to: {respond: {body: more}}, auth: none}\n`,
  );
  const name = certificateOf(n);
  return `
${secure ? `listen: {http: {tls: {cert: ${name}.pem, key: ${name}.key}}}` : ''}
gateway:
  auth:
    keys:
      api_keys:
        keys:
          - {name: steady, key: ${STEADY_KEY}}
          - {name: changing, key: ${keyOf(n)}}
  routes:
${more.join('')}
    - {match: {path: /word}, to: {respond: {body: "${wordOf(n)}"}}, auth: keys}
    - match: {path: "/served/*"}
      to: {http: ["${two.join('", "')}"], balance: ${balance}${by}}
      auth: none
    - {match: {path: /echo}, to: {http: "${urlOfEcho(echoes[n % 2])}"}, auth: none}
    - match: {path: "/rooms/{room}"}
      to: {websocket: {subscribe: "room.{room}", publish: "room.{room}"}}
      auth: none
    - {match: {path: /ticks}, to: {sse: tick}, auth: none}
`;
}

// ---- the load -----------------------------------------------------------------------------------

// A WebSocket that says one thing at a time and is told it.
class Socket {
  static async open(t, url) {
    const socket = new Socket();
    Object.assign(socket, { said: 0, closed: false, url });
    socket.ws = new WebSocket(url, { ca, perMessageDeflate: false });
    t.after(() => socket.ws.terminate());
    socket.ws.on('message', (data) => socket.heard(data.toString()));
    socket.ws.on('close', () => (socket.closed = true));
    await new Promise((resolve, reject) => {
      socket.ws.once('open', resolve).once('error', reject);
    });
    socket.ws.on('error', () => {});
    return socket;
  }

  // The number of wrong or unasked messages is all that is kept of them.
  heard(text) {
    if (text !== this.expected) this.wrong = text;
    this.expected = undefined;
  }

  say() {
    this.said++;
    this.expected = `${this.url} ${this.said}`;
    this.ws.send(this.expected);
  }

  get silent() {
    return this.expected === undefined;
  }
}

class Load {
  constructor(server, secure) {
    Object.assign(this, { server, secure, answered: 0, stopped: false, failures: [] });
    this.origin = `${secure ? 'https' : 'http'}://${server.ports.http}`;
    this.agent = new Agent({ connections: CONNECTIONS, pipelining: 1, connect: { ca } });
    this.cut = 0; // connections that ended while we used them
    this.agent.on('disconnect', () => (this.cut += this.stopped ? 0 : 1));
  }

  // Requests until TOTAL are answered or it is stopped; what goes wrong is kept, and it goes on.
  async run(total) {
    const client = async (number) => {
      for (let n = 0; this.answered < total && !this.stopped; n++) {
        const failure = await this.ask(number, n).catch((error) => error.message);
        if (failure) this.failures.push(failure);
        this.answered++;
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, number) => client(number)));
  }

  // One of three kinds of request; gives what is wrong with its answer.
  async ask(client, n) {
    if (n % 3 === 0) {
      const { status, text } = await this.get('/word', { 'x-api-key': STEADY_KEY });
      return status === 200 && /^word of \d+$/.test(text) ? null : `${status} ${text}`;
    }
    const target = `/served/${client}/${n}`;
    const body = n % 3 === 1 ? undefined : LARGE;
    const options = { body, method: body ? 'POST' : 'GET', headers: { 'x-number': `${n}` } };
    const { status, text } = await this.get(target, options.headers, options);
    return text === `${target} ${body?.length ?? 0}` ? null : `${target}: ${status} ${text}`;
  }

  async get(target, headers, options = {}) {
    const all = { ...options, headers, dispatcher: this.agent };
    const response = await request(this.origin + target, all);
    return { status: response.statusCode, text: await response.body.text() };
  }

  async openSockets(t, count) {
    const ws = this.origin.replace('http', 'ws');
    const some = (of) => Promise.all(Array.from({ length: count }, (_, i) => of(i)));
    this.sockets = [
      ...(await some(() => Socket.open(t, `${ws}/echo`))),
      ...(await some((i) => Socket.open(t, `${ws}/rooms/${i}`))),
    ];
    const dispatcher = new Agent({ connect: { ca }, bodyTimeout: 0 });
    t.after(() => dispatcher.destroy());
    this.streams = await some(() => EventStream.open(t, `${this.origin}/ticks`, { dispatcher }));
    this.nats = await this.server.connect(t);
    this.ticks = 0;
    // A subscription is known on all shards a moment after its answer began: the first tick that
    // a stream hears is where it begins.
    await until(() => {
      this.nats.publish('tick', `${++this.ticks}`);
      return this.streams.every((stream) => stream.events.length > 0);
    }, 'a first tick');
    await until(
      () => this.streams.every((s) => s.events.at(-1).data === `${this.ticks}`),
      'all ticks',
    );
    this.streams.forEach((stream) => stream.events.splice(0));
    this.ticksBefore = this.ticks;
  }

  // Every socket says something and is told it, every stream hears one more tick.
  async round() {
    this.sockets.forEach((socket) => socket.say());
    this.nats.publish('tick', `${++this.ticks}`);
    const heard = ({ events }) => events.length === this.ticks - this.ticksBefore;
    await until(
      () => this.sockets.every((socket) => socket.silent) && this.streams.every(heard),
      'echoes and ticks',
      20_000,
    );
  }

  check() {
    assert.deepEqual(this.failures.slice(0, 5), [], `${this.failures.length} requests failed`);
    assert.equal(this.cut, 0, `${this.cut} connections were cut`);
    for (const { url, closed, wrong } of this.sockets) {
      assert.ok(!closed, `${url} closed`);
      assert.equal(wrong, undefined, `${url} heard what it did not say`);
    }
    const expected = Array.from(
      { length: this.ticks - this.ticksBefore },
      (_, i) => `${this.ticksBefore + 1 + i}`,
    );
    for (const { events, ended } of this.streams) {
      assert.equal(ended, null);
      assert.deepEqual(
        events.map(({ data }) => data),
        expected,
      );
    }
  }
}

async function reload(load, n) {
  const { server, secure } = load;
  assert.match(await server.reload(config(n, secure)), /reloaded/);
  const word = (key) => load.get('/word', { 'x-api-key': key });
  // Each loop takes it up by itself, so connections may differ for a moment.
  await until(async () => (await word(STEADY_KEY)).text === wordOf(n), `word ${n}`);
  await until(async () => (await word(keyOf(n))).status === 200, `key ${n}`);
  await until(async () => (await word(keyOf(n - 1))).status === 401, `no key ${n - 1}`);
}

// The name in the certificate that a new connection is shown.
function shown(server) {
  const [host, port] = server.ports.http.split(':');
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port: Number(port), ca }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

async function underLoad(t, server, { secure, total, sockets, reloads }) {
  const load = new Load(server, secure);
  t.after(() => load.agent.destroy());
  await load.openSockets(t, sockets);
  const begun = performance.now();
  const running = load.run(total);
  for (let n = 1; n <= reloads; n++) {
    await until(() => load.answered >= ((n - 1) * total) / reloads, 'requests', 60_000);
    await reload(load, n);
    if (secure) assert.equal(await shown(server), certificateOf(n));
    await load.round();
  }
  await running;
  load.stopped = true;
  load.check();
  const seconds = (performance.now() - begun) / 1000;
  t.diagnostic(
    `${load.answered} requests on ${CONNECTIONS} connections, ${reloads} reloads, ` +
      `${load.sockets.length} WebSockets with ${load.sockets[0].said} echoes each, ` +
      `${load.streams.length} event streams with ${load.ticks - load.ticksBefore} ticks each, ` +
      `in ${seconds.toFixed(1)} s: nothing lost`,
  );
}

onNonet('reload under load', { config: config(0, false), listen: { http: 0 } }, (it) => {
  it('loses no request, no message and no connection', async (t, server) => {
    const load = { secure: false, total: REQUESTS, sockets: SOCKETS, reloads: RELOADS };
    await underLoad(t, server, load);
  });

  it('a bad file is refused whole, and the old one serves on', async (t, server) => {
    const load = new Load(server, false);
    t.after(() => load.agent.destroy());
    await load.openSockets(t, 10);
    await reload(load, 1000);
    const mistakes = [
      '      to: {http: []}',
      '      to: {sse: "a..b"}',
      '      nonsense: 1',
      '\t- x',
    ];
    for (const mistake of mistakes) {
      const bad = config(1001, false).replace(
        '  routes:\n',
        `  routes:\n    - match: {path: /b}\n${mistake}\n`,
      );
      assert.match(await server.reload(bad), /refused/);
      await load.round();
      const { text } = await load.get('/word', { 'x-api-key': STEADY_KEY });
      assert.equal(text, wordOf(1000));
      assert.equal((await load.get('/word', { 'x-api-key': keyOf(1001) })).status, 401);
    }
    load.check();
  });
});

onNonet(
  'reload under load, with TLS',
  {
    config: config(0, true),
    files: certificates.files('first', 'second'),
    listen: { http: 0 },
  },
  (it) => {
    it('takes up certificates, too', async (t, server) => {
      const load = { secure: true, total: REQUESTS / 10, sockets: SOCKETS / 10, reloads: 20 };
      await underLoad(t, server, load);
    });

    it('a certificate that is not there is refused, the old one shown', async (t, server) => {
      await server.reload(config(1, true));
      await until(async () => (await shown(server)) === 'second', 'the second one');
      const bad = config(2, true).replace('cert: first.pem', 'cert: third.pem');
      assert.match(await server.reload(bad), /refused/);
      assert.equal(await shown(server), 'second');
    });
  },
);

// NATS over WebSocket, as clients in browsers speak it: the official client, raw frames, a real
// browser; whose pages may connect; TLS; and what happens to who does not read.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { wsconnect } from '@nats-io/nats-core';
import WebSocket from 'ws';
import { findChromium, Page } from './lib/browser.mjs';
import { Certificates } from './lib/certificates.mjs';
import {
  inPlace,
  run,
  runDropIn,
  startInPlace,
  startNonet,
  temporaryFolder,
  until,
} from './lib/node.mjs';

globalThis.WebSocket ??= WebSocket; // Node.js before 22 has none of its own

const PLAIN = 'websocket { listen: "127.0.0.1:-1", no_tls: true }\n';
const withConf = (conf, more = {}) => ({
  files: { 'nats.conf': conf, ...more },
  args: ['-c', 'nats.conf', '-m', '-1'],
});

// An official client over WebSocket, closed when T ends.
async function connectWeb(t, server, options = {}) {
  const servers = `ws://${server.ports.websocket}`;
  const nc = await wsconnect({ servers, reconnect: false, ...options });
  t.after(() => nc.close());
  return nc;
}

// A WebSocket whose frames are joined in `text`.
async function openRaw(t, server, options = {}) {
  const socket = new WebSocket(`ws://${server.ports.websocket}/`, options);
  t.after(() => socket.terminate());
  socket.text = '';
  socket.on('message', (data, isBinary) => {
    socket.binary = isBinary;
    socket.text += data.toString('latin1');
  });
  socket.on('close', (code) => (socket.code = code));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve).once('error', reject);
  });
  return socket;
}

inPlace('the official client publishes, subscribes and asks', async (t, start) => {
  const server = await start(withConf(PLAIN));
  const web = await connectWeb(t, server);
  const tcp = await server.connect(t);
  const got = [];
  web.subscribe('a.>', { callback: (error, m) => got.push([m.subject, m.data.length]) });
  web.subscribe('twice', { callback: (error, m) => m.respond(`${m.string()}${m.string()}`) });
  await web.flush();
  for (let i = 0; i < 3000; i++) tcp.publish(`a.${i}`, Buffer.alloc(i % 700));
  tcp.publish('a.large', Buffer.alloc(900_000));
  await until(() => got.length === 3001, 'all messages');
  assert.deepEqual(got[1234], ['a.1234', 1234 % 700]);
  assert.deepEqual(got[3000], ['a.large', 900_000]);
  assert.equal((await tcp.request('twice', 'ab')).string(), 'abab');
  const heard = [];
  tcp.subscribe('b', { callback: (error, m) => heard.push(m.data.length) });
  await tcp.flush();
  for (let i = 0; i < 300; i++) web.publish('b', Buffer.alloc(i * 100));
  web.publish('b', Buffer.alloc(1_000_000));
  await web.flush();
  await until(() => heard.length === 301, 'all messages the other way');
  await assert.rejects(web.request('nobody', ''), /no responders/i);
  const { connections } = await server.page('connz');
  assert.deepEqual(connections.map((c) => c.type).sort(), ['nats', 'websocket']);
});

inPlace('streams work through it', async (t, start) => {
  const server = await start(withConf(`${PLAIN}jetstream { store_dir: store }\n`));
  const jsm = await jetstreamManager(await connectWeb(t, server));
  await jsm.streams.add({ name: 'S', subjects: ['s'] });
  const js = jsm.jetstream();
  for (let i = 0; i < 50; i++) await js.publish('s', `${i}`);
  await jsm.consumers.add('S', { durable_name: 'C', ack_policy: 'explicit' });
  const messages = await (await js.consumers.get('S', 'C')).fetch({ max_messages: 50 });
  let read = 0;
  for await (const m of messages) {
    m.ack();
    read++;
  }
  assert.equal(read, 50);
});

inPlace('logins are those of every listener', async (t, start) => {
  const users = (names) => {
    const each = names.map((name) => `{user: ${name}, password: ${name}}`);
    return `${PLAIN}authorization { users = [ ${each.join()} ] }`;
  };
  const server = await start(withConf(users(['a', 'b'])));
  await assert.rejects(connectWeb(t, server), /authorization violation/i);
  await assert.rejects(connectWeb(t, server, { user: 'a', pass: 'x' }), /authorization/i);
  const a = await connectWeb(t, server, { user: 'a', pass: 'a' });
  const b = await connectWeb(t, server, { user: 'b', pass: 'b' });
  server.write({ 'nats.conf': users(['a']) });
  server.signal('SIGHUP');
  await until(() => b.isClosed(), 'b to be closed');
  await a.flush();
});

inPlace('frames may cut the protocol anywhere, and be text', async (t, start) => {
  const server = await start(withConf(PLAIN));
  const raw = await openRaw(t, server);
  await until(() => /^INFO \{.*\} ?\r\n/.test(raw.text), 'INFO');
  assert.equal(raw.binary, true);
  raw.send('CONNECT {"verbose":false,"pedantic":false}\r\nSU');
  for (const byte of 'B a 1\r\nPUB a 5\r\nhe') raw.send(Buffer.from(byte));
  raw.send(Buffer.from('llo\r\nPUB a 0\r\n\r\nPING\r\n'));
  await until(
    () => raw.text.endsWith('MSG a 1 5\r\nhello\r\nMSG a 1 0\r\n\r\nPONG\r\n'),
    () => raw.text,
  );
  raw.send('NONSENSE\r\n');
  await until(() => raw.code !== undefined, 'the end');
  assert.match(raw.text, /-ERR 'Unknown Protocol Operation'/);
});

inPlace('lame duck tells and closes them, too', async (t, start) => {
  const server = await start(
    withConf(`${PLAIN}lame_duck_duration: "30s"\nlame_duck_grace_period: "200ms"\n`),
  );
  const raw = await openRaw(t, server);
  raw.send('CONNECT {"verbose":false,"protocol":1}\r\nPING\r\n');
  await until(() => raw.text.includes('PONG'), 'PONG');
  server.signal('SIGUSR2');
  await until(() => /"ldm":true/.test(raw.text), 'INFO');
  await until(() => raw.code !== undefined, 'the end', 20_000);
  assert.equal((await server.exited).status, 0);
});

inPlace('pages of other origins are refused', async (t, start, kind) => {
  const own = await start(
    withConf('websocket { listen: "127.0.0.1:-1", no_tls: true, same_origin: true }'),
  );
  await openRaw(t, own);
  await openRaw(t, own, { origin: `http://${own.ports.websocket}` });
  await assert.rejects(openRaw(t, own, { origin: 'http://evil.example' }), /403/);
  if (kind === 'nonet') {
    // nats-server does not look at the scheme here
    await assert.rejects(openRaw(t, own, { origin: `https://${own.ports.websocket}` }), /403/);
  }
  const named = await start(
    withConf(`websocket { listen: "127.0.0.1:-1", no_tls: true
      allowed_origins: ["https://shop.example", "http://a.example:81"] }`),
  );
  await openRaw(t, named, { origin: 'https://shop.example' });
  await openRaw(t, named, { origin: 'https://shop.example:443' });
  await openRaw(t, named, { origin: 'http://a.example:81' });
  await assert.rejects(openRaw(t, named, { origin: 'http://a.example' }), /403/);
  await assert.rejects(openRaw(t, named, { origin: 'http://shop.example' }), /403/);
});

const made = new Certificates();
made.authority('authority');
made.signed('server', 'authority', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
const ca = made.read('authority.pem');

inPlace('wss', async (t, start) => {
  const server = await start(
    withConf(
      `websocket { port: -1, host: "127.0.0.1"
         tls { cert_file: "server.pem", key_file: "server.key" } }`,
      made.files('server'),
    ),
  );
  const servers = `wss://${server.ports.websocket}`;
  const wsFactory = (url) => ({ socket: new WebSocket(url, { ca }), encrypted: true });
  const nc = await wsconnect({ servers, reconnect: false, wsFactory });
  t.after(() => nc.close());
  await nc.flush();
  const { connections } = await server.page('connz');
  assert.equal(connections[0].type, 'websocket');
});

test('clients of every shard hear each other, over a reload and till the end', async (t) => {
  const config = (users) => `listen: {websocket: {address: "127.0.0.1:0"}}
auth: {users: [{user: a, password: a}${users}]}
`;
  const node = await startNonet(t, { config: config(', {user: b, password: b}') });
  const login = (name) => connectWeb(t, node, { user: name, pass: name });
  const clients = [];
  for (let i = 0; i < 8; i++) clients.push(await login('a'));
  const gone = [await login('b'), await login('b'), await login('b')];
  let heard = 0;
  for (const nc of clients) nc.subscribe('all', { callback: () => heard++ });
  await Promise.all(clients.map((nc) => nc.flush()));
  const talk = async () => {
    heard = 0;
    for (const nc of clients) nc.publish('all');
    await until(() => heard === 64, 'all to hear all');
  };
  await talk();
  assert.match(await node.reload(config('')), /reloaded/);
  await until(() => gone.every((nc) => nc.isClosed()), 'b to be closed');
  await talk();
  const ended = Promise.all(clients.map((nc) => nc.closed()));
  assert.equal((await node.stop()).status, 0);
  await ended;
});

test('who does not read is closed, and nobody else minds', async (t) => {
  const conf = `${PLAIN}max_payload: 64kb\nmax_pending: 1MB\nwrite_deadline: "30s"\n`;
  const server = await startInPlace(t, 'nonet', withConf(conf));
  const raw = await openRaw(t, server);
  raw.send('CONNECT {"verbose":false}\r\nSUB flood 1\r\nPING\r\n');
  await until(() => raw.text.includes('PONG'), 'PONG');
  raw.pause();
  const tcp = await server.connect(t);
  const payload = Buffer.alloc(60_000);
  await until(
    async () => {
      for (let i = 0; i < 50; i++) tcp.publish('flood', payload);
      await tcp.flush();
      return (await server.page('connz')).num_connections === 1;
    },
    'the slow one to be closed',
    20_000,
  );
});

test('a browser speaks to it, from a page that may', { skip: !findChromium() }, async (t) => {
  const web = http.createServer((request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>page</title>');
  });
  await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
  t.after(() => web.close());
  const origin = `http://127.0.0.1:${web.address().port}`;
  const node = await startNonet(t, {
    config: `listen: {websocket: {address: "127.0.0.1:0", origins: ["${origin}"]}}\n`,
  });
  const page = await Page.open(t, origin);
  const talk = (url) => `new Promise((resolve) => {
    const socket = new WebSocket(${JSON.stringify(url)});
    let text = '';
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      socket.send('CONNECT {"verbose":false}\\r\\nSUB a 1\\r\\n');
      socket.send('PUB a 2\\r\\nhi\\r\\n');
    };
    socket.onmessage = (event) => {
      text += new TextDecoder().decode(event.data);
      if (text.includes('MSG a 1 2\\r\\nhi\\r\\n')) resolve('heard itself');
    };
    socket.onerror = () => resolve('refused');
  })`;
  const url = `ws://${node.ports.websocket}/`;
  await until(async () => (await page.evaluate('document.title')) === 'page', 'the page');
  assert.equal(await page.evaluate(talk(url)), 'heard itself');
  const other = await startNonet(t, {
    config: 'listen: {websocket: {address: "127.0.0.1:0", same_origin: true}}\n',
  });
  assert.equal(await page.evaluate(talk(`ws://${other.ports.websocket}/`)), 'refused');
});

test('nonet check refuses a WebSocket that every page could use', async () => {
  const dir = temporaryFolder();
  const write = (text) => fs.writeFileSync(`${dir}/nonet.yaml`, text);
  write('listen: {websocket: {address: "127.0.0.1:8081"}}\n');
  const open = await run(['check', dir]);
  assert.match(open.stderr, /nonet.yaml:1:10: listener websocket is open to every web page/);
  assert.equal((await run(['check', dir, '--insecure'])).status, 0);
  write('listen: {websocket: {address: "127.0.0.1:8081", origins: ["shop.example"]}}\n');
  assert.match((await run(['check', dir])).stderr, /'origins' in listener .*not an origin/);
  write('listen: {websocket: {origins: ["https://shop.example"]}}\n');
  assert.equal((await run(['check', dir])).status, 0);
});

test('what of a websocket block is not served is refused', async () => {
  const dir = temporaryFolder();
  fs.writeFileSync(`${dir}/n.conf`, 'websocket {\n compression: true\n jwt_cookie: x\n}\n');
  const result = await runDropIn('nonet', ['-c', 'n.conf', '-t'], { cwd: dir });
  assert.match(result.stderr, /n.conf:2:2: 'compression' is a setting/);
  assert.match(result.stderr, /n.conf:3:2: 'jwt_cookie' is a setting/);
  assert.match(result.stderr, /n.conf:1:1: websocket has no port/);
  assert.match(result.stderr, /n.conf:1:1: websocket has neither tls nor no_tls/);
});

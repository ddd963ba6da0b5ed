// `nonet nats-server` in the place of nats-server: the same flags, files and signals, and the same
// expectations of both, by official clients.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { Certificates } from './lib/certificates.mjs';
import {
  BINARY,
  inPlace,
  run,
  runDropIn,
  startInPlace,
  temporaryFolder,
  until,
} from './lib/node.mjs';
import { Raw } from './lib/raw.mjs';

const BCRYPT_OF_SECRET = '$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW'.replace(
  '$2b$',
  '$2a$',
);
const refused = /authorization violation/i;

// --- flags ---------------------------------------------------------------------------------------

inPlace('flags: name, login, monitoring, files', async (t, start) => {
  const dir = temporaryFolder();
  const server = await start({
    args: ['--name', 'box', '-P', `${dir}/pid`, '-m', '-1', '--user', 'ann', '--pass', 'secret'],
  });
  assert.equal(fs.readFileSync(`${dir}/pid`, 'utf8'), String(server.pid));
  await assert.rejects(server.connect(t, { user: 'ann', pass: 'wrong' }), refused);
  await assert.rejects(server.connect(t), refused);
  const nc = await server.connect(t, { user: 'ann', pass: 'secret' });
  assert.equal(nc.info.server_name, 'box');
  assert.equal((await server.page('varz')).server_name, 'box');
  assert.equal((await server.page('varz')).auth_required, true);
  assert.equal((await server.page('connz')).num_connections, 1);
  assert.equal((await server.page('healthz')).status, 'ok');
  assert.equal((await server.page('subsz')).num_subscriptions >= 0, true);
  assert.match(server.log, /Listening for client connections on 127\.0\.0\.1:\d+/);
  assert.match(server.log, /\[INF\] Server is ready/);
  assert.deepEqual(await server.stop('SIGINT'), { status: 0, signal: null });
  assert.equal(fs.existsSync(server.portsFile), false);
});

inPlace('flags: one dash or two, the value behind = or a blank', async (t, start) => {
  const dir = temporaryFolder();
  const server = await start({ args: ['-js=true', `-sd=${dir}`, '--auth=token', '-DV', '-n=box'] });
  const nc = await server.connect(t, { token: 'token' });
  assert.equal(nc.info.server_name, 'box');
  assert.equal(nc.info.jetstream, true);
  await nc.flush();
  await until(() => /\[TRC\].*<<- \[PING\]/.test(server.log), 'the trace of a PING');
  await nc.close();
  await assert.rejects(server.connect(t, { token: 'other' }), refused);
  assert.equal((await server.stop('SIGTERM')).status, 1);
});

inPlace('a flag goes over the file', async (t, start) => {
  const server = await start({
    files: { 'a.conf': 'port: 1\nserver_name: file\nmax_payload: 64kb\n' },
    args: ['-c', 'a.conf', '-n', 'flag'],
  });
  const nc = await server.connect(t);
  assert.equal(nc.info.server_name, 'flag');
  assert.equal(nc.info.max_payload, 65536);
});

inPlace('-v, -t and what is wrong', async (t, start, kind) => {
  const dir = temporaryFolder();
  const options = { cwd: dir };
  fs.writeFileSync(`${dir}/good.conf`, 'port: -1 // free\ndebug = yes; trace false\n');
  fs.writeFileSync(`${dir}/bad.conf`, 'port: -1\nbogus: 1\n');
  const version = await runDropIn(kind, ['-v']);
  assert.match(version.stdout, /^nats-server: v\d+\.\d+\.\d+\n$/);
  assert.equal(version.status, 0);
  const good = await runDropIn(kind, ['-c', 'good.conf', '-t'], options);
  assert.match(good.stderr, /nats-server: configuration file good.conf is valid/);
  assert.equal(good.status, 0);
  for (const args of [['-c', 'bad.conf', '-t'], ['--config=bad.conf']]) {
    const bad = await runDropIn(kind, args, options);
    assert.match(bad.stderr, /bad.conf:2:\d: unknown field ['"]bogus['"]/);
    assert.equal(bad.status, 1);
  }
  const word = await runDropIn(kind, ['nonsense']);
  assert.match(word.stderr, /unrecognized command: "nonsense"/);
  assert.equal(word.status, 1);
});

test('a link called nats-server is nats-server', async () => {
  const dir = temporaryFolder();
  fs.symlinkSync(BINARY, `${dir}/nats-server`);
  const version = await run(['--version'], { binary: `${dir}/nats-server` });
  assert.match(version.stdout, /^nats-server: v/);
});

// --- who may do what -----------------------------------------------------------------------------

inPlace('users, permissions, variables and includes', async (t, start) => {
  const server = await start({
    files: {
      'nats.conf': `
        authorization {
          default_permissions { subscribe: "_INBOX.>" }
          include "users.conf"
        }`,
      'users.conf': `PASSWORD: "plain"      # of ann
      users = [
        {user: ann, password: $PASSWORD, permissions {
          publish: ["a.>", b], subscribe {deny: "secret.>"}}}
        {user: bob, password: $BOB}
      ]`,
    },
    args: ['-c', 'nats.conf'],
    env: { BOB: BCRYPT_OF_SECRET },
  });
  const ann = await Raw.open(t, server);
  ann.send('CONNECT {"user":"ann","pass":"plain","verbose":false,"pedantic":false}\r\n');
  ann.send('SUB > 1\r\nPUB a.b 1\r\nx\r\nPUB c 1\r\nx\r\nSUB secret.x 2\r\nPING\r\n');
  await ann.expect('MSG a.b 1 1');
  await ann.expect(`-ERR 'Permissions Violation for Publish to "c"'`);
  await ann.expect(`-ERR 'Permissions Violation for Subscription to "secret.x"'`);
  const bob = await server.connect(t, { user: 'bob', pass: 'secret' });
  const errors = [];
  (async () => {
    for await (const status of bob.status()) errors.push(String(status.error));
  })();
  bob.subscribe('a.b', { callback: () => {} });
  await until(() => errors.some((e) => /a\.b/.test(e)), 'the default permissions to refuse');
  await assert.rejects(server.connect(t, { user: 'bob', pass: BCRYPT_OF_SECRET }), refused);
});

inPlace('allow_responses: who serves answers once and no more', async (t, start) => {
  const server = await start({
    files: {
      'nats.conf': `authorization { users = [
        {user: a, password: a}
        {user: s, password: s, permissions {subscribe: q, allow_responses: true}}
        {user: m, password: m, permissions {
          subscribe: q2, allow_responses {max: 2, expires: "1m"}}}
      ] }`,
    },
    args: ['-c', 'nats.conf'],
  });
  const login = (name) => `CONNECT {"user":"${name}","pass":"${name}","verbose":false}\r\n`;
  const asker = await Raw.open(t, server);
  asker.send(`${login('a')}SUB box 9\r\nPING\r\n`);
  await asker.expect('PONG');
  for (const [user, subject, answers] of [
    ['s', 'q', 1],
    ['m', 'q2', 2],
  ]) {
    const service = await Raw.open(t, server);
    service.send(`${login(user)}SUB ${subject} 1\r\nPUB box 1\r\nx\r\nPING\r\n`);
    await service.expect(`-ERR 'Permissions Violation for Publish to "box"'`);
    await service.expect('PONG');
    asker.send(`PUB ${subject} box 2\r\nhi\r\n`);
    await service.expect(`MSG ${subject} 1 box 2`);
    for (let i = 0; i < answers; i++) {
      service.send('PUB box 2\r\nok\r\n');
      await asker.expect('MSG box 9 2');
    }
    service.send('PUB box 2\r\nno\r\n');
    await service.expect(`-ERR 'Permissions Violation for Publish to "box"'`);
  }
});

inPlace('no_auth_user: who does not log in has its rights', async (t, start) => {
  const server = await start({
    files: {
      'nats.conf': `no_auth_user: guest
        authorization { users = [
          {user: guest, password: g, permissions {publish: "open.>"}}, {user: b, password: b}
        ] }`,
    },
    args: ['-c', 'nats.conf'],
  });
  const violation = `-ERR 'Permissions Violation for Publish to "x"'`;
  for (const hello of ['', 'CONNECT {"verbose":false}\r\n']) {
    const guest = await Raw.open(t, server);
    assert.ok(!guest.info.auth_required);
    guest.send(`${hello}SUB > 1\r\nPUB x 1\r\n1\r\nPUB open.x 1\r\n1\r\n`);
    await guest.expect(violation);
    await guest.expect('MSG open.x 1 1');
  }
  const b = await Raw.open(t, server);
  b.send('CONNECT {"verbose":false,"user":"b","pass":"b"}\r\nSUB x 1\r\nPUB x 1\r\n1\r\n');
  await b.expect('MSG x 1 1');
  const wrong = await Raw.open(t, server);
  wrong.send('CONNECT {"verbose":false,"user":"b","pass":"x"}\r\n');
  await wrong.expect(/^-ERR 'Authorization Violation'/);
});

inPlace('SIGHUP takes up changed users and keeps the others', async (t, start) => {
  const conf = (users) => `authorization { users = [ ${users} ] }\n`;
  const server = await start({
    files: { 'nats.conf': conf('{user: a, password: a}, {user: b, password: b}') },
    args: ['-c', 'nats.conf'],
  });
  const a = await server.connect(t, { user: 'a', pass: 'a' });
  const b = await server.connect(t, { user: 'b', pass: 'b' });
  server.write({ 'nats.conf': conf('{user: a, password: a}, {user: c, password: c}') });
  server.signal('SIGHUP');
  await until(() => b.isClosed(), 'b to be closed');
  await a.flush();
  await (await server.connect(t, { user: 'c', pass: 'c' })).flush();
  server.write({ 'nats.conf': 'authorization {' });
  server.signal('SIGHUP');
  await a.flush();
  await (await server.connect(t, { user: 'c', pass: 'c' })).flush();
});

// --- TLS -----------------------------------------------------------------------------------------

const made = new Certificates();
made.authority('authority');
made.signed(
  'server',
  'authority',
  'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n',
);
made.signed('client', 'authority', 'extendedKeyUsage=clientAuth\n');
const files = made.files('server', 'authority');
const ca = made.read('authority.pem');

inPlace('tls by flags, with client certificates', async (t, start) => {
  const server = await start({
    files,
    args: [
      ...['--tlsverify', '--tlscert=server.pem', '--tlskey', 'server.key'],
      ...['--tlscacert', 'authority.pem'],
    ],
  });
  await assert.rejects(server.connect(t, { tls: { ca } }));
  const nc = await server.connect(t, { tls: { ca, ...made.own('client') } });
  assert.equal(nc.info.tls_required, true);
  await nc.flush();
});

inPlace('tls by a block', async (t, start) => {
  const server = await start({
    files: {
      ...files,
      'nats.conf': 'tls {\n cert_file: "server.pem"\n key_file: "server.key"\n timeout: 3\n}\n',
    },
    args: ['-c', 'nats.conf'],
  });
  await (await server.connect(t, { tls: { ca } })).flush();
  await assert.rejects(server.connect(t, { tls: {} }));
});

test('tls with handshake_first says nothing in the clear', async (t) => {
  const server = await startInPlace(t, 'nonet', {
    files: {
      ...files,
      'nats.conf': 'tls { cert_file: server.pem, key_file: server.key, handshake_first: true }',
    },
    args: ['-c', 'nats.conf'],
  });
  const nc = await server.connect(t, { tls: { ca, handshakeFirst: true } });
  assert.equal(nc.info.tls_required, true);
  const raw = await Raw.open(t, server, { info: false });
  raw.send('CONNECT {}\r\n');
  await raw.end();
  assert.ok(!raw.lines.some((line) => line.startsWith('INFO')));
});

// --- JetStream -----------------------------------------------------------------------------------

inPlace('without jetstream nothing answers for streams', async (t, start) => {
  const server = await start({});
  const nc = await server.connect(t);
  assert.ok(!nc.info.jetstream);
  await assert.rejects(nc.request('$JS.API.INFO', '', { timeout: 2000 }), /no responders/i);
});

inPlace('with jetstream streams are kept over a restart', async (t, start) => {
  const server = await start({
    files: { 'nats.conf': 'jetstream { store_dir: "store", max_file_store: 100MB }\n' },
    args: ['-c', 'nats.conf'],
  });
  const jsm = await jetstreamManager(await server.connect(t));
  await jsm.streams.add({ name: 'S', subjects: ['s'] });
  await jsm.jetstream().publish('s', 'kept');
  await server.stop();
  await server.start();
  const again = await jetstreamManager(await server.connect(t));
  assert.equal((await again.streams.info('S')).state.messages, 1);
});

inPlace('max_memory_store and max_file_store bound all streams together', async (t, start) => {
  const server = await start({
    files: {
      'nats.conf': 'jetstream { store_dir: store, max_memory_store: 64KB, max_file_store: 1MB }\n',
    },
    args: ['-c', 'nats.conf', '-m', '-1'],
  });
  const jsm = await jetstreamManager(await server.connect(t));
  const stream = (name, more) => jsm.streams.add({ name, subjects: [name], ...more });
  const code = (n) => (error) => error.code === n;
  await stream('A', { storage: 'memory', max_bytes: 40_000 });
  await assert.rejects(stream('B', { storage: 'memory', max_bytes: 40_000 }), code(10028));
  await assert.rejects(stream('C', { storage: 'file', max_bytes: 2_000_000 }), code(10047));
  await stream('D', { storage: 'memory' });
  const js = jsm.jetstream();
  const fill = async () => {
    for (let i = 0; i < 100; i++) await js.publish('D', Buffer.alloc(1000));
  };
  await assert.rejects(fill(), code(10023));
  const jsz = await server.page('jsz');
  assert.equal(jsz.config.max_memory, 65536);
  assert.equal(jsz.config.max_storage, 1 << 20);
  await jsm.streams.purge('D');
  await until(() => js.publish('D', 'again').catch(() => null), 'room after a purge');
});

const byName = (a, b) => a.name.localeCompare(b.name);

inPlace('/jsz chooses accounts, and tells all of their streams', async (t, start) => {
  const server = await start({ args: ['-js', '-sd', temporaryFolder(), '-m', '-1'] });
  const jsm = await jetstreamManager(await server.connect(t));
  await jsm.streams.add({ name: 'A', subjects: ['a'] });
  await jsm.streams.add({ name: 'B', subjects: ['b'], storage: 'memory' });
  await jsm.consumers.add('A', { durable_name: 'c', ack_policy: 'explicit' });
  await jsm.jetstream().publish('a', 'x');
  const shown = async (query) =>
    ((await server.page(`jsz?${query}`)).account_details ?? []).map((account) => [
      account.name,
      (account.stream_detail ?? [])
        .sort(byName)
        .map((s) => [s.name, (s.consumer_detail ?? []).length]),
    ]);
  const sum = await server.page('jsz');
  assert.deepEqual([sum.streams, sum.consumers, sum.messages, sum.accounts], [2, 1, 1, 1]);
  assert.deepEqual(await shown(''), []);
  assert.deepEqual(await shown('accounts=1'), [['$G', []]]);
  assert.deepEqual(await shown('acc=$G'), [['$G', []]]);
  assert.deepEqual(await shown('acc=none'), []);
  const both = [
    ['A', 0],
    ['B', 0],
  ];
  assert.deepEqual(await shown('streams=1&limit=1'), [['$G', both]]);
  assert.deepEqual(await shown('acc=$G&streams=1'), [['$G', both]]);
  assert.deepEqual(await shown('streams=1&offset=1'), []);
  const whole = [
    ['A', 1],
    ['B', 0],
  ];
  assert.deepEqual(await shown('consumers=1'), [['$G', whole]]);
  const [account] = (await server.page('jsz?consumers=1&config=1')).account_details;
  const [a, b] = account.stream_detail.sort(byName); // nats-server has them in no order
  assert.deepEqual([a.config.subjects, a.state.messages], [['a'], 1]);
  assert.equal(a.consumer_detail[0].config.durable_name, 'c');
  assert.equal(b.config.storage, 'memory');
});

test('a store_dir that holds streams of nats-server is refused', async () => {
  const dir = temporaryFolder();
  fs.mkdirSync(`${dir}/jetstream/$G`, { recursive: true });
  const result = await runDropIn('nonet', ['-p', '-1', '-js', '-sd', dir]);
  assert.match(result.stderr, /holds streams of nats-server/);
  assert.equal(result.status, 1);
});

test('a store_dir that cannot be looked into is refused', async () => {
  const dir = temporaryFolder();
  fs.writeFileSync(`${dir}/jetstream`, 'not a folder');
  const result = await runDropIn('nonet', ['-p', '-1', '-js', '-sd', dir]);
  assert.match(
    result.stderr,
    /cannot look for streams of nats-server in .*jetstream: Not a directory/,
  );
  assert.equal(result.status, 1);
});

// --- signals and files ---------------------------------------------------------------------------

inPlace('-sl signals the process of a pid file', async (t, start, kind) => {
  const dir = temporaryFolder();
  const server = await start({ args: ['-P', `${dir}/pid`, '-l', `${dir}/log`] });
  const log = () => fs.readFileSync(`${dir}/log`, 'utf8');
  await until(() => /Server is ready/.test(log()), 'the log file');
  fs.renameSync(`${dir}/log`, `${dir}/old`);
  const reopened = await runDropIn(kind, ['-sl', `reopen=${dir}/pid`]);
  assert.equal(reopened.status, 0, reopened.stderr);
  await until(() => fs.existsSync(`${dir}/log`), 'a new log file');
  const unknown = await runDropIn(kind, ['--signal', `bogus=${server.pid}`]);
  assert.match(unknown.stderr, /unknown signal "bogus"/);
  assert.equal(unknown.status, 1);
  assert.equal((await runDropIn(kind, ['-sl=ldm=' + server.pid])).status, 0);
  assert.equal((await server.exited).status, 0);
  assert.match(log(), /lame duck/i);
});

inPlace('SIGUSR2 sends clients away after the grace, one by one', async (t, start) => {
  const server = await start({
    files: {
      'nats.conf': 'lame_duck_duration: "30s", lame_duck_grace_period: "300ms"\n',
    },
    args: ['-c', 'nats.conf'],
  });
  const raws = [];
  for (let i = 0; i < 2; i++) raws.push(await (await Raw.open(t, server)).hello());
  server.signal('SIGUSR2');
  const info = JSON.parse((await raws[0].expect(/^INFO /)).slice(5));
  assert.equal(info.ldm, true);
  await assert.rejects(server.connect(t));
  await Promise.all(raws.map((raw) => raw.end(20_000)));
  assert.equal((await server.exited).status, 0);
});

// --- limits --------------------------------------------------------------------------------------

inPlace('limits of the file hold', async (t, start) => {
  const server = await start({
    files: {
      'nats.conf': `max_connections: 2
        max_subscriptions: 3
        max_payload: 1kb
        max_control_line: 2kb
        ping_interval: "100ms", ping_max: 5
        write_deadline: 2s`,
    },
    args: ['-c', 'nats.conf'],
  });
  const raw = await Raw.open(t, server);
  assert.equal(raw.info.max_payload, 1024);
  raw.send('CONNECT {"verbose":false}\r\nSUB a 1\r\nSUB b 2\r\nSUB c 3\r\nSUB d 4\r\n');
  await raw.expect(/^-ERR 'maximum subscriptions exceeded'/i);
  await raw.expect('PING');
  await server.connect(t);
  const third = await Raw.open(t, server, { info: false });
  await third.expect(/maximum connections exceeded/i);
  await third.end();
});

// --- what is not served --------------------------------------------------------------------------

test('what nonet does not serve is refused by name, with its place', async () => {
  const dir = temporaryFolder();
  const lines = [
    'cluster { listen: "127.0.0.1:-1" }',
    'leafnodes { port: 7422 }',
    'gateway { name: A }',
    'mqtt { port: 1883 }',
    'accounts { A { users: [] } }',
    'resolver: MEMORY',
    'mappings: { a: b }',
    'log_size_limit: 1000',
    'tls { cert_file: a, key_file: b, cipher_suites: [X] }',
    'max_payload: "1MB"',
    'ping_interval: 2m',
    'jetstream { key: secret, domain: hub, sync_interval: "2m" }',
    'authorization { users: [ {user: a, password: b, permissions {publish {alow: a}}} ] }',
  ];
  fs.writeFileSync(`${dir}/nats.conf`, lines.join('\n'));
  const result = await runDropIn('nonet', ['-c', 'nats.conf', '-t'], { cwd: dir });
  assert.equal(result.status, 1);
  const expected = [
    /nats.conf:1:1: 'cluster' is a setting of nats-server that nonet does not serve\n +hint: /,
    /nats.conf:2:1: 'leafnodes' is/,
    /nats.conf:3:1: 'gateway' is/,
    /nats.conf:4:1: 'mqtt' is/,
    /nats.conf:5:1: 'accounts' is/,
    /nats.conf:6:1: 'resolver' is/,
    /nats.conf:7:1: 'mappings' is/,
    /nats.conf:8:1: 'log_size_limit' is/,
    /nats.conf:9:34: 'cipher_suites' is/,
    /nats.conf:10:1: 'max_payload' is not a whole number/,
    /nats.conf:11:16: 'ping_interval' in limits .*\n +hint: /,
    /nats.conf:12:13: 'key' is/,
    /nats.conf:12:26: 'domain' is/,
    /nats.conf:12:39: 'sync_interval' would sync later/,
    /nats.conf:13:\d+: unknown field 'alow' in permissions/,
  ];
  for (const pattern of expected) assert.match(result.stderr, pattern);
  assert.match(result.stderr, /\d+ mistakes in nats.conf/);
  const flag = await runDropIn('nonet', ['--routes', 'nats://a:1', '-s']);
  assert.match(flag.stderr, /--routes: 'cluster' is/);
  assert.match(flag.stderr, /-s: 'syslog' is/);
  assert.equal(flag.status, 1);
  assert.match((await runDropIn('nonet', ['--bogus'])).stderr, /not defined: -bogus/);
});

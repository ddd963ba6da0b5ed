// The command line: what its verbs do, print and answer, on Nonet and on nats-server alike.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { BINARY, check, onBoth, onNonet, run, temporaryFolder, until } from './lib/node.mjs';

// Runs a verb on SERVER that must succeed; gives what it printed.
async function good(server, ...args) {
  const { status, stdout, stderr } = await run([...args, '--server', server.url]);
  assert.equal(status, 0, stderr);
  return stdout;
}

async function bad(server, ...args) {
  const result = await run([...args, '--server', server.url]);
  assert.equal(result.status, 1, result.stdout);
  assert.match(result.stderr, /^nonet: /);
  return result.stderr;
}

const json = async (server, ...args) => JSON.parse(await good(server, ...args, '--json'));

// Starts a verb that goes on; READY is awaited on its stderr.
async function begin(t, server, ready, ...args) {
  const words = [...args, '--ready', '--server', server.url];
  const child = spawn(BINARY, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const verb = { child, stdout: '', stderr: '' };
  child.stdout.on('data', (bytes) => (verb.stdout += bytes));
  child.stderr.on('data', (bytes) => (verb.stderr += bytes));
  verb.ended = new Promise((resolve) => {
    child.on('close', (status, signal) => resolve(status ?? signal));
  });
  t.after(() => child.kill('SIGKILL'));
  await until(() => verb.stderr.includes(ready), ready);
  return verb;
}

const subscribe = (t, server, ...args) => begin(t, server, 'listening', 'sub', ...args);
const answer = (t, server, ...args) => begin(t, server, 'answering', 'reply', ...args);

onBoth('cli', {}, (it) => {
  it('what is published is printed by who subscribed', async (t, server) => {
    const sub = await subscribe(t, server, 'a.>', '--count', '3', '--headers');
    const said = await good(server, 'pub', 'a.b', 'hello', '--header', 'K: v');
    assert.equal(said, 'published 5 bytes to a.b\n');
    await good(server, 'pub', 'a.c', 'x', '--count', '2');
    assert.equal(await sub.ended, 0);
    assert.equal(sub.stdout, 'a.b hello\n  K: v\na.c x\na.c x\n');
  });

  it('--json gives one line a message', async (t, server) => {
    const sub = await subscribe(t, server, 'j', '--count', '2', '--json');
    const headers = ['--header', 'K: v', '--header', 'K: w'];
    await good(server, 'pub', 'j', '{"x":1}', '--reply', 'r', ...headers);
    const line = await json(server, 'pub', 'j', '');
    const expected = { subject: 'j', published: 1, bytes: 0, elapsed_ms: 0 };
    assert.deepEqual({ ...line, elapsed_ms: 0 }, expected);
    assert.equal(await sub.ended, 0);
    assert.deepEqual(
      sub.stdout
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text)),
      [
        { subject: 'j', reply: 'r', headers: { K: ['v', 'w'] }, payload: '{"x":1}' },
        { subject: 'j', payload: '' },
      ],
    );
  });

  it('stdin is the payload, byte for byte', async (t, server) => {
    const sub = await subscribe(t, server, 'raw', '--count', '1', '--json');
    const bytes = Buffer.from([0, 255, 13, 10, 7]);
    execFileSync(BINARY, ['pub', 'raw', '-', '--server', server.url], { input: bytes });
    assert.equal(await sub.ended, 0);
    assert.equal(JSON.parse(sub.stdout).payload_base64, bytes.toString('base64'));
  });

  it('sub ends by SIGINT with 0, and when nobody reads it any more', async (t, server) => {
    const sub = await subscribe(t, server, 's');
    sub.child.kill('SIGINT');
    assert.equal(await sub.ended, 0);
    const cut = await subscribe(t, server, 's');
    cut.child.stdout.destroy();
    await until(async () => {
      await good(server, 'pub', 's', 'x');
      return cut.child.exitCode !== null;
    });
    assert.equal(cut.child.exitCode, 1);
  });

  it('requests are answered by a text, an echo, a command', async (t, server) => {
    await answer(t, server, 'with', '--with', 'hi', '--header', 'A: b');
    await answer(t, server, 'echo', '--echo');
    const command = 'cat; echo "|$NONET_SUBJECT"; echo words >&2';
    const reply = await answer(t, server, 'run.*', '--command', command);
    assert.equal(await good(server, 'req', 'with'), 'hi\n');
    assert.equal(await good(server, 'req', 'with', '--headers'), '  A: b\nhi\n');
    assert.equal(await good(server, 'req', 'echo', 'same', '--raw'), 'same');
    assert.equal(await good(server, 'req', 'run.it', 'in'), 'in|run.it\n');
    const got = await json(server, 'req', 'run.it', 'in');
    assert.equal(got.payload, 'in|run.it\n');
    assert.ok(got.elapsed_ms > 0);
    await until(() => reply.stderr.includes('words'));
    reply.child.kill('SIGTERM');
    assert.equal(await reply.ended, 0);
  });

  it('a command that fails answers with an error', async (t, server) => {
    await answer(t, server, 'fails', '--command', 'echo out; exit 3');
    const { status, stdout, stderr } = await run(['req', 'fails', '--server', server.url]);
    assert.deepEqual([status, stdout], [1, 'out\n']);
    assert.match(stderr, /500 the command exits with 3/);
  });

  it('commands run side by side, and what waits is answered', async (t, server) => {
    await answer(t, server, 'slow', '--command', 'sleep 0.2; cat', '--concurrency', '2');
    const asked = [1, 2, 3, 4, 5].map((i) => good(server, 'req', 'slow', `${i}`));
    const answers = await Promise.all(asked);
    assert.deepEqual(answers, ['1\n', '2\n', '3\n', '4\n', '5\n']);
  });

  it('children end with a reply that loses its server', async (t, server) => {
    const listener = net.createServer((from) => {
      const to = net.connect(server.port, '127.0.0.1');
      from.pipe(to).pipe(from);
      for (const socket of [from, to]) socket.on('error', () => {});
      cut = () => [from, to].forEach((socket) => socket.destroy());
    });
    let cut;
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    t.after(() => listener.close());
    const through = { url: `nats://127.0.0.1:${listener.address().port}` };
    const mark = path.join(temporaryFolder(), 'started');
    const reply = await answer(
      t,
      through,
      'lost',
      '--command',
      `echo $$ >${mark}; exec sleep 1000`,
    );
    const asking = run(['req', 'lost', '--server', server.url, '--timeout', '300ms']);
    const written = () => fs.existsSync(mark) && fs.readFileSync(mark, 'utf8').trim();
    const child = Number(await until(written));
    cut();
    assert.equal(await reply.ended, 1);
    assert.match(reply.stderr, /closed the connection|Connection reset/);
    assert.throws(() => process.kill(child, 0), /ESRCH/);
    assert.equal((await asking).status, 1);
  });

  it('one request, many answers', async (t, server) => {
    for (const name of ['one', 'two']) {
      await answer(t, server, 'all', '--with', name, '--queue', name);
    }
    const sorted = (text) => text.trim().split('\n').sort();
    assert.deepEqual(sorted(await good(server, 'req', 'all', '--replies', '2')), ['one', 'two']);
    const all = ['req', 'all', '--replies', '0', '--timeout', '300ms'];
    assert.deepEqual(sorted(await good(server, ...all)), ['one', 'two']);
    const three = ['req', 'all', '--replies', '3', '--timeout', '300ms'];
    assert.match(await bad(server, ...three), /2 of 3 answers/);
  });

  it('where nobody listens a request fails at once', async (t, server) => {
    assert.match(await bad(server, 'req', 'nobody'), /nobody listens on nobody\n {2}hint: /);
  });

  it('streams are made, filled, shown, purged and removed', async (t, server) => {
    const limits = ['--max-age', '1h', '--max-msgs', '100'];
    await good(server, 'stream', 'add', 'S', '--subjects', 's.>,t', ...limits);
    assert.deepEqual((await json(server, 'stream', 'info', 'S')).config.subjects, ['s.>', 't']);
    assert.equal(await good(server, 'pub', 's.a', 'one', '--durable'), 'stored in S, seq 1\n');
    const twice = ['pub', 's.b', 'two', '--durable', '--header', 'Nats-Msg-Id: x'];
    assert.equal((await json(server, ...twice)).seq, 2);
    assert.match(await good(server, ...twice), /seq 2 \(it had been stored before\)/);
    const many = await json(server, 'pub', 't', 'many', '--durable', '--count', '50');
    assert.deepEqual(
      { ...many, elapsed_ms: 0 },
      {
        subject: 't',
        published: 50,
        bytes: 200,
        stream: 'S',
        first_seq: 3,
        seq: 52,
        duplicates: 0,
        elapsed_ms: 0,
      },
    );
    const info = await good(server, 'stream', 'info', 'S');
    assert.match(info, /^messages +52$/m);
    assert.match(info, /^max age +1h$/m);
    assert.match(await good(server, 'stream', 'ls'), /^NAME .*\nS +s\.>, t +52 /);
    assert.equal((await json(server, 'stream', 'ls')).streams[0].state.messages, 52);
    assert.match(
      await good(server, 'stream', 'view', 'S', '--count', '2', '--headers'),
      /^1 \d{4}-\S+Z s\.a one\n2 \S+ s\.b two\n {2}Nats-Msg-Id: x\n$/,
    );
    assert.equal(await good(server, 'stream', 'view', 'S', '--from', '52', '--raw'), 'many\n');
    const found = await json(server, 'stream', 'view', 'S', '--subject', 's.b');
    assert.deepEqual(
      { ...found, time: '' },
      { seq: 2, time: '', subject: 's.b', headers: { 'Nats-Msg-Id': ['x'] }, payload: 'two' },
    );
    assert.deepEqual(await json(server, 'stream', 'purge', 'S', '--subject', 't'), {
      purged: 50,
    });
    assert.deepEqual(await json(server, 'stream', 'purge', 'S', '--before', '2'), { purged: 1 });
    assert.deepEqual(await json(server, 'stream', 'rm', 'S'), { deleted: 'S' });
    assert.match(await bad(server, 'stream', 'info', 'S'), /stream not found/);
    assert.match(await good(server, 'stream', 'ls'), /^no streams/);
  });

  it('what no stream captures is not stored, and a full stream says so', async (t, server) => {
    const lost = await bad(server, 'pub', 'nowhere', 'x', '--durable');
    assert.match(lost, /no stream captures nowhere/);
    const full = ['--max-msgs', '1', '--discard', 'new', '--storage', 'memory'];
    await good(server, 'stream', 'add', 'F', ...full);
    await good(server, 'pub', 'F', '1', '--durable');
    assert.match(await bad(server, 'pub', 'F', '2', '--durable'), /maximum messages exceeded/);
    await good(server, 'stream', 'rm', 'F');
  });

  it("a message over the server's limit is refused here", async (t, server) => {
    const { status, stderr } = await new Promise((resolve) => {
      const stdio = ['pipe', 'ignore', 'pipe'];
      const child = spawn(BINARY, ['pub', 'a', '--server', server.url], { stdio });
      let text = '';
      child.stderr.on('data', (bytes) => (text += bytes));
      child.on('close', (code) => resolve({ status: code, stderr: text }));
      child.stdin.end(Buffer.alloc(1048577));
    });
    assert.equal(status, 1);
    assert.match(stderr, /1048577 bytes, and .* takes at most 1048576/);
  });

  it('bench measures without losing anything, and leaves nothing behind', async (t, server) => {
    for (const args of [
      ['core', '--subscribers', '2', '--threads', '2'],
      ['request', '--in-flight', '4'],
      ['publish', '--publishers', '3'],
      ['consume', '--subscribers', '2'],
    ]) {
      const got = await json(server, 'bench', ...args, '--count', '2000', '--size', '16');
      assert.equal(got.messages, args[0] === 'core' ? 4000 : 2000);
      assert.ok(got.rate > 0);
      assert.equal(got.server_cpu_us === null, server.kind !== 'nonet');
    }
    assert.deepEqual(await json(server, 'stream', 'ls'), { streams: [] });
  });
});

onBoth(
  'cli with users',
  {
    config: `auth:
  users:
    - {user: ann, password: secret, publish: {allow: ["ok.>"]}}
`,
    nats: `authorization {
  users: [{user: ann, password: secret, permissions: {publish: "ok.>"}}]
}
`,
  },
  (it) => {
    const url = (server, who) => ({ url: server.url.replace('://', `://${who}@`) });

    it('the right password is let in, from the URL and from options', async (t, server) => {
      await good(url(server, 'ann:secret'), 'pub', 'ok.a', 'x');
      await good(server, 'pub', 'ok.a', 'x', '--user', 'ann', '--password', 'secret');
    });

    it('a wrong one is told, and never shown', async (t, server) => {
      for (const who of ['ann:guess', 'bob:guess', 'guess']) {
        const words = await bad(url(server, who), 'pub', 'ok.a', 'x');
        assert.match(words, /refuses this login: Authorization Violation\n {2}hint: /);
        assert.doesNotMatch(words, /guess/);
      }
      assert.match(await bad(server, 'pub', 'ok.a', 'x'), /refuses this login/);
    });

    it('what is not permitted fails', async (t, server) => {
      assert.match(
        await bad(url(server, 'ann:secret'), 'pub', 'no', 'x'),
        /Permissions Violation/,
      );
    });
  },
);

const keys = temporaryFolder();
execFileSync(
  'openssl',
  [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=test',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    'key.pem',
    '-out',
    'cert.pem',
  ],
  { cwd: keys, stdio: 'ignore' },
);
const pem = (name) => fs.readFileSync(path.join(keys, name), 'utf8');

onBoth(
  'cli over tls',
  {
    config: 'listen: {nats: {tls: {cert: cert.pem, key: key.pem}}}\n',
    nats: 'tls { cert_file: cert.pem, key_file: key.pem }\n',
    files: { 'cert.pem': pem('cert.pem'), 'key.pem': pem('key.pem') },
  },
  (it) => {
    const trust = ['--tls-ca', path.join(keys, 'cert.pem')];

    it('a server that nobody vouches for is not talked to', async (t, server) => {
      assert.match(
        await bad(server, 'pub', 'a', 'x'),
        /TLS with .* failed: .*\n {2}hint: --tls-ca/,
      );
    });

    it('with its authority, or by saying that it does not matter, it is', async (t, server) => {
      await good(server, 'pub', 'a', 'x', ...trust);
      await good(server, 'pub', 'a', 'x', '--tls-insecure');
      await good({ url: server.url.replace('nats:', 'tls:') }, 'pub', 'a', 'x', ...trust);
    });

    it('a certificate for another name is refused', async (t, server) => {
      const other = { url: server.url.replace('127.0.0.1', 'localhost') };
      assert.match(await bad(other, 'pub', 'a', 'x', ...trust), /TLS with localhost:\d+ failed/);
    });
  },
);

onNonet('cli of a node', { config: 'streams: {S: {subjects: [s]}}\n' }, (it) => {
  it('status says what the node is and does', async (t, server) => {
    const status = await json(server, 'status');
    assert.ok(status.resident_bytes > 0 && status.cpu_seconds >= 0);
    assert.match(await good(server, 'status'), /^version +\d/m);
  });

  it('a node is found by its data folder', async (t, server) => {
    const words = ['pub', 's', 'x', '--durable', '--data', server.data];
    const { status, stdout, stderr } = await run(words);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^stored in S/);
  });

  it('reload takes up the config, and refuses one with mistakes', async (t, server) => {
    server.writeApp('streams: {S: {subjects: [s]}, T: {subjects: [t]}}\n');
    const done = await run(['reload', '--data', server.data, '--json']);
    assert.deepEqual([done.status, done.stdout], [0, '{"reloaded":true}\n'], done.stderr);
    await until(async () => (await json(server, 'stream', 'ls')).streams.length === 2);
    server.writeApp('streems: {}\n');
    const refused = await run(['reload', '--data', server.data]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /the node refuses \(409\): /);
  });

  it("a stopped node's log is verified, and a flipped bit found", async (t, server) => {
    await good(server, 'pub', 's', 'precious', '--durable', '--count', '100');
    const running = await run(['log', 'verify', server.data]);
    assert.match(running.stderr, /a node is running/);
    const { streams } = await json(server, 'stream', 'ls');
    await server.stop();
    const fine = await run(['log', 'verify', server.data, '--json']);
    assert.equal(fine.status, 0, fine.stderr);
    const counted = streams.reduce((sum, { state }) => sum + state.messages, 0);
    assert.equal(JSON.parse(fine.stdout).messages, counted);
    assert.equal(JSON.parse(fine.stdout).damaged, 0);
    const files = fs.readdirSync(server.data, { recursive: true, withFileTypes: true });
    const found = files
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
      .find((name) => fs.readFileSync(name).includes('precious'));
    const bytes = fs.readFileSync(found);
    bytes[bytes.indexOf('precious')] ^= 1;
    fs.writeFileSync(found, bytes);
    const broken = await run(['log', 'verify', server.data, '--json']);
    assert.equal(broken.status, 1);
    const report = JSON.parse(broken.stdout);
    assert.ok(report.damaged > 0 && report.findings.length > 0);
    assert.match(broken.stderr, new RegExp(path.basename(found)));
  });
});

check('what is written wrongly is refused with 2, on stderr', async () => {
  for (const args of [
    [],
    ['publish'],
    ['pub'],
    ['pub', 'a b', 'x'],
    ['sub', 'a', '--cuont', '1'],
    ['stream'],
    ['stream', 'lss'],
    ['reply', 'a'],
    ['reply', 'a', '--echo', '--with', 'x'],
    ['stream', 'add', 'a.b'],
    ['stream', 'purge', 'S', '--keep', '1', '--before', '2'],
    ['bench', 'core', '--publishers', '0'],
    ['sub', 'a', '--raw', '--json'],
    ['pub', 'a', 'x', '--timeout', 'soon'],
  ]) {
    const { status, stdout, stderr } = await run(args);
    const words = args.join(' ');
    assert.equal(status, 2, words);
    if (words) assert.deepEqual([stdout, /^nonet: /.test(stderr)], ['', true], words);
  }
});

check('a server that is not there is told in words', async () => {
  const { status, stderr } = await run(['pub', 'a', 'x', '--server', 'nats://127.0.0.1:1']);
  assert.equal(status, 1);
  assert.match(stderr, /^nonet: cannot reach 127\.0\.0\.1:1: .*\n {2}hint: /);
});

check('version, help, schema and reference are printed', async () => {
  assert.match((await run(['version'])).stdout, /^nonet \d+\.\d+\.\d+\n$/);
  assert.match(JSON.parse((await run(['version', '--json'])).stdout).version, /^\d+\.\d+\.\d+$/);
  const family = (await run(['help', 'stream'])).stdout;
  assert.match(family, /nonet stream info NAME[^]*nonet stream purge NAME/);
  assert.match((await run(['pub', '--help'])).stdout, /--durable/);
  const schema = JSON.parse((await run(['config', 'schema'])).stdout);
  for (const key of ['node', 'listen', 'auth', 'streams']) assert.ok(schema.properties[key], key);
  assert.match((await run(['config', 'reference'])).stdout, /^# Reference of nonet\.yaml/);
});

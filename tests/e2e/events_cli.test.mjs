// Event streams at the command line: append, read, tail, verify.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BINARY, check, onNonet, run, startNonet, temporaryFolder, until } from './lib/node.mjs';

const call = (server, ...args) => run(['events', ...args, '--data', server.data]);

async function good(server, ...args) {
  const { status, stdout, stderr } = await call(server, ...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

async function bad(server, status, ...args) {
  const result = await call(server, ...args);
  assert.equal(result.status, status, result.stdout + result.stderr);
  return result.stderr;
}

// Starts `events tail ARGS`; the lines that it has printed are in .lines().
function tail(t, server, ...args) {
  const child = spawn(BINARY, ['events', 'tail', ...args, '--data', server.data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (bytes) => (text += bytes));
  t.after(() => child.kill('SIGKILL'));
  return { child, lines: () => text.split('\n').slice(0, -1) };
}

onNonet('events at the command line', {}, (it) => {
  it('append and read', async (t, server) => {
    const data = '{"x": [1, 2]}';
    const first = await good(server, 'append', 'a-1', 'Placed', data, '--expect', 'none');
    assert.match(first, /^a-1@0, position \d+\n$/);
    await good(server, 'append', 'a-1', 'Paid', '--expect', '0', '--tag', 'user:ann', '--tag', 'b');
    await good(server, 'append', 'a-1', 'Note', 'no json', '--expect', 'exists');
    const lines = (await good(server, 'read', 'a-1')).split('\n');
    assert.match(lines[0], /^\d+ a-1@0 \d{4}-\S+Z Placed \{"x": \[1, 2\]\}$/);
    assert.match(lines[1], /^\d+ a-1@1 \S+ Paid \[user:ann b\] $/);
    assert.match(lines[2], /^\d+ a-1@2 \S+ Note bm8ganNvbg==$/);
    assert.equal(lines.length, 4);
    const one = await good(server, 'read', 'a-1', '--backwards', '--limit', '1', '--json');
    assert.equal(JSON.parse(one).type, 'Note');
    const from = await good(server, 'read', 'a-1', '--from', '1', '--limit', '1', '--json');
    assert.equal(JSON.parse(from).type, 'Paid');
  });

  it('an id is appended once', async (t, server) => {
    await good(server, 'append', 'id-1', 'T', '{}', '--id', 'x', '--metadata', '{"actor":"me"}');
    const again = await good(server, 'append', 'id-1', 'T', '{}', '--id', 'x');
    assert.match(again, /^id-1@0, position \d+ \(it had been appended before\)\n$/);
    const event = JSON.parse(await good(server, 'read', 'id-1', '--json'));
    assert.equal(event.id, 'x');
    assert.deepEqual(event.metadata, { actor: 'me' });
  });

  it('what is not as expected is told, and exits with 1', async (t, server) => {
    await good(server, 'append', 'c-1', 'T');
    const words = await bad(server, 1, 'append', 'c-1', 'T', '--expect', 'none');
    assert.equal(
      words,
      'nonet: nothing was appended: an event stream is not as expected\n' +
        '  c-1: expected none, and there is revision 0\n',
    );
    assert.match(
      await bad(server, 1, 'append', 'c-2', 'T', '--expect', '3'),
      /c-2: expected 3, and there is none/,
    );
    const { status, stdout } = await call(server, 'append', 'c-1', 'T', '--expect', '7', '--json');
    assert.equal(status, 1);
    assert.deepEqual(JSON.parse(stdout).violations, [
      { check: 'expect', stream: 'c-1', expected: 7, actual: 0 },
    ]);
  });

  it('what is wrong is told', async (t, server) => {
    assert.match(await bad(server, 2, 'append', 'w-1', 'T', '--expect', 'maybe'), /--expect maybe/);
    assert.match(await bad(server, 2, 'append', 'w-1', 'T', '--metadata', '[]'), /--metadata/);
    assert.match(await bad(server, 2, 'append', 'w-1'), /usage: nonet events append/);
    assert.match(await bad(server, 1, 'append', '-1', 'T'), /refuses \(400\): .*CATEGORY-ID/);
    assert.match(await bad(server, 1, 'append', 'w-1', 'T', '--id', ' x'), /events\[0\]\.id/);
    assert.match(await bad(server, 1, 'read', 'nobody-1'), /refuses \(404\): there is no such/);
    const lost = { data: path.join(temporaryFolder(), 'none') };
    assert.match(await bad(lost, 1, 'read', 'a-1'), /ports\.json/);
  });

  it('data comes from stdin, names may hold anything', async (t, server) => {
    const child = spawn(BINARY, ['events', 'append', 'ü?&%-1 2', 'T', '-', '--data', server.data], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.stdin.end('{"from":"stdin"}');
    await until(() => child.exitCode !== null);
    assert.equal(child.exitCode, 0);
    const event = JSON.parse(await good(server, 'read', 'ü?&%-1 2', '--json'));
    assert.deepEqual([event.stream, event.data], ['ü?&%-1 2', { from: 'stdin' }]);
  });

  it('read goes through all pages', async (t, server) => {
    const token = server.token;
    const events = Array.from({ length: 450 }, (_, i) => ({ type: `T${i}` }));
    const answer = await fetch(`${server.admin}/v1/streams/p-1`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ events }),
    });
    assert.equal(answer.status, 201);
    const types = async (...args) =>
      (await good(server, 'read', 'p-1', '--json', ...args))
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).type);
    const all = events.map((event) => event.type);
    assert.deepEqual(await types(), all);
    assert.deepEqual(await types('--backwards'), all.toReversed?.() ?? [...all].reverse());
    assert.deepEqual(await types('--limit', '401'), all.slice(0, 401));
  });

  it('an append may be on condition that nothing of a kind is there', async (t, server) => {
    const register = (user, ...more) =>
      call(server, 'append', user, 'Registered', '--tag', 'name:bob', ...more);
    const none = ['--unless-tag', 'name:bob', '--unless-type', 'Registered'];
    const first = await register('user-1', ...none);
    assert.equal(first.status, 0, first.stderr);
    const position = first.stdout.match(/position (\d+)/)[1];
    const second = await register('user-2', ...none);
    assert.equal(second.status, 1);
    assert.match(second.stderr, /there is an event that a check rules out/);
    assert.ok(second.stderr.includes(`  user-1: Registered, position ${position}\n`));
    assert.equal((await register('user-2', ...none, '--after', position)).status, 0);
    assert.equal((await register('user-3', '--after', position)).status, 1);
    assert.equal((await register('user-3', ...none, '--after', 'soon')).status, 2);
  });

  it('tail prints what comes', async (t, server) => {
    await good(server, 'append', 't-1', 'Old');
    const all = tail(t, server, '--category', 't', '--from', '1', '--json');
    const one = tail(t, server, 't-1', '--from', '1', '--json');
    const paid = tail(t, server, '--types', 'Paid,Sent', '--tags', 'x', '--from', '1');
    await until(() => all.lines().length === 1);
    await good(server, 'append', 't-1', 'Paid', '--tag', 'x', '--tag', 'y');
    await good(server, 'append', 't-2', 'Paid', '--tag', 'y');
    await good(server, 'append', 't-1', 'Sent', '--tag', 'x');
    const types = (tailed) => tailed.lines().map((line) => JSON.parse(line).type);
    await until(() => all.lines().length === 4);
    assert.deepEqual(types(all), ['Old', 'Paid', 'Paid', 'Sent']);
    await until(() => one.lines().length === 2);
    assert.deepEqual(types(one), ['Paid', 'Sent']);
    await until(() => paid.lines().length === 2);
    assert.match(paid.lines()[0], / t-1@1 \S+ Paid \[x y\] $/);
  });

  it('tail without --from begins behind the last', async (t, server) => {
    await good(server, 'append', 'n-1', 'Old');
    const tailed = tail(t, server, 'n-1', '--json');
    // It begins when it begins: events come until one is seen.
    await until(async () => {
      await good(server, 'append', 'n-1', 'New');
      return tailed.lines().length > 0;
    });
    assert.ok(tailed.lines().every((line) => JSON.parse(line).type === 'New'));
    tailed.child.kill('SIGINT');
    await until(() => tailed.child.signalCode === 'SIGINT' || tailed.child.exitCode !== null);
  });

  it('verify', async (t, server) => {
    const words = await good(server, 'verify');
    assert.match(words, /^[\d,]+ events of \d+ event streams: every chain holds\n$/);
    const { report, findings } = JSON.parse(await good(server, 'verify', '--json'));
    assert.deepEqual(findings, []);
    assert.equal(report.findings, 0);
  });
});

check('verify says the same of a node that runs and of one that does not', async (t) => {
  const server = await startNonet(t);
  for (let i = 0; i < 20; i++) await good(server, 'append', `v-${i % 3}`, 'T', `{"i":${i}}`);
  const running = await good(server, 'verify', '--json');
  await server.stop('SIGKILL');
  assert.equal(await good(server, 'verify', '--json'), running);
  assert.deepEqual(JSON.parse(running).report, { events: 20, streams: 3, findings: 0 });
  await server.start();
  await server.stop();
  assert.equal(await good(server, 'verify', '--json'), running);

  // A byte of an event that the disk has spoilt.
  const segment = path.join(server.data, 'log/segments/00000001.seg');
  const bytes = fs.readFileSync(segment);
  bytes[bytes.indexOf('{"i":7}') + 5] = '8'.charCodeAt(0);
  fs.writeFileSync(segment, bytes);
  const { status, stdout, stderr } = await call(server, 'verify');
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^nonet: position 8 of ES cannot be read \(`nonet log verify` says more\)\n/,
  );
  assert.match(stderr, /\nnonet: v-1@3 \(position 11\): events before this one are missing\n$/);
  assert.match(stdout, /^19 events of 3 event streams: 2 findings\n$/);
  await server.start();
  assert.deepEqual(await call(server, 'verify'), { status, stdout, stderr });
});

check('verify of a folder that is no node’s', async (t) => {
  const server = { data: path.join(temporaryFolder(), 'none') };
  assert.match(await bad(server, 1, 'verify'), /is not the data folder of a node/);
});

check('the state of an event stream', async (t) => {
  const config = 'events: {folds: {a: {version: 3, on: {T: {set: {x: .x}, inc: {n: .n}}}}}}';
  const server = await startNonet(t, { config });
  await good(server, 'append', 'a-1', 'T', '{"x":{"y":[1,{}]},"n":0.10}');
  await good(server, 'append', 'a-1', 'T', '{"n":0.20}');
  await good(server, 'append', 'b-1', 'T', '{"z":1}');
  await good(server, 'append', 'a-1', 'T', '{"n":"ten"}');
  const first = /^a-1@0, position 1, \S+Z, fold a version 3\n\{\n {2}"x": \{\n {4}"y": \[\n/;
  assert.match(await good(server, 'state', 'a-1', '--at', '0'), first);
  const now = await call(server, 'state', 'a-1', '--json');
  const { revision, state } = JSON.parse(now.stdout);
  assert.deepEqual([revision, state, now.stderr], [2, { x: { y: [1, {}] }, n: 0.3 }, '']);
  const told = await call(server, 'state', 'a-1');
  assert.equal(told.status, 0);
  assert.equal(told.stderr, 'nonet: revision 2: inc n: the event has no number there\n');
  assert.match(await good(server, 'state', 'a-1', '--position', '3'), /^a-1@1, position 2, /);
  assert.match(await good(server, 'state', 'a-1', '--at', '2099-01-01T00:00:00Z'), /^a-1@2, /);
  assert.match(await bad(server, 1, 'state', 'a-2'), /there is no such event stream/);
  assert.match(await bad(server, 1, 'state', 'a-1', '--at', '3'), /no such revision yet/);
  assert.match(await bad(server, 1, 'state', 'a-1', '--at', 'noon'), /at: a revision, or a time/);
  await bad(server, 2, 'state');
});

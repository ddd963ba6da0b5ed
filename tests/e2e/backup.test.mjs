// Backup and restore: a copy of a node's data as of one commit, made while it serves.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { AckPolicy } from '@nats-io/jetstream';
import { BINARY, check, run, sleep, startNonet, temporaryFolder, until } from './lib/node.mjs';
import { openJetstream } from './lib/jetstream.mjs';

const LARGE = 64 * 1024; // a message, in bytes

const nonet = async (status, ...args) => {
  const result = await run(args);
  assert.equal(result.status, status, result.stdout + result.stderr);
  return status === 0 ? result.stdout : result.stderr;
};
const backup = (server, dir, ...args) =>
  nonet(0, 'backup', dir, '--data', server.data, ...args).then((text) =>
    args.includes('--json') ? JSON.parse(text) : text,
  );

// Another node, on what was restored from DIR.
async function restore(t, dir) {
  const server = await startNonet(t);
  await server.stop();
  fs.rmSync(server.data, { recursive: true });
  await nonet(0, 'restore', dir, '--data', server.data);
  return server;
}

function* filesOf(dir, below = '') {
  for (const entry of fs.readdirSync(path.join(dir, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    if (entry.isDirectory()) yield* filesOf(dir, name);
    else yield name;
  }
}

async function fill(t, server, count, size = LARGE) {
  const { jsm, js } = await openJetstream(t, server);
  await jsm.streams.add({ name: 'BIG', subjects: ['big'] });
  const payload = new Uint8Array(size).fill(120);
  for (let i = 0; i < count; i += 50)
    await Promise.all(Array.from({ length: 50 }, () => js.publish('big', payload)));
}

// Starts `nonet ARGS`, which makes DIR, and comes back while it is at it; once it was too quick for
// us, it is started again.
async function begin(args, dir) {
  for (let i = 0; i < 20; i++) {
    fs.rmSync(dir, { recursive: true, force: true });
    const child = spawn(BINARY, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.words = '';
    child.stderr.on('data', (bytes) => (child.words += bytes));
    child.over = new Promise((resolve) => child.on('close', resolve));
    const half = () => fs.existsSync(path.join(`${dir}.partial`, 'log'));
    await until(() => half() || child.exitCode !== null);
    if (half()) return child;
    await child.over;
    assert.equal(child.exitCode, 0, child.words);
  }
  throw new Error(`${args[0]} is always done before it is seen`);
}

check('a backup under load has what was acknowledged before it, and nothing torn', async (t) => {
  const server = await startNonet(t);
  await fill(t, server, 400);
  const { js, jsm } = await openJetstream(t, server);
  await jsm.streams.add({ name: 'JOBS', subjects: ['jobs'] });
  const explicit = { durable_name: 'w', ack_policy: AckPolicy.Explicit, max_ack_pending: 64 };
  await jsm.consumers.add('JOBS', explicit);

  // Publishers, a consumer that acknowledges (and is told so), appends of events.
  const seen = { published: 0, acknowledged: 0, events: 0 };
  let busy = true;
  const publisher = async () => {
    while (busy) seen.published = Math.max(seen.published, (await js.publish('jobs', 'x')).seq);
  };
  const worker = async () => {
    const consumer = await js.consumers.get('JOBS', 'w');
    while (busy)
      for await (const m of await consumer.fetch({ max_messages: 20, expires: 1000 })) {
        await m.ackAck();
        seen.acknowledged = m.seq;
      }
  };
  const appender = async () => {
    const headers = { authorization: `Bearer ${server.token}` };
    for (let i = 0; busy; i++) {
      const body = JSON.stringify({ events: [{ type: 'T', data: { i } }] });
      const url = `${server.admin}/v1/streams/e-${i % 7}`;
      const answer = await (await fetch(url, { method: 'POST', headers, body })).json();
      seen.events = answer.position;
    }
  };
  const all = [publisher(), publisher(), worker(), appender()];
  await until(() => seen.published > 100 && seen.acknowledged > 20 && seen.events > 50);

  const before = { ...seen };
  const dir = path.join(temporaryFolder(), 'b');
  const made = await backup(server, dir, '--json');
  const after = { ...seen };
  assert.ok(after.published > before.published, 'appends went on meanwhile');
  busy = false;
  await Promise.all(all);
  assert.ok(made.bytes > 400 * LARGE && made.files >= 4);
  assert.equal(made.directory, dir);
  assert.ok(!fs.existsSync(`${dir}.partial`));

  // What sha256sum would say, and our own word.
  assert.match(await nonet(0, 'backup', dir, '--verify'), /: every file is as it was written\n$/);
  const info = JSON.parse(await nonet(0, 'backup', dir, '--verify', '--json'));
  assert.equal(info.position, made.position);
  assert.equal(fs.statSync(path.join(dir, 'log/checkpoint')).mode & 0o777, 0o600);
  assert.equal(fs.statSync(dir).mode & 0o777, 0o700);
  await nonet(0, 'log', 'verify', dir);
  await nonet(0, 'events', 'verify', '--data', dir);

  const restored = await restore(t, dir);
  await nonet(0, 'log', 'verify', restored.data);
  const verified = await nonet(0, 'events', 'verify', '--data', restored.data, '--json');
  await restored.start();
  const there = await openJetstream(t, restored);
  const { state } = await there.jsm.streams.info('JOBS');
  assert.equal(state.first_seq, 1);
  assert.equal(state.messages, state.last_seq, 'it has no gaps');
  assert.ok(state.last_seq >= before.published, 'what was acknowledged before is there');
  assert.ok(state.last_seq <= seen.published + 2);
  const { ack_floor, delivered } = await there.jsm.consumers.info('JOBS', 'w');
  assert.ok(ack_floor.stream_seq >= before.acknowledged, 'acknowledgements, too');
  assert.ok(ack_floor.stream_seq <= state.last_seq);
  assert.equal((await there.jsm.streams.info('BIG')).state.messages, 400);
  const { report } = JSON.parse(verified);
  assert.ok(report.events >= before.events && report.events <= seen.events);

  // It goes on where the backup was.
  assert.equal((await there.js.publish('jobs', 'more')).seq, state.last_seq + 1);
  const consumer = await there.js.consumers.get('JOBS', 'w');
  const next = await consumer.next({ expires: 5000 });
  assert.equal(next.seq, delivered.stream_seq + 1);
  await restored.stop();
  await nonet(0, 'log', 'verify', restored.data);
});

check('a damaged backup is refused by the name of the file', async (t) => {
  const server = await startNonet(t);
  await fill(t, server, 50, 1000);
  const folder = temporaryFolder();
  const dir = path.join(folder, 'b');
  assert.match(await backup(server, dir), /: \d+ files, [\d,]+ bytes, position \d+\n$/);
  const target = path.join(folder, 'restored');
  const refused = async (words) => {
    assert.match(await nonet(1, 'backup', dir, '--verify'), words);
    assert.match(await nonet(1, 'restore', dir, '--data', target), words);
    assert.deepEqual(fs.readdirSync(folder), ['b'], 'nothing half is left behind');
  };
  for (const name of [...filesOf(dir)]) {
    const file = path.join(dir, name);
    const bytes = fs.readFileSync(file);
    const flipped = Buffer.from(bytes);
    flipped[bytes.length >> 1] ^= 4;
    fs.writeFileSync(file, flipped);
    await refused(new RegExp(`/b/.*: `));
    if (name !== 'SHA256SUMS') await refused(new RegExp(`/b/${name}: its bytes are not`));
    fs.writeFileSync(file, bytes.subarray(0, bytes.length - 1));
    await refused(/\/b\//);
    fs.rmSync(file);
    await refused(
      name === 'SHA256SUMS' ? /it is no backup/ : new RegExp(`/b/${name}: the file is`),
    );
    fs.writeFileSync(file, bytes);
  }
  const sums = path.join(dir, 'SHA256SUMS');
  const lines = fs.readFileSync(sums, 'utf8');
  fs.writeFileSync(sums, lines.replace(/^.* log\/segments.*\n/m, ''));
  await refused(/SHA256SUMS: it does not name as many files/);
  fs.writeFileSync(sums, lines.replace('log/checkpoint', '../b/log/checkpoint'));
  await refused(/SHA256SUMS: it has a line that is no sum/);
  fs.writeFileSync(sums, lines);
  fs.mkdirSync(target);
  await nonet(0, 'restore', dir, '--data', target); // an empty folder will do
  assert.match(await nonet(1, 'restore', dir, '--data', target), /restored: it is not empty/);
});

check('what is asked wrongly is told, and leaves nothing', async (t) => {
  const server = await startNonet(t);
  const folder = temporaryFolder();
  const dir = path.join(folder, 'b');
  const fails = (...args) => nonet(1, 'backup', ...args, '--data', server.data);
  await backup(server, dir);
  assert.match(await fails(dir), /there is no backup: .*\/b: it is there already/);
  fs.writeFileSync(path.join(folder, 'file'), '');
  assert.match(await fails(path.join(folder, 'file')), /file: it is there already/);
  assert.match(await fails(path.join(folder, 'file/b')), /cannot be/);
  fs.mkdirSync(path.join(folder, 'c.partial'));
  fs.writeFileSync(path.join(folder, 'c.partial/mine'), 'x');
  assert.match(await fails(path.join(folder, 'c')), /c\.partial: it is in the way/);
  assert.equal(fs.readFileSync(path.join(folder, 'c.partial/mine'), 'utf8'), 'x');
  // A node's data folder may be called so, too, and is not what a kill has left.
  const other = await startNonet(t);
  await other.stop();
  fs.renameSync(other.data, path.join(folder, 'd.partial'));
  assert.match(await fails(path.join(folder, 'd')), /d\.partial: it is in the way/);
  const data = path.join(folder, 'd');
  assert.match(await nonet(1, 'restore', dir, '--data', data), /d\.partial: it is in the way/);
  await nonet(0, 'log', 'verify', `${data}.partial`);
  const post = async (body, headers) =>
    (await fetch(`${server.admin}/v1/backup`, { method: 'POST', body, headers })).status;
  assert.equal(await post('{"directory":"/x"}', {}), 401);
  const authorization = `Bearer ${server.token}`;
  assert.equal(await post('{"directory":"x"}', { authorization }), 409);
  assert.equal(await post('{}', { authorization }), 400);
  assert.match(await nonet(1, 'backup', path.join(folder, 'nothing'), '--verify'), /no backup/);
  assert.match(await nonet(2, 'restore', dir), /--data NEW is wanted/);
  assert.match(
    await nonet(1, 'restore', dir, '--data', server.data),
    /it is not empty[^]*name a folder that is not there yet/,
  );
  // A relative name is the caller's.
  const { status } = await run(['backup', 'mine', '--data', server.data], { cwd: folder });
  assert.equal(status, 0);
  assert.ok(fs.existsSync(path.join(folder, 'mine/SHA256SUMS')));
});

check('a copy that fails in the middle leaves nothing, and the node goes on', async (t) => {
  const server = await startNonet(t);
  await fill(t, server, 100);
  const dir = path.join(temporaryFolder(), 'b');
  await backup(server, dir); // so that there are segments
  const segment = path.join(server.data, 'log/segments/00000001.seg');
  const bytes = fs.readFileSync(segment);
  const refused = async (words) => {
    const result = await run(['backup', `${dir}2`, '--data', server.data]);
    assert.equal(result.status, 1);
    assert.match(result.stderr, words);
    assert.deepEqual(fs.readdirSync(path.dirname(dir)), ['b']);
  };
  fs.renameSync(segment, `${segment}.gone`);
  await refused(/there is no backup: .*segments\/00000001\.seg: cannot be copied: No such file/);
  fs.renameSync(`${segment}.gone`, segment);
  fs.truncateSync(segment, bytes.length - 5000);
  await refused(/segments\/00000001\.seg: the segment is cut short/);
  fs.writeFileSync(segment, bytes);
  const { js, jsm } = await openJetstream(t, server);
  assert.equal((await js.publish('big', 'x')).seq, 101);
  assert.equal((await jsm.streams.info('BIG')).state.messages, 101);
  await backup(server, `${dir}2`);
  await nonet(0, 'log', 'verify', `${dir}2`);
});

check('a node that is killed while it makes a backup is none the worse', async (t) => {
  const server = await startNonet(t);
  await fill(t, server, 1000);
  const dir = path.join(temporaryFolder(), 'b');
  const child = await begin(['backup', dir, '--data', server.data], dir);
  await server.stop('SIGKILL');
  await child.over;
  if (!fs.existsSync(dir)) {
    assert.equal(child.exitCode, 1);
    assert.match(child.words, /closed before the answer|went away|reset/);
  }
  fs.rmSync(dir, { recursive: true, force: true }); // it was quicker
  await server.start();
  const { jsm } = await openJetstream(t, server);
  assert.equal((await jsm.streams.info('BIG')).state.messages, 1000);
  await backup(server, dir); // what the kill has left is cleared away
  assert.ok(!fs.existsSync(`${dir}.partial`));
  await nonet(0, 'backup', dir, '--verify');

  // And a restore that is.
  const target = `${dir}-restored`;
  const restoring = await begin(['restore', dir, '--data', target], target);
  restoring.kill('SIGKILL');
  await restoring.over;
  if (restoring.signalCode) assert.ok(!fs.existsSync(target));
  fs.rmSync(target, { recursive: true, force: true });
  await nonet(0, 'restore', dir, '--data', target);
  assert.ok(!fs.existsSync(`${target}.partial`));
  await nonet(0, 'log', 'verify', target);
});

check('who goes away gives the backup up; a node that stops does, too', async (t) => {
  const server = await startNonet(t);
  await fill(t, server, 1000);
  const dir = path.join(temporaryFolder(), 'b');
  const args = ['backup', dir, '--data', server.data];
  const post = (directory) =>
    fetch(`${server.admin}/v1/backup`, {
      method: 'POST',
      body: JSON.stringify({ directory }),
      headers: { authorization: `Bearer ${server.token}` },
    });
  // ACT is done while a backup is under way; gives what it gives, and whether the backup was whole.
  const during = async (act) => {
    const child = await begin(args, dir);
    server.signal('SIGSTOP'); // so that the node is in the middle of it
    const given = await act(child);
    await child.over;
    await until(() => !fs.existsSync(`${dir}.partial`));
    const whole = fs.existsSync(dir);
    fs.rmSync(dir, { recursive: true, force: true });
    return { given, whole };
  };
  const another = async () => {
    const answer = post(`${dir}2`);
    await sleep(20); // it waits in the socket of the node, which does not run
    server.signal('SIGCONT');
    await (await answer).text(); // comes to its end with the backup, where there was one
    fs.rmSync(`${dir}2`, { recursive: true, force: true });
    return (await answer).status;
  };
  const goAway = async (child) => {
    child.kill('SIGKILL');
    await child.over;
    server.signal('SIGCONT');
  };
  // A backup may be done before the node hears of either: then once more.
  const tries = async (act, enough) => {
    for (let i = 0; i < 20; i++) if (enough(await during(act))) return true;
    return false;
  };
  assert.ok(await tries(another, ({ given, whole }) => given === 409 && whole), 'one at a time');
  assert.ok(await tries(goAway, ({ whole }) => !whole), 'one was given up');
  await begin(args, dir);
  await server.stop();
  assert.ok(!fs.existsSync(`${dir}.partial`));
  if (fs.existsSync(dir)) await nonet(0, 'backup', dir, '--verify'); // it was done before
  fs.rmSync(dir, { recursive: true, force: true });
  await server.start();
  await backup(server, dir);
});

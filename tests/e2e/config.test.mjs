// nonet.yaml and the command line: mistakes are found before the start, each with its place.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { check, run, temporaryFolder } from './lib/node.mjs';

// Runs `nonet check` on TEXT; gives its status and what it said, without the folder's name.
async function checkText(text, env = {}) {
  const app = temporaryFolder();
  fs.writeFileSync(path.join(app, 'nonet.yaml'), text);
  const result = await run(['check', app], { env: { ...process.env, ...env } });
  for (const key of ['stdout', 'stderr']) result[key] = result[key].replaceAll(`${app}/`, '');
  return result;
}

check('a sound file is fine', async () => {
  const { status, stdout, stderr } = await checkText(
    'node: {name: one}\nstreams: {A: {subjects: [a]}}\n',
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /nonet\.yaml is fine/);
  assert.equal(stderr, '');
});

check('so is an empty one, and the example', async () => {
  assert.equal((await checkText('')).status, 0);
  const { status, stderr } = await run([
    'check',
    new URL('../../examples/auction', import.meta.url).pathname,
  ]);
  assert.equal(status, 0, stderr);
});

check('every mistake is told in one go, with line, column and a hint', async () => {
  const { status, stderr } = await checkText(`node: {name: x, shrds: 2}
streams:
  BIDS: {subjects: ["bid.>"], max_age: 7days}
  B2: {subjects: ["bid.new"]}
services:
  s: {comand: "x"}
flows:
  f: {from: {nexmark: {rate: 10/x}}, to: {publish: "{knd}.new"}}
`);
  assert.equal(status, 1);
  for (const expected of [
    /^nonet\.yaml:1:17: unknown key 'shrds'.*\n {2}hint: did you mean 'shards'\?$/m,
    /^nonet\.yaml:3:40: .*not a duration.*\n {2}hint: .*7d/m,
    /^nonet\.yaml:4:3: .*overlaps.*$/m,
    /^nonet\.yaml:6:7: unknown key 'comand'.*\n {2}hint: did you mean 'command'\?$/m,
    /^nonet\.yaml:6:3: .*needs the key 'command'/m,
    /^nonet\.yaml:8:30: .*rate/m,
    /^nonet\.yaml:8:52: .*placeholder/m,
  ]) {
    assert.match(stderr, expected);
  }
});

for (const [title, text, expected] of [
  ['YAML that is none', 'node: [1, 2', /nonet\.yaml:\d+:\d+: /],
  ['a key twice', 'node: {name: a, name: b}\n', /nonet\.yaml:1:17: .*twice/],
  ['a list where a section belongs', 'streams: [A, B]\n', /nonet\.yaml:1:\d+: .*streams/],
  ['a subject that is none', 'streams: {A: {subjects: ["a..b"]}}\n', /not a subject: 'a\.\.b'/],
  ['a stream without subjects', 'streams: {A: {}}\n', /needs the key 'subjects'/],
  [
    'a stream that takes everything',
    'streams: {A: {subjects: [">"]}}\n',
    /capturing all subjects requires no-ack/,
  ],
  ['a bad address', 'listen: {nats: {address: "nowhere"}}\n', /nonet\.yaml:1:\d+: .*address/],
  ['an open door', 'listen: {nats: {address: "0.0.0.0:4222"}}\n', /without authentication/],
  ['a user without a password', 'auth: {users: [{user: ann}]}\n', /no password/],
  ['a variable that is not set', 'auth: {users: [{token: "${NO_SUCH_ONE}"}]}\n', /NO_SUCH_ONE/],
  [
    'a file that is not there',
    'auth: {users: [{token: "file:/no/such/file"}]}\n',
    /no\/such\/file/,
  ],
  ['half of a certificate', 'listen: {nats: {tls: {cert: a.pem}}}\n', /without its key/],
  ['a section of another version', 'schedules: {}\n', /cannot do that yet/],
  ['numbers out of range', 'limits: {max_connections: 0}\n', /max_connections/],
]) {
  check(`refused: ${title}`, async () => {
    const { status, stderr } = await checkText(text);
    assert.equal(status, 1, stderr);
    assert.match(stderr, expected);
    assert.match(stderr, /nonet: 1 mistake/);
  });
}

check('values come from the environment and from files', async () => {
  const secret = path.join(temporaryFolder(), 'secret');
  fs.writeFileSync(secret, 's3cr3t\n');
  const ann = `{user: ann, password: "file:${secret}"}`;
  const text = `auth: {users: [{token: "\${MY_TOKEN}"}, ${ann}]}\n`;
  const { status, stderr } = await checkText(text, { MY_TOKEN: 't' });
  assert.equal(status, 0, stderr);
});

check('a secret is not printed', async () => {
  const { stderr } = await checkText(
    'auth: {users: [{user: ann, passwort: hunter2, token: hunter2}]}\n',
  );
  assert.doesNotMatch(stderr, /hunter2/);
});

for (const [title, args, status, expected] of [
  ['an unknown verb', ['chek'], 2, /did you mean 'check'/],
  ['no verb', [], 2, /usage: nonet VERB/],
  ['an unknown option', ['run', '--shrds', '2'], 2, /did you mean --shards/],
  ['an option without its value', ['run', '--shards'], 2, /needs a value/],
  ['a word too many', ['check', 'a', 'b'], 2, /too many/],
  ['too many shards', ['run', '--shards', '1000'], 2, /shards/],
  ['a listener without address', ['run', '--listen', 'nats'], 2, /NAME=ADDRESS/],
  ['an app that is not there', ['check', '/no/such/app'], 1, /cannot read/],
]) {
  check(`command line: ${title} is exit status ${status}`, async () => {
    const result = await run(args);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr + result.stdout, expected);
  });
}

check('help and version answer', async () => {
  const help = await run(['help']);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /usage: nonet VERB/);
  const version = await run(['version']);
  assert.equal(version.status, 0);
  assert.match(version.stdout, /\d+\.\d+\.\d+/);
});

check('a node does not start with mistakes', async () => {
  const app = temporaryFolder();
  fs.writeFileSync(path.join(app, 'nonet.yaml'), 'nod: {}\n');
  const { status, stderr } = await run(['run', app, '--listen', 'nats=0', '--listen', 'admin=0']);
  assert.equal(status, 1);
  assert.match(stderr, /unknown key 'nod'/);
  assert.deepEqual(fs.readdirSync(app), ['nonet.yaml']);
});

check('a node open to the network without users does not start', async () => {
  const data = temporaryFolder();
  const { status, stderr } = await run(['run', '--data', data, '--listen', 'nats=0.0.0.0:0']);
  assert.equal(status, 1);
  assert.match(stderr, /without authentication/);
});

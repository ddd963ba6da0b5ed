// A node's life: start, data folder, stop, lame duck, reload, services, and what a kill leaves.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { check, onBoth, onNonet, run, sleep, startNonet, until } from './lib/node.mjs';
import { Raw } from './lib/raw.mjs';

const test = (name, body) => check(name, (t) => body(t));

test('the ports file tells every listener, in DATA as well', async (t) => {
  const node = await startNonet(t);
  assert.match(node.ports.nats, /^127\.0\.0\.1:\d+$/);
  assert.match(node.ports.admin, /^127\.0\.0\.1:\d+$/);
  const inData = JSON.parse(fs.readFileSync(path.join(node.data, 'ports.json'), 'utf8'));
  assert.deepEqual(inData, node.ports);
});

test('a nonet.yaml that is not asked for is not used, and that is said', async (t) => {
  const node = await startNonet(t);
  assert.doesNotMatch(node.log, /nonet\.yaml/);
  await node.stop();
  fs.writeFileSync(path.join(node.dir, 'nonet.yaml'), 'node: {name: other}');
  await node.start();
  await until(() => /warn .*nonet\.yaml of this folder is not used: `nonet run \.`/.test(node.log));
  assert.match(node.log, /ready name=nonet /);
});

test('a second node on the same data is refused', async (t) => {
  const node = await startNonet(t);
  const { status, stderr } = await run([
    'run',
    '--data',
    node.data,
    '--listen',
    'nats=0',
    '--listen',
    'admin=0',
    '--listen',
    'sql=off',
  ]);
  assert.equal(status, 1);
  assert.match(stderr, /in use by another node/);
  await (await node.connect(t)).flush();
});

test('a port that is taken is refused', async (t) => {
  const node = await startNonet(t);
  const other = path.join(node.dir, 'other');
  const { status, stderr } = await run([
    'run',
    '--data',
    other,
    '--listen',
    `nats=${node.ports.nats}`,
    '--listen',
    'admin=0',
    '--listen',
    'sql=off',
  ]);
  assert.equal(status, 1);
  assert.match(stderr, /nats|address|use/i);
});

test('data of a newer format is refused, and left as it is', async (t) => {
  const node = await startNonet(t);
  await node.stop();
  const file = path.join(node.data, 'format');
  fs.writeFileSync(file, 'nonet data 99\n');
  const { status, stderr } = await run([
    'run',
    '--data',
    node.data,
    '--listen',
    'nats=0',
    '--listen',
    'admin=0',
    '--listen',
    'sql=off',
  ]);
  assert.equal(status, 1);
  assert.match(stderr, /format/);
  assert.match(stderr, /newer/);
  assert.equal(fs.readFileSync(file, 'utf8'), 'nonet data 99\n');
});

test('a data folder that cannot be made is an error', async () => {
  const { status, stderr } = await run(['run', '--data', '/proc/nowhere', '--listen', 'nats=0']);
  assert.equal(status, 1);
  assert.match(stderr, /data folder/);
});

test('a listener can be closed', async (t) => {
  const node = await startNonet(t, { listen: { admin: 'off' } });
  assert.equal(node.ports.admin, undefined);
  await (await node.connect(t)).flush();
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} ends a node without clients at once, with status 0`, async (t) => {
    const node = await startNonet(t);
    const start = Date.now();
    assert.deepEqual(await node.stop(signal), { status: 0, signal: null });
    assert.ok(Date.now() - start < 3000);
  });
}

onBoth(
  'lame duck',
  {
    config: 'limits: {drain_timeout: 5s, lame_duck: 30s, lame_duck_grace: 100ms}\n',
    nats: 'lame_duck_duration: "30s"\nlame_duck_grace_period: "100ms"\n',
  },
  (it, kind) => {
    it('SIGUSR2 tells clients, closes them, and ends the server', async (t, server) => {
      const raw = await (await Raw.open(t, server)).hello();
      raw.send('SUB a 1\r\n');
      await raw.fence();
      const nc = await server.connect(t);
      const told = [];
      (async () => {
        for await (const status of nc.status()) told.push(status.type);
      })();
      server.signal('SIGUSR2');
      const info = JSON.parse((await raw.expect(/^INFO /)).slice(5));
      assert.equal(info.ldm, true);
      await until(() => told.includes('ldm'), 'the official client to be told');
      if (kind === 'nonet') {
        nc.publish('a', 'the last words');
        await raw.expect('the last words');
      }
      await raw.end(40_000);
      assert.equal((await server.exited).status, 0);
    });
  },
);

test('SIGTERM lets what was published arrive', async (t) => {
  const node = await startNonet(t);
  const [publisher, subscriber] = [await node.connect(t), await node.connect(t)];
  let got = 0;
  subscriber.subscribe('last', { callback: () => got++ });
  await subscriber.flush();
  for (let i = 0; i < 500; i++) publisher.publish('last', Buffer.alloc(2000));
  await publisher.flush();
  assert.equal((await node.stop()).status, 0);
  await until(
    () => got === 500,
    () => `500 messages, have ${got}`,
  );
});

onNonet('declared streams', { config: 'streams: {A: {subjects: ["a.>"]}}\n' }, (it) => {
  it('are there at the start, and follow a reload, but never go', async (t, server) => {
    const nc = await server.connect(t);
    const jsm = await jetstreamManager(nc);
    await jetstream(nc).publish('a.x', '1');
    assert.match(
      await server.reload(
        'streams: {A: {subjects: ["a.>", "aa"], max_msgs: 5}, ' + 'B: {subjects: [b]}}\n',
      ),
      /reloaded/,
    );
    const { config, state } = await jsm.streams.info('A');
    assert.deepEqual([config.subjects, config.max_msgs, state.messages], [['a.>', 'aa'], 5, 1]);
    assert.equal((await jetstream(nc).publish('b', 'x')).stream, 'B');
    assert.match(await server.reload('streams: {B: {subjects: [b]}}\n'), /reloaded/);
    assert.equal((await jsm.streams.info('A')).state.messages, 1);
  });

  it('one that cannot be changed so is refused with words', async (t, server) => {
    const line = await server.reload('streams: {B: {subjects: [b], storage: memory}}\n');
    assert.match(line, /refused/);
    await (await server.connect(t)).flush();
  });
});

test('a reload changes the log level', async (t) => {
  const node = await startNonet(t, { config: 'node: {name: a}\n', args: [] });
  assert.match(await node.reload('node: {name: a, log: {level: error}}\n'), /reloaded/);
});

test('a service runs with NATS_URL, speaks to the log, and is started again', async (t) => {
  const file = 'starts';
  const node = await startNonet(t, {
    config: `
services:
  echo:
    command: 'echo "$NATS_URL $GREETING" >> ${file}; echo hello from it; sleep 0.05; exit 3'
    env: {GREETING: good morning}
  once: {command: 'echo once >> ones', restart: never}
`,
  });
  const lines = (name) => {
    try {
      return fs
        .readFileSync(path.join(node.dir, 'app', name), 'utf8')
        .trim()
        .split('\n');
    } catch {
      return [];
    }
  };
  await until(() => lines(file).length >= 3, 'three starts');
  assert.equal(lines(file)[0], `nats://${node.ports.nats} good morning`);
  await until(() => /service.*hello from it/.test(node.log), 'its words in the log');
  assert.deepEqual(lines('ones'), ['once']);
});

test('a service finds the data folder from its own, however it was told', async (t) => {
  const node = await startNonet(t, {
    config: `services: {s: {command: 'cat "$NONET_DATA/format" > seen', restart: never}}`,
    args: ['--data', 'data'],
  });
  const seen = path.join(node.dir, 'app', 'seen');
  await until(() => fs.existsSync(seen) && fs.statSync(seen).size > 0, 'the file of the folder');
});

test('a service gets all of its 256 variables; more are refused', async (t) => {
  const variables = (count) =>
    Array.from({ length: count }, (_, i) => `V${i}: "value ${i}"`).join(', ');
  const service = (count) =>
    `services: {many: {command: 'env > all', restart: never, env: {${variables(count)}}}}\n`;
  const node = await startNonet(t, { config: service(256) });
  await until(() => /service.*has ended.*name=many status=0/.test(node.log), 'its end');
  const all = fs.readFileSync(path.join(node.dir, 'app', 'all'), 'utf8').split('\n');
  for (let i = 0; i < 256; i++) assert.ok(all.includes(`V${i}=value ${i}`), `V${i}`);
  assert.ok(all.includes(`NATS_URL=nats://${node.ports.nats}`));
  assert.match(await node.reload(service(257)), /refused/);
  assert.match(node.log, /'env' in service many holds 257 items/);
});

test('services end with the node, even with one that will not listen', async (t) => {
  const node = await startNonet(t, {
    config:
      'services: {deaf: {command: \'trap "" TERM; echo $$ > pid; while :; do sleep 0.1; done\'}}\n',
  });
  const pid = await until(() => {
    try {
      return Number(fs.readFileSync(path.join(node.dir, 'app', 'pid'), 'utf8'));
    } catch {
      return 0;
    }
  }, 'its start');
  assert.equal((await node.stop()).status, 0);
  await until(() => !fs.existsSync(`/proc/${pid}`), 'its end');
});

test('kill -9: what was acknowledged is there, in its place, with its content', async (t) => {
  const node = await startNonet(t, { config: 'streams: {K: {subjects: ["k.>"]}}\n' });
  const acknowledged = new Map();
  for (let round = 0; round < 5; round++) {
    const nc = await node.connect(null);
    const js = jetstream(nc);
    let running = true;
    const publish = async (p) => {
      for (let i = 0; running; i++) {
        const text = `${round} ${p} ${i}`;
        const ack = await js
          .publish(`k.${p}`, text, { msgID: text, retries: 0 })
          .catch(() => null);
        if (!ack) return;
        assert.ok(!acknowledged.has(ack.seq), `sequence ${ack.seq} twice`);
        acknowledged.set(ack.seq, text);
      }
    };
    const publishers = Array.from({ length: 20 }, (_, p) => publish(p));
    await sleep(150 + round * 37);
    await node.stop('SIGKILL');
    running = false;
    await Promise.all(publishers);
    await nc.close();
    await node.start();
  }
  const nc = await node.connect(t);
  const consumer = await jetstream(nc).consumers.get('K');
  const { last_seq } = (await (await jetstreamManager(nc)).streams.info('K')).state;
  const seen = new Map();
  const ids = new Set();
  const { num_pending } = await consumer.info();
  assert.equal(num_pending, last_seq);
  for await (const message of await consumer.fetch({
    max_messages: num_pending,
    expires: 10_000,
  })) {
    seen.set(message.seq, message.string());
    ids.add(message.headers.get('Nats-Msg-Id'));
  }
  assert.equal(seen.size, last_seq, 'sequences are dense');
  assert.equal(ids.size, seen.size, 'nothing is there twice');
  assert.ok(acknowledged.size > 100, `${acknowledged.size} acknowledgements`);
  for (const [sequence, text] of acknowledged) assert.equal(seen.get(sequence), text);
});

test('kill -9: duplicates are still known afterwards', async (t) => {
  const node = await startNonet(t, { config: 'streams: {D: {subjects: [d]}}\n' });
  await jetstream(await node.connect(null)).publish('d', 'one', { msgID: 'id-1' });
  await node.stop('SIGKILL');
  await node.start();
  const ack = await jetstream(await node.connect(t)).publish('d', 'again', { msgID: 'id-1' });
  assert.deepEqual([ack.seq, ack.duplicate], [1, true]);
});

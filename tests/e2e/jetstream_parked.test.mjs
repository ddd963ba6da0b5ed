// Parked messages, Nonet's own: what a consumer gave up is kept, listed, replayed, dropped.

import assert from 'node:assert/strict';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { onNonet, run, sleep, until } from './lib/node.mjs';

async function api(nc, verb, stream, request = {}) {
  const subject = `$JS.API.NONET.PARKED.${verb}.${stream}.c`;
  return (await nc.request(subject, JSON.stringify(request), { timeout: 5000 })).json();
}

// A stream of COUNT messages; two of them given up, one terminated, the rest acknowledged.
async function open(t, server, stream, count = 5) {
  const nc = await server.connect(t);
  const jsm = await jetstreamManager(nc);
  const js = jetstream(nc);
  const name = stream.toUpperCase();
  await jsm.streams.add({ name, subjects: [`${stream}.>`] });
  for (let i = 1; i <= count; i++) await js.publish(`${stream}.x`, `${i}`);
  await jsm.consumers.add(name, {
    durable_name: 'c',
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(300),
    max_deliver: 2,
    metadata: { 'nonet.park': 'true' },
  });
  const c = await js.consumers.get(name, 'c');
  for await (const m of await c.fetch({ max_messages: count, expires: 2000 })) {
    if (m.seq === 2) m.term('no such customer');
    else if (m.seq !== 1 && m.seq !== 4) m.ack();
  }
  for await (const m of await c.fetch({ max_messages: 2, expires: 2000 })) assert.ok(m.redelivered);
  await until(async () => (await api(nc, 'LIST', name)).total === 3, 'three parked');
  return { nc, js, jsm, name, c };
}

onNonet('parked messages', {}, (it) => {
  it('keep their reason, and hold neither deliveries nor the count', async (t, server) => {
    const { nc, js, jsm, name, c } = await open(t, server, 'kept');
    const { parked } = await api(nc, 'LIST', name);
    assert.deepEqual(
      parked.map(({ seq, reason, deliveries }) => [seq, reason, deliveries]),
      [
        [1, 'no delivery was acknowledged', 2],
        [2, 'no such customer', 1],
        [4, 'no delivery was acknowledged', 2],
      ],
    );
    assert.ok(parked.every((p) => Math.abs(Date.parse(p.time) - Date.now()) < 60_000));
    const from = await api(nc, 'LIST', name, { from: 3 });
    assert.deepEqual(
      from.parked.map((p) => p.seq),
      [4],
    );
    const info = await jsm.consumers.info(name, 'c');
    assert.deepEqual([info.num_ack_pending, info.num_parked, info.ack_floor.stream_seq], [0, 3, 0]);
    await js.publish('kept.x', '6');
    assert.equal((await c.next({ expires: 2000 })).seq, 6);
    assert.equal((await jsm.streams.getMessage(name, { seq: 2 })).string(), '2');
  });

  it('are replayed once, and parked again when that fails, too', async (t, server) => {
    const { nc, name, c } = await open(t, server, 'again');
    assert.equal((await api(nc, 'REPLAY', name, { seq: 4 })).replayed, 1);
    const once = await c.next({ expires: 2000 });
    assert.deepEqual([once.seq, once.info.deliveryCount], [4, 3]);
    await until(async () => (await api(nc, 'LIST', name)).total === 3, 'it is parked again');
    assert.equal((await api(nc, 'REPLAY', name, { all: true })).replayed, 3);
    const seen = [];
    for await (const m of await c.fetch({ max_messages: 3, expires: 2000 })) {
      seen.push(m.seq);
      await m.ackAck();
    }
    assert.deepEqual(seen.sort(), [1, 2, 4]);
    assert.equal((await api(nc, 'LIST', name)).total, 0);
    assert.equal((await c.info()).ack_floor.stream_seq, 5);
  });

  it('are dropped one by one or all, and requests are judged', async (t, server) => {
    const { nc, name, c } = await open(t, server, 'drop');
    assert.equal((await api(nc, 'DROP', name, { seq: 1 })).dropped, 1);
    assert.equal((await c.info()).ack_floor.stream_seq, 1);
    assert.equal((await api(nc, 'DROP', name, { seq: 1 })).error.err_code, 10037);
    assert.equal((await api(nc, 'DROP', name, {})).error.err_code, 10003);
    assert.equal((await api(nc, 'REPLAY', name, { seq: 2, all: true })).error.err_code, 10003);
    assert.equal((await api(nc, 'DROP', name, { all: true })).dropped, 2);
    assert.equal((await c.info()).ack_floor.stream_seq, 5);
    assert.equal((await api(nc, 'LIST', 'NOWHERE')).error.err_code, 10059);
  });

  it('survive a kill with their reasons, and so does a replay', async (t, server) => {
    const { nc, name } = await open(t, server, 'kill');
    const before = await api(nc, 'LIST', name);
    assert.equal((await api(nc, 'DROP', name, { seq: 1 })).dropped, 1);
    assert.equal((await api(nc, 'REPLAY', name, { seq: 4 })).replayed, 1);
    await server.stop('SIGKILL');
    await server.start();
    const again = await server.connect(t);
    assert.deepEqual((await api(again, 'LIST', name)).parked, before.parked.slice(1, 2));
    const c = await jetstream(again).consumers.get(name, 'c');
    const message = await c.next({ expires: 3000 });
    assert.deepEqual([message.seq, message.info.deliveryCount], [4, 3]);
    await message.ackAck();
    await server.stop();
    await server.start();
    const third = await server.connect(t);
    assert.deepEqual((await api(third, 'LIST', name)).parked, before.parked.slice(1, 2));
  });

  it('are reached from the command line', async (t, server) => {
    const { name } = await open(t, server, 'cli');
    const nonet = async (...words) => {
      const { status, stdout, stderr } = await run([...words, '--server', server.url]);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    const table = await nonet('consumer', 'parked', name, 'c');
    assert.match(table, /SEQ +DELIVERIES +PARKED +REASON/);
    assert.match(table, /2 +1 +\S+ +no such customer/);
    const listed = JSON.parse(await nonet('consumer', 'parked', name, 'c', '--json'));
    assert.deepEqual(
      listed.parked.map((p) => p.seq),
      [1, 2, 4],
    );
    assert.match(await nonet('consumer', 'drop', name, 'c', '--seq', '2'), /^1 parked/);
    const replayed = await nonet('consumer', 'replay', name, 'c', '--all', '--json');
    assert.deepEqual(JSON.parse(replayed), { replayed: 2 });
    assert.match(await nonet('consumer', 'parked', name, 'c'), /nothing is parked/);
    const wrong = await run(['consumer', 'drop', name, 'c', '--server', server.url]);
    assert.equal(wrong.status, 2);
  });

  it('without the metadata nothing is parked, and a wrong one is refused', async (t, server) => {
    const nc = await server.connect(t);
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: 'PLAIN', subjects: ['plain'] });
    await jetstream(nc).publish('plain', '');
    const create = async (config) => {
      const request = { stream_name: 'PLAIN', config: { name: 'c', ...config } };
      const subject = '$JS.API.CONSUMER.CREATE.PLAIN.c';
      return (await nc.request(subject, JSON.stringify(request))).json().error?.err_code;
    };
    const park = (value) => ({ metadata: { 'nonet.park': value } });
    assert.equal(await create({ ack_policy: 'explicit', ...park('yes') }), 10012);
    assert.equal(await create({ ack_policy: 'all', ...park('true') }), 10012);
    assert.equal(await create({ ack_policy: 'explicit', ...park('false') }), undefined);
    const c = await jetstream(nc).consumers.get('PLAIN', 'c');
    (await c.next({ expires: 2000 })).term('why');
    await sleep(50);
    assert.equal((await api(nc, 'LIST', 'PLAIN')).total, 0);
  });
});

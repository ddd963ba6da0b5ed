// Publishing to durable streams: acknowledgements, ids, expectations, many at once.

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { onBoth, sleep } from './lib/node.mjs';

async function open(t, server, stream, config = {}) {
  const nc = await server.connect(t);
  const jsm = await jetstreamManager(nc);
  const name = stream.toUpperCase();
  await jsm.streams.add({ name, subjects: [`${stream}.>`], ...config });
  t.after(() => jsm.streams.delete(name).catch(() => {}));
  const state = async () => (await jsm.streams.info(name)).state;
  return { nc, jsm, js: jetstream(nc), state };
}

async function errCode(promise) {
  const error = await promise.then(
    () => assert.fail('it was not refused'),
    (failure) => failure,
  );
  return error.code;
}

onBoth('publish', {}, (it) => {
  it('is acknowledged with the stream and a dense sequence', async (t, server) => {
    const { js, state } = await open(t, server, 'ack');
    for (let i = 1; i <= 10; i++) {
      const ack = await js.publish('ack.x', `${i}`);
      assert.equal(ack.stream, 'ACK');
      assert.equal(ack.seq, i);
      assert.equal(ack.duplicate, false);
    }
    const { messages, first_seq, last_seq, bytes } = await state();
    assert.deepEqual([messages, first_seq, last_seq], [10, 1, 10]);
    assert.ok(bytes > 0);
  });

  it('to what no stream takes fails at once', async (t, server) => {
    const { js } = await open(t, server, 'some');
    const start = Date.now();
    await assert.rejects(js.publish('elsewhere', 'x', { timeout: 5000, retries: 0 }));
    assert.ok(Date.now() - start < 3000);
  });

  it('without a reply subject it is kept all the same', async (t, server) => {
    const { nc, jsm, state } = await open(t, server, 'quiet');
    for (let i = 0; i < 100; i++) nc.publish('quiet.x', `${i}`);
    await nc.flush();
    await jsm.getAccountInfo();
    for (let i = 0; (await state()).messages < 100 && i < 100; i++) await sleep(10);
    assert.equal((await state()).messages, 100);
    assert.equal((await jsm.streams.getMessage('QUIET', { seq: 100 })).string(), '99');
  });

  it('a subscriber hears it as well', async (t, server) => {
    const { nc, js } = await open(t, server, 'both');
    const heard = [];
    nc.subscribe('both.>', { callback: (error, message) => heard.push(message.string()) });
    await nc.flush();
    await js.publish('both.x', 'hello');
    assert.deepEqual(heard, ['hello']);
  });

  it('twenty thousand at once, in their order', async (t, server) => {
    const { js, jsm, state } = await open(t, server, 'many');
    const count = 20_000;
    const acks = await Promise.all(
      Array.from({ length: count }, (_, i) => js.publish('many.x', `${i}`, { timeout: 60_000 })),
    );
    acks.forEach((ack, i) => assert.equal(ack.seq, i + 1));
    assert.equal((await state()).messages, count);
    for (const seq of [1, 777, 10_000, count]) {
      assert.equal((await jsm.streams.getMessage('MANY', { seq })).string(), `${seq - 1}`);
    }
  });

  it('many publishers keep their own order each', async (t, server) => {
    const { js, state } = await open(t, server, 'mix');
    const publishers = [];
    for (let i = 0; i < 8; i++) publishers.push(jetstream(await server.connect(t)));
    const each = 250;
    await Promise.all(
      publishers.map((publisher, p) =>
        Promise.all(
          Array.from({ length: each }, (_, i) => publisher.publish(`mix.${p}`, `${i}`)),
        ),
      ),
    );
    assert.equal((await state()).messages, 8 * each);
    const consumer = await js.consumers.get('MIX');
    const next = new Array(8).fill(0);
    let sequence = 0;
    for await (const message of await consumer.fetch({
      max_messages: 8 * each,
      expires: 10_000,
    })) {
      assert.equal(message.seq, ++sequence);
      const p = Number(message.subject.split('.')[1]);
      assert.equal(Number(message.string()), next[p]++);
    }
    assert.deepEqual(next, new Array(8).fill(each));
  });

  it('an id that was seen is acknowledged as a duplicate', async (t, server) => {
    const { js, state } = await open(t, server, 'dup');
    const first = await js.publish('dup.a', 'one', { msgID: 'id-1' });
    const again = await js.publish('dup.a', 'two', { msgID: 'id-1' });
    const other = await js.publish('dup.b', 'three', { msgID: 'id-2' });
    assert.deepEqual([first.seq, first.duplicate], [1, false]);
    assert.deepEqual([again.seq, again.duplicate], [1, true]);
    assert.deepEqual([other.seq, other.duplicate], [2, false]);
    assert.equal((await state()).messages, 2);
    const storm = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        js.publish('dup.c', 'x', { msgID: `storm-${i % 20}` }),
      ),
    );
    assert.equal(storm.filter((ack) => !ack.duplicate).length, 20);
    assert.equal((await state()).messages, 22);
  });

  it('an id may come again once its window has passed', async (t, server) => {
    const { js } = await open(t, server, 'window', { duplicate_window: 300e6 });
    await js.publish('window.a', 'one', { msgID: 'id' });
    assert.equal((await js.publish('window.a', 'one', { msgID: 'id' })).duplicate, true);
    for (let i = 0; i < 100; i++) {
      await sleep(50);
      if (!(await js.publish('window.a', 'two', { msgID: 'id' })).duplicate) return;
    }
    assert.fail('still a duplicate after five seconds');
  });

  it('expectations that hold', async (t, server) => {
    const { js } = await open(t, server, 'expect');
    await js.publish('expect.a', '1', { msgID: 'x', expect: { lastSequence: 0 } });
    await js.publish('expect.a', '2', {
      msgID: 'y',
      expect: { lastSequence: 1, lastMsgID: 'x' },
    });
    await js.publish('expect.b', '3', {
      expect: { streamName: 'EXPECT', lastSubjectSequence: 0 },
    });
    const ack = await js.publish('expect.a', '4', { expect: { lastSubjectSequence: 2 } });
    assert.equal(ack.seq, 4);
  });

  it('expectations that do not hold are refused, each with its code', async (t, server) => {
    const { js, state } = await open(t, server, 'wrong');
    await js.publish('wrong.a', '1', { msgID: 'x' });
    await js.publish('wrong.b', '2');
    const publish = (expect) => errCode(js.publish('wrong.a', 'n', { expect }));
    assert.equal(await publish({ lastSequence: 1 }), 10071);
    assert.equal(await publish({ lastSequence: 3 }), 10071);
    assert.equal(await publish({ lastSubjectSequence: 2 }), 10071);
    assert.equal(await publish({ lastSubjectSequence: 0 }), 10071);
    assert.equal(await publish({ lastMsgID: 'y' }), 10070);
    assert.equal(await publish({ streamName: 'OTHER' }), 10060);
    assert.equal((await state()).messages, 2);
  });

  it('of many who expect the same sequence one wins', async (t, server) => {
    const { state } = await open(t, server, 'race');
    const publishers = [];
    for (let i = 0; i < 6; i++) publishers.push(jetstream(await server.connect(t)));
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.allSettled(
        publishers.map((js, i) =>
          js.publish('race.x', `${i}`, { expect: { lastSequence: round } }),
        ),
      );
      const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      assert.equal(won.length, 1);
      assert.equal(won[0].value.seq, round + 1);
    }
    assert.equal((await state()).messages, 20);
  });

  it('headers and any bytes are kept as they are', async (t, server) => {
    const { js, jsm } = await open(t, server, 'bytes');
    const sent = headers();
    sent.append('a-List', 'one');
    sent.append('a-List', 'two');
    sent.set('Uni', '✓');
    const body = Buffer.alloc(100_000).map((_, i) => (i * 131) & 0xff);
    await js.publish('bytes.x', body, { headers: sent, msgID: 'id' });
    const kept = await jsm.streams.getMessage('BYTES', { seq: 1 });
    assert.ok(Buffer.from(kept.data).equals(body));
    assert.deepEqual(kept.header.values('a-List'), ['one', 'two']);
    assert.equal(kept.header.get('Uni'), '✓');
    assert.equal(kept.header.get('Nats-Msg-Id'), 'id');
  });

  it('a stream without acknowledgements says nothing and keeps everything', async (t, server) => {
    const { nc, js, state } = await open(t, server, 'noack', { no_ack: true });
    await assert.rejects(js.publish('noack.x', 'x', { timeout: 300, retries: 0 }));
    nc.publish('noack.y', 'y');
    for (let i = 0; (await state()).messages < 2 && i < 100; i++) await sleep(10);
    assert.equal((await state()).messages, 2);
  });

  it('in memory it works alike', async (t, server) => {
    const { js, state } = await open(t, server, 'ram', { storage: 'memory' });
    const acks = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => js.publish('ram.x', `${i}`, { msgID: `${i}` })),
    );
    acks.forEach((ack, i) => assert.equal(ack.seq, i + 1));
    assert.equal((await state()).messages, 1000);
  });
});

// Streams that keep a message only as long as somebody wants it: retention interest and workqueue.

import assert from 'node:assert/strict';
import { errorOf, openJetstream } from './lib/jetstream.mjs';
import { check, onBoth, startNonet, until } from './lib/node.mjs';

// What openJetstream gives, with short words for consumers and states.
async function open(t, server) {
  const opened = await openJetstream(t, server);
  const { api, js } = opened;
  const consumer = (stream, name, config = {}) => {
    const filter = config.filter_subject ? `.${config.filter_subject}` : '';
    return api(`CONSUMER.CREATE.${stream}.${name}${filter}`, {
      stream_name: stream,
      config: { durable_name: name, ack_policy: 'explicit', ...config },
    });
  };
  const state = async (stream) => (await api(`STREAM.INFO.${stream}`)).state;
  const left = (stream, count) =>
    until(
      async () => (await state(stream)).messages === count,
      async () => `${count} messages in ${stream}, not ${(await state(stream)).messages}`,
    );
  const take = async (stream, name, count) => {
    const got = [];
    const c = await js.consumers.get(stream, name);
    for (let i = 0; i < count; i++) got.push(await c.next({ expires: 5000 }));
    return got;
  };
  return { ...opened, consumer, state, left, take };
}

onBoth('workqueue', {}, (it) => {
  it('one consumer for each message, with explicit acknowledgements', async (t, server) => {
    const { api, consumer } = await open(t, server);
    await api('STREAM.CREATE.W', { name: 'W', subjects: ['w.>'], retention: 'workqueue' });
    assert.equal(errorOf(await consumer('W', 'c', { ack_policy: 'none' })), '400 10084');
    assert.equal(errorOf(await consumer('W', 'c', { ack_policy: 'all' })), '400 10098');
    const late = await consumer('W', 'c', { deliver_policy: 'new' });
    assert.equal(errorOf(late), '400 10101');
    assert.equal((await consumer('W', 'a', { filter_subject: 'w.a' })).error, undefined);
    for (const filter_subject of ['w.a', 'w.*', 'w.>']) {
      assert.equal(errorOf(await consumer('W', 'x', { filter_subject })), '400 10100');
    }
    assert.equal(errorOf(await consumer('W', 'x')), '400 10099');
    assert.equal((await consumer('W', 'b', { filter_subject: 'w.b' })).error, undefined);
    for (const name of ['a', 'b']) await api(`CONSUMER.DELETE.W.${name}`);
    assert.equal((await consumer('W', 'all')).error, undefined);
    assert.equal(errorOf(await consumer('W', 'x', { filter_subject: 'w.c' })), '400 10100');
  });

  it('what is acknowledged goes, in any order; the rest stays', async (t, server) => {
    const { api, publish, consumer, state, left, take } = await open(t, server);
    await api('STREAM.CREATE.Q', { name: 'Q', subjects: ['q'], retention: 'workqueue' });
    for (let i = 1; i <= 5; i++) await publish('q', `${i}`);
    assert.equal((await state('Q')).messages, 5);
    await consumer('Q', 'c');
    const got = await take('Q', 'c', 5);
    await got[1].ackAck();
    await left('Q', 4);
    assert.equal((await state('Q')).first_seq, 1);
    await got[0].ackAck();
    await left('Q', 3);
    assert.equal((await state('Q')).first_seq, 3);
    got[2].term();
    await left('Q', 2);
    for (const m of got.slice(3)) m.ack();
    await left('Q', 0);
    assert.equal((await state('Q')).last_seq, 5);
    assert.equal((await publish('q', '6')).seq, 6);
    assert.equal((await state('Q')).messages, 1);
  });

  it('what is refused comes again, what nobody asks for stays', async (t, server) => {
    const { api, publish, consumer, left, take } = await open(t, server);
    await api('STREAM.CREATE.N', { name: 'N', subjects: ['n'], retention: 'workqueue' });
    await consumer('N', 'c');
    await publish('n', 'x');
    const [first] = await take('N', 'c', 1);
    first.nak();
    const [again] = await take('N', 'c', 1);
    assert.equal(again.info.deliveryCount, 2);
    await left('N', 1);
    await api('CONSUMER.DELETE.N.c');
    await left('N', 1);
    await consumer('N', 'd');
    const [third] = await take('N', 'd', 1);
    assert.equal(await third.ackAck(), true);
    await left('N', 0);
  });

  it('may not become, or be made from, another retention', async (t, server) => {
    const { api } = await open(t, server);
    const config = { name: 'FIX', subjects: ['fix'], retention: 'workqueue' };
    await api('STREAM.CREATE.FIX', config);
    for (const retention of ['limits', 'interest']) {
      const answer = await api('STREAM.UPDATE.FIX', { ...config, retention });
      assert.equal(errorOf(answer), '500 10052');
    }
  });
});

onBoth('interest', {}, (it) => {
  it('without a consumer for it a message is counted, but not kept', async (t, server) => {
    const { api, publish, consumer, state } = await open(t, server);
    await api('STREAM.CREATE.I', { name: 'I', subjects: ['i.>'], retention: 'interest' });
    assert.equal((await publish('i.a', 'x')).seq, 1);
    let now = await state('I');
    assert.deepEqual([now.messages, now.first_seq, now.last_seq], [0, 2, 1]);
    await consumer('I', 'c', { filter_subject: 'i.b' });
    assert.equal((await publish('i.a', 'x')).seq, 2);
    assert.equal((await publish('i.b', 'x')).seq, 3);
    assert.equal((await publish('i.a', 'x')).seq, 4);
    assert.equal((await publish('i.b', 'x')).seq, 5);
    now = await state('I');
    assert.deepEqual([now.messages, now.first_seq, now.last_seq], [2, 3, 5]);
  });

  it('a message goes with the last acknowledgement', async (t, server) => {
    const { api, publish, consumer, left, take } = await open(t, server);
    await api('STREAM.CREATE.J', { name: 'J', subjects: ['j.*'], retention: 'interest' });
    await consumer('J', 'one');
    await consumer('J', 'two', { ack_policy: 'all' });
    await consumer('J', 'three', { filter_subject: 'j.b' });
    for (const s of ['a', 'b', 'a']) await publish(`j.${s}`, s);
    for (const m of await take('J', 'one', 3)) await m.ackAck();
    await left('J', 3);
    const two = await take('J', 'two', 3);
    await two[2].ackAck();
    await left('J', 1);
    const [b] = await take('J', 'three', 1);
    await b.ackAck();
    await left('J', 0);
  });

  it('a consumer that goes gives up its interest', async (t, server) => {
    const { api, publish, consumer, left, take } = await open(t, server);
    await api('STREAM.CREATE.K', { name: 'K', subjects: ['k.*'], retention: 'interest' });
    await consumer('K', 'one', { filter_subject: 'k.a' });
    await consumer('K', 'two');
    for (let i = 0; i < 10; i++) await publish(i % 2 ? 'k.a' : 'k.b', `${i}`);
    await left('K', 10);
    for (const m of await take('K', 'one', 5)) await m.ackAck();
    await left('K', 10);
    await api('CONSUMER.DELETE.K.two');
    await left('K', 0);
    await publish('k.a', 'x');
    await left('K', 1);
    await api('CONSUMER.DELETE.K.one');
    await left('K', 0);
  });

  it('an ephemeral consumer gives it up when it has gone', async (t, server) => {
    const { api, publish, left } = await open(t, server);
    await api('STREAM.CREATE.E', { name: 'E', subjects: ['e'], retention: 'interest' });
    await api('CONSUMER.CREATE.E', {
      stream_name: 'E',
      config: { ack_policy: 'explicit', inactive_threshold: 500e6 },
    });
    await publish('e', 'x');
    await left('E', 1);
    await left('E', 0);
  });
});

for (const retention of ['workqueue', 'interest']) {
  check(`${retention}: kill -9 brings back what was not acknowledged, and no more`, async (t) => {
    const server = await startNonet(t);
    let opened = await open(null, server);
    await opened.api('STREAM.CREATE.S', { name: 'S', subjects: ['s'], retention });
    await opened.consumer('S', 'c', { ack_wait: 1e9 });
    for (let i = 1; i <= 200; i++) await opened.publish('s', `${i}`);
    const got = await opened.take('S', 'c', 100);
    const odd = got.filter((m) => m.seq % 2);
    assert.deepEqual(await Promise.all(odd.map((m) => m.ackAck())), odd.map(() => true));
    await server.stop('SIGKILL');
    await server.start();
    opened = await open(t, server);
    assert.equal((await opened.state('S')).messages, 150);
    const seqs = (await opened.take('S', 'c', 150)).map((m) => (m.ack(), m.seq));
    const want = [];
    for (let i = 1; i <= 200; i++) if (i > 100 || i % 2 === 0) want.push(i);
    assert.deepEqual(seqs.sort((a, b) => a - b), want);
    await opened.left('S', 0);
  });
}

// Consumers that want several subjects (nats-server 2.10; Debian's is older).

import assert from 'node:assert/strict';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { onNonet, sleep, until } from './lib/node.mjs';

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const SUBJECTS = ['a', 'b', 'c.1', 'c.2', 'd'];

// A stream whose message i has the subject SUBJECTS[(i - 1) % 5].
async function open(t, server, stream, count) {
  const nc = await server.connect(t);
  const jsm = await jetstreamManager(nc);
  const js = jetstream(nc);
  const name = stream.toUpperCase();
  await jsm.streams.add({ name, subjects: [`${stream}.>`] });
  t.after(() => jsm.streams.delete(name).catch(() => {}));
  const subject = (i) => `${stream}.${SUBJECTS[(i - 1) % SUBJECTS.length]}`;
  await Promise.all(range(1, count).map((i) => js.publish(subject(i), `${i}`)));
  const wanted = (...ends) =>
    range(1, count).filter((i) => ends.includes(SUBJECTS[(i - 1) % SUBJECTS.length]));
  const add = (filter_subjects, options = {}) =>
    jsm.consumers.add(name, {
      durable_name: 'c',
      ack_policy: AckPolicy.Explicit,
      filter_subjects: filter_subjects.map((end) => `${stream}.${end}`),
      ...options,
    });
  const read = async (expected, consumer = 'c') => {
    const seqs = [];
    const c = await js.consumers.get(name, consumer);
    while (seqs.length < expected.length) {
      const batch = await c.fetch({ max_messages: expected.length, expires: 1000 });
      const before = seqs.length;
      for await (const m of batch) {
        seqs.push(m.seq);
        assert.equal(m.info.pending, expected.length - seqs.length);
        m.ack();
      }
      if (seqs.length === before) break;
    }
    assert.deepEqual(seqs, expected);
  };
  return { nc, jsm, js, name, wanted, add, read };
}

onNonet('consumers of several subjects', {}, (it) => {
  it('literals and wildcards, each message once and in order', async (t, server) => {
    const { jsm, name, add, read, wanted } = await open(t, server, 'mix', 200);
    const { config, num_pending } = await add(['a', 'c.*', 'd']);
    assert.deepEqual(config.filter_subjects, ['mix.a', 'mix.c.*', 'mix.d']);
    assert.equal(config.filter_subject, undefined);
    assert.equal(num_pending, 160);
    await read(wanted('a', 'c.1', 'c.2', 'd'));
    assert.equal((await jsm.consumers.info(name, 'c')).num_pending, 0);
  });

  it('every deliver policy', async (t, server) => {
    const { js, name, add, read } = await open(t, server, 'start', 20);
    await add(['a', 'b'], { durable_name: 'last', deliver_policy: DeliverPolicy.Last });
    await read([17], 'last');
    await add(['a', 'c.1'], {
      durable_name: 'each',
      deliver_policy: DeliverPolicy.LastPerSubject,
    });
    await read([16, 18], 'each');
    await add(['b', 'c.>'], {
      durable_name: 'wild',
      deliver_policy: DeliverPolicy.LastPerSubject,
    });
    await read([17, 18, 19], 'wild');
    await add(['a', 'd'], {
      durable_name: 'from',
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: 7,
    });
    await read([10, 11, 15, 16, 20], 'from');
    await sleep(20);
    const now = new Date().toISOString();
    await sleep(20);
    await add(['a', 'b'], { durable_name: 'new', deliver_policy: DeliverPolicy.New });
    for (const end of ['a', 'c.1', 'b']) await js.publish(`start.${end}`, '');
    await read([21, 23], 'new');
    await add(['c.1', 'b'], {
      durable_name: 'time',
      deliver_policy: DeliverPolicy.StartTime,
      opt_start_time: now,
    });
    await read([22, 23], 'time');
    assert.equal(name, 'START');
  });

  it('pushed, and through an ordered consumer', async (t, server) => {
    const { nc, js, name, add, wanted } = await open(t, server, 'push', 50);
    const got = [];
    nc.subscribe('to.filters', { callback: (error, m) => got.push(Number(m.string())) });
    await add(['b', 'd'], { deliver_subject: 'to.filters', ack_policy: AckPolicy.None });
    await until(() => got.length === 20, '20');
    assert.deepEqual(got, wanted('b', 'd'));
    const ordered = await js.consumers.get(name, { filter_subjects: ['push.a', 'push.c.2'] });
    const seqs = [];
    for await (const m of await ordered.fetch({ max_messages: 20, expires: 2000 })) {
      seqs.push(m.seq);
    }
    assert.deepEqual(seqs, wanted('a', 'c.2'));
  });

  it('filters change while the position stays', async (t, server) => {
    const { jsm, name, add, read } = await open(t, server, 'change', 20);
    await add(['a', 'b']);
    await read([1, 2, 6, 7, 11, 12, 16, 17]);
    await jsm.consumers.update(name, 'c', { filter_subjects: ['change.d', 'change.c.2'] });
    await read([19, 20]);
  });

  it('what overlaps or is no subject is refused with its code', async (t, server) => {
    const { nc, name } = await open(t, server, 'bad', 0);
    const refused = async (config, code, subject = `$JS.API.CONSUMER.CREATE.${name}.x`) => {
      const request = {
        stream_name: name,
        config: { name: 'x', ack_policy: 'explicit', ...config },
      };
      const answer = (await nc.request(subject, JSON.stringify(request))).json();
      assert.equal(answer.error?.err_code, code, JSON.stringify({ config, answer }));
    };
    await refused({ filter_subject: 'bad.a', filter_subjects: ['bad.b'] }, 10136);
    await refused({ filter_subjects: ['bad.a', 'bad.a'] }, 10138);
    await refused({ filter_subjects: ['bad.>', 'bad.a'] }, 10138);
    await refused({ filter_subjects: ['bad.a', ''] }, 10139);
    await refused({ filter_subjects: ['bad..a'] }, 10052);
    await refused(
      { filter_subjects: ['bad.a', 'bad.b'] },
      10137,
      `$JS.API.CONSUMER.CREATE.${name}.x.bad.a`,
    );
  });

  it('a thousand subjects of ten thousand, over a kill', async (t, server) => {
    const nc = await server.connect(t);
    const jsm = await jetstreamManager(nc);
    const js = jetstream(nc);
    await jsm.streams.add({ name: 'MANY', subjects: ['many.>'] });
    for (let i = 0; i < 10; i++) {
      const some = range(i * 1000 + 1, i * 1000 + 1000);
      await Promise.all(some.map((n) => js.publish(`many.${n}`, `${n}`)));
    }
    const filter_subjects = range(1, 1000).map((n) => `many.${n * 10}`);
    await jsm.consumers.add('MANY', {
      durable_name: 'c',
      ack_policy: AckPolicy.Explicit,
      filter_subjects,
    });
    const read = async (connection, count) => {
      const numbers = [];
      const c = await jetstream(connection).consumers.get('MANY', 'c');
      for await (const m of await c.fetch({ max_messages: count, expires: 5000 })) {
        numbers.push(Number(m.string()));
        await m.ackAck();
      }
      return numbers;
    };
    const first = await read(nc, 400);
    assert.equal(first.length, 400);
    await server.stop('SIGKILL');
    await server.start();
    const again = await server.connect(t);
    const info = await (await jetstreamManager(again)).consumers.info('MANY', 'c');
    assert.deepEqual(info.config.filter_subjects, filter_subjects);
    assert.equal(info.num_pending, 600);
    assert.deepEqual(
      [...first, ...(await read(again, 600))],
      range(1, 1000).map((n) => n * 10),
    );
    await (await jetstreamManager(again)).streams.delete('MANY');
  });
});

// Consume, emit and checkpoint in one commit: publishes that carry acknowledgements (Nonet-Ack).

import assert from 'node:assert/strict';
import { AckPolicy } from '@nats-io/jetstream';
import { headers, nanos } from '@nats-io/transport-node';
import { request } from 'undici';
import { errorOf, openJetstream } from './lib/jetstream.mjs';
import { check, onNonet, run, sleep, startNonet, until } from './lib/node.mjs';

const ACK = 'Nonet-Ack';

// Stream IN_<NAME> with COUNT messages and consumer "worker", stream OUT_<NAME>; emit() publishes
// to the latter with fields, where a field's value may be an array, and gives the answer.
async function open(t, server, name, count, consumer = {}, config = {}) {
  const opened = await openJetstream(t, server);
  const { nc, api, jsm, js } = opened;
  const lower = name.toLowerCase();
  const into = `IN_${name}`;
  const out = `OUT_${name}`;
  await api(`STREAM.CREATE.${into}`, { name: into, subjects: [`in.${lower}`], ...config });
  await api(`STREAM.CREATE.${out}`, {
    name: out,
    subjects: [`out.${lower}`],
    allow_atomic: true,
  });
  for (let i = 1; i <= count; i++) await js.publish(`in.${lower}`, `${i}`);
  await jsm.consumers.add(into, {
    durable_name: 'worker',
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(60_000),
    ...consumer,
  });
  const worker = await js.consumers.get(into, 'worker');
  const take = async (n) => {
    const all = [];
    for await (const m of await worker.fetch({ max_messages: n, expires: 3000 })) all.push(m);
    return all;
  };
  const emit = async (data, fields) => {
    const h = headers();
    for (const [key, values] of Object.entries(fields))
      for (const value of [values].flat()) h.append(key, value);
    const answer = await nc.request(`out.${lower}`, data, { headers: h, timeout: 5000 });
    return answer.data.length ? answer.json() : null;
  };
  const info = () => jsm.consumers.info(into, 'worker');
  const emitted = async () => (await jsm.streams.info(out)).state.messages;
  return { ...opened, into, out, take, emit, info, emitted };
}

onNonet('a publish that acknowledges', {}, (it) => {
  it('stores its message and is done with what it names', async (t, server) => {
    const { jsm, out, take, emit, info } = await open(t, server, 'ONE', 3);
    const [first, second, third] = await take(3);
    assert.equal((await info()).num_ack_pending, 3);
    assert.equal((await emit('a', { [ACK]: first.reply, Other: 'kept' })).seq, 1);
    assert.equal((await info()).num_ack_pending, 2);
    assert.equal((await emit('b', { [ACK]: [third.reply, second.reply] })).seq, 2);
    const { num_ack_pending, ack_floor } = await info();
    assert.deepEqual([num_ack_pending, ack_floor.stream_seq], [0, 3]);
    const a = await jsm.streams.getMessage(out, { seq: 1 });
    assert.equal(a.header.get('Other'), 'kept');
    assert.equal(a.header.has(ACK), false);
    assert.equal((await jsm.streams.getMessage(out, { seq: 2 })).header.keys().length, 0);
  });

  it('in a batch: all messages and all acknowledgements, or nothing', async (t, server) => {
    const { take, emit, info, emitted } = await open(t, server, 'BATCH', 4);
    const taken = await take(4);
    const part = (id, sequence, more = {}) =>
      emit(`${sequence}`, { 'Nats-Batch-Id': id, 'Nats-Batch-Sequence': `${sequence}`, ...more });
    const commit = { 'Nats-Batch-Commit': '1' };
    await part('a', 1, { [ACK]: [taken[0].reply, taken[1].reply] });
    await part('a', 2);
    assert.equal((await info()).num_ack_pending, 4);
    assert.equal((await part('a', 3, { [ACK]: taken[2].reply, ...commit })).seq, 3);
    assert.equal((await info()).num_ack_pending, 1);
    // one that does not hold refuses everything
    await part('b', 1, { [ACK]: taken[3].reply });
    const refused = await part('b', 2, { [ACK]: taken[0].reply, ...commit });
    assert.equal(errorOf(refused), '409 20001');
    assert.match(refused.error.description, /message 1 of IN_BATCH is not in flight at worker/);
    assert.equal((await info()).num_ack_pending, 1);
    assert.equal(await emitted(), 3);
    // what refuses the messages keeps the acknowledgements back, too
    const wrong = { 'Nats-Expected-Last-Sequence': '99' };
    await part('c', 1, { [ACK]: taken[3].reply, ...wrong });
    assert.equal(errorOf(await part('c', 2, commit)), '400 10071');
    assert.equal((await info()).num_ack_pending, 1);
    await part('d', 1, { [ACK]: taken[3].reply });
    assert.equal((await part('d', 2, { 'Nats-Batch-Commit': 'eob' })).count, 1);
    assert.equal((await info()).num_ack_pending, 0);
  });

  it('is refused with what is wrong', async (t, server) => {
    const { jsm, into, take, emit, info, emitted } = await open(t, server, 'WRONG', 2, {
      ack_wait: nanos(500),
    });
    const [first] = await take(1);
    const foreign = first.reply.replace('.worker.', '.other.');
    const elsewhere = first.reply.replace('.IN_WRONG.', '.NOWHERE.');
    for (const [reply, code, words] of [
      ['hello', '400 10003', /'hello' is not the reply subject/],
      ['$JS.ACK.IN_WRONG.worker.x', '400 10003', /is not the reply subject/],
      [foreign, '404 10014', /stream IN_WRONG has no consumer other/],
      [elsewhere, '404 10014', /stream NOWHERE has no consumer worker/],
      [first.reply.replace('.1.1.1.', '.1.2.2.'), '409 20001', /message 2 .* not in flight/],
    ]) {
      const answer = await emit('x', { [ACK]: reply });
      assert.equal(errorOf(answer), code, JSON.stringify(answer));
      assert.match(answer.error.description, words);
    }
    // its time was over, and it was delivered to somebody else
    const [again] = await until(async () => {
      const more = (await take(2)).filter((m) => m.seq === 1);
      return more.length ? more : null;
    });
    const stale = await emit('x', { [ACK]: first.reply });
    assert.equal(errorOf(stale), '409 20001');
    assert.match(stale.error.description, /message 1 of IN_WRONG was delivered again by worker/);
    assert.equal(await emitted(), 0);
    assert.equal((await emit('x', { [ACK]: again.reply })).seq, 1);
    assert.equal(errorOf(await emit('x', { [ACK]: again.reply })), '409 20001');
    await jsm.consumers.delete(into, 'worker');
    assert.equal(errorOf(await emit('x', { [ACK]: again.reply })), '404 10014');
    assert.equal(await emitted(), 1);
    await assert.rejects(info());
  });

  it('as a retry is a duplicate, and still done with what is in flight', async (t, server) => {
    const { take, emit, info, emitted } = await open(t, server, 'RETRY', 2);
    const [first, second] = await take(2);
    const id = { 'Nats-Msg-Id': 'one' };
    assert.equal((await emit('a', { ...id, [ACK]: first.reply })).seq, 1);
    const retry = await emit('a', { ...id, [ACK]: first.reply });
    assert.deepEqual([retry.seq, retry.duplicate], [1, true]);
    assert.equal((await info()).num_ack_pending, 1);
    assert.equal((await emit('a', { ...id, [ACK]: second.reply })).duplicate, true);
    assert.equal((await info()).num_ack_pending, 0);
    assert.equal(await emitted(), 1);
  });

  it('takes messages out of a work queue, or all up to one', async (t, server) => {
    const queue = await open(t, server, 'QUEUE', 3, {}, { retention: 'workqueue' });
    const taken = await queue.take(3);
    await queue.emit('a', { [ACK]: [taken[0].reply, taken[2].reply] });
    const state = async () => (await queue.jsm.streams.info(queue.into)).state;
    await until(async () => (await state()).messages === 1, 'one message left');
    assert.equal((await state()).first_seq, 2);
    const all = await open(t, server, 'ALL', 5, { ack_policy: AckPolicy.All });
    const five = await all.take(5);
    await all.emit('a', { [ACK]: five[3].reply });
    const { num_ack_pending, ack_floor } = await all.info();
    assert.deepEqual([num_ack_pending, ack_floor.stream_seq], [1, 4]);
  });

  it('lets the next message of an ordered subject go', async (t, server) => {
    const { api, jsm, take, emit } = await open(t, server, 'ORDER', 2);
    await jsm.consumers.delete('IN_ORDER', 'worker');
    await api('CONSUMER.CREATE.IN_ORDER.worker', {
      stream_name: 'IN_ORDER',
      config: {
        name: 'worker',
        durable_name: 'worker',
        ack_policy: 'explicit',
        metadata: { 'nonet.ordered': 'subject' },
      },
    });
    const [first, none] = await take(2);
    assert.deepEqual([first.seq, none], [1, undefined]);
    await emit('a', { [ACK]: first.reply });
    const [second] = await take(1);
    assert.equal(second.seq, 2);
    await emit('b', { [ACK]: second.reply });
  });

  it('appends an event in the same commit, which the event does not show', async (t, server) => {
    const { publish, take, info, jsm } = await open(t, server, 'EVENT', 3);
    const token = server.token;
    const call = async (method, target, body) => {
      const answer = await request(`${server.admin}${target}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        body: body && JSON.stringify(body),
      });
      return answer.body.json();
    };
    await call('POST', '/v1/streams/acks-1', { expect: 'any', events: [{ type: 'Opened' }] });
    const [first, second, third] = await take(3);
    const event = { 'ce-id': 'one', 'ce-type': 'Paid', Other: 'kept' };
    const stored = await publish('es.acks.1', '{}', { ...event, [ACK]: first.reply });
    assert.equal(stored.seq, 2, JSON.stringify(stored));
    assert.equal((await info()).num_ack_pending, 2);
    // the same event once more, for another message: it is done, too
    const again = await publish('es.acks.1', '{}', { ...event, [ACK]: second.reply });
    assert.deepEqual([again.seq, again.duplicate], [2, true]);
    assert.equal((await info()).num_ack_pending, 1);
    const stale = await publish('es.acks.1', '{}', { 'ce-id': 'two', [ACK]: first.reply });
    assert.equal(errorOf(stale), '409 20001');
    const kept = await jsm.streams.getMessage('ES', { seq: 2 });
    assert.equal(kept.header.has(ACK), false);
    assert.equal(kept.header.get('Other'), 'kept');
    assert.equal((await publish('es.acks.1', '{}', { [ACK]: third.reply })).seq, 3);
    const { events } = await call('GET', '/v1/streams/acks-1');
    assert.equal(events.length, 3);
    const checked = await run(['events', 'verify', '--data', server.data]);
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  });
});

const config = `auth:
  users:
    - {user: all, password: all}
    - user: some
      password: some
      publish: {allow: ["out.>", "$JS.API.>", "$JS.ACK.IN_RIGHTS.worker.>"]}
      subscribe: {allow: ["_INBOX.>"]}
`;

onNonet('a publish that acknowledges needs the right to', { config }, (it) => {
  it('publish to what it names', async (t, server) => {
    const as = { connect: (test) => server.connect(test, { user: 'all', pass: 'all' }) };
    const { take, jsm, into } = await open(t, as, 'RIGHTS', 2);
    await jsm.consumers.add(into, { durable_name: 'other', ack_policy: AckPolicy.Explicit });
    const [m] = await take(1);
    const nc = await server.connect(t, { user: 'some', pass: 'some' });
    const errors = [];
    (async () => {
      for await (const s of nc.status()) if (s.type === 'error') errors.push(s.error.message);
    })();
    const emit = (reply) => {
      const h = headers();
      h.set(ACK, reply);
      return nc.request('out.rights', 'x', { headers: h, timeout: 500 });
    };
    await assert.rejects(emit(m.reply.replace('.worker.', '.other.')));
    await until(() => errors.length > 0, 'a violation');
    assert.match(errors[0], /Permissions Violation for Publish to "\$JS\.ACK\.IN_RIGHTS\.other\./i);
    assert.equal((await emit(m.reply)).json().seq, 1);
  });
});

// A worker that consumes, emits with the acknowledgement, and is killed with the node again and
// again: each message is emitted exactly once.
check('consume, emit and checkpoint over kill -9: exactly once', async (t) => {
  const server = await startNonet(t);
  const count = 3000;
  const first = await open(t, server, 'KILL', 0, { ack_wait: nanos(1000), max_ack_pending: 50 });
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      first.js.publish('in.kill', `${i}`, { timeout: 30_000 }),
    ),
  );
  let consumed = 0;
  const work = async (nc, js, going) => {
    const worker = await js.consumers.get('IN_KILL', 'worker');
    while (going()) {
      const batch = await worker.fetch({ max_messages: 20, expires: 1000 });
      for await (const m of batch) {
        consumed++;
        const h = headers();
        h.set(ACK, m.reply);
        if (m.seq % 3 === 0) {
          // two messages of one batch for every third
          h.set('Nats-Batch-Id', `${m.seq} ${m.info.redeliveryCount}`);
          h.set('Nats-Batch-Sequence', '1');
          nc.publish('out.kill', m.string(), { headers: h });
          const end = headers();
          end.set('Nats-Batch-Id', `${m.seq} ${m.info.redeliveryCount}`);
          end.set('Nats-Batch-Sequence', '2');
          end.set('Nats-Batch-Commit', 'eob');
          nc.request('out.kill', '', { headers: end, timeout: 1000 }).catch(() => {});
        } else {
          nc.request('out.kill', m.string(), { headers: h, timeout: 1000 }).catch(() => {});
        }
      }
    }
  };
  const left = async (jsm) => {
    const { num_ack_pending, num_pending } = await jsm.consumers.info('IN_KILL', 'worker');
    return num_ack_pending + num_pending;
  };
  await first.nc.close();
  for (let round = 0; round < 8; round++) {
    const { nc, js } = await openJetstream(t, server);
    let on = true;
    const working = work(nc, js, () => on).catch(() => {});
    await sleep(60 + 35 * round);
    await server.stop('SIGKILL');
    on = false;
    await nc.close().catch(() => {});
    await working;
    await server.start();
  }
  const { nc, js, jsm } = await openJetstream(t, server);
  let on = true;
  const working = work(nc, js, () => on).catch(() => {});
  await until(async () => (await left(jsm)) === 0, 'everything done', 60_000);
  on = false;
  // what was acknowledged last is on its way to the disk, and this behind it
  await jsm.streams.add({ name: 'BEHIND', subjects: ['behind'] });
  const { messages } = (await jsm.streams.info('OUT_KILL')).state;
  const seen = new Map();
  for (let seq = 1; seq <= messages; seq++) {
    const data = (await jsm.streams.getMessage('OUT_KILL', { seq })).string();
    seen.set(data, (seen.get(data) ?? 0) + 1);
  }
  await nc.close();
  await working;
  const wrong = Array.from({ length: count }, (_, i) => i).filter((i) => seen.get(`${i}`) !== 1);
  assert.deepEqual(wrong, [], 'lost, or emitted twice');
  assert.equal(messages, count);
  assert.ok(consumed >= count);
});

// What consumers tell beside their messages: advisories, metrics, statuses; and when they wait:
// pauses and replay at the original speed.

import assert from 'node:assert/strict';
import { AckPolicy, jetstream, jetstreamManager, ReplayPolicy } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { onBoth, onNonet, sleep, until } from './lib/node.mjs';

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function open(t, server, stream, count = 0) {
  const nc = await server.connect(t);
  const told = [];
  nc.subscribe('$JS.EVENT.>', {
    callback: (error, m) => {
      const name = m.subject.replace('$JS.EVENT.', '');
      if (m.subject.includes(stream.toUpperCase())) told.push({ name, ...m.json() });
    },
  });
  const jsm = await jetstreamManager(nc);
  const js = jetstream(nc);
  const name = stream.toUpperCase();
  await jsm.streams.add({ name, subjects: [`${stream}.>`] });
  t.after(() => jsm.streams.delete(name).catch(() => {}));
  for (let i = 1; i <= count; i++) await js.publish(`${stream}.x`, `${i}`);
  const add = async (config = {}) => {
    await jsm.consumers.add(name, {
      durable_name: 'c',
      ack_policy: AckPolicy.Explicit,
      ...config,
    });
    return js.consumers.get(name, 'c');
  };
  const event = async (kind) => {
    await until(() => told.some((e) => e.name.startsWith(kind)), kind);
    const { id, timestamp, ...rest } = told.find((e) => e.name.startsWith(kind));
    assert.match(id, /^[0-9A-Za-z]{22}$/);
    assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
    return rest;
  };
  return { nc, jsm, js, name, add, told, event };
}

// The lines that come at a fresh inbox after a pull of REQUEST: bodies and statuses.
async function pull(nc, name, request, last) {
  const lines = [];
  const inbox = nc.subscribe(`_INBOX.${Math.random().toString(36).slice(2)}`, {
    callback: (error, m) => lines.push(m.headers?.code ? m : m.string()),
  });
  nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${name}.c`, JSON.stringify(request), {
    reply: inbox.getSubject(),
  });
  await until(
    () => lines.some((line) => line.headers),
    () => `${JSON.stringify(request)}: ${lines}`,
  );
  inbox.unsubscribe();
  const status = lines.find((line) => line.headers).headers;
  if (last) assert.equal(`${status.code} ${status.description}`, last);
  return { lines, status };
}

onBoth('advisories', {}, (it) => {
  it('streams and consumers tell of their beginning, change and end', async (t, server) => {
    const { jsm, name, add, event, told } = await open(t, server, 'life');
    const type = 'io.nats.jetstream.advisory.v1.stream_action';
    assert.deepEqual(await event('ADVISORY.STREAM.CREATED'), {
      name: 'ADVISORY.STREAM.CREATED.LIFE',
      type,
      stream: 'LIFE',
      action: 'create',
    });
    await jsm.streams.update(name, { subjects: ['life.>', 'other.life'] });
    assert.deepEqual(await event('ADVISORY.STREAM.UPDATED'), {
      name: 'ADVISORY.STREAM.UPDATED.LIFE',
      type,
      stream: 'LIFE',
      action: 'modify',
    });
    await add();
    const consumer = {
      type: 'io.nats.jetstream.advisory.v1.consumer_action',
      stream: 'LIFE',
      consumer: 'c',
    };
    assert.deepEqual(await event('ADVISORY.CONSUMER.CREATED'), {
      name: 'ADVISORY.CONSUMER.CREATED.LIFE.c',
      ...consumer,
      action: 'create',
    });
    await add();
    assert.equal(told.filter((e) => e.name.startsWith('ADVISORY.CONSUMER.CREATED')).length, 1);
    await jsm.consumers.delete(name, 'c');
    assert.deepEqual(await event('ADVISORY.CONSUMER.DELETED'), {
      name: 'ADVISORY.CONSUMER.DELETED.LIFE.c',
      ...consumer,
      action: 'delete',
    });
    await add();
    await jsm.streams.delete(name);
    assert.deepEqual(await event('ADVISORY.STREAM.DELETED'), {
      name: 'ADVISORY.STREAM.DELETED.LIFE',
      type,
      stream: 'LIFE',
      action: 'delete',
    });
    const ends = told.filter((e) => e.name === 'ADVISORY.CONSUMER.DELETED.LIFE.c');
    assert.equal(ends.length, 2);
  });

  it('what becomes of messages: refused, terminated, given up', async (t, server) => {
    const { add, event } = await open(t, server, 'fate', 3);
    const c = await add({ ack_wait: nanos(300), max_deliver: 2 });
    const messages = [];
    for await (const m of await c.fetch({ max_messages: 3, expires: 2000 })) messages.push(m);
    const [one, two, three] = messages;
    one.nak(60_000);
    assert.deepEqual(await event('ADVISORY.CONSUMER.MSG_NAKED'), {
      name: 'ADVISORY.CONSUMER.MSG_NAKED.FATE.c',
      type: 'io.nats.jetstream.advisory.v1.nak',
      stream: 'FATE',
      consumer: 'c',
      consumer_seq: 1,
      stream_seq: 1,
      deliveries: 1,
    });
    two.term();
    assert.deepEqual(await event('ADVISORY.CONSUMER.MSG_TERMINATED'), {
      name: 'ADVISORY.CONSUMER.MSG_TERMINATED.FATE.c',
      type: 'io.nats.jetstream.advisory.v1.terminated',
      stream: 'FATE',
      consumer: 'c',
      consumer_seq: 2,
      stream_seq: 2,
      deliveries: 1,
    });
    const again = await c.next({ expires: 3000 });
    assert.equal(again.seq, three.seq);
    const asking = c.next({ expires: 2000 }); // nats-server 2.9 notices at the next request
    assert.deepEqual(await event('ADVISORY.CONSUMER.MAX_DELIVERIES'), {
      name: 'ADVISORY.CONSUMER.MAX_DELIVERIES.FATE.c',
      type: 'io.nats.jetstream.advisory.v1.max_deliver',
      stream: 'FATE',
      consumer: 'c',
      stream_seq: 3,
      deliveries: 2,
    });
    assert.equal(await asking, null);
  });

  it('acknowledgements are sampled', async (t, server) => {
    const { add, event, told } = await open(t, server, 'sample', 20);
    const c = await add({ sample_freq: '100%' });
    const messages = [];
    for await (const m of await c.fetch({ max_messages: 20, expires: 2000 })) messages.push(m);
    await sleep(50);
    for (const m of messages) m.ack();
    const { ack_time, ...rest } = await event('METRIC.CONSUMER.ACK');
    assert.ok(ack_time >= 40e6 && ack_time < 60e9, `${ack_time} ns`);
    assert.deepEqual(rest, {
      name: 'METRIC.CONSUMER.ACK.SAMPLE.c',
      type: 'io.nats.jetstream.metric.v1.consumer_ack',
      stream: 'SAMPLE',
      consumer: 'c',
      consumer_seq: 1,
      stream_seq: 1,
      deliveries: 1,
    });
    const metrics = () => told.filter((e) => e.name.startsWith('METRIC')).length;
    await until(() => metrics() === 20, '20 metrics');
  });

  it('a bad sample is refused, and so are the wrong forms of create', async (t, server) => {
    const { nc, name } = await open(t, server, 'forms');
    const create = async (subject, config) => {
      const request = JSON.stringify({
        stream_name: name,
        config: { ack_policy: 'explicit', ...config },
      });
      return (await nc.request(`$JS.API.CONSUMER.${subject}`, request)).json().error?.err_code;
    };
    assert.equal(await create(`CREATE.${name}`, { sample_freq: 'some' }), 10095);
    assert.equal(await create(`CREATE.${name}`, { durable_name: 'd' }), 10020);
    assert.equal(await create(`DURABLE.CREATE.${name}.d`, {}), 10018);
    assert.equal(await create(`DURABLE.CREATE.${name}.d`, { durable_name: 'e' }), 10017);
    assert.equal(await create(`DURABLE.CREATE.${name}.d`, { durable_name: 'd' }), undefined);
    assert.equal(await create(`CREATE.${name}`, {}), undefined);
  });

  it('replay at the original speed keeps the gaps', async (t, server) => {
    const { js, add } = await open(t, server, 'replay', 2);
    await sleep(600);
    await js.publish('replay.x', '3');
    const c = await add({ replay_policy: ReplayPolicy.Original });
    const times = [];
    for await (const m of await c.fetch({ max_messages: 3, expires: 5000 })) {
      times.push(Date.now());
      m.ack();
    }
    assert.equal(times.length, 3);
    assert.ok(times[2] - times[1] > 450, `${times}`);
    const start = Date.now();
    await js.publish('replay.x', '4');
    assert.equal((await c.next({ expires: 3000 })).string(), '4');
    assert.ok(Date.now() - start < 450);
  });

  it('statuses count what was not given', async (t, server) => {
    const { nc, name, add } = await open(t, server, 'status', 3);
    await add({ max_batch: 5, max_expires: nanos(60_000), max_bytes: 4000 });
    const { status } = await pull(nc, name, { batch: 5, expires: nanos(300), max_bytes: 4000 });
    assert.equal(status.code, 408);
    assert.equal(status.get('Nats-Pending-Messages'), '2');
    const left = Number(status.get('Nats-Pending-Bytes'));
    assert.ok(left > 3700 && left < 3900, `${left}`);
    await pull(nc, name, { batch: 6 }, '409 Exceeded MaxRequestBatch of 5');
    const long = { batch: 1, expires: nanos(90_000) };
    await pull(nc, name, long, '409 Exceeded MaxRequestExpires of 1m0s');
    await pull(nc, name, { batch: 1, max_bytes: 4001 }, '409 Exceeded MaxRequestMaxBytes of 4000');
  });
});

onNonet('what nats-server has since 2.10 and 2.11', {}, (it) => {
  it('a termination says why', async (t, server) => {
    const { add, event } = await open(t, server, 'why', 1);
    const message = await (await add()).next({ expires: 2000 });
    message.term('no such customer');
    assert.equal((await event('ADVISORY.CONSUMER.MSG_TERMINATED')).reason, 'no such customer');
  });

  it('a full batch with bytes left says so', async (t, server) => {
    const { nc, name, add } = await open(t, server, 'left', 3);
    await add();
    const { lines, status } = await pull(
      nc,
      name,
      { batch: 2, expires: nanos(2000), max_bytes: 1000 },
      '409 Batch Completed',
    );
    assert.deepEqual(lines.slice(0, 2), ['1', '2']);
    assert.equal(status.get('Nats-Pending-Messages'), '0');
    assert.ok(Number(status.get('Nats-Pending-Bytes')) > 500);
  });

  it('create and update only what is not, or is, there', async (t, server) => {
    const { nc, name, add } = await open(t, server, 'action');
    const request = async (action, config) => {
      const named = { name: 'c', durable_name: 'c', ...config };
      const body = { stream_name: name, action, config: named };
      const answer = await nc.request(`$JS.API.CONSUMER.CREATE.${name}.c`, JSON.stringify(body));
      return answer.json().error?.err_code;
    };
    assert.equal(await request('update', { ack_policy: 'explicit' }), 10149);
    await add();
    assert.equal(await request('create', { ack_policy: 'explicit' }), undefined);
    assert.equal(await request('create', { ack_policy: 'explicit', max_deliver: 5 }), 10148);
    assert.equal(await request('update', { ack_policy: 'explicit', max_deliver: 5 }), undefined);
    assert.equal(await request('', { ack_policy: 'all' }), 10012);
  });

  it('a paused consumer waits and says until when', async (t, server) => {
    const { nc, jsm, name, add, event, told } = await open(t, server, 'pause', 3);
    const c = await add();
    const until_ = new Date(Date.now() + 3_600_000);
    const answer = await jsm.consumers.pause(name, 'c', until_);
    assert.equal(answer.paused, true);
    assert.equal(Date.parse(answer.pause_until), until_.getTime());
    assert.ok(answer.pause_remaining > 3500e9 && answer.pause_remaining <= 3600e9);
    const { pause_until, ...rest } = await event('ADVISORY.CONSUMER.PAUSE');
    assert.equal(Date.parse(pause_until), until_.getTime());
    assert.deepEqual(rest, {
      name: 'ADVISORY.CONSUMER.PAUSE.PAUSE.c',
      type: 'io.nats.jetstream.advisory.v1.consumer_pause',
      stream: 'PAUSE',
      consumer: 'c',
      paused: true,
    });
    const info = await jsm.consumers.info(name, 'c');
    assert.equal(info.paused, true);
    assert.equal(Date.parse(info.config.pause_until), until_.getTime());
    await pull(nc, name, { batch: 1, expires: nanos(300) }, '408 Request Timeout');
    const waiting = c.next({ expires: 5000 });
    await sleep(50);
    assert.equal((await jsm.consumers.resume(name, 'c')).paused, false);
    assert.equal((await waiting).seq, 1);
    const soon = await jsm.consumers.pause(name, 'c', new Date(Date.now() + 500));
    assert.equal(soon.paused, true);
    const start = Date.now();
    assert.equal((await c.next({ expires: 5000 })).seq, 2);
    assert.ok(Date.now() - start > 300);
    const pauses = () => told.filter((e) => e.name.startsWith('ADVISORY.CONSUMER.PAUSE'));
    await until(() => pauses().length === 4, 'the end told');
    assert.deepEqual(
      pauses().map((e) => e.paused),
      [true, false, true, false],
    );
  });

  it('a pause lasts over a kill', async (t, server) => {
    const { jsm, name } = await open(t, server, 'asleep', 1);
    await jsm.consumers.add(name, {
      durable_name: 'c',
      ack_policy: AckPolicy.Explicit,
      deliver_subject: 'to.asleep',
      idle_heartbeat: nanos(200),
    });
    await jsm.consumers.pause(name, 'c', new Date(Date.now() + 3_600_000));
    await server.stop('SIGKILL');
    await server.start();
    const nc = await server.connect(t);
    const got = [];
    nc.subscribe('to.asleep', { callback: (error, m) => got.push(m) });
    await until(() => got.length >= 2, 'heartbeats');
    assert.ok(got.every((m) => m.headers?.description === 'Idle Heartbeat'));
    const manager = await jetstreamManager(nc);
    assert.equal((await manager.consumers.info(name, 'c')).paused, true);
    await manager.consumers.resume(name, 'c');
    await until(() => got.some((m) => m.string() === '1'), 'the message');
    await manager.streams.delete(name);
  });

  it('what was in flight keeps its deliveries, over a kill', async (t, server) => {
    const { jsm, name, add } = await open(t, server, 'count', 1);
    const c = await add({ ack_wait: nanos(400), max_deliver: 3 });
    for (const n of range(1, 2)) {
      assert.equal((await c.next({ expires: 3000 })).info.deliveryCount, n);
    }
    await jsm.streams.add({ name: 'BEHIND', subjects: ['behind'] }); // on disk, and so is that
    await server.stop('SIGKILL');
    await server.start();
    const nc = await server.connect(t);
    const told = [];
    nc.subscribe('$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>', {
      callback: (error, m) => told.push(m.json()),
    });
    const again = await jetstream(nc).consumers.get(name, 'c');
    assert.equal((await again.next({ expires: 3000 })).info.deliveryCount, 3);
    await until(() => told.length === 1, 'the advisory');
    assert.equal(told[0].deliveries, 3);
    for (const stream of [name, 'BEHIND'])
      await (await jetstreamManager(nc)).streams.delete(stream);
  });
});

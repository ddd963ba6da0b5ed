// Consumers: what was published durably, read durably.

import assert from 'node:assert/strict';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { onBoth, onNonet, sleep, until } from './lib/node.mjs';

async function open(t, server, stream, count = 0, config = {}) {
  const nc = await server.connect(t);
  const jsm = await jetstreamManager(nc);
  const js = jetstream(nc);
  const name = stream.toUpperCase();
  await jsm.streams.add({ name, subjects: [`${stream}.>`], ...config });
  t.after(() => jsm.streams.delete(name).catch(() => {}));
  for (let i = 1; i <= count; i++) await js.publish(`${stream}.x`, `${i}`);
  const consumer = async (options = {}) => {
    const explicit = { ack_policy: AckPolicy.Explicit, ...options };
    await jsm.consumers.add(name, { durable_name: 'c', ...explicit });
    return js.consumers.get(name, options.durable_name ?? options.name ?? 'c');
  };
  const info = (consumerName = 'c') => jsm.consumers.info(name, consumerName);
  return { nc, jsm, js, consumer, info };
}

// Fetches COUNT messages, or what there is within EXPIRES; acknowledges nothing.
async function fetch(consumer, count, expires = 1000) {
  const messages = [];
  for await (const message of await consumer.fetch({ max_messages: count, expires })) {
    messages.push(message);
  }
  return messages;
}

const numbers = (messages) => messages.map((message) => Number(message.string()));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

onBoth('consumers', {}, (it) => {
  it('a new consumer has the defaults, and says where it stands', async (t, server) => {
    const { jsm, consumer, info } = await open(t, server, 'fresh', 3);
    await consumer();
    const { config, delivered, ack_floor, ...rest } = await info();
    assert.equal(config.durable_name, 'c');
    assert.equal(config.ack_policy, 'explicit');
    assert.equal(config.deliver_policy, 'all');
    assert.equal(config.replay_policy, 'instant');
    assert.equal(config.ack_wait, 30e9);
    assert.equal(config.max_deliver, -1);
    assert.equal(config.max_ack_pending, 1000);
    assert.equal(config.max_waiting, 512);
    assert.equal(rest.stream_name, 'FRESH');
    assert.equal(rest.name, 'c');
    assert.equal(rest.num_pending, 3);
    assert.equal(rest.num_ack_pending, 0);
    assert.equal(rest.num_redelivered, 0);
    assert.equal(rest.num_waiting, 0);
    assert.deepEqual([delivered.consumer_seq, delivered.stream_seq], [0, 0]);
    assert.deepEqual([ack_floor.consumer_seq, ack_floor.stream_seq], [0, 0]);
    assert.equal((await jsm.streams.info('FRESH')).state.consumer_count, 1);
  });

  it('fetch gives what was asked for, with its place in the stream', async (t, server) => {
    const { consumer, info } = await open(t, server, 'fetch', 10);
    const c = await consumer();
    const messages = await fetch(c, 4);
    assert.deepEqual(numbers(messages), [1, 2, 3, 4]);
    messages.forEach((message, i) => {
      assert.equal(message.subject, 'fetch.x');
      assert.equal(message.seq, i + 1);
      assert.equal(message.info.stream, 'FETCH');
      assert.equal(message.info.consumer, 'c');
      assert.equal(message.info.deliverySequence, i + 1);
      assert.equal(message.info.deliveryCount, 1);
      assert.equal(message.info.pending, 9 - i);
      assert.equal(message.redelivered, false);
    });
    assert.equal((await info()).num_ack_pending, 4);
    assert.deepEqual(numbers(await fetch(c, 6)), range(5, 10));
  });

  it('fetch of more than there is ends when it expires', async (t, server) => {
    const { consumer } = await open(t, server, 'few', 2);
    const c = await consumer();
    const start = Date.now();
    assert.deepEqual(numbers(await fetch(c, 10, 1000)), [1, 2]);
    assert.ok(Date.now() - start > 700);
    assert.deepEqual(await fetch(c, 10, 1000), []);
  });

  it('next waits for what comes', async (t, server) => {
    const { js, consumer } = await open(t, server, 'next', 1);
    const c = await consumer();
    assert.equal((await c.next({ expires: 2000 })).string(), '1');
    const coming = c.next({ expires: 5000 });
    await sleep(100);
    await js.publish('next.x', '2');
    assert.equal((await coming).string(), '2');
    assert.equal(await c.next({ expires: 1000 }), null);
  });

  it('consume gives all there is and all that comes', async (t, server) => {
    const { js, consumer, info } = await open(t, server, 'flow', 300);
    const got = [];
    const messages = await (
      await consumer()
    ).consume({
      max_messages: 50,
      callback: (message) => {
        got.push(Number(message.string()));
        message.ack();
      },
    });
    await until(
      () => got.length === 300,
      () => `300 messages, have ${got.length}`,
    );
    await Promise.all(range(301, 600).map((i) => js.publish('flow.x', `${i}`)));
    await until(
      () => got.length === 600,
      () => `600 messages, have ${got.length}`,
    );
    assert.deepEqual(got, range(1, 600));
    await messages.close();
    await until(async () => (await info()).ack_floor.stream_seq === 600, 'the acknowledgements');
    assert.equal((await info()).num_ack_pending, 0);
    assert.equal((await info()).num_pending, 0);
  });

  it('what is acknowledged moves the floor, gaps hold it', async (t, server) => {
    const { consumer, info } = await open(t, server, 'floor', 5);
    const messages = await fetch(await consumer(), 5);
    for (const i of [4, 1, 0]) assert.equal(await messages[i].ackAck(), true);
    assert.equal((await info()).ack_floor.stream_seq, 2);
    assert.equal((await info()).num_ack_pending, 2);
    await messages[2].ackAck();
    await messages[3].ackAck();
    assert.equal((await info()).ack_floor.stream_seq, 5);
  });

  it('a negative acknowledgement brings it back at once, or after a delay', async (t, server) => {
    const { consumer } = await open(t, server, 'nak', 2);
    const c = await consumer();
    const [one, two] = await fetch(c, 2);
    one.nak();
    const [again] = await fetch(c, 1);
    assert.equal(again.seq, 1);
    assert.equal(again.info.deliveryCount, 2);
    assert.equal(again.redelivered, true);
    await again.ackAck();
    const start = Date.now();
    two.nak(700);
    const [late] = await fetch(c, 1, 5000);
    assert.equal(late.seq, 2);
    assert.ok(Date.now() - start >= 600, `after ${Date.now() - start} ms`);
  });

  it('a terminated message does not come back', async (t, server) => {
    const { consumer, info } = await open(t, server, 'term', 2);
    const c = await consumer({ ack_wait: nanos(300) });
    const [one, two] = await fetch(c, 2);
    one.term();
    await two.ackAck();
    assert.deepEqual(await fetch(c, 1, 1000), []);
    assert.equal((await info()).ack_floor.stream_seq, 2);
  });

  it('without an acknowledgement it comes back after ack_wait', async (t, server) => {
    const { consumer, info } = await open(t, server, 'wait', 1);
    const c = await consumer({ ack_wait: nanos(400) });
    const start = Date.now();
    await fetch(c, 1);
    const [again] = await fetch(c, 1, 5000);
    assert.ok(Date.now() - start >= 350, `after ${Date.now() - start} ms`);
    assert.equal(again.info.deliveryCount, 2);
    assert.equal((await info()).num_redelivered, 1);
    await again.ackAck();
    assert.equal((await info()).num_redelivered, 0);
  });

  it('work in progress does not come back', async (t, server) => {
    const { consumer } = await open(t, server, 'wpi', 1);
    const c = await consumer({ ack_wait: nanos(500) });
    const [message] = await fetch(c, 1);
    const waiting = fetch(c, 1, 1500);
    for (let i = 0; i < 7; i++) {
      message.working();
      await sleep(200);
    }
    message.ack();
    assert.deepEqual(await waiting, []);
  });

  it('after max_deliver it comes no more', async (t, server) => {
    const { nc, consumer } = await open(t, server, 'max', 2);
    const told = [];
    nc.subscribe('$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.MAX.c', {
      callback: (error, message) => told.push(message.json()),
    });
    const c = await consumer({ ack_wait: nanos(200), max_deliver: 2 });
    const [one, two] = await fetch(c, 2);
    assert.deepEqual([one.seq, two.seq], [1, 2]);
    await two.ackAck();
    const [again] = await fetch(c, 1, 3000);
    assert.deepEqual([again.seq, again.info.deliveryCount], [1, 2]);
    assert.deepEqual(await fetch(c, 1, 1000), []);
    await until(() => told.length === 1, 'the advisory');
    assert.equal(told[0].stream_seq, 1);
    assert.equal(told[0].deliveries, 2);
  });

  it('backoff sets the time between deliveries', async (t, server) => {
    const { consumer } = await open(t, server, 'back', 1);
    const c = await consumer({ backoff: [nanos(200), nanos(600)], max_deliver: 3 });
    const times = [];
    for (let i = 0; i < 3; i++) {
      await fetch(c, 1, 5000);
      times.push(Date.now());
    }
    assert.ok(times[1] - times[0] >= 150 && times[2] - times[1] >= 500, `${times}`);
  });

  it('a filter picks subjects', async (t, server) => {
    const { js, consumer, info } = await open(t, server, 'filter');
    for (let i = 1; i <= 30; i++) await js.publish(`filter.${['a', 'b', 'c.d'][i % 3]}`, `${i}`);
    const c = await consumer({ filter_subject: 'filter.b' });
    assert.equal((await info()).num_pending, 10);
    assert.deepEqual(
      numbers(await fetch(c, 10)),
      range(1, 30).filter((i) => i % 3 === 1),
    );
    const d = await consumer({ durable_name: 'd', filter_subject: 'filter.c.>' });
    assert.deepEqual(
      numbers(await fetch(d, 10)),
      range(1, 30).filter((i) => i % 3 === 2),
    );
  });

  it('each deliver policy starts where it says', async (t, server) => {
    const { js, consumer } = await open(t, server, 'start', 5);
    await sleep(20);
    const middle = new Date().toISOString();
    await sleep(20);
    for (const i of [6, 7]) await js.publish('start.x', `${i}`);
    await js.publish('start.y', '8');
    const first = async (name, options) => {
      const c = await consumer({ durable_name: name, ...options });
      return numbers(await fetch(c, 1, 1000));
    };
    assert.deepEqual(await first('all', { deliver_policy: DeliverPolicy.All }), [1]);
    assert.deepEqual(await first('last', { deliver_policy: DeliverPolicy.Last }), [8]);
    assert.deepEqual(
      await first('seq', { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: 4 }),
      [4],
    );
    assert.deepEqual(
      await first('time', { deliver_policy: DeliverPolicy.StartTime, opt_start_time: middle }),
      [6],
    );
    const c = await consumer({
      durable_name: 'each',
      deliver_policy: DeliverPolicy.LastPerSubject,
      filter_subject: 'start.>',
    });
    assert.deepEqual(numbers(await fetch(c, 5, 1000)), [7, 8]);
    const fresh = await consumer({ durable_name: 'new', deliver_policy: DeliverPolicy.New });
    await js.publish('start.x', '9');
    assert.deepEqual(numbers(await fetch(fresh, 1, 1000)), [9]);
  });

  it('acknowledging one of "all" acknowledges those before it', async (t, server) => {
    const { consumer, info } = await open(t, server, 'ackall', 5);
    const messages = await fetch(await consumer({ ack_policy: AckPolicy.All }), 5);
    await messages[3].ackAck();
    assert.equal((await info()).ack_floor.stream_seq, 4);
    assert.equal((await info()).num_ack_pending, 1);
  });

  it('max_ack_pending holds back until something is acknowledged', async (t, server) => {
    const { consumer } = await open(t, server, 'hold', 10);
    const c = await consumer({ max_ack_pending: 3 });
    const messages = await fetch(c, 10, 1000);
    assert.deepEqual(numbers(messages), [1, 2, 3]);
    for (const message of messages.slice(0, 2)) await message.ackAck();
    assert.deepEqual(numbers(await fetch(c, 10, 1000)), [4, 5]);
  });

  it('many clients of one consumer share its messages, each once', async (t, server) => {
    const { js, consumer } = await open(t, server, 'share');
    await consumer();
    const got = [];
    for (let i = 0; i < 5; i++) {
      const own = await jetstream(await server.connect(t)).consumers.get('SHARE', 'c');
      await own.consume({
        max_messages: 20,
        callback: (message) => {
          got.push(message.seq);
          message.ack();
        },
      });
    }
    await Promise.all(range(1, 1000).map((i) => js.publish('share.x', `${i}`)));
    await until(
      () => got.length >= 1000,
      () => `1000 messages, have ${got.length}`,
    );
    assert.deepEqual(
      got.sort((a, b) => a - b),
      range(1, 1000),
    );
  });

  it('an ordered consumer reads everything in order, again and again', async (t, server) => {
    const { js } = await open(t, server, 'ordered', 100);
    const ordered = await js.consumers.get('ORDERED');
    const got = [];
    const messages = await ordered.consume({
      max_messages: 30,
      callback: (m) => got.push(m.seq),
    });
    await until(() => got.length === 100, 'the first 100');
    await Promise.all(range(101, 300).map((i) => js.publish('ordered.x', `${i}`)));
    await until(() => got.length === 300, 'the next 200');
    assert.deepEqual(got, range(1, 300));
    await messages.close();
    const from = await js.consumers.get('ORDERED', {
      opt_start_seq: 290,
      filter_subjects: 'ordered.x',
    });
    assert.deepEqual(
      (await fetch(from, 11)).map((m) => m.seq),
      range(290, 300),
    );
  });

  it('an ephemeral consumer goes when nobody uses it', async (t, server) => {
    const { jsm } = await open(t, server, 'short', 1);
    const { name } = await jsm.consumers.add('SHORT', {
      ack_policy: AckPolicy.Explicit,
      inactive_threshold: nanos(500),
    });
    assert.equal((await jsm.consumers.info('SHORT', name)).name, name);
    await until(
      () =>
        jsm.consumers.info('SHORT', name).then(
          () => false,
          (error) => error.code === 10014,
        ),
      'its end',
    );
  });

  it('a durable consumer stays; another one under its name is refused', async (t, server) => {
    const { jsm, consumer, info } = await open(t, server, 'stay', 5);
    const c = await consumer({ ack_wait: nanos(5000) });
    await (await fetch(c, 1))[0].ackAck();
    await consumer({ ack_wait: nanos(5000) });
    assert.equal((await info()).ack_floor.stream_seq, 1);
    await assert.rejects(
      jsm.consumers.add('STAY', {
        durable_name: 'c',
        ack_policy: AckPolicy.None,
      }),
    );
  });

  it('an update changes what may change', async (t, server) => {
    const { jsm, consumer, info } = await open(t, server, 'change', 3);
    const c = await consumer();
    await (await fetch(c, 1))[0].ackAck();
    await jsm.consumers.update('CHANGE', 'c', {
      ack_wait: nanos(7000),
      max_deliver: 4,
      description: 'new',
    });
    const { config, ack_floor } = await info();
    assert.deepEqual([config.ack_wait, config.max_deliver, config.description], [7e9, 4, 'new']);
    assert.equal(ack_floor.stream_seq, 1);
  });

  it('names and lists come in pages', async (t, server) => {
    const { nc, jsm } = await open(t, server, 'paged');
    const names = range(0, 299).map((i) => `c${String(i).padStart(3, '0')}`);
    await Promise.all(
      names.map((name) =>
        jsm.consumers.add('PAGED', {
          durable_name: name,
          ack_policy: AckPolicy.Explicit,
        }),
      ),
    );
    const listed = [];
    for await (const info of jsm.consumers.list('PAGED')) listed.push(info.name);
    assert.deepEqual(listed.sort(), names);
    const page = (await nc.request('$JS.API.CONSUMER.NAMES.PAGED', '{"offset":290}')).json();
    assert.equal(page.total, 300);
    assert.deepEqual(page.consumers.sort(), names.slice(290));
  });

  it('a deleted consumer is gone, and who waits on it is told', async (t, server) => {
    const { jsm, consumer } = await open(t, server, 'del', 0);
    const c = await consumer();
    const waiting = fetch(c, 1, 10_000).then(
      () => 'ended',
      (error) => error.message,
    );
    await sleep(100);
    assert.equal(await jsm.consumers.delete('DEL', 'c'), true);
    assert.match(await waiting, /consumer deleted/i);
    await assert.rejects(jsm.consumers.info('DEL', 'c'), (error) => error.code === 10014);
    await assert.rejects(jsm.consumers.delete('DEL', 'c'), (error) => error.code === 10014);
  });

  it('no_wait, max_bytes and bad requests end as they should', async (t, server) => {
    const { nc, consumer } = await open(t, server, 'pull', 3);
    await consumer();
    const pull = async (request) => {
      const lines = [];
      const inbox = nc.subscribe(`_INBOX.pull.${Math.random().toString(36).slice(2)}`, {
        callback: (error, m) => lines.push(m.headers?.code ? m.headers.code : m.string()),
      });
      nc.publish('$JS.API.CONSUMER.MSG.NEXT.PULL.c', request, { reply: inbox.getSubject() });
      await until(
        () => lines.length && typeof lines.at(-1) === 'number',
        () => `${request}: ${lines}`,
      );
      inbox.unsubscribe();
      return lines;
    };
    assert.deepEqual(await pull('{"batch":2,"no_wait":true,"expires":0,"max_bytes":1}'), [409]);
    assert.deepEqual(await pull('{"batch":10,"no_wait":true}'), ['1', '2', '3', 408]);
    assert.deepEqual(await pull('{"batch":1,"no_wait":true}'), [404]);
    assert.deepEqual(await pull('{"batch":1,"expires":50000000}'), [408]);
    assert.deepEqual(await pull('{oops'), [400]);
  });

  it('a message deleted from the stream is passed over', async (t, server) => {
    const { jsm, consumer } = await open(t, server, 'over', 5);
    for (const seq of [1, 3]) await jsm.streams.deleteMessage('OVER', seq);
    const c = await consumer();
    assert.deepEqual(numbers(await fetch(c, 3)), [2, 4, 5]);
  });

  it('a purged stream has nothing for its consumers, then what is new', async (t, server) => {
    const { js, jsm, consumer, info } = await open(t, server, 'wash', 20);
    const c = await consumer();
    await fetch(c, 5);
    await jsm.streams.purge('WASH');
    await until(async () => (await info()).num_pending === 0, 'nothing pending');
    await js.publish('wash.x', '21');
    const [message] = await fetch(c, 1, 3000);
    assert.equal(message.string(), '21');
  });

  it('headers_only sends sizes instead of bodies', async (t, server) => {
    const { consumer } = await open(t, server, 'heads', 1);
    const [message] = await fetch(await consumer({ headers_only: true }), 1);
    assert.equal(message.data.length, 0);
    assert.equal(message.headers.get('Nats-Msg-Size'), '1');
  });
});

onNonet('consumers over a restart', {}, (it) => {
  it('a durable consumer goes on where it was', async (t, server) => {
    const { consumer } = await open(t, server, 'kept', 10);
    const messages = await fetch(await consumer({ ack_wait: nanos(1000) }), 6);
    for (const i of [0, 1, 2, 4]) await messages[i].ackAck();
    await server.stop();
    await server.start();
    const js = jetstream(await server.connect(t));
    const c = await js.consumers.get('KEPT', 'c');
    const { ack_floor, num_pending } = await c.info();
    assert.equal(ack_floor.stream_seq, 3);
    assert.equal(num_pending, 4);
    const seen = new Set();
    await until(
      async () => {
        for (const message of await fetch(c, 10, 1000)) {
          seen.add(message.seq);
          await message.ackAck();
        }
        return seen.size >= 6;
      },
      () => `what was not acknowledged, have ${[...seen]}`,
    );
    assert.deepEqual(
      [...seen].sort((a, b) => a - b),
      [4, 6, 7, 8, 9, 10],
    );
  });
});

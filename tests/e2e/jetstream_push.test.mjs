// Push consumers: messages sent to a subject while somebody is there, as fast as he takes them.

import assert from 'node:assert/strict';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers, nanos } from '@nats-io/transport-node';
import { connect as legacyConnect, consumerOpts } from 'nats';
import { onBoth, onNonet, sleep, until } from './lib/node.mjs';

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function open(t, server, stream, count = 0, config = {}) {
  const nc = await server.connect(t);
  const jsm = await jetstreamManager(nc);
  const js = jetstream(nc);
  const name = stream.toUpperCase();
  await jsm.streams.add({ name, subjects: [`${stream}.>`], ...config });
  t.after(() => jsm.streams.delete(name).catch(() => {}));
  const fill = (from, to) =>
    Promise.all(range(from, to).map((i) => js.publish(`${stream}.x`, `${i}`)));
  if (count) await fill(1, count);
  const push = (options = {}) =>
    jsm.consumers.add(name, {
      durable_name: 'p',
      deliver_subject: `to.${stream}`,
      ack_policy: AckPolicy.Explicit,
      ...options,
    });
  const info = (consumer = 'p') => jsm.consumers.info(name, consumer);
  return { nc, jsm, js, name, fill, push, info };
}

// What arrives at SUBJECT: messages and statuses in order.
function listen(nc, subject, options = {}) {
  const got = { messages: [], statuses: [] };
  got.subscription = nc.subscribe(subject, {
    ...options,
    callback: (error, m) => {
      if (m.headers?.code) {
        got.statuses.push(m);
        if (m.headers.description === 'FlowControl Request' && !got.silent) m.respond();
      } else {
        got.messages.push(m);
        if (got.ack !== undefined) m.respond(got.ack);
      }
    },
  });
  return got;
}

const bodies = (got) => got.messages.map((m) => Number(m.string()));

async function legacy(t, server) {
  const nc = await legacyConnect({ servers: server.url, reconnect: false });
  t.after(() => nc.close());
  return nc.jetstream();
}

onBoth('push consumers', {}, (it) => {
  it('what is there and what comes is sent to the deliver subject', async (t, server) => {
    const { nc, fill, push, info } = await open(t, server, 'basic', 5);
    const got = listen(nc, 'to.basic');
    const { config, push_bound } = await push();
    assert.equal(config.deliver_subject, 'to.basic');
    assert.equal(config.max_waiting, undefined);
    assert.equal(config.max_ack_pending, 1000);
    assert.equal(push_bound, true);
    await until(() => got.messages.length === 5, '5 messages');
    await fill(6, 8);
    await until(() => got.messages.length === 8, '8 messages');
    assert.deepEqual(bodies(got), range(1, 8));
    assert.equal(got.messages[0].subject, 'basic.x');
    assert.match(got.messages[0].reply, /^\$JS\.ACK\.BASIC\.p\.1\.1\.1\.\d+\.4$/);
    assert.equal((await info()).num_ack_pending, 8);
    for (const m of got.messages) m.respond('+ACK');
    await until(async () => (await info()).ack_floor.stream_seq === 8, 'the acknowledgements');
    assert.equal((await info()).num_waiting, 0);
  });

  it('nothing is sent while nobody is there, and all of it afterwards', async (t, server) => {
    const { nc, push, info } = await open(t, server, 'later', 3);
    await push({ ack_policy: AckPolicy.None });
    assert.equal((await info()).push_bound, undefined);
    assert.equal((await info()).num_pending, 3);
    const first = listen(nc, 'to.later');
    await until(() => first.messages.length === 3, 'what was there');
    first.subscription.unsubscribe();
    await until(async () => !(await info()).push_bound, 'the end of interest');
    const js = jetstream(nc);
    await js.publish('later.x', '4');
    await sleep(100);
    const second = listen(nc, 'to.later');
    await until(() => second.messages.length === 1, 'what came meanwhile');
    assert.deepEqual(bodies(second), [4]);
    assert.equal((await info()).num_pending, 0);
  });

  it('somebody who listens to everything is no receiver', async (t, server) => {
    const { nc, push, info } = await open(t, server, 'wild', 2);
    listen(nc, 'to.*');
    await nc.flush();
    await push({ ack_policy: AckPolicy.None });
    await sleep(300);
    assert.equal((await info()).num_pending, 2);
  });

  it('a client that goes takes the interest with it', async (t, server) => {
    const { nc, push, info } = await open(t, server, 'gone');
    const other = await server.connect();
    listen(other, 'to.gone');
    await other.flush();
    await push();
    await until(async () => (await info()).push_bound, 'interest');
    await other.close();
    await until(async () => !(await info()).push_bound, 'its end');
    await jetstream(nc).publish('gone.x', '1');
    const got = listen(nc, 'to.gone');
    await until(() => got.messages.length === 1, 'the message');
  });

  it('a deliver group shares the messages, and only its members count', async (t, server) => {
    const { nc, fill, push, info } = await open(t, server, 'group');
    await push({ deliver_group: 'workers' });
    const single = listen(nc, 'to.group');
    await nc.flush();
    assert.equal((await info()).push_bound, undefined);
    single.subscription.unsubscribe();
    const members = range(1, 3).map(() => listen(nc, 'to.group', { queue: 'workers' }));
    members.forEach((m) => (m.ack = '+ACK'));
    await until(async () => (await info()).push_bound, 'interest');
    await fill(1, 90);
    const all = () => members.flatMap(bodies).sort((a, b) => a - b);
    await until(() => all().length === 90, '90 messages');
    assert.deepEqual(all(), range(1, 90));
    assert.ok(members.every((m) => m.messages.length > 5));
    await until(async () => (await info()).ack_floor.stream_seq === 90, 'acknowledgements');
  });

  it('each deliver and ack policy', async (t, server) => {
    const { nc, js, push, info } = await open(t, server, 'policy', 4);
    await js.publish('policy.y', '5');
    const first = async (name, options) => {
      const got = listen(nc, `to.${name}`);
      await push({ durable_name: name, deliver_subject: `to.${name}`, ...options });
      await until(() => got.messages.length, name);
      return got;
    };
    const last = await first('last', { deliver_policy: DeliverPolicy.Last });
    assert.deepEqual(bodies(last), [5]);
    const from = await first('from', {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: 3,
    });
    await until(() => from.messages.length === 3, 'three');
    assert.deepEqual(bodies(from), [3, 4, 5]);
    const each = await first('each', {
      deliver_policy: DeliverPolicy.LastPerSubject,
      filter_subject: 'policy.>',
    });
    await until(() => each.messages.length === 2, 'two');
    assert.deepEqual(bodies(each), [4, 5]);
    const all = await first('all', { ack_policy: AckPolicy.All });
    await until(() => all.messages.length === 5, 'five');
    all.messages[3].respond('');
    await until(async () => (await info('all')).ack_floor.stream_seq === 4, 'ack all');
    assert.equal((await info('all')).num_ack_pending, 1);
    await first('none', { ack_policy: AckPolicy.None });
    await until(async () => (await info('none')).ack_floor.stream_seq === 5, 'ack none');
  });

  it('max_ack_pending holds, refusals and time bring back', async (t, server) => {
    const { nc, push } = await open(t, server, 'hold', 6);
    const got = listen(nc, 'to.hold');
    await push({ max_ack_pending: 2, ack_wait: nanos(60_000) });
    await until(() => got.messages.length === 2, 'two');
    await sleep(100);
    assert.deepEqual(bodies(got), [1, 2]);
    got.messages[0].respond('-NAK');
    await until(() => got.messages.length === 3, 'the first again');
    assert.deepEqual(bodies(got), [1, 2, 1]);
    assert.match(got.messages[2].reply, /\.p\.2\.1\.3\./);
    got.messages[1].respond('+TERM');
    await until(() => got.messages.length === 4, 'the third');
    got.ack = '+ACK';
    got.messages[2].respond('+ACK');
    got.messages[3].respond('+ACK');
    await until(() => got.messages.length === 7, 'all');
    assert.deepEqual(bodies(got), [1, 2, 1, 3, 4, 5, 6]);
  });

  it('without an acknowledgement it is sent again after ack_wait', async (t, server) => {
    const { nc, push } = await open(t, server, 'again', 1);
    const got = listen(nc, 'to.again');
    await push({ ack_wait: nanos(300), max_deliver: 2 });
    await until(() => got.messages.length === 2, 'the second delivery');
    await sleep(500);
    assert.equal(got.messages.length, 2);
  });

  it('idle heartbeats say where the consumer stands', async (t, server) => {
    const { nc, push, fill } = await open(t, server, 'beat', 3);
    const got = listen(nc, 'to.beat');
    await push({ ack_policy: AckPolicy.None, idle_heartbeat: nanos(200) });
    await until(() => got.statuses.length >= 2, 'two heartbeats');
    const { headers: beat, data, reply } = got.statuses[1];
    assert.deepEqual([beat.code, beat.description], [100, 'Idle Heartbeat']);
    assert.equal(beat.get('Nats-Last-Consumer'), '3');
    assert.equal(beat.get('Nats-Last-Stream'), '3');
    assert.equal(beat.get('Nats-Consumer-Stalled'), '');
    assert.equal(data.length, 0);
    assert.ok(!reply);
    await fill(4, 4);
    await until(
      () => got.statuses.at(-1).headers.get('Nats-Last-Stream') === '4',
      'the heartbeat after it',
    );
  });

  it('flow control holds back who does not answer', async (t, server) => {
    const { nc, js, push } = await open(t, server, 'flow');
    const body = new Uint8Array(64 * 1024);
    await Promise.all(range(1, 200).map(() => js.publish('flow.x', body)));
    const got = listen(nc, 'to.flow');
    got.silent = true;
    await push({
      ack_policy: AckPolicy.None,
      flow_control: true,
      idle_heartbeat: nanos(500),
    });
    await until(() => got.statuses.some((m) => m.headers.get('Nats-Consumer-Stalled')), 'a stall');
    const stopped = got.messages.length;
    assert.ok(stopped > 10 && stopped < 100, `${stopped} sent without an answer`);
    const request = got.statuses.find((m) => m.headers.description === 'FlowControl Request');
    assert.equal(request.headers.code, 100);
    assert.match(request.reply, /^\$JS\.FC\.FLOW\.p\./);
    const stalled = got.statuses.at(-1).headers.get('Nats-Consumer-Stalled');
    assert.equal(stalled, request.reply);
    await sleep(100);
    assert.equal(got.messages.length, stopped);
    got.silent = false;
    nc.publish(stalled);
    await until(() => got.messages.length === 200, 'all', 20_000);
  });

  it('a rate limit spreads messages over time', async (t, server) => {
    const { nc, js, push } = await open(t, server, 'rate', 0, { max_msg_size: 1000 });
    const body = new Uint8Array(900);
    await Promise.all(range(1, 20).map(() => js.publish('rate.x', body)));
    const got = listen(nc, 'to.rate');
    const start = Date.now();
    await push({ ack_policy: AckPolicy.None, rate_limit_bps: 80_000 }); // 10,000 bytes a second
    await until(() => got.messages.length === 20, 'all');
    assert.ok(Date.now() - start > 1200, `after ${Date.now() - start} ms`);
  });

  it('an ephemeral consumer goes when its subscriber has gone for long', async (t, server) => {
    const { nc, jsm, name } = await open(t, server, 'short', 1);
    const got = listen(nc, 'to.short');
    const made = await jsm.consumers.add(name, {
      deliver_subject: 'to.short',
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(400),
    });
    await until(() => got.messages.length, 'the message');
    await sleep(1000);
    await jsm.consumers.info(name, made.name);
    got.subscription.unsubscribe();
    const over = () =>
      jsm.consumers.info(name, made.name).then(
        () => false,
        (error) => error.code === 10014,
      );
    await until(over, 'its end');
  });

  it('another deliver subject: when nobody listens, and all comes again', async (t, server) => {
    const { nc, jsm, name, push } = await open(t, server, 'move', 2);
    const got = listen(nc, 'to.move');
    await push();
    await until(() => got.messages.length === 2, 'both');
    const update = { deliver_subject: 'to.other' };
    await assert.rejects(
      jsm.consumers.update(name, 'p', update),
      (error) => error.code === 10013,
    );
    got.subscription.unsubscribe();
    const other = listen(nc, 'to.other');
    await nc.flush();
    await jsm.consumers.update(name, 'p', update);
    await until(() => other.messages.length === 2, 'both again');
    assert.deepEqual(bodies(other), [1, 2]);
  });

  it('pulling from a push consumer is refused', async (t, server) => {
    const { nc, push } = await open(t, server, 'pull', 1);
    await push();
    const answer = await nc.request('$JS.API.CONSUMER.MSG.NEXT.PULL.p', '', { timeout: 2000 });
    assert.equal(answer.headers.code, 409);
    assert.equal(answer.headers.description, 'Consumer is push based');
  });

  it('what can not be is refused with its code', async (t, server) => {
    const { nc, name } = await open(t, server, 'bad');
    const refused = async (config, code) => {
      const request = { stream_name: name, config: { ack_policy: 'explicit', ...config } };
      const subject = `$JS.API.CONSUMER.CREATE.${name}`;
      const answer = (await nc.request(subject, JSON.stringify(request))).json();
      assert.equal(answer.error?.err_code, code, JSON.stringify({ config, answer }));
    };
    const to = { deliver_subject: 'to.bad' };
    await refused({ deliver_subject: 'to.*' }, 10079);
    await refused({ deliver_subject: 'bad.y' }, 10081);
    await refused({ ...to, max_waiting: 5 }, 10080);
    await refused({ ...to, ack_policy: 'none', max_ack_pending: 5 }, 10082);
    await refused({ ...to, idle_heartbeat: nanos(50) }, 10083);
    await refused({ ...to, flow_control: true }, 10108);
    await refused({ rate_limit_bps: 1000 }, 10086);
    await refused({ idle_heartbeat: nanos(1000) }, 10088);
    await refused({ flow_control: true }, 10089);
  });
});

onBoth('push consumers through the clients', {}, (it) => {
  it('the client of today: durable, ordered, callback and iterator', async (t, server) => {
    const { js, jsm, name, fill } = await open(t, server, 'now', 50);
    await jsm.consumers.add(name, {
      durable_name: 'd',
      deliver_subject: 'to.now',
      ack_policy: AckPolicy.Explicit,
      idle_heartbeat: nanos(1000),
      flow_control: true,
    });
    const durable = await js.consumers.getPushConsumer(name, 'd');
    const got = [];
    const messages = await durable.consume({
      callback: (m) => {
        got.push(m.seq);
        m.ack();
      },
    });
    await until(() => got.length === 50, '50');
    await messages.close();
    const ordered = await js.consumers.getPushConsumer(name);
    const seen = [];
    const iterator = await ordered.consume();
    const reading = (async () => {
      for await (const m of iterator) {
        seen.push(m.seq);
        if (m.seq === 80) break;
      }
    })();
    await fill(51, 80);
    await reading;
    assert.deepEqual(seen, range(1, 80));
  });

  it('a slow reader of an ordered consumer gets all of it', async (t, server) => {
    const { js, name } = await open(t, server, 'slow');
    const body = new Uint8Array(8000);
    for (let i = 0; i < 20; i++) {
      await Promise.all(range(1, 100).map(() => js.publish('slow.x', body)));
    }
    const ordered = await js.consumers.getPushConsumer(name);
    let count = 0;
    for await (const m of await ordered.consume()) {
      assert.equal(m.seq, ++count);
      if (count % 100 === 0) await sleep(10);
      if (count === 2000) break;
    }
  });

  it('the client of yesterday: subscribe, ordered, durable, in a queue', async (t, server) => {
    const { fill, name, jsm } = await open(t, server, 'old', 30);
    const js = await legacy(t, server);
    const ordered = await js.subscribe('old.>', consumerOpts().orderedConsumer());
    const seen = [];
    const reading = (async () => {
      for await (const m of ordered) {
        seen.push(m.seq);
        if (m.seq === 60) break;
      }
    })();
    await fill(31, 60);
    await reading;
    assert.deepEqual(seen, range(1, 60));

    const got = [];
    const durable = await js.subscribe(
      'old.>',
      consumerOpts()
        .durable('worker')
        .deliverTo('to.worker')
        .manualAck()
        .ackExplicit()
        .deliverAll()
        .idleHeartbeat(1000)
        .flowControl()
        .callback((error, m) => {
          if (!m) return;
          got.push(m.seq);
          m.ack();
        }),
    );
    await until(() => got.length === 60, '60');
    await durable.drain();
    await until(
      async () => (await jsm.consumers.info(name, 'worker')).ack_floor.stream_seq === 60,
      'acknowledgements',
    );

    const shared = [];
    for (let i = 0; i < 2; i++) {
      await js.subscribe(
        'old.>',
        consumerOpts()
          .durable('pair')
          .queue('pair')
          .deliverTo('to.pair')
          .ackExplicit()
          .deliverAll()
          .callback((error, m) => {
            if (!m) return;
            shared.push(m.seq);
            m.ack();
          }),
      );
    }
    await until(() => shared.length === 60, '60 shared');
    assert.deepEqual(
      shared.sort((a, b) => a - b),
      range(1, 60),
    );
  });

  it('headers travel', async (t, server) => {
    const { js, nc, push } = await open(t, server, 'heads');
    const h = headers();
    h.set('Colour', 'blue');
    await js.publish('heads.x', 'y', { headers: h });
    const got = listen(nc, 'to.heads');
    await push();
    await until(() => got.messages.length, 'it');
    assert.equal(got.messages[0].headers.get('Colour'), 'blue');
  });
});

onNonet('push consumers over a kill', {}, (it) => {
  it('a durable one goes on where it was, an ephemeral one too', async (t, server) => {
    const { nc, jsm, name, push } = await open(t, server, 'kept', 10);
    const got = listen(nc, 'to.kept');
    await push({ ack_wait: nanos(1000), idle_heartbeat: nanos(200), flow_control: true });
    const short = await jsm.consumers.add(name, {
      deliver_subject: 'to.short',
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(60_000),
    });
    await until(() => got.messages.length === 10, '10');
    for (const i of [0, 1, 4]) await nc.request(got.messages[i].reply, '+ACK');
    await server.stop('SIGKILL');
    await server.start();
    const again = await server.connect(t);
    const rest = listen(again, 'to.kept');
    const manager = await jetstreamManager(again);
    const { ack_floor, config } = await manager.consumers.info(name, 'p');
    assert.equal(ack_floor.stream_seq, 2);
    assert.equal(config.deliver_subject, 'to.kept');
    await until(() => rest.messages.length >= 7, 'what was not acknowledged');
    assert.deepEqual(
      [...new Set(bodies(rest))].sort((a, b) => a - b),
      [3, 4, 6, 7, 8, 9, 10],
    );
    await until(() => rest.statuses.length, 'a heartbeat');
    const all = listen(again, 'to.short');
    await until(() => all.messages.length === 10, 'the ephemeral one');
    assert.equal((await manager.consumers.info(name, short.name)).push_bound, true);
  });
});

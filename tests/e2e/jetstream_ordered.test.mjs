// Consumers in order per subject, Nonet's own: one message of a subject in flight, whoever works,
// whatever is refused, whoever is killed. And with it event streams as competing subscriptions.

import assert from 'node:assert/strict';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { check, onNonet, run, sleep, startNonet, until } from './lib/node.mjs';

const WORKERS = 4;
const KEYS = 100;
const OF_EACH = 20;

const ordered = { 'nonet.ordered': 'subject' };

// One of several workers: takes, and refuses, delays, dies with what it has, or is done.
// SEE(subject, number) is told of what is done; the worker ends when FINISHED() does.
async function work(server, stream, see, finished) {
  while (!finished()) {
    let nc = null;
    try {
      nc = await server.connect();
      const c = await jetstream(nc).consumers.get(stream, 'c');
      while (!finished()) {
        for await (const m of await c.fetch({ max_messages: 5, expires: 1000 })) {
          const luck = Math.random();
          if (luck < 0.02) throw new Error('killed');
          if (luck < 0.08) m.nak();
          else if (luck < 0.1) m.nak(50);
          else {
            see(m.subject, Number(m.string()));
            m.ack();
          }
        }
      }
      await nc.drain();
    } catch {
      nc?.protocol?.transport?.disconnect?.(); // as a process that is gone
      await nc?.close().catch(() => {});
      await sleep(5);
    }
  }
}

check(
  `${WORKERS} workers, ${KEYS} subjects: each in order, through refusals, deaths and kill -9`,
  async (t) => {
    const server = await startNonet(t);
    const nc = await server.connect();
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: 'WORK', subjects: ['work.>'] });
    await jsm.consumers.add('WORK', {
      durable_name: 'c',
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(500),
      max_ack_pending: 50,
      metadata: ordered,
    });
    const js = jetstream(nc);
    for (let number = 1; number <= OF_EACH; number++) {
      const all = [...Array(KEYS).keys()];
      await Promise.all(all.map((key) => js.publish(`work.${key}`, `${number}`)));
    }
    await nc.close();
    const last = new Map();
    let repeated = 0;
    const wrong = [];
    const see = (subject, number) => {
      const before = last.get(subject) ?? 0;
      if (number === before) repeated++;
      else if (number !== before + 1) wrong.push(`${subject}: ${number} behind ${before}`);
      last.set(subject, number);
    };
    const done = () => [...last.values()].reduce((sum, number) => sum + number, 0);
    let stop = false;
    t.after(() => (stop = true));
    const finished = () => stop || wrong.length > 0 || done() === KEYS * OF_EACH;
    const workers = Array.from({ length: WORKERS }, () => work(server, 'WORK', see, finished));
    for (const part of [0.3, 0.6]) {
      await until(() => finished() || done() > KEYS * OF_EACH * part, 'work', 60_000);
      await server.stop('SIGKILL');
      await server.start();
    }
    await until(finished, 'all of it', 60_000);
    await Promise.all(workers);
    assert.deepEqual(wrong, []);
    assert.equal(done(), KEYS * OF_EACH);
    assert.ok(repeated < KEYS * 4, `${repeated} came twice`);
    const again = await server.connect(t);
    const info = await (await jetstreamManager(again)).consumers.info('WORK', 'c');
    assert.equal(info.num_pending, 0);
  },
);

onNonet('in order per subject', {}, (it) => {
  it('a slow subject holds nobody else, with push and a group as well', async (t, server) => {
    const nc = await server.connect(t);
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: 'PUSHED', subjects: ['pushed.*'] });
    const js = jetstream(nc);
    for (let i = 1; i <= 5; i++) {
      await js.publish('pushed.slow', `${i}`);
      await js.publish('pushed.fast', `${i}`);
    }
    const seen = [];
    for (let worker = 0; worker < 2; worker++) {
      nc.subscribe('out', {
        queue: 'workers',
        callback: (_, m) => {
          seen.push(`${m.subject.slice(7)} ${m.string()}`);
          if (m.subject !== 'pushed.slow') m.respond();
        },
      });
    }
    await nc.flush();
    await jsm.consumers.add('PUSHED', {
      durable_name: 'c',
      deliver_subject: 'out',
      deliver_group: 'workers',
      ack_policy: AckPolicy.Explicit,
      metadata: ordered,
    });
    await until(() => seen.length === 6, 'one slow, five fast');
    await sleep(50);
    assert.deepEqual(
      seen.filter((s) => s.startsWith('fast')),
      [1, 2, 3, 4, 5].map((i) => `fast ${i}`),
    );
    assert.deepEqual(
      seen.filter((s) => s.startsWith('slow')),
      ['slow 1'],
    );
    const info = await jsm.consumers.info('PUSHED', 'c');
    assert.deepEqual([info.num_ack_pending, info.num_pending], [1, 4]);
  });

  it('of event streams: retries, parks, lists, replays, drops', async (t, server) => {
    const token = server.token;
    const append = async (stream, ...types) => {
      const answer = await fetch(`${server.admin}/v1/streams/${stream}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({ events: types.map((type) => ({ type })) }),
      });
      assert.equal(answer.status, 201, await answer.text());
    };
    const nonet = async (...words) => {
      const { status, stdout, stderr } = await run([...words, '--server', server.url]);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    await append('order-1', 'Placed', 'Paid', 'Shipped');
    await append('order-2', 'Placed', 'Paid');
    await append('account-1', 'Opened');
    const made = ['--subject', 'es.order.>', '--ordered', '--park', '--max-deliver', '3'];
    const backoff = ['--backoff', '100ms,200ms'];
    const said = await nonet('consumer', 'add', 'ES', 'billing', ...made, ...backoff);
    assert.equal(said, 'consumer billing of ES is there\n');
    const nc = await server.connect(t);
    const seen = [];
    let broken = true;
    const c = await jetstream(nc).consumers.get('ES', 'billing');
    const messages = await c.consume({ max_messages: 10 });
    t.after(() => messages.close());
    (async () => {
      for await (const m of messages) {
        const type = m.headers.get('ce-type') || m.headers.get('Ce-Type');
        seen.push(`${m.subject} ${type} ${m.info.deliveryCount}`);
        if (broken && m.subject === 'es.order.1' && type === 'Paid') continue;
        if (type === 'Cancelled') m.term('orders are not cancelled here');
        else m.ack();
      }
    })();
    const of = (id) =>
      seen
        .filter((s) => s.startsWith(`es.order.${id} `))
        .map((s) => s.split(' ').slice(1).join(' '));
    await until(() => of(1).includes('Shipped 1'), 'what comes behind the parked one');
    assert.deepEqual(of(1), ['Placed 1', 'Paid 1', 'Paid 2', 'Paid 3', 'Shipped 1']);
    assert.deepEqual(of(2), ['Placed 1', 'Paid 1']);
    assert.ok(seen.indexOf('es.order.2 Paid 1') < seen.indexOf('es.order.1 Paid 3'));
    assert.ok(!seen.some((s) => s.includes('account')));
    await append('order-2', 'Cancelled');
    const list = async () => {
      const text = await nonet('consumer', 'parked', 'ES', 'billing', '--json');
      return JSON.parse(text).parked;
    };
    const parked = await until(async () => {
      const all = await list();
      return all.length === 2 && all;
    }, 'two parked');
    assert.deepEqual(
      parked.map((p) => [p.seq, p.deliveries, p.reason]),
      [
        [2, 3, 'no delivery was acknowledged'],
        [7, 1, 'orders are not cancelled here'],
      ],
    );
    broken = false;
    assert.match(await nonet('consumer', 'replay', 'ES', 'billing', '--seq', '2'), /^1 parked/);
    await until(() => of(1).includes('Paid 4'), 'the replayed one');
    assert.match(await nonet('consumer', 'drop', 'ES', 'billing', '--seq', '7'), /^1 parked/);
    assert.deepEqual(await list(), []);
    await until(async () => (await c.info()).ack_floor.stream_seq === 7, 'nothing is left');
    const info = await nonet('consumer', 'info', 'ES', 'billing');
    assert.match(info, /^subjects +es\.order\.>$/m);
    assert.match(info, /^ordered +one message of a subject at a time$/m);
    assert.match(info, /^to come +0$/m);
    assert.match(info, /^all done up to +7$/m);
  });

  it('made, shown and removed at the command line', async (t, server) => {
    const nc = await server.connect(t);
    await (await jetstreamManager(nc)).streams.add({ name: 'CLI', subjects: ['cli.>'] });
    const nonet = (...words) => run(['consumer', ...words, '--server', server.url]);
    const add = (...options) => nonet('add', 'CLI', 'c', ...options);
    for (const [options, wrong] of [
      [['--subject', 'a..b'], /'a\.\.b' is no subject/],
      [['--backoff', '1s,soon'], /'soon' is no duration/],
      [['--deliver', 'some'], /it is all, new or last/],
      [['--max-deliver', 'x'], /max-deliver/],
    ]) {
      const { status, stderr } = await add(...options);
      assert.equal(status, 2, stderr);
      assert.match(stderr, wrong);
    }
    const { stdout } = await add('--subject', 'cli.a,cli.b', '--deliver', 'new', '--json');
    const { config } = JSON.parse(stdout);
    assert.deepEqual(config.filter_subjects, ['cli.a', 'cli.b']);
    assert.equal(config.deliver_policy, 'new');
    assert.equal(config.metadata, undefined);
    const other = await add('--subject', 'cli.c');
    assert.equal(other.status, 1);
    assert.match(other.stderr, /consumer already exists/);
    assert.equal((await nonet('rm', 'CLI', 'c')).stdout, 'consumer c of CLI is gone\n');
    assert.match((await nonet('info', 'CLI', 'c')).stderr, /consumer not found/);
  });
});

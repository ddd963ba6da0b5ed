// Messages from one client to others: what every NATS client library builds on.

import assert from 'node:assert/strict';
import { Empty, headers } from '@nats-io/transport-node';
import { onBoth, until } from './lib/node.mjs';

// Subscribes CONNECTION and keeps what comes; settled once the server knows.
async function collect(connection, subject, options = {}) {
  const got = [];
  const callback = (error, message) => got.push(error ?? message);
  const subscription = connection.subscribe(subject, { callback, ...options });
  await connection.flush();
  return Object.assign(got, { subscription });
}

const subjects = (messages) => messages.map((message) => message.subject);
const texts = (messages) => messages.map((message) => message.string());

onBoth('core', {}, (it) => {
  it('a message reaches whoever has subscribed, and nobody else', async (t, server) => {
    const [a, b] = [await server.connect(t), await server.connect(t)];
    const [wanted, other] = [await collect(b, 'news.sport'), await collect(b, 'news.art')];
    a.publish('news.sport', 'goal');
    a.publish('news.sport');
    await until(() => wanted.length >= 2);
    await b.flush();
    assert.deepEqual(texts(wanted), ['goal', '']);
    assert.equal(other.length, 0);
  });

  it('wildcards match one token or the rest', async (t, server) => {
    const nc = await server.connect(t);
    const patterns = ['*', 'a.*', '*.b', 'a.>', '>', 'a.b.>', 'a.*.c', '*.*'];
    const got = [];
    for (const pattern of patterns) got.push(await collect(nc, pattern));
    for (const subject of ['a', 'a.b', 'a.b.c', 'x.b', 'A.b']) nc.publish(subject);
    await nc.flush();
    const expected = {
      '*': ['a'],
      'a.*': ['a.b'],
      '*.b': ['a.b', 'x.b', 'A.b'],
      'a.>': ['a.b', 'a.b.c'],
      '>': ['a', 'a.b', 'a.b.c', 'x.b', 'A.b'],
      'a.b.>': ['a.b.c'],
      'a.*.c': ['a.b.c'],
      '*.*': ['a.b', 'x.b', 'A.b'],
    };
    patterns.forEach((pattern, i) =>
      assert.deepEqual(subjects(got[i]), expected[pattern], pattern),
    );
  });

  it('a token that holds * or > beside other bytes is literal', async (t, server) => {
    const nc = await server.connect(t);
    const got = await collect(nc, 'lit.a*');
    nc.publish('lit.ab');
    nc.publish('lit.a*');
    await nc.flush();
    assert.deepEqual(subjects(got), ['lit.a*']);
  });

  it('two subscriptions of one client get a message each', async (t, server) => {
    const nc = await server.connect(t);
    const [first, second] = [await collect(nc, 'twice'), await collect(nc, 'twice')];
    nc.publish('twice', '1');
    await nc.flush();
    assert.equal(first.length + second.length, 2);
  });

  it('a queue group gets each message exactly once, over all connections', async (t, server) => {
    const members = [];
    for (let i = 0; i < 8; i++) {
      members.push(await collect(await server.connect(t), 'work.*', { queue: 'workers' }));
    }
    const watcher = await collect(await server.connect(t), 'work.>');
    const other = await collect(await server.connect(t), 'work.*', { queue: 'auditors' });
    const publishers = [
      await server.connect(t),
      await server.connect(t),
      await server.connect(t),
    ];
    const count = 900;
    for (let i = 0; i < count; i++) publishers[i % 3].publish('work.item', String(i));
    await Promise.all(publishers.map((nc) => nc.flush()));
    const taken = () => members.reduce((sum, member) => sum + member.length, 0);
    await until(
      () => taken() >= count && other.length >= count && watcher.length >= count,
      () => `${taken()} ${other.length} ${watcher.length}`,
    );
    const all = members
      .flatMap(texts)
      .map(Number)
      .sort((a, b) => a - b);
    assert.deepEqual(
      all,
      Array.from({ length: count }, (_, i) => i),
    );
    assert.equal(other.length, count);
    assert.equal(watcher.length, count);
    for (const member of members) assert.ok(member.length > count / 80, 'each member takes part');
  });

  it('headers arrive as they were sent', async (t, server) => {
    const nc = await server.connect(t);
    const got = await collect(nc, 'with.headers');
    const sent = headers();
    sent.append('Trace', 'one');
    sent.append('Trace', 'two');
    sent.set('Empty', '');
    sent.set('mixed-Case', 'ümläut: ✓');
    nc.publish('with.headers', 'body', { headers: sent });
    nc.publish('with.headers', Empty, { headers: sent });
    await nc.flush();
    assert.equal(got.length, 2);
    assert.deepEqual(got[0].headers.values('Trace'), ['one', 'two']);
    assert.equal(got[0].headers.get('Empty'), '');
    assert.equal(got[0].headers.get('mixed-Case'), 'ümläut: ✓');
    assert.deepEqual([...got[0].headers.keys()].sort(), ['Empty', 'Trace', 'mixed-Case']);
    assert.deepEqual(texts(got), ['body', '']);
  });

  it('a request is answered, also many at once', async (t, server) => {
    const [client, service] = [await server.connect(t), await server.connect(t)];
    service.subscribe('double', {
      callback: (error, message) => message.respond(String(2 * Number(message.string()))),
    });
    await service.flush();
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        client.request('double', String(i), { timeout: 5000 }),
      ),
    );
    assert.deepEqual(
      texts(answers).map(Number),
      Array.from({ length: 300 }, (_, i) => 2 * i),
    );
  });

  it('a request with its own inbox gets every answer of several', async (t, server) => {
    const client = await server.connect(t);
    for (let i = 0; i < 3; i++) {
      const service = await server.connect(t);
      service.subscribe('who', { callback: (error, message) => message.respond(String(i)) });
      await service.flush();
    }
    const answers = [];
    const many = await client.requestMany('who', '', {
      strategy: 'count',
      maxMessages: 3,
      maxWait: 5000,
    });
    for await (const answer of many) answers.push(answer.string());
    assert.deepEqual(answers.sort(), ['0', '1', '2']);
  });

  it('a request that nobody hears fails at once', async (t, server) => {
    const nc = await server.connect(t);
    const start = Date.now();
    const refused = (error) => /no responders/.test(error.message);
    await assert.rejects(nc.request('nobody.hears', '', { timeout: 10_000 }), refused);
    await assert.rejects(
      nc.request('nobody.hears', '', { timeout: 10_000, noMux: true }),
      refused,
    );
    assert.ok(Date.now() - start < 3000);
  });

  it('a subscription of another connection stands after its flush, always', async (t, server) => {
    const publisher = await server.connect(t);
    const subscribers = [];
    for (let i = 0; i < 6; i++) subscribers.push(await server.connect(t));
    for (let round = 0; round < 300; round++) {
      const subscriber = subscribers[round % subscribers.length];
      const got = await collect(subscriber, `fence.${round}`, { max: 1 });
      publisher.publish(`fence.${round}`);
      await publisher.flush();
      await until(() => got.length === 1, `message of round ${round}`);
    }
  });

  it('after an unsubscribe and its flush nothing more comes', async (t, server) => {
    const [publisher, subscriber] = [await server.connect(t), await server.connect(t)];
    for (let round = 0; round < 100; round++) {
      const got = await collect(subscriber, 'stop');
      got.subscription.unsubscribe();
      await subscriber.flush();
      publisher.publish('stop');
      await publisher.flush();
      await subscriber.flush();
      assert.equal(got.length, 0);
    }
  });

  it('a request sees "no responders" after the only responder has gone', async (t, server) => {
    const [client, service] = [await server.connect(t), await server.connect(t)];
    for (let round = 0; round < 50; round++) {
      const subscription = service.subscribe('short', { callback: (e, m) => m.respond('here') });
      await service.flush();
      assert.equal((await client.request('short', '', { timeout: 5000 })).string(), 'here');
      subscription.unsubscribe();
      await service.flush();
      await assert.rejects(client.request('short', '', { timeout: 5000 }), /no responders/);
    }
  });

  it('the messages of one publisher arrive in their order', async (t, server) => {
    const publisher = await server.connect(t);
    const receivers = [];
    for (let i = 0; i < 5; i++) receivers.push(await collect(await server.connect(t), 'order.>'));
    const count = 5000;
    for (let i = 0; i < count; i++) publisher.publish(`order.${i % 7}`, String(i));
    await publisher.flush();
    await until(() => receivers.every((got) => got.length >= count), 'all messages');
    const sent = Array.from({ length: count }, (_, i) => i);
    for (const got of receivers) assert.deepEqual(texts(got).map(Number), sent);
  });

  it('UNSUB with a maximum ends the subscription after as many', async (t, server) => {
    const [publisher, subscriber] = [await server.connect(t), await server.connect(t)];
    const got = await collect(subscriber, 'max', { max: 5 });
    for (let i = 0; i < 20; i++) publisher.publish('max', String(i));
    await publisher.flush();
    await until(() => got.length >= 5);
    await subscriber.flush();
    assert.deepEqual(texts(got), ['0', '1', '2', '3', '4']);
    await assert.rejects(publisher.request('max', '', { timeout: 5000 }), /no responders/);
  });

  it('a client without echo does not hear itself', async (t, server) => {
    const [quiet, other] = [await server.connect(t, { noEcho: true }), await server.connect(t)];
    const [own, theirs] = [await collect(quiet, 'echo'), await collect(other, 'echo')];
    quiet.publish('echo', 'q');
    await until(() => theirs.length === 1);
    other.publish('echo', 'o');
    await until(() => own.length === 1);
    await quiet.flush();
    assert.deepEqual(texts(own), ['o']);
    assert.deepEqual(texts(theirs), ['q', 'o']);
  });

  it('draining a client delivers what is on its way', async (t, server) => {
    const [publisher, subscriber] = [await server.connect(t), await server.connect(t)];
    const got = await collect(subscriber, 'drain');
    for (let i = 0; i < 1000; i++) publisher.publish('drain', String(i));
    await publisher.flush();
    await until(() => got.length > 0);
    await subscriber.drain();
    assert.equal(got.length, 1000);
    assert.equal(await subscriber.closed(), undefined);
  });

  it('payloads up to max_payload arrive whole', async (t, server) => {
    const [publisher, subscriber] = [await server.connect(t), await server.connect(t)];
    assert.equal(publisher.info.max_payload, 1024 * 1024);
    const got = await collect(subscriber, 'big');
    const sizes = [0, 1, 100, 4095, 4096, 65_535, 65_536, 65_537, 500_000, 1024 * 1024];
    for (const size of sizes) {
      publisher.publish(
        'big',
        Buffer.alloc(size).map((_, i) => (i * 31 + size) & 0xff),
      );
    }
    await publisher.flush();
    await until(() => got.length === sizes.length, 'all payloads', 20_000);
    got.forEach(({ data }, n) => {
      assert.equal(data.length, sizes[n]);
      assert.ok(
        data.every((byte, i) => byte === ((i * 31 + sizes[n]) & 0xff)),
        `${sizes[n]} bytes`,
      );
    });
  });

  it('five hundred connections are served at once', async (t, server) => {
    const clients = await Promise.all(
      Array.from({ length: 500 }, () => server.connect(null, { timeout: 20_000 })),
    );
    const got = clients.map((nc) => {
      const messages = [];
      nc.subscribe('crowd', { callback: (error, message) => messages.push(message) });
      return messages;
    });
    await Promise.all(clients.map((nc) => nc.flush()));
    clients[0].publish('crowd', 'hello');
    clients[499].publish('crowd', 'there');
    await until(() => got.every((messages) => messages.length === 2), 'both messages everywhere');
    for (const messages of got) assert.deepEqual(texts(messages).sort(), ['hello', 'there']);
    await Promise.all(clients.map((nc) => nc.close()));
  });
});

// Subjects as server-sent events: live, resumed behind a sequence, slow clients, crowds.

import assert from 'node:assert/strict';
import net from 'node:net';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Agent, request } from 'undici';
import { residentMib, socketsMax } from './lib/abuse.mjs';
import { check, onNonet, sleep, startNonet, until } from './lib/node.mjs';
import { EventStream } from './lib/sse.mjs';

const listen = { http: 0 };
const CONFIG = `
streams:
  BIDS: {subjects: ["bid.>"]}
  SHORT: {subjects: ["short.>"], max_msgs: 10}
  TALL: {subjects: ["tall.>"]}
gateway:
  routes:
    - {match: {path: /live}, to: {sse: "bid.>"}}
    - {match: {path: /short}, to: {sse: "short.>"}}
    - {match: {path: "/bids/{id}"}, to: {sse: "bid.{id}"}}
    - {match: {path: /tall}, to: {sse: "tall.>"}}
    - {match: {path: /plain}, to: {sse: ["plain.>", "plain.a"]}}
    - {match: {path: /both}, to: {sse: ["bid.>", "plain.>"]}}
`;

const urlOf = (server, target) => `http://${server.ports.http}${target}`;
const open = (t, server, target, options) =>
  EventStream.open(t, urlOf(server, target), options);

// Publishes COUNT messages to SUBJECT of a stream, "1" for the first; gives the last sequence.
async function fill(t, server, subject, count) {
  const js = jetstream(await server.connect(t));
  const acks = [];
  for (let i = 1; i <= count; i++) acks.push(js.publish(subject, `${i}`));
  return Math.max(...(await Promise.all(acks)).map(({ seq }) => seq));
}

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

onNonet('gateway: events', { config: CONFIG, listen }, (it) => {
  it('of a stream have its sequences as ids', async (t, server) => {
    const stream = await open(t, server, '/live');
    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'text/event-stream');
    assert.equal(stream.headers['cache-control'], 'no-store');
    const nc = await server.connect(t);
    const js = jetstream(nc);
    const { seq } = await js.publish('bid.new', '{"price":\n1}');
    await js.publish('bid.old', new Uint8Array([0, 255, 1]));
    await js.publish('bid.new', '');
    await until(() => stream.events.length === 3, 'three events');
    assert.deepEqual(stream.events, [
      { type: 'message', subject: 'bid.new', data: '{"price":\n1}', id: `${seq}` },
      {
        type: 'message',
        subject: 'bid.old',
        data: 'data:application/octet-stream;base64,AP8B',
        id: `${seq + 1}`,
      },
      { type: 'message', subject: 'bid.new', data: '', id: `${seq + 2}` },
    ]);
    assert.ok(stream.parser.retry >= 1000 && stream.parser.retry <= 3000);
  });

  it('what is published behind the answer is in it', async (t, server) => {
    for (let i = 0; i < 20; i++) {
      const stream = await open(t, server, `/bids/only${i}`);
      const nc = await server.connect(t);
      nc.publish('bid.other', 'x');
      nc.publish(`bid.only${i}`, 'x');
      await until(() => stream.events.length === 1, 'the event');
      assert.equal(stream.events[0].subject, `bid.only${i}`);
    }
  });

  it('begin also while their stream is busy', async (t, server) => {
    const js = jetstream(await server.connect(t));
    let [busy, stopped] = [0, false];
    const publishing = (async () => {
      while (!stopped) await js.publish(`bid.busy${busy}`, 'x');
    })();
    for (; busy < 60; busy++) {
      const stream = await Promise.race([open(t, server, `/bids/busy${busy}`), sleep(5000)]);
      assert.equal(stream?.status, 200, `feed ${busy}`);
      await until(() => stream.events.length > 0, 'an event');
    }
    stopped = true;
    await publishing;
  });

  it('go on behind Last-Event-ID, of a header or the query', async (t, server) => {
    const last = await fill(t, server, 'tall.a', 1500);
    const header = { headers: { 'last-event-id': `${last - 1000}` } };
    const streams = [
      await open(t, server, '/tall', header),
      await open(t, server, `/tall?last-event-id=${last - 1000}`),
    ];
    for (const stream of streams) {
      await until(() => stream.events.length >= 1000, 'a thousand events');
      assert.deepEqual(stream.ids, range(last - 999, last));
    }
    const all = await open(t, server, '/tall?last-event-id=0');
    const none = await open(t, server, `/tall?last-event-id=${last}`);
    const other = await open(t, server, '/tall?last-event-id=abc');
    await until(() => all.events.length >= last, 'all events');
    assert.equal(await fill(t, server, 'tall.a', 5), last + 5);
    for (const [stream, from] of [
      [all, 1],
      [none, last + 1],
      [other, last + 1],
    ]) {
      await until(() => stream.ids.at(-1) === last + 5, 'the last event');
      assert.deepEqual(stream.ids, range(from, last + 5));
    }
  });

  it('say what the stream does not have any more', async (t, server) => {
    const last = await fill(t, server, 'short.a', 50);
    const stream = await open(t, server, '/short', { headers: { 'last-event-id': '5' } });
    await until(() => stream.ids.at(-1) === last, 'the last event');
    assert.deepEqual(stream.events[0], {
      type: 'nonet.gap',
      data: JSON.stringify({ after: 5, first: last - 9 }),
      id: '',
    });
    assert.deepEqual(stream.ids, range(last - 9, last));
  });

  it('an id that the stream has not given yet begins anew', async (t, server) => {
    const stream = await open(t, server, '/short', { headers: { 'last-event-id': '99999' } });
    await until(() => stream.events.length >= 11, 'what there is');
    assert.equal(stream.events[0].type, 'nonet.gap');
    assert.equal(JSON.parse(stream.events[0].data).after, 99999);
  });

  it('have no ids without one stream for all subjects', async (t, server) => {
    const nc = await server.connect(t);
    for (const [target, subjects] of [
      ['/plain', ['plain.a', 'plain.b']],
      ['/both', ['bid.x', 'plain.a']],
    ]) {
      const stream = await open(t, server, target, { headers: { 'last-event-id': '1' } });
      for (const subject of subjects) nc.publish(subject, 'x');
      await until(() => stream.events.length >= 2, 'two events');
      assert.deepEqual(
        stream.events,
        subjects.map((subject) => ({ type: 'message', subject, data: 'x', id: '' })),
      );
    }
  });

  it('are read with GET alone', async (t, server) => {
    const put = await request(urlOf(server, '/live'), { method: 'PUT', body: 'x' });
    assert.equal(put.statusCode, 405);
    assert.equal(put.headers.allow, 'GET, HEAD');
    await put.body.dump();
    const head = await request(urlOf(server, '/live'), { method: 'HEAD' });
    assert.equal(head.statusCode, 200);
    assert.equal(head.headers['content-type'], 'text/event-stream');
    assert.equal(await head.body.text(), '');
    const bad = await request(urlOf(server, '/bids/a.b'));
    assert.equal(bad.statusCode, 400);
    await bad.body.dump();
  });

  it('who stops reading gets all of it later, and others meanwhile', async (t, server) => {
    const [host, port] = server.ports.http.split(':');
    const slow = net.connect(Number(port), host);
    t.after(() => slow.destroy());
    let text = '';
    slow.on('data', (bytes) => (text += bytes.toString('latin1')));
    slow.write('GET /bids/slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => text.includes('retry:'), 'the answer');
    slow.pause();
    const fast = await open(t, server, '/bids/slow');
    const js = jetstream(await server.connect(t));
    const payload = 'x'.repeat(10_000);
    const count = 2000; // 20 MB: more than sockets and buffers hold
    let first;
    for (let i = 0; i < count; i += 100) {
      const acks = await Promise.all(
        Array.from({ length: 100 }, () => js.publish('bid.slow', payload)),
      );
      first ??= Math.min(...acks.map(({ seq }) => seq));
    }
    await until(() => fast.events.length === count, 'the fast one');
    assert.deepEqual(fast.ids, range(first, first + count - 1));
    slow.resume();
    const last = `id: ${first + count - 1}\n`;
    await until(() => text.includes(last), 'the slow one', 30_000);
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    assert.deepEqual(ids, range(first, first + count - 1));
    assert.ok(!text.includes('nonet.'));
  });

  it('who goes is missed at once, though nothing happens', async (t, server) => {
    const clients = async () => {
      const page = await (await fetch(`${server.admin}/metrics`)).text();
      return Number(/^nonet_gateway_sse_clients (\d+)$/m.exec(page)[1]);
    };
    await until(async () => (await clients()) === 0, 'the others to be gone');
    const some = await Promise.all(range(1, 50).map(() => open(null, server, '/bids/quiet')));
    assert.equal(await clients(), 50);
    const half = net.connect({ port: server.ports.http.split(':')[1], allowHalfOpen: true });
    t.after(() => half.destroy());
    let text = '';
    half.on('data', (bytes) => (text += bytes.toString('latin1')));
    half.end('GET /bids/quiet HTTP/1.1\r\nHost: x\r\n\r\n'); // it still reads
    some.forEach((stream) => stream.close());
    await until(async () => (await clients()) === 1, 'the one that reads', 3000);
    (await server.connect(t)).publish('bid.quiet', 'still here');
    await until(() => text.includes('data: still here\n'), 'its event');
  });

  it('without a stream who stops reading is told what it missed', async (t, server) => {
    const [host, port] = server.ports.http.split(':');
    const slow = net.connect(Number(port), host);
    t.after(() => slow.destroy());
    let text = '';
    slow.on('data', (bytes) => (text += bytes.toString('latin1')));
    slow.write('GET /plain HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => text.includes('retry:'), 'the answer');
    slow.pause();
    const nc = await server.connect(t);
    const payload = 'x'.repeat(10_000);
    const count = 3000;
    for (let i = 0; i < count; i++) {
      nc.publish('plain.slow', payload);
      if (i % 100 === 99) await nc.flush();
    }
    slow.resume();
    nc.publish('plain.slow', 'the last');
    await until(() => text.includes('data: the last\n'), 'the last event', 30_000);
    const got = [...text.matchAll(/^subject: plain.slow$/gm)].length;
    const dropped = [...text.matchAll(/\{"messages":(\d+)\}/g)].map(([, n]) => Number(n));
    assert.ok(dropped.length > 0);
    assert.equal(got + dropped.reduce((sum, n) => sum + n, 0), count + 1);
  });
});

check('gateway: events go on over a kill and a restart', async (t) => {
  const server = await startNonet(t, { config: CONFIG, listen });
  const port = server.ports.http;
  const ids = [];
  let last = '';
  let stopped = false;
  const follow = async () => {
    while (!stopped) {
      const headers = last ? { 'last-event-id': last } : {};
      const onEvent = ({ subject, id }) => {
        assert.equal(subject, 'bid.new');
        ids.push(Number((last = id)));
      };
      const stream = await open(null, server, '/live', { headers, onEvent }).catch(() => null);
      if (stream) {
        follow.stream = stream;
        await stream.over;
      }
      await sleep(20);
    }
  };
  const following = follow();
  await until(() => follow.stream, 'the first answer');
  let acknowledged = 0;
  for (let round = 0; round < 3; round++) {
    const js = jetstream(await server.connect(t));
    const publishing = (async () => {
      for (;;) {
        const acks = await Promise.all(range(1, 50).map(() => js.publish('bid.new', 'x')));
        acknowledged = Math.max(acknowledged, ...acks.map(({ seq }) => seq));
      }
    })().catch(() => {});
    const before = acknowledged;
    await until(() => acknowledged > before + 1000, 'some messages', 20_000);
    await server.stop('SIGKILL');
    await publishing;
    await server.start({ ...server.options, listen: { http: port } });
  }
  const end = await fill(t, server, 'bid.new', 1);
  await until(() => ids.at(-1) === end, 'the last event', 20_000);
  stopped = true;
  follow.stream.close();
  await following;
  assert.ok(end >= acknowledged);
  assert.deepEqual(ids, range(1, end));
});

check('gateway: events outlive a reload, and end when the node stops', async (t) => {
  const server = await startNonet(t, { config: CONFIG, listen });
  const stream = await open(t, server, '/live');
  const plain = await open(t, server, '/plain');
  assert.match(await server.reload(CONFIG.replace('/tall', '/other')), /reloaded/);
  const nc = await server.connect(t);
  await jetstream(nc).publish('bid.new', '1');
  nc.publish('plain.a', '1');
  await until(() => stream.events.length === 1 && plain.events.length === 1, 'the events');
  const { status } = await server.stop();
  assert.equal(status, 0);
  await Promise.all([stream.over, plain.over]);
  assert.deepEqual([stream.ended, plain.ended], ['end', 'end']);
});

check('gateway: a stream that goes ends its answers', async (t) => {
  const server = await startNonet(t, { config: CONFIG, listen });
  const stream = await open(t, server, '/tall');
  const manager = await jetstreamManager(await server.connect(t));
  await manager.streams.delete('TALL');
  await until(() => stream.ended, 'the end');
  assert.equal(stream.ended, 'end');
});

check('gateway: each of 2,000 clients gets every one of 1,000 events', async (t) => {
  const clients = Math.min(2000, Math.floor(socketsMax() / 3));
  const server = await startNonet(t, { config: CONFIG, listen });
  const dispatcher = new Agent({ connections: null, pipelining: 1, bodyTimeout: 0 });
  t.after(() => dispatcher.destroy());
  const next = new Int32Array(clients).fill(1);
  let wrong = 0;
  let complete = 0;
  for (let from = 0; from < clients; from += 200) {
    const some = range(from, Math.min(from + 200, clients) - 1);
    await Promise.all(
      some.map((i) =>
        open(null, server, '/live', {
          dispatcher,
          onEvent: ({ id }) => {
            wrong += Number(id) !== next[i]++;
            complete += next[i] === 1001;
          },
        }),
      ),
    );
  }
  const before = residentMib(server);
  const js = jetstream(await server.connect(t));
  for (let i = 0; i < 20; i++)
    await Promise.all(range(1, 50).map((n) => js.publish('bid.new', `${i * 50 + n}`)));
  await until(() => complete === clients, 'every event', 60_000);
  assert.equal(wrong, 0);
  assert.ok(residentMib(server) - before < 200, 'memory');
});

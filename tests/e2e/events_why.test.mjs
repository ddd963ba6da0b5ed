// Why: what an event follows from, and what follows from it, across event streams.

import assert from 'node:assert/strict';
import { headers } from '@nats-io/transport-node';
import { append } from './lib/events.mjs';
import { onNonet, run, startNonet, check } from './lib/node.mjs';

const event = (id, correlation_id, causation_id, more = {}) => ({
  id,
  type: id.toUpperCase(),
  metadata: { correlation_id, causation_id, ...more },
});

async function why(server, stream, query = '') {
  const answer = await fetch(`${server.admin}/v1/streams/${stream}/why${query}`);
  return { status: answer.status, body: await answer.json() };
}

// "0:a 1:b* 2:c": depth, id, * of the asked one.
const draw = ({ events }) =>
  events.map(({ depth, asked, event: e }) => `${depth}:${e.id}${asked ? '*' : ''}`).join(' ');

// A shop: a click places an order, which takes stock and is paid; payment ships it.
async function shop(server, visit, prefix) {
  const id = (name) => `${prefix}${name}`;
  const noise = Array.from({ length: 20 }, (_, i) => event(`n${prefix}${i}`, `other-${i}`, 'x'));
  await append(server, `${prefix}order-1`, event(id('placed'), visit, 'click-7', { actor: 'ann' }));
  await append(server, `${prefix}noise-1`, ...noise);
  await append(server, `${prefix}stock-9`, event(id('taken'), visit, id('placed')));
  await append(
    server,
    `${prefix}order-1`,
    event(id('paid'), visit, id('placed'), { actor: 'till', reason: 'card' }),
  );
  await append(server, `${prefix}parcel-4`, event(id('shipped'), visit, id('paid')));
  await append(server, `${prefix}parcel-5`, event(id('unrelated'), visit, 'cron'));
}

onNonet('why', {}, (it) => {
  it('goes up to the command and down to what was caused', async (t, server) => {
    await shop(server, 'visit-9', '');
    const paid = await why(server, 'order-1', '?revision=1');
    assert.equal(paid.status, 200);
    assert.equal(draw(paid.body), '0:placed 1:paid* 2:shipped');
    const { events, ...rest } = paid.body;
    assert.deepEqual(rest, {
      stream: 'order-1',
      revision: 1,
      correlation: 'visit-9',
      command: 'click-7',
      others: 2,
      complete: true,
    });
    const { time, position, ...entry } = events[1].event;
    assert.ok(time && position);
    assert.deepEqual(entry, {
      stream: 'order-1',
      revision: 1,
      type: 'PAID',
      id: 'paid',
      actor: 'till',
      reason: 'card',
      correlation: 'visit-9',
      causation: 'placed',
    });
    const placed = await why(server, 'order-1', '?revision=0');
    assert.equal(draw(placed.body), '0:placed* 1:taken 1:paid 2:shipped');
    const last = await why(server, 'parcel-4'); // its last event
    assert.equal(draw(last.body), '0:placed 1:paid 2:shipped*');
  });

  it('an event without a correlation stands alone', async (t, server) => {
    await append(server, 'alone-1', { type: 'T', id: 'a', metadata: { causation_id: 'b' } });
    await append(server, 'alone-1', { type: 'T', id: 'c' });
    const { body } = await why(server, 'alone-1', '?revision=0');
    assert.equal(draw(body), '0:a*');
    assert.deepEqual([body.command, body.correlation, body.others], ['b', undefined, 0]);
    assert.equal(draw((await why(server, 'alone-1')).body), '0:c*');
  });

  it('attributes of CloudEvents and NATS clients count', async (t, server) => {
    await append(server, 'at-1', { type: 'T', id: 'one', attributes: { correlationid: 'at' } });
    const nc = await server.connect(t);
    const h = headers();
    h.set('ce-id', 'two');
    h.set('ce-correlationid', 'at');
    h.set('ce-causationid', 'one');
    await nc.request('es.at.2', 'x', { headers: h });
    assert.equal(draw((await why(server, 'at-1')).body), '0:one* 1:two');
  });

  it('tags are shown as they were given', async (t, server) => {
    await append(server, 'tag-1', { ...event('t1', 'tags'), tags: ['sku:7'] }, event('t2', 'tags'));
    const page = await (await fetch(`${server.admin}/v1/streams/tag-1`)).json();
    assert.deepEqual(
      page.events.map((e) => e.tags),
      [['sku:7'], undefined],
    );
    const cloud = await fetch(`${server.admin}/v1/streams/tag-1/events/0`, {
      headers: { accept: 'application/cloudevents+json' },
    });
    assert.equal((await cloud.json()).tags, 'sku:7');
    const refused = await fetch(`${server.admin}/v1/streams/tag-1`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}` },
      body: '{"events":[{"type":"T","tags":["~c:0123456789abcdef"]}]}',
    });
    assert.equal(refused.status, 400);
    assert.match(
      (await refused.json()).detail,
      /tags: tags that begin with ~c: are the node's own/,
    );
    // What a client copies from one event to the next gets its own key.
    const nc = await server.connect(t);
    const [message] = await Promise.all([
      (async () => {
        for await (const m of nc.subscribe('es.tag.2', { max: 1 })) return m;
      })(),
      append(server, 'tag-2', { ...event('t3', 'tags'), tags: ['sku:8'] }),
    ]);
    assert.match(message.headers.get('Nonet-Tags'), /^sku:8,~c:[0-9a-f]{16}$/);
    const h = headers();
    h.set('ce-id', 't4');
    h.set('Nonet-Tags', message.headers.get('Nonet-Tags'));
    h.set('Nonet-Metadata', '{"correlation_id":"tags","causation_id":"t3"}');
    assert.ok(!(await nc.request('es.tag.3', '', { headers: h })).json().error);
    assert.equal(draw((await why(server, 'tag-2')).body), '0:t3* 1:t4');
  });

  it('a correlation of very many events is told in part', async (t, server) => {
    const many = Array.from({ length: 1100 }, (_, i) => event(`m${i}`, 'many', i ? 'm0' : 'start'));
    await append(server, 'many-1', ...many);
    const { body } = await why(server, 'many-1', '?revision=1099');
    assert.equal(body.complete, false);
    assert.equal(draw(body), '0:m1099*');
    assert.equal(body.command, 'm0');
    assert.equal(body.others, 999);
  });

  it('at the command line', async (t, server) => {
    await shop(server, 'cli-9', 'c');
    const nonet = async (...args) => {
      const result = await run(['events', 'why', ...args, '--data', server.data]);
      return { ...result, lines: result.stdout.replace(/ \d{4}-\S+Z /g, ' TIME ') };
    };
    const tree = await nonet('corder-1@0');
    assert.equal(tree.status, 0, tree.stderr);
    assert.equal(
      tree.lines,
      'correlation cli-9\n' +
        '  click-7\n' +
        '>   corder-1@0 TIME CPLACED by ann\n' +
        '      cstock-9@0 TIME CTAKEN\n' +
        '      corder-1@1 TIME CPAID by till: card\n' +
        '        cparcel-4@0 TIME CSHIPPED\n' +
        '1 other event of the correlation\n',
    );
    const json = JSON.parse((await nonet('cparcel-4', '--json')).stdout);
    assert.equal(draw(json), '0:cplaced 1:cpaid 2:cshipped*');
    const wrong = await nonet('corder-1@x');
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /corder-1@x: STREAM@REVISION is wanted/);
    assert.match((await nonet('corder-1@7')).stderr, /\(404\): the event stream has no such rev/);
    assert.match((await nonet('nobody-1@0')).stderr, /\(404\): there is no such event stream/);
  });

  it('what is wrong is told', async (t, server) => {
    assert.equal((await why(server, 'nobody-1')).status, 404);
    assert.equal((await why(server, 'order-1', '?revision=99')).status, 404);
    assert.equal((await why(server, 'order-1', '?revision=x')).status, 400);
  });
});

check('why is found again after a kill', async (t) => {
  const server = await startNonet(t);
  await shop(server, 'visit-9', '');
  const before = await why(server, 'order-1', '?revision=1');
  await server.stop('SIGKILL');
  await server.start();
  assert.deepEqual(await why(server, 'order-1', '?revision=1'), before);
  await append(server, 'order-1', event('returned', 'visit-9', 'shipped'));
  assert.equal(draw((await why(server, 'order-1')).body), '0:placed 1:paid 2:shipped 3:returned*');
  const verified = await run(['events', 'verify', '--data', server.data]);
  assert.equal(verified.status, 0, verified.stderr);
});

// States of event streams: every operator, now and after every event, the same after a restart,
// with bounded work for streams of any length.

import assert from 'node:assert/strict';
import { request } from 'undici';
import { ask } from './lib/events.mjs';
import { fold } from './lib/fold.mjs';
import { check, onNonet, startNonet, until } from './lib/node.mjs';

const SPAN = 1024; // events from one snapshot to the next

const auction = {
  version: 2,
  initial: { bids: 0 },
  on: {
    Opened: { merge: '.', set: { opened: '$time', by: '$metadata.actor' } },
    Bid: {
      set: { price: '.amount', 'bidders[.bidder].last': '.amount' },
      inc: { bids: 1, total: '.amount', 'bidders[.bidder].count': 1 },
      append: { history: { who: '.bidder', price: '.amount', revision: '$revision' } },
    },
    Withdrawn: { remove: ['price', 'bidders[.bidder]'] },
    Closed: { set: { closed: true, last: ['$id', '$type', '$stream', '.none', '..x'] } },
    Reopened: { clear: true, set: { again: true } },
  },
};
const config = (folds) => JSON.stringify({ events: { folds } }); // JSON is YAML

function api(server) {
  const call = (method, target, body, headers = {}) =>
    ask(server, method, target, { body, headers });
  const events = async (stream) => {
    const all = [];
    for (let from = 0; from !== null;) {
      const { body } = await call('GET', `/v1/streams/${stream}?limit=1000&from=${from}`);
      all.push(...body.events);
      from = body.next;
    }
    return all;
  };
  const counter = async (name) => {
    const page = await (await request(`${server.admin}/metrics`)).body.text();
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(page)[1]);
  };
  return {
    call,
    events,
    append: async (stream, list, expect = 'any', headers = {}) => {
      const body = headers['if-match'] ? { events: list } : { expect, events: list };
      const { status, body: answer } = await call('POST', `/v1/streams/${stream}`, body, headers);
      assert.ok(status < 300, JSON.stringify(answer));
      return answer;
    },
    state: async (stream, query = '') => {
      const { status, body } = await call('GET', `/v1/streams/${stream}/state${query}`);
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    },
    // BODY's answer, and how many records were looked at for it, how many snapshots written.
    counted: async (body) => {
      const names = ['nonet_events_state_records_total', 'nonet_events_snapshots_total'];
      const before = await Promise.all(names.map(counter));
      const answer = await body();
      const after = await Promise.all(names.map(counter));
      return { answer, looks: after[0] - before[0], snapshots: after[1] - before[1] };
    },
  };
}

// The same numbers every time.
function randoms(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomEvent(random) {
  const metadata = { actor: ['ann', 'b.ob', 'ü"'][random(3)] };
  const bidder = [`p${random(4)}`, random(3), 'x.y', undefined][random(4)];
  const data = { amount: [random(100), random(100), 'none', undefined][random(4)], bidder };
  if (random(3) === 0) data.price = [null, { deep: [1, { e: random(9) }] }, 'text'][random(3)];
  const types = ['Bid', 'Bid', 'Bid', 'Bid', 'Opened', 'Withdrawn', 'Closed', 'Other', 'Reopened'];
  return { type: types[random(types.length)], data, metadata };
}

async function appendMany(es, stream, count, make = (i) => ({ amount: i % 1000, bidder: 'p' })) {
  for (let at = 0; at < count; at += 4000) {
    const size = Math.min(4000, count - at);
    await es.append(
      stream,
      Array.from({ length: size }, (_, i) => ({ type: 'Bid', data: make(at + i) })),
    );
  }
}

onNonet('states of event streams', { config: config({ auction }) }, (it) => {
  it('every operator', async (t, server) => {
    const es = api(server);
    const { position } = await es.append('auction-1', [
      { type: 'Opened', data: { item: 'tea', price: 5 }, metadata: { actor: 'ann' } },
      { type: 'Bid', data: { amount: 7, bidder: 'bob' } },
      { type: 'Bid', data: { amount: 9, bidder: 'cy' } },
      { type: 'Withdrawn', data: { bidder: 'cy' } },
      { type: 'Closed', id: 'the-end' },
    ]);
    const state = await es.state('auction-1', `?min_position=${position}`);
    const [opened, , , , closed] = await es.events('auction-1');
    assert.deepEqual(state, {
      stream: 'auction-1',
      revision: 4,
      position,
      time: closed.time,
      fold: { name: 'auction', version: 2 },
      state: {
        bids: 2,
        item: 'tea',
        opened: opened.time,
        by: 'ann',
        bidders: { bob: { last: 7, count: 1 } },
        total: 16,
        history: [
          { who: 'bob', price: 7, revision: 1 },
          { who: 'cy', price: 9, revision: 2 },
        ],
        closed: true,
        last: ['the-end', 'Closed', 'auction-1', null, '.x'],
      },
    });
    await es.append('auction-1', [{ type: 'Reopened' }]);
    assert.deepEqual((await es.state('auction-1')).state, { bids: 0, again: true });
  });

  it('after each event it is what JavaScript makes of it', async (t, server) => {
    const es = api(server);
    for (let seed = 1; seed <= 8; seed++) {
      const random = randoms(seed);
      const stream = `auction-random${seed}`;
      await es.append(
        stream,
        Array.from({ length: 40 }, () => randomEvent(random)),
      );
      const events = await es.events(stream);
      for (const { revision, position, time } of events) {
        const expected = fold(auction, events.slice(0, revision + 1));
        const at = await es.state(stream, `?at=${revision}`);
        assert.deepEqual(at.state, expected, `seed ${seed}, revision ${revision}`);
        assert.deepEqual([at.revision, at.position, at.time], [revision, position, time]);
        assert.deepEqual(await es.state(stream, `?position=${position}`), at);
      }
    }
  });

  it('position and time mean the last event until then', async (t, server) => {
    const es = api(server);
    await es.append('between-1', [{ type: 'A', data: { n: 0 }, time: '2020-01-01T00:00:00Z' }]);
    const between = await es.append('between-2', [{ type: 'A' }]);
    await es.append('between-1', [
      { type: 'A', data: { n: 1 }, time: '2020-01-02T00:00:00Z' },
      { type: 'A', data: { n: 2 }, time: '2020-01-03T00:00:00Z' },
    ]);
    const n = async (query) => (await es.state('between-1', query)).state.n;
    assert.equal(await n(`?position=${between.position}`), 0);
    assert.equal(await n(`?position=${between.position + 1}`), 1);
    assert.equal(await n(`?position=${between.position + 1000}`), 2);
    assert.equal(await n('?at=2020-01-01T00:00:00Z'), 0);
    assert.equal(await n('?at=2020-01-01T23:59:59.999999999Z'), 0);
    assert.equal(await n('?at=2020-01-02T01:00:00%2B01:00'), 1);
    assert.equal(await n('?at=2099-01-01T00:00:00Z'), 2);
    const refused = async (query) =>
      (await es.call('GET', `/v1/streams/between-1/state${query}`)).body;
    assert.equal((await refused('?at=3')).detail, 'the event stream has no such revision yet');
    assert.equal(
      (await refused('?at=2019-12-31T00:00:00Z')).detail,
      'there was no such event stream then, or its events have been removed',
    );
    assert.equal((await refused(`?position=${between.position - 2}`)).status, 404);
    assert.equal((await refused('?at=yesterday')).status, 400);
    assert.equal((await refused('?at=1&position=1')).status, 400);
    assert.equal((await refused('?min_position=999999999')).status, 504);
    const none = await es.call('GET', '/v1/streams/between-3/state');
    assert.deepEqual([none.status, none.body.detail], [404, 'there is no such event stream']);
  });

  it('without a fold the data of all events is merged', async (t, server) => {
    const es = api(server);
    await es.append('order-1', [
      { type: 'Placed', data: { item: 'tea', n: { a: 1 } } },
      { type: 'Paid', data: { n: { b: 2.5 }, cents: 9007199254740993n.toString() } },
      { type: 'Noted', data: ['no object'] },
      { type: 'Scanned', data_base64: 'AAEC' },
    ]);
    const { fold: name, state, problems } = await es.state('order-1');
    assert.deepEqual(name, { name: 'default', version: 1 });
    assert.deepEqual(state, { item: 'tea', n: { b: 2.5 }, cents: '9007199254740993' });
    assert.equal(problems, undefined);
  });

  it('what cannot be applied is named, and stops nothing', async (t, server) => {
    const es = api(server);
    await es.append('auction-bad', [
      { type: 'Opened', data: { bids: 'many', history: 5 } },
      { type: 'Bid', data: { amount: 3, bidder: 'ann' } },
      { type: 'Bid', data: { amount: 'x' } },
    ]);
    const { state, problems } = await es.state('auction-bad');
    assert.equal(state.price, 'x');
    assert.equal(state.total, 3);
    assert.deepEqual(problems.slice(0, 2), [
      { revision: 1, problem: 'inc bids: the state has no number there' },
      { revision: 1, problem: 'append history: the state has no list there' },
    ]);
    assert.ok(problems.some(({ revision, problem }) => revision === 2 && /brackets/.test(problem)));
  });

  it('an entity tag saves the body, and is what an append expects', async (t, server) => {
    const es = api(server);
    const target = '/v1/streams/auction-tag/state';
    await es.append('auction-tag', [{ type: 'Opened' }]);
    const { headers } = await es.call('GET', target);
    assert.match(headers.etag, /^"0-[0-9a-f]{16}"$/);
    const same = await es.call('GET', target, undefined, {
      'if-none-match': `"x", W/${headers.etag}`,
    });
    assert.deepEqual([same.status, same.body, same.headers.etag], [304, '', headers.etag]);
    await es.append('auction-tag', [{ type: 'Bid' }], undefined, { 'if-match': headers.etag });
    const changed = await es.call('GET', target, undefined, { 'if-none-match': headers.etag });
    assert.equal(changed.status, 200);
    const late = await es.call(
      'POST',
      '/v1/streams/auction-tag',
      { events: [{ type: 'Bid' }] },
      {
        'if-match': headers.etag,
      },
    );
    assert.equal(late.status, 412);
  });

  it('what was deleted is not in the state of what comes then', async (t, server) => {
    const es = api(server);
    const target = '/v1/streams/counted-gone';
    await appendMany(es, 'counted-gone', SPAN + 2, (i) => ({ old: i }));
    assert.deepEqual((await es.state('counted-gone')).state, { old: SPAN + 1 });
    assert.ok((await es.call('DELETE', target)).status < 300);
    assert.equal((await es.call('GET', `${target}/state`)).status, 404);
    await es.append('counted-gone', [{ type: 'A', data: { new: 1 } }]);
    const { revision, from_revision: from, state } = await es.state('counted-gone');
    assert.deepEqual([revision, from, state], [SPAN + 2, SPAN + 2, { new: 1 }]);
    const before = await es.call('GET', `${target}/state?at=${SPAN + 1}`);
    assert.deepEqual(
      [before.status, before.body.detail],
      [404, 'the event stream has no such revision any more'],
    );
    assert.ok((await es.call('DELETE', `${target}?permanent=1`)).status < 300);
    assert.equal((await es.call('GET', `${target}/state`)).status, 410);
  });

  it('a state costs one span, however long the stream is', async (t, server) => {
    const es = api(server);
    const COUNT = 20_000;
    await appendMany(es, 'auction-long', COUNT);
    const first = await es.counted(() => es.state('auction-long'));
    assert.equal(first.answer.state.bids, COUNT);
    assert.equal(first.answer.state.history.length, 10_000);
    assert.ok(first.looks >= 2 * COUNT && first.looks < 2 * COUNT + 2 * SPAN, `${first.looks}`);
    assert.ok(first.snapshots > 0, `${first.snapshots}`);
    const again = await es.counted(() => es.state('auction-long'));
    assert.deepEqual(again.answer, first.answer);
    assert.ok(again.looks < 5, `${again.looks}`); // kept in memory
    assert.equal(again.snapshots, 0);

    await appendMany(es, 'counted-long', COUNT, (i) => ({ n: i }));
    const { answer: all, looks: together } = await es.counted(() =>
      Promise.all(Array.from({ length: 20 }, () => es.state('counted-long'))),
    );
    all.forEach(({ state }) => assert.deepEqual(state, { n: COUNT - 1 }));
    assert.ok(together < 5 * COUNT, `twenty reads at once looked at ${together} records`);
    for (const revision of [COUNT - 1, SPAN - 1, SPAN, 10_000, 5 * SPAN - 1, 0, COUNT - SPAN]) {
      const { answer, looks } = await es.counted(() => es.state('counted-long', `?at=${revision}`));
      assert.deepEqual([answer.revision, answer.state], [revision, { n: revision }]);
      assert.ok(looks < 2 * SPAN + 200, `revision ${revision}: ${looks}`);
    }
  });
});

check('states and snapshots outlive a kill', async (t) => {
  const server = await startNonet(t, { config: config({ auction }) });
  const es = api(server);
  await appendMany(es, 'auction-1', 3 * SPAN + 7);
  const before = await es.state('auction-1');
  await es.append('auction-2', [{ type: 'Bid' }]); // what was written before it is on disk
  for (const signal of ['SIGKILL', 'SIGTERM']) {
    await server.stop(signal);
    await server.start();
    const { answer, looks } = await es.counted(() => es.state('auction-1'));
    assert.deepEqual(answer, before);
    assert.ok(looks < 3 * SPAN, `${looks}`);
  }
});

check('limits take nothing from the states of a fold', async (t) => {
  const count = { count: { on: { Bid: { inc: { n: 1, sum: '.n' } } } } };
  const server = await startNonet(t, { config: config(count) });
  const es = api(server);
  await appendMany(es, 'count-1', 3000, (i) => ({ n: i }));
  const limits = await es.call('PUT', '/v1/streams/count-1/limits', { truncate_before: 2900 });
  assert.equal(limits.status, 200);
  const removed = async () => {
    const page = await (await request(`${server.admin}/metrics`)).body.text();
    return Number(/^nonet_events_removed_total (\d+)$/m.exec(page)[1]);
  };
  await until(async () => (await removed()) >= 2 * SPAN - 16, 'the sweep'); // but for leaves
  const state = { n: 3000, sum: (3000 * 2999) / 2 };
  for (const signal of ['SIGKILL', 'SIGTERM']) {
    await server.stop(signal);
    await server.start();
    const now = await es.state('count-1');
    assert.deepEqual([now.state, now.from_revision], [state, undefined]);
    const first = (await es.call('GET', '/v1/streams/count-1?limit=1')).body.events[0];
    assert.equal(first.revision, 2900);
  }
  await server.reload(config({}));
  const { from_revision: from } = await es.state('count-1');
  assert.equal(from, 2 * SPAN);
});

check('a reload takes up another fold, which reads no snapshot of the old one', async (t) => {
  const count = (by, version) => ({ count: { version, on: { Bid: { inc: { n: by } } } } });
  const server = await startNonet(t, { config: config(count(1, 1)) });
  const es = api(server);
  await appendMany(es, 'count-1', 2 * SPAN + 5);
  const n = async (query) => {
    const { fold: name, state } = await es.state('count-1', query);
    return [name.version, state.n];
  };
  assert.deepEqual(await n(), [1, 2 * SPAN + 5]);
  assert.match(await server.reload(config(count(2, 1))), /reloaded/); // edited, the same version
  assert.deepEqual(await n(), [1, 4 * SPAN + 10]);
  assert.deepEqual(await n(`?at=${SPAN}`), [1, 2 * SPAN + 2]);
  assert.match(await server.reload(config(count(3, 2))), /reloaded/);
  assert.deepEqual(await n(), [2, 6 * SPAN + 15]);
  assert.match(
    await server.reload('events: {folds: {count: {on: {Bid: {inc: {n: x}}}}}}'),
    /refused/,
  );
  assert.deepEqual(await n(), [2, 6 * SPAN + 15]);
  assert.match(await server.reload(''), /reloaded/);
  assert.equal((await es.state('count-1')).fold.name, 'default');
});

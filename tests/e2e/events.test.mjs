// Event streams: appended and read over HTTP, seen through NATS, the same after a kill.

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { request } from 'undici';
import { ask } from './lib/events.mjs';
import { check, onNonet, startNonet } from './lib/node.mjs';

// The node's API of events for one server.
function api(server) {
  const call = async (method, target, body) => {
    const answer = await ask(server, method, target, { body });
    return { status: answer.status, ...answer.body };
  };
  return {
    append: (stream, expect, ...events) =>
      call('POST', `/v1/streams/${encodeURIComponent(stream)}`, { expect, events }),
    together: (appends, checks = []) => call('POST', '/v1/append', { appends, checks }),
    read: (stream, query = '') => call('GET', `/v1/streams/${encodeURIComponent(stream)}${query}`),
    all: (query = '') => call('GET', `/v1/events${query}`),
    get: (target) => call('GET', target),
    lines: async (target, signal) => (await request(`${server.admin}${target}`, { signal })).body,
  };
}

const event = (id, more = {}) => ({ id: `${id}`, type: 'Happened', ...more });
const anonymous = (type = 'Happened') => ({ type });

// {ok: [first, last]}, {again: [first, last]} or {no: [[check, expected, actual], ...]}
function outcome(answer) {
  if (answer.status === 201) return { ok: [answer.first, answer.last] };
  if (answer.status === 200) return { again: [answer.first, answer.last] };
  assert.equal(answer.status, 409, JSON.stringify(answer));
  return { no: answer.violations.map((v) => [v.check, v.expected, v.actual]) };
}

const six = [
  [[0], 'none', 'ok'],
  [[1], 0, 'ok'],
  [[2], 1, 'ok'],
  [[3], 2, 'ok'],
  [[4], 3, 'ok'],
  [[5], 4, 'ok'],
];
// NAME: [event, expected, what comes of it]...; the anchors' known sequences. em1: none.
const sequences = {
  '0em1 0em1': [
    [[0], 'none', 'ok'],
    [[0], 'none', 'again'],
  ],
  '0em1 0any': [
    [[0], 'none', 'ok'],
    [[0], 'any', 'again'],
  ],
  '0em1 0e0 writes twice': [
    [[0], 'none', 'ok'],
    [[0], 0, 'ok'],
  ],
  '0em1 1e0 2e1 3e2 4e3 5e4 0em1 idempotent': [...six, [[0], 'none', 'again']],
  '0em1 1e0 2e1 3e2 4e3 5e4 0any idempotent': [...six, [[0], 'any', 'again']],
  '0em1 1e0 2e1 3e2 4e3 5e4 0e5 writes': [...six, [[0], 5, 'ok']],
  '0em1 1e0 2e1 3e2 4e3 5e4 0e6 wrong': [...six, [[0], 6, 'no']],
  '0em1 1e0 2e1 3e2 4e3 5e4 0e4 wrong': [...six, [[0], 4, 'no']],
  '1any 1any': [
    [[1], 'any', 'ok'],
    [[1], 'any', 'again'],
  ],
  '[0,1]em1 [0]em1': [
    [[0, 1], 'none', 'ok'],
    [[0], 'none', 'again'],
  ],
  '[0,1]em1 [1]e0': [
    [[0, 1], 'none', 'ok'],
    [[1], 0, 'again'],
  ],
  '[0,1]em1 [1]any': [
    [[0, 1], 'none', 'ok'],
    [[1], 'any', 'again'],
  ],
  '[0,1]em1 [0]any': [
    [[0, 1], 'none', 'ok'],
    [[0], 'any', 'again'],
  ],
  '[0,1]em1 [0,1,2]em1': [
    [[0, 1], 'none', 'ok'],
    [[0, 1, 2], 'none', 'no'],
  ],
  '[0]any [0,1]any some known': [
    [[0], 'any', 'ok'],
    [[0, 1], 'any', 'no'],
  ],
  '[0]any [1,0]any first unknown': [
    [[0], 'any', 'ok'],
    [[1, 0], 'any', 'ok'],
  ],
};

onNonet('event streams', {}, (it) => {
  it('revisions are gapless, positions dense in the order of commits', async (t, server) => {
    const es = api(server);
    assert.deepEqual(outcome(await es.append('plain-1', 'none', anonymous(), anonymous())), {
      ok: [0, 1],
    });
    const other = await es.append('plain-2', 'any', anonymous());
    const more = await es.append('plain-1', 1, {
      type: 'Done',
      data: { x: [1, 'ü'] },
      tags: ['a:1', 'b c'],
      metadata: { actor: 'me' },
    });
    assert.deepEqual(outcome(more), { ok: [2, 2] });
    assert.equal(more.position, other.position + 1);
    const { last, events, next } = await es.read('plain-1');
    assert.equal(last, 2);
    assert.equal(next, null);
    assert.deepEqual(
      events.map((e) => e.revision),
      [0, 1, 2],
    );
    assert.deepEqual(events[2].data, { x: [1, 'ü'] });
    assert.deepEqual(events[2].tags, ['a:1', 'b c']);
    assert.deepEqual(events[2].metadata, { actor: 'me' });
    assert.equal(events[2].position, more.position);
  });

  it('what is expected of a stream, by the table', async (t, server) => {
    const es = api(server);
    const one = anonymous();
    assert.deepEqual(outcome(await es.append('table-1', 'exists', one)), {
      no: [['expect', 'exists', 'none']],
    });
    assert.deepEqual(outcome(await es.append('table-1', 0, one)), { no: [['expect', 0, 'none']] });
    assert.deepEqual(outcome(await es.append('table-1', 'any', one)), { ok: [0, 0] });
    assert.deepEqual(outcome(await es.append('table-1', 'any', one)), { ok: [1, 1] });
    assert.deepEqual(outcome(await es.append('table-1', 'exists', one)), { ok: [2, 2] });
    assert.deepEqual(outcome(await es.append('table-1', 'none', one)), {
      no: [['expect', 'none', 2]],
    });
    assert.deepEqual(outcome(await es.append('table-1', 1, one)), { no: [['expect', 1, 2]] });
    assert.deepEqual(outcome(await es.append('table-1', 3, one)), { no: [['expect', 3, 2]] });
    assert.deepEqual(outcome(await es.append('table-1', 2, one)), { ok: [3, 3] });
    assert.deepEqual(outcome(await es.append('table-2', 'none', one)), { ok: [0, 0] });
    // Without events it is a check.
    assert.equal((await es.append('table-2', 0)).status, 200);
    assert.equal((await es.append('table-2', 1)).status, 409);
    assert.equal((await es.append('table-2', 'any')).status, 400);
    assert.equal((await es.read('table-2')).events.length, 1);
  });

  it('ids: the known sequences', async (t, server) => {
    const es = api(server);
    let n = 0;
    for (const [name, steps] of Object.entries(sequences)) {
      const stream = `known-${n++}`;
      for (const [ids, expect, wanted] of steps) {
        const answer = await es.append(stream, expect, ...ids.map((id) => event(id)));
        assert.deepEqual(
          Object.keys(outcome(answer)),
          [wanted],
          `${name}: ${JSON.stringify(answer)}`,
        );
      }
    }
  });

  it('several streams at once, all or none, with checks of others', async (t, server) => {
    const es = api(server);
    await es.append('many-1', 'none', anonymous());
    const appends = [
      { stream: 'many-1', expect: 0, events: [event('x')] },
      { stream: 'many-2', expect: 'none', events: [event('x'), event('y')] },
    ];
    const refused = await es.together(appends, [
      { stream: 'many-3', expect: 5 },
      { stream: 'many-1b', expect: 'exists' },
    ]);
    assert.equal(refused.status, 409);
    assert.deepEqual(
      refused.violations.map((v) => [v.stream, v.expected, v.actual]),
      [
        ['many-3', 5, 'none'],
        ['many-1b', 'exists', 'none'],
      ],
    );
    assert.equal((await es.read('many-2')).status, 404);
    const stored = await es.together(appends, [{ stream: 'many-3', expect: 'none' }]);
    assert.equal(stored.status, 201);
    assert.deepEqual(stored.streams, [
      { stream: 'many-1', first: 1, last: 1 },
      { stream: 'many-2', first: 0, last: 1 },
      { stream: 'many-3' },
    ]);
    // The same again is the same, whatever its checks say by now.
    const again = await es.together(appends, [{ stream: 'many-3', expect: 'exists' }]);
    assert.equal(again.status, 200);
    assert.equal(again.duplicate, true);
    assert.equal(again.position, stored.position);
    // One half known, the other not: nothing is written.
    const mixed = await es.together([
      appends[0],
      { stream: 'many-4', expect: 'none', events: [event('z')] },
    ]);
    assert.equal(mixed.status, 409);
    assert.equal((await es.read('many-4')).status, 404);
    for (const wrong of [
      [[appends[0], appends[0]], []],
      [[appends[0]], [{ stream: 'many-1', expect: 1 }]],
      [[], [{ stream: 'many-1', expect: 'any' }]],
      [[{ expect: 0, events: [] }], []],
    ])
      assert.equal((await es.together(...wrong)).status, 400, JSON.stringify(wrong));
  });

  it('bad requests are told where', async (t, server) => {
    const es = api(server);
    const detail = async (...events) => (await es.append('bad-1', 'any', ...events)).detail;
    assert.match(await detail({ data: 1 }), /events\[0\]\.type: is missing/);
    assert.match(await detail(anonymous(), { type: 'x\ny' }), /events\[1\]\.type/);
    assert.match(await detail({ type: 'x', tags: [''] }), /events\[0\]\.tags/);
    assert.match(await detail({ type: 'x', colour: 1 }), /events\[0\]\.colour/);
    assert.match(await detail(event('a'), event('a')), /events\[1\]\.id: the same id/);
    assert.match((await es.append('-1', 'any', anonymous())).detail, /CATEGORY-ID/);
    assert.match((await es.append('bad-1', 'maybe', anonymous())).detail, /expect/);
    assert.match((await es.append('bad-1', -1, anonymous())).detail, /expect/);
  });

  it('pages forwards and backwards, from a revision, through long streams', async (t, server) => {
    const es = api(server);
    for (let i = 0; i < 3000; i += 500)
      await es.append(
        'long-1',
        'any',
        ...Array.from({ length: 500 }, (_, k) => event(`id${i + k}`)),
      );
    const revisions = (page) => page.events.map((e) => e.revision);
    const page = await es.read('long-1', '?from=1021&limit=5');
    assert.deepEqual(revisions(page), [1021, 1022, 1023, 1024, 1025]);
    assert.equal(page.next, 1026);
    assert.equal(page.last, 2999);
    assert.deepEqual(
      revisions(await es.read('long-1', '?direction=backwards&limit=3')),
      [2999, 2998, 2997],
    );
    const back = await es.read('long-1', '?direction=backwards&from=1&limit=9');
    assert.deepEqual(revisions(back), [1, 0]);
    assert.equal(back.next, null);
    assert.deepEqual(revisions(await es.read('long-1', '?from=3000')), []);
    for (const id of [0, 1023, 1024, 1500, 2047, 2999]) {
      const again = outcome(await es.append('long-1', 'any', event(`id${id}`)));
      assert.deepEqual(again, { again: [id, id] }, `id${id}`);
    }
    const whole = [];
    for (let from = 0; from !== null;) {
      const part = await es.read('long-1', `?from=${from}&limit=1000`);
      whole.push(...part.events);
      from = part.next;
    }
    assert.deepEqual(
      whole.map((e) => e.id),
      Array.from({ length: 3000 }, (_, i) => `id${i}`),
    );
  });

  it('by category, type, tag and time; backwards', async (t, server) => {
    const es = api(server);
    await es.append(
      'cat-1',
      'any',
      { type: 'A', tags: ['t:1', 't:2'] },
      { type: 'B', tags: ['t:1'] },
    );
    await es.append('cat.s-1', 'any', { type: 'A' });
    await es.append('cat', 'any', { type: 'C' });
    const types = (page) => page.events.map((e) => `${e.stream} ${e.type}`);
    assert.deepEqual(types(await es.all('?category=cat')), ['cat-1 A', 'cat-1 B', 'cat C']);
    assert.deepEqual(types(await es.all('?category=cat&types=B,C')), ['cat-1 B', 'cat C']);
    assert.deepEqual(types(await es.all('?tags=t:1,t:2')), ['cat-1 A']);
    assert.deepEqual(types(await es.all('?category=cat&direction=backwards&limit=2')), [
      'cat C',
      'cat-1 B',
    ]);
    assert.deepEqual(types(await es.all('?category=cat.s')), ['cat.s-1 A']);
    assert.equal((await es.all('?time=2200-01-01T00:00:00Z')).events.length, 0);
    const { events } = await es.all('?category=cat&time=2020-01-01T00:00:00Z&limit=1');
    assert.equal(events.length, 1);
  });

  it('one stream from a time, or from a position', async (t, server) => {
    const es = api(server);
    for (let i = 0; i < 3000; i += 250) {
      const some = Array.from({ length: 250 }, (_, k) => event(`s${i + k}`));
      await es.append('since-1', 'any', ...some);
      await es.append('since-2', 'any', event(`other${i}`));
    }
    const whole = [];
    for (let from = 0; from !== null;) {
      const part = await es.read('since-1', `?from=${from}&limit=1000`);
      whole.push(...part.events);
      from = part.next;
    }
    for (const i of [0, 1, 2, 249, 250, 1023, 1024, 1025, 1500, 2047, 2048, 2999]) {
      const { position, time } = whole[i];
      const [at] = (await es.read('since-1', `?position=${position}&limit=1`)).events;
      assert.equal(at.revision, i, `position ${position}`);
      const between = await es.read('since-1', `?position=${position + 1}&limit=2`);
      assert.equal(between.events[0]?.revision, whole[i + 1]?.revision, `behind ${position}`);
      // The node takes the event's time before the commit's, of a whole append at once.
      const [since] = (await es.read('since-1', `?time=${time}&limit=1`)).events;
      assert.equal(since.revision, i - (i % 250), `time ${time}`);
    }
    const page = await es.read('since-1', `?time=2020-01-01T00:00:00Z&limit=2&types=none`);
    assert.equal(page.next, 2);
    const later = await es.read('since-1', '?time=2200-01-01T00:00:00Z');
    assert.deepEqual([later.events, later.next, later.caught_up], [[], null, true]);
    const { status } = await es.read('since-1', '?position=7&direction=backwards');
    assert.equal(status, 400);
  });

  it('refuses words that no type and no tag can be', async (t, server) => {
    const es = api(server);
    const wrong = ['a'.repeat(257), '%FF', 'a,,b', Array(17).fill('a').join(',')];
    for (const key of ['types', 'tags'])
      for (const words of wrong)
        for (const direction of ['forwards', 'backwards']) {
          const query = `?direction=${direction}&${key}=${words}`;
          const { status, detail } = await es.all(query);
          assert.deepEqual([status, detail.split(':')[0]], [400, key], query);
        }
    const long = 'a'.repeat(256);
    assert.deepEqual((await es.all(`?direction=backwards&tags=${long}&types=${long}`)).events, []);
    for (const limit of [0, 1001])
      for (const of of ['events', 'audit', 'streams/since-1'])
        assert.equal((await es.get(`/v1/${of}?limit=${limit}`)).status, 400, `${of} ${limit}`);
  });

  it('finds few among many, page by page', async (t, server) => {
    const es = api(server);
    for (let i = 0; i < 9000; i += 3000)
      await es.append(
        `many${i / 3000}-1`,
        'any',
        ...Array.from({ length: 3000 }, (_, k) => ({
          type: (i + k) % 900 === 7 ? 'Rare' : 'Usual',
          ...((i + k) % 1500 === 3 && { tags: ['mark:1'] }),
        })),
      );
    const walk = async (query) => {
      const found = [];
      for (let from = 0; ;) {
        const page = await es.all(`?${query}&from=${from}&limit=4`);
        found.push(...page.events.map((e) => `${e.stream} ${e.revision}`));
        if (page.caught_up) return found;
        from = page.next;
      }
    };
    const places = (every, at) =>
      Array.from({ length: Math.ceil((9000 - at) / every) }, (_, i) => i * every + at).map(
        (n) => `many${Math.floor(n / 3000)}-1 ${n % 3000}`,
      );
    const one = (all) => all.filter((place) => place.startsWith('many1-'));
    assert.deepEqual(await walk('types=Rare,Other'), places(900, 7));
    assert.deepEqual(await walk('tags=mark:1'), places(1500, 3));
    assert.deepEqual(await walk('category=many1&types=Rare'), one(places(900, 7)));
    assert.deepEqual(await walk('category=many1&tags=mark:1&types=Usual'), one(places(1500, 3)));
    assert.deepEqual(await walk('category=many&types=Rare'), []);
  });

  it('follows with markers', async (t, server) => {
    const es = api(server);
    await es.append('live-1', 'any', anonymous('One'));
    const aborted = new AbortController();
    t.after(() => aborted.abort());
    const body = await es.lines('/v1/events?category=live&follow=1', aborted.signal);
    body.setEncoding('utf8');
    const seen = [];
    let text = '';
    body.on('error', () => {});
    const wanted = new Promise((resolve) => {
      body.on('data', (part) => {
        text += part;
        const lines = text.split('\n');
        text = lines.pop();
        for (const line of lines.map(JSON.parse)) {
          seen.push(line.marker ?? line.type);
          if (line.marker === 'caught_up') es.append('live-1', 'any', anonymous('Two'));
          if (line.type === 'Two') resolve();
        }
      });
    });
    await wanted;
    assert.deepEqual(seen, ['One', 'caught_up', 'Two']);
  });

  it('the same commit through NATS, and a publish is judged like an append', async (t, server) => {
    const es = api(server);
    const nc = await server.connect(t);
    const js = jetstream(nc);
    const heard = nc.subscribe('es.nats.*', { max: 1 });
    await nc.flush();
    await es.append('nats-1', 'none', { type: 'Made', data: { a: 1 } });
    for await (const m of heard) {
      assert.equal(m.headers.get('ce-type'), 'Made');
      assert.equal(m.headers.get('ce-specversion'), '1.0');
      assert.deepEqual(m.json(), { a: 1 });
    }
    const jsm = await jetstreamManager(nc);
    const stored = await jsm.streams.getMessage('ES', { last_by_subj: 'es.nats.1' });
    assert.deepEqual(stored.json(), { a: 1 });
    const h = headers();
    h.set('ce-type', 'Published');
    h.set('ce-id', 'mine');
    const ack = await js.publish('es.nats.1', '{"b":2}', { headers: h });
    const again = await js.publish('es.nats.1', '{"b":2}', { headers: h });
    assert.equal(again.duplicate, true);
    assert.equal(again.seq, ack.seq);
    const { events } = await es.read('nats-1');
    assert.deepEqual(
      events.map((e) => `${e.revision} ${e.type}`),
      ['0 Made', '1 Published'],
    );
    assert.deepEqual(outcome(await es.append('nats-1', 'any', event('mine'))), { again: [1, 1] });
    await assert.rejects(js.publish('es.nats.1', 'x', { expect: { lastSubjectSequence: 1 } }));
    await assert.rejects(js.publish('es.a.b.c', 'x'));
    assert.deepEqual(outcome(await es.append('nats-1', 1, anonymous())), { ok: [2, 2] });
  });

  it('of many at once that expect the same, one wins', async (t, server) => {
    const es = api(server);
    await es.append('race-1', 'none', anonymous());
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        Array.from({ length: 32 }, () => es.append('race-1', round, anonymous())),
      );
      assert.equal(answers.filter((a) => a.status === 201).length, 1);
      assert.equal(answers.filter((a) => a.status === 409).length, 31);
    }
    const { events } = await es.read('race-1');
    assert.deepEqual(
      events.map((e) => e.revision),
      [0, 1, 2, 3, 4, 5],
    );
  });
});

check('event streams over kill -9: ids, expectations and the path to every event', async (t) => {
  const server = await startNonet(t);
  const es = api(server);
  const run = async (stream, [ids, expect, wanted]) => {
    const answer = await es.append(stream, expect, ...ids.map((id) => event(id)));
    assert.deepEqual(
      Object.keys(outcome(answer)),
      [wanted],
      `${stream}: ${JSON.stringify(answer)}`,
    );
  };
  const all = Object.values(sequences);
  for (const [n, steps] of all.entries())
    for (const step of steps.slice(0, -1)) await run(`known-${n}`, step);
  for (let i = 0; i < 2100; i += 700)
    await es.append('long-1', 'any', ...Array.from({ length: 700 }, (_, k) => event(`id${i + k}`)));
  const before = (await es.read('long-1', '?direction=backwards&limit=1')).events[0];
  await server.stop('SIGKILL');
  await server.start();
  for (const [n, steps] of all.entries()) await run(`known-${n}`, steps.at(-1));
  for (const id of [0, 1, 1023, 1024, 2047, 2048, 2099])
    assert.deepEqual(outcome(await es.append('long-1', 'any', event(`id${id}`))), {
      again: [id, id],
    });
  assert.deepEqual(outcome(await es.append('long-1', 'any', event('new'))), { ok: [2100, 2100] });
  const { events } = await es.read('long-1', '?from=2099');
  assert.deepEqual(events[0], before);
  assert.equal(events[1].id, 'new');
  assert.deepEqual((await es.read('long-1', '?from=1500&limit=1')).events[0].id, 'id1500');
});

// Audit: GET /v1/audit lists who did what, when and why.

import assert from 'node:assert/strict';
import { headers } from '@nats-io/transport-node';
import { append as appendEvents } from './lib/events.mjs';
import { onNonet, sleep } from './lib/node.mjs';

const append = async (...args) => (await appendEvents(...args)).position;

async function audit(server, query, options = {}) {
  const answer = await fetch(`${server.admin}/v1/audit?${query}`, options);
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text };
}

const list = async (server, query) => {
  const { status, text } = await audit(server, query);
  assert.equal(status, 200, text);
  return JSON.parse(text);
};
const types = ({ entries }) => entries.map((entry) => entry.type);

onNonet('the audit list', {}, (it) => {
  it('says who did what, when, why and because of what', async (t, server) => {
    const before = new Date(Date.now() - 1000).toISOString();
    const position = await append(server, 'who-1', {
      type: 'Placed',
      id: 'e-1',
      time: '1999-01-01T00:00:00Z', // its author's word
      metadata: {
        actor: 'ann',
        reason: 'she wanted "tea"',
        correlation_id: 'c-1',
        causation_id: 'click-7',
        browser: 'x',
      },
    });
    await append(server, 'who-1', { type: 'Paid', id: 'e-2' });
    const { entries } = await list(server, 'actor=ann');
    assert.equal(entries.length, 1);
    const [{ time, ...entry }] = entries;
    assert.deepEqual(entry, {
      position,
      stream: 'who-1',
      revision: 0,
      type: 'Placed',
      id: 'e-1',
      actor: 'ann',
      reason: 'she wanted "tea"',
      correlation: 'c-1',
      causation: 'click-7',
    });
    assert.ok(time > before && time <= new Date(Date.now() + 1000).toISOString(), time);
    const silent = (await list(server, 'types=Paid')).entries[0];
    assert.deepEqual(Object.keys(silent), ['position', 'time', 'stream', 'revision', 'type', 'id']);
  });

  it('actor, correlation, types and category', async (t, server) => {
    const by = (actor, correlation_id) => ({ metadata: { actor, correlation_id } });
    await append(server, 'f-1', { type: 'A', ...by('x', 'k') }, { type: 'B', ...by('y', 'k') });
    await append(server, 'f-2', { type: 'A', ...by('x', 'l') });
    await append(server, 'g-1', { type: 'C', ...by('x', 'k') });
    assert.deepEqual(types(await list(server, 'actor=x')), ['A', 'A', 'C']);
    assert.deepEqual(types(await list(server, 'correlation=k')), ['A', 'B', 'C']);
    assert.deepEqual(types(await list(server, 'actor=x&correlation=k')), ['A', 'C']);
    assert.deepEqual(types(await list(server, 'actor=x&types=A,Z')), ['A', 'A']);
    assert.deepEqual(types(await list(server, 'actor=x&category=g')), ['C']);
    assert.deepEqual(types(await list(server, 'actor=nobody')), []);
  });

  it('what CloudEvents and NATS clients say counts, too', async (t, server) => {
    await append(server, 'ce-1', {
      type: 'T',
      attributes: { correlationid: 'ce-c', causationid: 'ce-e' },
    });
    const nc = await server.connect(t);
    const h = headers();
    h.set('ce-type', 'Published');
    h.set('ce-correlationid', 'ce-c');
    h.set('Nonet-Metadata', '{"actor":"client"}');
    await nc.request('es.ce.2', 'x', { headers: h });
    const { entries } = await list(server, 'correlation=ce-c');
    assert.deepEqual(
      entries.map((e) => [e.stream, e.type, e.actor, e.causation]),
      [
        ['ce-1', 'T', undefined, 'ce-e'],
        ['ce-2', 'Published', 'client', undefined],
      ],
    );
  });

  it('from and to are times of the commits', async (t, server) => {
    const one = { type: 'One', metadata: { actor: 'clock' } };
    await append(server, 't-1', one, { ...one, type: 'Two' });
    await sleep(5);
    await append(server, 't-1', { ...one, type: 'Three' });
    const all = (await list(server, 'actor=clock')).entries;
    const [, , third] = all.map((entry) => entry.time);
    assert.equal(all[0].time, all[1].time, 'one commit');
    const at = async (query) => types(await list(server, `actor=clock&${query}`));
    assert.deepEqual(await at(`from=${third}`), ['Three']);
    assert.deepEqual(await at(`to=${third}`), ['One', 'Two']);
    assert.deepEqual(await at(`from=${all[0].time}&to=${third}`), ['One', 'Two']);
    assert.deepEqual(await at('from=2200-01-01T00:00:00Z'), []);
    assert.deepEqual(await at('to=1999-01-01T00:00:00Z'), []);
    assert.deepEqual(await at('to=1970-01-01T00:00:00Z'), []);
  });

  it('goes on page by page, as JSON and as lines', async (t, server) => {
    const events = Array.from({ length: 25 }, (_, i) => ({
      type: `P${i}`,
      metadata: { actor: 'pages' },
    }));
    await append(server, 'p-1', ...events);
    let seen = [];
    for (let after = 0, pages = 0; after !== null; pages++) {
      const page = await list(server, `actor=pages&limit=10&after=${after}`);
      assert.ok(page.entries.length <= 10 && pages < 4);
      seen = seen.concat(types(page));
      after = page.after;
    }
    assert.deepEqual(
      seen,
      events.map((event) => event.type),
    );
    const accept = { headers: { accept: 'application/x-ndjson' } };
    let next = 'actor=pages&limit=10&to=2200-01-01T00:00:00Z';
    for (seen = []; next;) {
      const { headers: fields, text } = await audit(server, next, accept);
      assert.match(fields.get('content-type'), /^application\/x-ndjson/);
      for (const line of text.split('\n').slice(0, -1)) seen.push(JSON.parse(line).type);
      next = /<\?(.*)>; rel="next"/.exec(fields.get('link') ?? '')?.[1];
    }
    assert.equal(seen.length, 25);
  });

  it('what is wrong is told', async (t, server) => {
    for (const [query, words] of [
      ['from=yesterday', /from: a time of RFC 3339/],
      ['to=1', /to: a time of RFC 3339/],
      ['limit=1001', /limit: a number/],
      ['after=-1', /after: a number/],
      ['actor=%ff', /actor: UTF-8/],
      [`types=${Array(17).fill('T')}`, /types: at most 16/],
    ]) {
      const { status, text } = await audit(server, query);
      assert.equal(status, 400, query);
      assert.match(JSON.parse(text).detail, words);
    }
  });
});

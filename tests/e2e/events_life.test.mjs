// The end of events: limits, deletion, tombstones, and what is expected of what has been deleted.

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { request } from 'undici';
import { ask } from './lib/events.mjs';
import { check, onNonet, run, startNonet, until } from './lib/node.mjs';

// The node's API of event streams for one server.
function api(server) {
  const call = async (method, target, body, headers = {}) => {
    const answer = await ask(server, method, target, { body, headers });
    return { status: answer.status, etag: answer.headers.etag, ...(answer.body || {}) };
  };
  return {
    call,
    append: (stream, expect, ...events) =>
      call('POST', `/v1/streams/${stream}`, { expect, events }),
    checks: (...checks) => call('POST', '/v1/append', { checks }),
    read: (stream, query = '') => call('GET', `/v1/streams/${stream}${query}`),
    all: (query = '') => call('GET', `/v1/events${query}`),
    limits: (stream) => call('GET', `/v1/streams/${stream}/limits`),
    limit: (stream, limits, query = '', headers = {}) =>
      call('PUT', `/v1/streams/${stream}/limits${query}`, limits, headers),
    drop: (stream, query = '', headers = {}) =>
      call('DELETE', `/v1/streams/${stream}${query}`, undefined, headers),
  };
}

const anonymous = () => ({ type: 'Happened' });
const named = (id) => ({ type: 'Happened', id: `${id}` });
const revisions = (page) => page.events.map((e) => e.revision);

// What becomes of a stream in each state; the ones that were written to have events 0 to 2.
const states = {
  never: async () => {},
  alive: async (es, stream) => {
    await es.append(stream, 'none', anonymous(), anonymous(), anonymous());
  },
  deleted: async (es, stream) => {
    await states.alive(es, stream);
    assert.equal((await es.drop(stream)).status, 200);
  },
  tombstoned: async (es, stream) => {
    await states.alive(es, stream);
    assert.equal((await es.drop(stream, '?permanent=1')).status, 200);
  },
};
// anchors/event_sourcing.md 2.1: what is appended then: the revision it gets, or a conflict.
const writing = {
  any: { never: 0, alive: 3, deleted: 3, tombstoned: 'no' },
  none: { never: 0, alive: 'no', deleted: 3, tombstoned: 'no' },
  exists: { never: 'no', alive: 3, deleted: 'no', tombstoned: 'no' },
  2: { never: 'no', alive: 3, deleted: 3, tombstoned: 'no' },
  1: { never: 'no', alive: 'no', deleted: 'no', tombstoned: 'no' },
  deleted: { never: 'no', alive: 'no', deleted: 3, tombstoned: 'no' },
};
const checking = {
  none: { never: true, alive: false, deleted: true, tombstoned: true },
  exists: { never: false, alive: true, deleted: false, tombstoned: false },
  2: { never: false, alive: true, deleted: true, tombstoned: false },
  1: { never: false, alive: false, deleted: false, tombstoned: false },
  deleted: { never: false, alive: false, deleted: true, tombstoned: false },
  tombstoned: { never: false, alive: false, deleted: false, tombstoned: true },
};
const actual = { never: 'none', alive: 2, deleted: 'deleted', tombstoned: 'tombstoned' };
const asExpected = (word) => (/^\d+$/.test(word) ? Number(word) : word);

onNonet('the end of events', {}, (it) => {
  it('every row of the table: what is appended', async (t, server) => {
    const es = api(server);
    for (const [word, row] of Object.entries(writing))
      for (const [state, outcome] of Object.entries(row)) {
        const stream = `row-${word}-${state}`;
        await states[state](es, stream);
        const answer = await es.append(stream, asExpected(word), anonymous());
        if (outcome !== 'no') {
          assert.equal(answer.status, 201, `${stream}: ${JSON.stringify(answer)}`);
          assert.equal(answer.first, outcome, stream);
          const page = await es.read(stream);
          assert.deepEqual(revisions(page), state === 'alive' ? [0, 1, 2, 3] : [outcome]);
          assert.equal(page.first, state === 'alive' ? 0 : outcome);
        } else {
          assert.equal(answer.status, 409, stream);
          const { expected, actual: is } = answer.violations[0];
          assert.deepEqual([expected, is], [asExpected(word), actual[state]], stream);
        }
      }
  });

  it('every row of the table: what is only checked', async (t, server) => {
    const es = api(server);
    for (const [word, row] of Object.entries(checking))
      for (const [state, holds] of Object.entries(row)) {
        const stream = `check-${word}-${state}`;
        await states[state](es, stream);
        const answer = await es.checks({ stream, expect: asExpected(word) });
        assert.equal(answer.status, holds ? 200 : 409, `${stream}: ${JSON.stringify(answer)}`);
      }
    const all = Object.keys(states).map((state) => `all-${state}`);
    for (const state of Object.keys(states)) await states[state](es, `all-${state}`);
    const { violations } = await es.checks(...all.map((stream) => ({ stream, expect: 'exists' })));
    assert.deepEqual(
      violations.map((v) => [v.stream, v.actual]),
      [
        ['all-never', 'none'],
        ['all-deleted', 'deleted'],
        ['all-tombstoned', 'tombstoned'],
      ],
    );
    const wrong = await es.append('all-alive', 'tombstoned', anonymous());
    assert.equal(wrong.status, 400);
    assert.match(wrong.detail, /nothing is ever appended/);
  });

  it('a deleted stream is not found, a tombstoned one is gone', async (t, server) => {
    const es = api(server);
    await states.deleted(es, 'gone-1');
    await states.tombstoned(es, 'gone-2');
    assert.equal((await es.read('gone-1')).status, 404);
    assert.equal((await es.read('gone-2')).status, 410);
    assert.equal((await es.read('gone-1/events/0')).status, 404);
    assert.equal((await es.read('gone-2/events/0')).status, 410);
    const page = await es.all('?category=gone');
    assert.deepEqual(page.events, []);
    await es.append('gone-1', 'any', anonymous());
    assert.equal((await es.read('gone-1/events/2')).status, 404);
    assert.equal((await es.read('gone-1/events/3')).revision, 3);
    assert.equal((await es.drop('gone-1', '?expect=2')).status, 409);
    assert.equal((await es.drop('gone-1', '', { 'if-match': '"2"' })).status, 412);
    assert.equal((await es.drop('gone-1', '', { 'if-match': '"3"' })).status, 200);
    assert.equal((await es.drop('gone-1', '?expect=3')).status, 200); // again
    assert.equal((await es.drop('gone-2', '?permanent=1')).status, 200); // again
    assert.equal((await es.drop('gone-2')).status, 409);
    assert.equal((await es.drop('gone-3')).status, 404);
  });

  it('limits are read and replaced as a whole', async (t, server) => {
    const es = api(server);
    assert.equal((await es.limits('lim-1')).status, 404);
    for (let i = 0; i < 10; i++) await es.append('lim-1', 'any', anonymous());
    const none = await es.limits('lim-1');
    assert.deepEqual([none.state, none.version, none.limits], ['alive', 0, {}]);
    assert.equal(none.etag, '"0"');
    const dry = await es.limit('lim-1', { max_count: 4 }, '?dry_run=1');
    assert.deepEqual([dry.events, dry.dry_run], [6, true]);
    assert.equal((await es.read('lim-1')).events.length, 10);
    const set = await es.limit('lim-1', { max_count: 4, max_age: '90d' }, '', {
      'if-match': '"0"',
    });
    assert.deepEqual([set.status, set.version, set.first], [200, 1, 6]);
    assert.deepEqual(revisions(await es.read('lim-1')), [6, 7, 8, 9]);
    assert.deepEqual(revisions(await es.read('lim-1', '?direction=backwards')), [9, 8, 7, 6]);
    await es.append('lim-1', 'any', anonymous());
    assert.deepEqual(revisions(await es.read('lim-1')), [7, 8, 9, 10]);
    const stale = await es.limit('lim-1', {}, '', { 'if-match': '"0"' });
    assert.equal(stale.status, 412);
    const cut = await es.limit('lim-1', { truncate_before: 9 });
    assert.deepEqual(cut.limits, { truncate_before: 9 });
    assert.deepEqual(revisions(await es.read('lim-1')), [9, 10]);
    assert.equal((await es.limit('lim-1', { truncate_before: 99 })).status, 400);
    assert.equal((await es.limit('lim-1', { max_bytes: 1 })).status, 400);
    const free = await es.limit('lim-1', {});
    assert.deepEqual([free.limits, free.version], [{}, 3]);
    assert.deepEqual(revisions(await es.read('lim-1')), [9, 10]); // gone is gone
    const { events } = await es.all('?category=lim');
    assert.deepEqual(revisions({ events }), [9, 10]);
  });

  it('what is gone leaves ES, and JetStream sees gaps', async (t, server) => {
    const es = api(server);
    const nc = await server.connect(t);
    const jsm = await jetstreamManager(nc);
    const figure = async (name) => {
      const text = await (await request(`${server.admin}/metrics`)).body.text();
      return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
    };
    const removed = await figure('nonet_events_removed_total');
    const batch = Array.from({ length: 700 }, (_, i) => named(i));
    for (let i = 0; i < 3; i++)
      await es.append('big-1', 'any', ...batch.map((e) => ({ ...e, id: `${i}-${e.id}` })));
    await es.append('big-2', 'none', named(0));
    const count = async () =>
      Number(
        (await jsm.streams.info('ES', { subjects_filter: 'es.big.>' })).state.subjects[
          'es.big.1'
        ] ?? 0,
      );
    assert.equal(await count(), 2100);
    assert.equal((await es.drop('big-1')).status, 200);
    await until(async () => (await count()) < 20, 'the sweep');
    assert.ok((await figure('nonet_events_removed_total')) - removed > 2000);
    await until(async () => (await figure('nonet_events_sweep_backlog')) === 0, 'its end');
    const consumer = await jetstream(nc).consumers.get('ES', { filter_subjects: 'es.big.>' });
    const seen = [];
    const messages = await consumer.fetch({ max_messages: 100, expires: 1000 });
    for await (const m of messages) seen.push(m.subject);
    assert.equal(seen.at(-1), 'es.big.2');
    assert.ok(seen.length < 20);
    for (const id of ['0-0', '0-699', '1-5', '2-699'])
      assert.equal((await es.append('big-1', 'any', named(id))).duplicate, true);
    assert.equal((await es.append('big-1', 'any', named('new'))).first, 2100);
    assert.deepEqual(revisions(await es.read('big-1')), [2100]);
    assert.equal((await es.drop('big-1', '?permanent=1')).status, 200);
    await until(async () => (await count()) === 0, 'the end of the skeleton');
    const verified = await es.call('GET', '/v1/events/verify');
    assert.deepEqual(verified.findings, []);
  });

  it('who follows a stream hears no more of it when it is deleted', async (t, server) => {
    const es = api(server);
    await states.alive(es, 'seen-1');
    const { body } = await request(`${server.admin}/v1/streams/seen-1?follow=1`);
    const lines = [];
    const ended = (async () => {
      for await (const chunk of body) lines.push(...`${chunk}`.trim().split('\n'));
    })().catch(() => {});
    await until(() => lines.some((line) => line.includes('caught_up')), 'the first three');
    assert.equal((await es.drop('seen-1')).status, 200);
    await ended;
    assert.equal(
      lines.filter((line) => line.includes('"revision":') && !line.includes('marker')).length,
      3,
    );
  });

  it('at the command line', async (t, server) => {
    const es = api(server);
    const call = async (...args) => run(['events', ...args, '--data', server.data]);
    await states.alive(es, 'cli-1');
    const said = async (...args) => {
      const { status, stdout, stderr } = await call(...args);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    assert.equal(await said('limits', 'cli-1'), 'cli-1: alive, revisions 0 to 2\n');
    const dry = ['limits', 'cli-1', '--max-count', '1', '--max-age', '90d', '--dry-run'];
    assert.match(
      await said(...dry),
      /^cli-1: 2 events would go, and those older than 90d; then it is alive, revisions 2 to 2/,
    );
    assert.equal((await es.read('cli-1')).events.length, 3);
    assert.equal(
      await said('limits', 'cli-1', '--max-count', '1', '--max-age', '90d'),
      'cli-1: alive, revisions 2 to 2, at most 1 events, none older than 90d; 2 events are gone\n',
    );
    assert.match(
      await said('limits', 'cli-1', '--none'),
      /^cli-1: alive, revisions 2 to 2; 0 events/,
    );
    assert.match(await said('delete', 'cli-1', '--dry-run'), /^cli-1: 1 events would go/);
    const wrong = await call('delete', 'cli-1', '--expect', '7');
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /nothing was changed.*\n.*expected 7, and there is revision 2/);
    assert.match(await said('delete', 'cli-1', '--expect', '2'), /^cli-1: deleted/);
    const late = await call('append', 'cli-1', 'T', '--expect', 'exists');
    assert.match(late.stderr, /expected exists, and it is deleted/);
    assert.match(await said('append', 'cli-1', 'T', '--expect', 'deleted'), /^cli-1@3, position/);
    const told = JSON.parse(await said('limits', 'cli-1', '--json'));
    assert.deepEqual([told.first, told.last], [3, 3]);
    assert.match(await said('delete', 'cli-1', '--permanent'), /^cli-1: tombstoned/);
    const never = await call('append', 'cli-1', 'T');
    assert.match(never.stderr, /it is tombstoned/);
    assert.equal((await call('limits', 'cli-1', '--max-count', '0')).status, 2);
    assert.equal((await call('limits', 'cli-1', '--dry-run')).status, 2);
  });

  it('an append whose events have gone is a success without revisions', async (t, server) => {
    const es = api(server);
    const sent = [named(1), named(2)];
    assert.equal((await es.append('gone-9', 'any', ...sent)).etag, '"1"');
    assert.equal((await es.append('gone-9', 'any', ...sent)).etag, '"1"');
    assert.equal((await es.drop('gone-9')).status, 200);
    const again = await es.append('gone-9', 'any', ...sent);
    assert.deepEqual([again.status, again.duplicate, again.last], [200, true, null]);
    assert.equal(again.etag, undefined);
  });

  it('who may not append may not delete', async (t, server) => {
    const es = api(server);
    await states.alive(es, 'mine-1');
    for (const [method, target] of [
      ['DELETE', '/v1/streams/mine-1'],
      ['PUT', '/v1/streams/mine-1/limits'],
    ]) {
      const answer = await request(`${server.admin}${target}`, { method, body: '{}' });
      assert.equal(answer.statusCode, 401);
      await answer.body.dump();
    }
    assert.equal((await es.read('mine-1')).events.length, 3);
  });
});

check('the end of events over kill -9', async (t) => {
  const server = await startNonet(t);
  const es = api(server);
  await es.append('a-1', 'none', named(0), named(1), named(2));
  await es.append('b-1', 'none', named(0), named(1));
  await es.append('c-1', 'none', named(0), named(1));
  assert.equal((await es.drop('a-1')).status, 200);
  assert.equal((await es.drop('b-1', '?permanent=1')).status, 200);
  assert.equal((await es.limit('c-1', { max_count: 1 })).status, 200);
  for (let life = 0; life < 3; life++) {
    await server.stop('SIGKILL');
    await server.start();
    assert.equal((await es.read('a-1')).status, 404);
    assert.equal((await es.read('b-1')).status, 410);
    assert.deepEqual(revisions(await es.read('c-1')), [1]);
    assert.deepEqual(revisions(await es.all()), [1]);
    const again = await es.append('a-1', 'none', named(0));
    assert.deepEqual([again.status, again.duplicate], [200, true]);
    assert.equal((await es.append('b-1', 'any', named(0))).status, 409);
    assert.equal((await es.append('c-1', 'any', named(0))).status, 200);
  }
  assert.equal((await es.append('a-1', 'deleted', named(3))).first, 3);
  assert.equal((await es.append('a-1', 'deleted', named(3))).status, 200);
});

check('the sweep over kill -9', async (t) => {
  const server = await startNonet(t);
  const es = api(server);
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 5; i++)
      await es.append(
        `a-${round}`,
        'any',
        ...Array.from({ length: 1000 }, (_, k) => named(`${i}-${k}`)),
      );
    await es.append(`b-${round}`, 'none', named(0), named(1));
    assert.equal((await es.drop(`a-${round}`, round % 2 ? '?permanent=1' : '')).status, 200);
    await new Promise((resolve) => setTimeout(resolve, 3 + round * 10)); // somewhere on its way
    await server.stop('SIGKILL');
    await server.start();
    assert.deepEqual((await es.call('GET', '/v1/events/verify')).findings, []);
    assert.deepEqual((await es.all('?category=a')).events, []);
    if (round % 2) assert.equal((await es.append(`a-${round}`, 'any', named('0-0'))).status, 409);
    else assert.equal((await es.append(`a-${round}`, 'any', named('3-77'))).duplicate, true);
  }
  await until(async () => {
    const text = await (await request(`${server.admin}/metrics`)).body.text();
    return /^nonet_events_sweep_backlog 0$/m.test(text);
  }, 'the end of the sweep');
  const { report, findings } = await es.call('GET', '/v1/events/verify');
  assert.deepEqual(findings, []);
  assert.ok(report.events < 8 + 2 * 20, `${report.events} are left of 20,008`);
});

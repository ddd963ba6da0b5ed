// The table `events`: what the event store shows of its events, queried and kept in views.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

async function rows(client, text) {
  return (await client.query({ text, rowMode: 'array' })).rows;
}

// Calls of the events API.
function api(server) {
  const token = fs.readFileSync(path.join(server.data, 'admin.token'), 'utf8').trim();
  return async (method, url, body) => {
    const answer = await fetch(server.admin + url, {
      method,
      headers: { authorization: `Bearer ${token}` },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, text);
    return JSON.parse(text);
  };
}

const BALANCE = `CREATE MATERIALIZED VIEW balance AS
  SELECT stream, sum((data->>'amount')::numeric) AS sum FROM events WHERE category = 'account'
  GROUP BY stream`;

describe('the table events', () => {
  test('is empty before the first append, then kept up to date in views', async (t) => {
    const server = await startNonet(t, { listen: { sql: 0 } });
    const call = api(server);
    let client = await connectSql(t, server);
    assert.deepEqual(await rows(client, 'SELECT count(*) FROM events'), [['0']]);
    await client.query(BALANCE);
    let position;
    for (let i = 1; i <= 40; i++) {
      const events = [{ type: 'Paid', data: { amount: i }, tags: [`user:${i % 2}`] }];
      ({ position } = await call('POST', `/v1/streams/account-${i % 3}`, { events }));
      await call('POST', '/v1/streams/order-1', { events: [{ type: 'Placed' }] });
      await client.query(`SET min_position = ${position}`);
      const mine = await rows(client, `SELECT sum FROM balance WHERE stream = 'account-${i % 3}'`);
      let sum = 0;
      for (let n = 1; n <= i; n++) sum += n % 3 === i % 3 ? n : 0;
      assert.deepEqual(mine, [[String(sum)]]);
    }
    const balance = `SELECT * FROM balance ORDER BY stream`;
    const before = await rows(client, balance);
    assert.deepEqual(before, [
      ['account-0', '273'],
      ['account-1', '287'],
      ['account-2', '260'],
    ]);
    assert.deepEqual(
      await rows(client, `SELECT count(*), max(position) FROM events WHERE tags ? 'user:1'`),
      [['20', '77']],
    );
    await server.stop('SIGKILL');
    await server.start();
    client = await connectSql(t, server);
    await client.query(`SET min_position = ${position}`);
    assert.deepEqual(await rows(client, balance), before);
  });

  test('has each event as the API gives it, and reads only the subjects asked for', async (t) => {
    const server = await startNonet(t, { listen: { sql: 0 } });
    const call = api(server);
    const client = await connectSql(t, server);
    const appended = [
      ['a.b-1', { type: 'One', id: 'x-1', tags: ['k:1', 'ü, 2'], metadata: { actor: 'ann' } }],
      ['a.b-1', { type: 'Two', data: { n: [1, null] }, attributes: { subject: 'tea', size: 3 } }],
      ['a', { type: 'Whole', data: 'text' }],
      [
        'a-2',
        { type: 'Bytes', data_base64: 'AAEC', source: '/shop', time: '2026-01-02T03:04:05Z' },
      ],
    ];
    for (const [stream, event] of appended) {
      await call('POST', `/v1/streams/${stream}`, { events: [event] });
    }
    const columns = `stream, revision, position, id, type, source, time, tags, metadata,
      attributes, data, data_base64`;
    const text = `SELECT json_agg(e) FROM (SELECT ${columns} FROM events ORDER BY position) e`;
    const found = JSON.parse((await rows(client, text))[0][0]);
    const { events } = await call('GET', '/v1/events');
    assert.equal(found.length, appended.length);
    for (const [i, event] of events.entries()) {
      for (const [name, value] of Object.entries(found[i])) {
        if (name === 'time') {
          assert.equal(new Date(value).getTime(), new Date(event.time).getTime());
        } else {
          assert.deepEqual(value, event[name] ?? null, name);
        }
      }
    }
    const of = async (where, values = []) =>
      (await client.query(`SELECT type FROM events WHERE ${where} ORDER BY position`, values)).rows
        .map((row) => row.type)
        .join(' ');
    assert.equal(await of(`category = 'a.b'`), 'One Two');
    assert.equal(await of(`category = 'a'`), 'Whole Bytes');
    assert.equal(await of(`category = $1 AND type <> 'Whole'`, ['a']), 'Bytes');
    assert.equal(await of(`stream = 'a'`), 'Whole');
    assert.equal(await of(`stream = $1`, ['a.b-1']), 'One Two');
    for (const none of [`category = ''`, `category = 'a-2'`, `stream = '-1'`, `stream = NULL`]) {
      assert.equal(await of(none), '', none);
    }
    assert.equal(await of(`category = $1`, [null]), '');
    assert.match(
      (await rows(client, `EXPLAIN SELECT type FROM events WHERE category = 'a'`))[0][0],
      /Scan events \(type\) by index where category = 'a'/,
    );
  });

  test('shows nothing of what is gone', async (t) => {
    const server = await startNonet(t, { listen: { sql: 0 } });
    const call = api(server);
    const client = await connectSql(t, server);
    for (const stream of ['note-1', 'note-2', 'note-3']) {
      const events = [1, 2, 3, 4].map((n) => ({ type: 'Noted', data: n }));
      await call('POST', `/v1/streams/${stream}`, { events });
    }
    await call('PUT', '/v1/streams/note-1/limits', { max_count: 1 });
    await call('DELETE', '/v1/streams/note-2?permanent=1');
    const left = `SELECT stream, sum(data::int) FROM events GROUP BY stream ORDER BY stream`;
    const expected = [
      ['note-1', '4'],
      ['note-3', '10'],
    ];
    assert.deepEqual(await rows(client, left), expected);
    await client.query(`CREATE MATERIALIZED VIEW sums AS ${left}`);
    await client.query('FLUSH');
    assert.deepEqual(await rows(client, 'SELECT * FROM sums ORDER BY stream'), expected);
    await call('DELETE', '/v1/streams/note-3'); // of a view that has counted it nothing is taken
    await call('POST', '/v1/streams/note-3', { events: [{ type: 'Noted', data: 100 }] });
    await client.query('FLUSH');
    assert.deepEqual(await rows(client, `SELECT sum FROM sums WHERE stream = 'note-3'`), [['110']]);
    assert.deepEqual(await rows(client, left), [
      ['note-1', '4'],
      ['note-3', '100'],
    ]);
  });

  test('is not read again after a start, but where events are gone for good', async (t) => {
    const server = await startNonet(t, { listen: { sql: 0 } });
    let call = api(server);
    let client = await connectSql(t, server);
    const append = (stream, n) =>
      call('POST', `/v1/streams/${stream}`, {
        events: Array.from({ length: n }, (_, i) => ({ type: 'Noted', data: i })),
      });
    await client.query(
      'CREATE MATERIALIZED VIEW seen AS SELECT stream, count(*) AS n FROM events GROUP BY stream',
    );
    const seen = async () => {
      await client.query('FLUSH');
      const all = await rows(client, 'SELECT stream, n FROM seen');
      return Object.fromEntries(all.map(([stream, n]) => [stream, Number(n)]));
    };
    const again = async (signal) => {
      await server.stop(signal);
      await server.start();
      client = await connectSql(t, server);
      call = api(server);
    };
    const saved = async (since) =>
      until(
        async () =>
          (await rows(client, `SELECT saved_at > '${since}' FROM nonet_views`))[0][0] === 't',
        'a snapshot',
        20_000,
      );
    await append('note-1', 40);
    await append('note-2', 3);
    await append('secret-1', 5);
    assert.deepEqual(await seen(), { 'note-1': 40, 'note-2': 3, 'secret-1': 5 });
    await call('PUT', '/v1/streams/note-1/limits', { max_count: 2 });
    await call('DELETE', '/v1/streams/note-2');
    await append('note-2', 1);
    // What limits and deletion take away stays in what a view has made of it: it goes on.
    assert.deepEqual(await seen(), { 'note-1': 40, 'note-2': 4, 'secret-1': 5 });
    await saved((await rows(client, 'SELECT now()'))[0][0]);
    await append('note-1', 1);
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      await again(signal);
      assert.deepEqual(await seen(), { 'note-1': 41, 'note-2': 4, 'secret-1': 5 });
    }
    // What is deleted for good does not, nor does the snapshot that has it.
    await call('DELETE', '/v1/streams/secret-1?permanent=1');
    await again('SIGKILL');
    assert.deepEqual(await seen(), { 'note-1': 2, 'note-2': 1 });
    assert.match(server.log, /an event stream was deleted for good/);
    assert.deepEqual(await rows(client, 'SELECT saved_at FROM nonet_views'), [[null]]);
    await append('note-1', 1);
    assert.deepEqual(await seen(), { 'note-1': 3, 'note-2': 1 });
    await saved((await rows(client, 'SELECT now()'))[0][0]);
    // It goes on from the new one.
    await again('SIGKILL');
    assert.deepEqual(await seen(), { 'note-1': 3, 'note-2': 1 });
    const [[at]] = await rows(client, 'SELECT saved_at FROM nonet_views');
    assert.notEqual(at, null);
  });

  test('is only read, and covered by a table of the same name', async (t) => {
    const server = await startNonet(t, { listen: { sql: 0 } });
    await api(server)('POST', '/v1/streams/a-1', { events: [{ type: 'One' }] });
    const client = await connectSql(t, server);
    await assert.rejects(client.query(`INSERT INTO events (type) VALUES ('x')`), {
      code: '0A000',
      hint: /Append events by their API/,
    });
    for (const [text, code] of [
      ['DELETE FROM events', '0A000'],
      ['DROP TABLE events CASCADE', '42501'],
      ['DROP INDEX events_category', '2BP01'],
      [`COMMENT ON TABLE events IS 'mine'`, '42501'],
      ['ALTER TABLE events ADD COLUMN x int', '42809'],
    ]) {
      await assert.rejects(client.query(text), { code }, text);
    }
    await client.query('CREATE MATERIALIZED VIEW types AS SELECT type FROM events');
    const covered = { code: '2BP01', hint: /pg_catalog\.events/ };
    await assert.rejects(client.query('CREATE TABLE events (mine int)'), covered);
    await client.query('CREATE TABLE mine (mine int)');
    await assert.rejects(client.query('ALTER TABLE mine RENAME TO events'), covered);
    await client.query('DROP MATERIALIZED VIEW types');
    await client.query('ALTER TABLE mine RENAME TO events');
    await client.query('CREATE MATERIALIZED VIEW types AS SELECT type FROM pg_catalog.events');
    assert.deepEqual(await rows(client, 'SELECT * FROM events'), []);
    assert.deepEqual(await rows(client, 'SELECT type FROM pg_catalog.events'), [['One']]);
    // The stream itself is what it was.
    await client.query(`CREATE TABLE raw (nonet_subject text) WITH (stream = 'ES')`);
    await client.query('FLUSH');
    assert.deepEqual(await rows(client, 'SELECT * FROM types'), [['One']]);
    await server.stop('SIGKILL');
    await server.start();
    const again = await connectSql(t, server);
    await again.query('FLUSH');
    assert.deepEqual(await rows(again, 'SELECT * FROM types'), [['One']]);
    assert.deepEqual(await rows(again, 'SELECT * FROM events'), []);
    await again.query('DROP TABLE events');
    assert.deepEqual(await rows(again, 'SELECT type FROM events'), [['One']]);
  });
});

// Filters by now() in views: rows come and go as time goes on, without any input.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import Cursor from 'pg-cursor';
import { sleep, startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const config = 'streams:\n  LOGS: {subjects: ["log.>"]}\n  OUT: {subjects: ["out.>"]}\n';
const open = (t) => startNonet(t, { config, listen: { sql: 0 } });
const rows = async (client, sql) => (await client.query({ text: sql, rowMode: 'array' })).rows;
const names = async (client, view) =>
  (await rows(client, `SELECT name FROM ${view} ORDER BY name`)).map(([name]) => name).join(' ');

describe('temporal filters', () => {
  test('are the condition, asked at any moment', async (t) => {
    const server = await open(t);
    const client = await connectSql(t, server);
    await client.query('CREATE TABLE item (id int PRIMARY KEY, at timestamptz, local timestamp)');
    const conditions = [
      `at > now() - interval '1 second'`,
      `at >= current_timestamp + interval '0.5 s'`,
      `at <= now()`,
      `now() - interval '1 s' > at`,
      `local < localtimestamp - interval '0.3 s'`,
      `at BETWEEN now() - interval '0.7 s' AND now() + interval '0.7 s'`,
      `local > now() - interval '1 second' AND id % 2 = 0`,
    ];
    for (const [i, condition] of conditions.entries()) {
      await client.query(
        `CREATE MATERIALIZED VIEW v${i} AS SELECT id FROM item WHERE ${condition}`,
      );
    }
    await client.query(
      `CREATE MATERIALIZED VIEW summed AS SELECT count(*), coalesce(sum(id), 0) AS sum FROM v0`,
    );
    const fill = (from) =>
      client.query(
        `INSERT INTO item SELECT i, now() + (i % 40 - 20) * interval '0.1 s',
           localtimestamp + (i % 40 - 20) * interval '0.1 s'
           FROM generate_series(${from}, ${from + 79}) i`,
      );
    await fill(0);
    await client.query(`INSERT INTO item VALUES (1000, 'infinity', 'infinity'),
      (1001, '-infinity', '-infinity'), (1002, NULL, NULL)`);
    // A view is a moment behind now() of a query: rows within 0.1 s of it may be either way.
    const near = (condition) =>
      condition.replace(/(now\(\)|current_timestamp|localtimestamp)/g, (word) => `(${word} + $1)`);
    const ids = async (sql, values) =>
      new Set((await client.query({ text: sql, values, rowMode: 'array' })).rows.map(([id]) => id));
    for (let round = 0; round < 12; round++) {
      for (const [i, condition] of conditions.entries()) {
        const sql = `SELECT id FROM item WHERE ${near(condition)}`;
        const before = await ids(sql, ['-0.1 s']);
        const there = await ids(`SELECT id FROM v${i}`);
        const after = await ids(sql, ['0.1 s']);
        for (const id of before)
          if (after.has(id)) assert.ok(there.has(id), `${id} by ${condition}`);
        for (const id of there)
          assert.ok(before.has(id) || after.has(id), `no ${id} by ${condition}`);
      }
      const [[count, sum]] = await rows(client, 'SELECT * FROM summed');
      assert.ok(Number(count) > 0 && Number(sum) >= 1000);
      if (round === 4) await client.query('DELETE FROM item WHERE id % 3 = 0');
      if (round === 8) await fill(100);
      await sleep(170);
    }
    await until(
      async () => (await rows(client, 'SELECT id FROM v0')).length === 1,
      'all rows but that of infinity to go',
    );
    assert.deepEqual(await rows(client, 'SELECT * FROM summed'), [['1', '1000']]);
  });

  test('over streams: told, saved from kills, and refused where they are none', async (t) => {
    const server = await open(t);
    let client = await connectSql(t, server);
    let nats = await server.connect(t);
    await client.query(
      `CREATE TABLE log (name text, at timestamptz) WITH (subject = 'log.>')`,
    );
    await client.query(
      `CREATE MATERIALIZED VIEW fresh AS SELECT name FROM log WHERE at > now() - interval '2 s'`,
    );
    await client.query(
      `CREATE SINK told FROM fresh WITH (subject = 'out.fresh', type = 'changelog')`,
    );
    const log = (name, ago) =>
      nats.request('log.x', JSON.stringify({ name, at: new Date(Date.now() - ago) }));
    await log('old', 5000);
    await log('a', 0);
    await client.query('FLUSH');
    assert.equal(await names(client, 'fresh'), 'a');
    await until(async () => (await names(client, 'fresh')) === '', 'it to go');
    const told = async (ops) => {
      const jsm = await jetstreamManager(nats);
      const found = [];
      const { state } = await jsm.streams.info('OUT');
      for (let seq = 1; seq <= state.last_seq; seq++) {
        const message = await jsm.streams.getMessage('OUT', { seq });
        found.push(message.header.get('Nonet-Op'));
      }
      return found.join(' ') === ops;
    };
    await until(() => told('reset insert delete'), 'the change to be told');
    await log('b', 0);
    await client.query('FLUSH');
    assert.equal(await names(client, 'fresh'), 'b');
    await server.stop('SIGKILL');
    await sleep(2100);
    await server.start();
    client = await connectSql(t, server);
    nats = await server.connect(t);
    await client.query('FLUSH');
    assert.equal(await names(client, 'fresh'), '', 'what has gone meanwhile');
    await until(() => told('reset insert delete insert delete'), 'it to be told once');

    // SUBSCRIBE hears rows go.
    await log('c', 1500);
    await client.query('FLUSH');
    const cursor = client.query(
      new Cursor(`SUBSCRIBE (SELECT name FROM log WHERE at > now() - interval '2 s')`),
    );
    const heard = [];
    while (heard.length < 2) heard.push(...(await cursor.read(1)));
    assert.deepEqual(heard.map((row) => [row.nonet_diff, row.name]), [['1', 'c'], ['-1', 'c']]);
    await cursor.close();

    for (const [query, words] of [
      ['SELECT name, now() FROM log', /now\(\)/],
      [`SELECT name FROM log WHERE at > now() - interval '1 month'`, /now\(\)/],
      [`SELECT name FROM log WHERE at > now() OR name = 'x'`, /now\(\)/],
      [`SELECT name FROM log WHERE at = now()`, /now\(\)/],
    ]) {
      await assert.rejects(client.query(`CREATE MATERIALIZED VIEW no AS ${query}`), (error) => {
        assert.equal(error.code, '0A000');
        assert.match(error.message, words);
        assert.match(error.hint, /interval '1 hour'/);
        return true;
      });
    }
  });
});

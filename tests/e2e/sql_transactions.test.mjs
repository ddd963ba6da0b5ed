// What transactions see of each other, and how long one statement may hold the others up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNonet } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const code = (promise) =>
  promise.then(
    () => 'none',
    (error) => error.code,
  );
const one = async (client, text) => (await client.query(text)).rows[0];

test('a transaction sees one moment, by its level', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
  await a.query('CREATE TABLE t (id int PRIMARY KEY, v int)');
  await a.query('INSERT INTO t VALUES (1, 0), (2, 0)');

  await a.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  assert.equal((await one(a, 'SELECT v FROM t WHERE id = 1')).v, '0');
  await b.query('UPDATE t SET v = 5 WHERE id = 1');
  assert.equal((await one(a, 'SELECT v FROM t WHERE id = 1')).v, '0', 'repeatable read');
  assert.equal(await code(a.query('UPDATE t SET v = v + 1 WHERE id = 1')), '40001');
  await a.query('ROLLBACK');

  await a.query('BEGIN');
  assert.equal((await one(a, 'SELECT v FROM t WHERE id = 1')).v, '5');
  await b.query('UPDATE t SET v = 6 WHERE id = 1');
  assert.equal((await one(a, 'SELECT v FROM t WHERE id = 1')).v, '6', 'read committed');
  await a.query('COMMIT');

  // Of two changes of one row the first to commit wins; changes of different rows both stay.
  await a.query('BEGIN');
  await b.query('BEGIN');
  await a.query('UPDATE t SET v = 1 WHERE id = 2');
  await b.query('UPDATE t SET v = 2 WHERE id = 2');
  await a.query('COMMIT');
  assert.equal(await code(b.query('COMMIT')), '40001');
  assert.equal((await one(a, 'SELECT v FROM t WHERE id = 2')).v, '1');
  assert.equal(await code(a.query('BEGIN ISOLATION LEVEL SERIALIZABLE')), '0A000');
});

test('one endless step ends, and the others are served', { timeout: 60_000 }, async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
  const endless = code(a.query('SELECT count(*) FROM generate_series(1, 100000000000)'));
  assert.equal((await one(b, 'SELECT 1 AS x')).x, '1');
  assert.equal(await endless, '57014');
  assert.equal((await one(a, 'SELECT 2 AS x')).x, '2', 'its session goes on');
});

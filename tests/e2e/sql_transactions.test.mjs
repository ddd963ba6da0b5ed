// What transactions see of each other, and how long one statement may hold the others up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNonet } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';
import { fields, text, Wire } from './lib/postgres_client.mjs';

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

test('a row that another has changed since is a conflict, not a second row', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
  await a.query('CREATE TABLE t (id int PRIMARY KEY, v int)');
  await a.query('INSERT INTO t VALUES (1, 0)');
  await a.query('BEGIN');
  await a.query('UPDATE t SET v = 1 WHERE id = 1');
  await b.query('UPDATE t SET v = 2 WHERE id = 1');
  assert.equal(await code(a.query('UPDATE t SET v = v + 1 WHERE id = 1')), '40001');
  await a.query('ROLLBACK');
  assert.equal((await one(a, 'SELECT v FROM t')).v, '2');
});

test('what a session says of its transactions to come holds', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
  await a.query('CREATE TABLE t (id int PRIMARY KEY)');

  // Read only, however it is spelled, within a block and without one.
  for (const on of ['on', 'true']) {
    await a.query(`SET default_transaction_read_only = ${on}`);
    const shown = await one(a, 'SHOW default_transaction_read_only');
    assert.equal(shown.default_transaction_read_only, 'on');
    assert.equal(await code(a.query('INSERT INTO t VALUES (1)')), '25006', on);
    assert.equal(await code(a.query('CREATE TABLE u (id int)')), '25006', on);
    await a.query('BEGIN');
    assert.equal(await code(a.query('INSERT INTO t VALUES (1)')), '25006', on);
    await a.query('ROLLBACK');
    await a.query('BEGIN READ WRITE');
    await a.query('INSERT INTO t VALUES (1)');
    await a.query('ROLLBACK');
  }
  await a.query('SET default_transaction_read_only = off');
  await a.query('INSERT INTO t VALUES (1)');
  await a.query('BEGIN');
  await a.query('SET transaction_read_only = true');
  assert.equal(await code(a.query('INSERT INTO t VALUES (2)')), '25006');
  await a.query('ROLLBACK');

  // The level, too; the one that is not supported is refused, not weakened.
  await a.query("SET default_transaction_isolation = 'REPEATABLE READ'");
  await a.query('BEGIN');
  assert.equal((await one(a, 'SELECT count(*) AS n FROM t')).n, '1');
  await b.query('INSERT INTO t VALUES (2)');
  assert.equal((await one(a, 'SELECT count(*) AS n FROM t')).n, '1', 'repeatable read');
  await a.query('COMMIT');
  assert.equal(await code(a.query("SET default_transaction_isolation = 'serializable'")), '0A000');
  const all = 'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE';
  assert.equal(await code(a.query(all)), '0A000');
});

test('notices come as client_min_messages says', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const a = await connectSql(t, node);
  await a.query('CREATE TABLE t (id int)');
  const told = [];
  a.on('notice', (notice) => told.push(notice.severity));
  const each = async (level) => {
    told.length = 0;
    await a.query(`SET client_min_messages = ${level}`);
    await a.query('CREATE TABLE IF NOT EXISTS t (id int)');
    await a.query('COMMIT');
    return told.join();
  };
  assert.equal(await each('notice'), 'NOTICE,WARNING');
  assert.equal(await each('warning'), 'WARNING');
  assert.equal(await each('error'), '');
  assert.equal(await each('debug1'), 'NOTICE,WARNING');
  assert.equal(await code(a.query('SET client_min_messages = loud')), '22023');
});

test('numbers of an identity end where their type does', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const a = await connectSql(t, node);
  await a.query('CREATE TABLE t (id smallint GENERATED ALWAYS AS IDENTITY, v int)');
  await a.query('INSERT INTO t (v) SELECT g FROM generate_series(1, 32767) g');
  assert.equal(await code(a.query('INSERT INTO t (v) VALUES (0)')), '2200H');
  assert.equal((await one(a, 'SELECT max(id) AS n FROM t')).n, '32767');
});

test('after a commit that was refused there is nothing to wait for', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
  await a.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
  await a.query('CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM t');
  await a.query("INSERT INTO t VALUES (1, '')");
  await a.query('BEGIN');
  await a.query("UPDATE t SET v = 'a'");
  await b.query("UPDATE t SET v = 'b'");
  assert.equal(await code(a.query('COMMIT')), '40001');
  await b.query("SET statement_timeout = '5s'");
  await b.query('FLUSH');
  assert.equal(await code(a.query("INSERT INTO t VALUES (2, repeat('x', 5000000))")), '54000');
  await b.query('FLUSH');
  assert.equal((await one(b, 'SELECT n FROM n')).n, '1');
});

test('who idles too long is sent away, and holds nobody up', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const a = await connectSql(t, node);
  await a.query('CREATE TABLE t (id int PRIMARY KEY)');

  // In a transaction: what it holds is free at once, though its client neither reads nor leaves.
  const silent = await Wire.open(t, node);
  const begin = `SET idle_in_transaction_session_timeout = '100ms'; BEGIN; INSERT INTO t VALUES (1);
                 CREATE TABLE held (id int)`;
  silent.send(['Q', text(begin)]);
  await silent.until('Z');
  silent.socket.pause();
  await a.query("SET lock_timeout = '3s'");
  await a.query('CREATE TABLE held (id int)');
  assert.equal((await one(a, 'SELECT count(*) AS n FROM t')).n, '0');
  silent.socket.resume();
  assert.equal(fields(await silent.next()).C, '25P03');
  assert.equal(await silent.next(), null);

  // Outside of one; who says something in time stays.
  const idle = await Wire.open(t, node);
  idle.send(['Q', text('SET idle_session_timeout = 300')]);
  await idle.until('Z');
  for (let i = 0; i < 5; i++) {
    idle.send(['Q', text('SELECT count(*) FROM generate_series(1, 300000)')]);
    assert.equal((await idle.until('Z')).at(-2).type, 'C');
  }
  assert.equal(fields(await idle.next()).C, '57P05');
  assert.equal(await code(a.query('SET idle_session_timeout = -1')), '22023');
});

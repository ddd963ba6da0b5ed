// What a transaction has set: kept at COMMIT, taken back at ROLLBACK and ROLLBACK TO, as PostgreSQL
// does. Both are asked the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNonet } from './lib/node.mjs';
import { connectSql, startPostgres } from './lib/postgres.mjs';

// Paragraphs are sessions, lines are what is asked in them, each one Query.
const sessions = `
BEGIN
SET application_name = 'a'
SAVEPOINT s
SET application_name = 'b'
SET LOCAL application_name = 'c'
SHOW application_name
ROLLBACK TO s
SHOW application_name
COMMIT
SHOW application_name

BEGIN
SET LOCAL application_name = 'l'
SET application_name = 'p'
SHOW application_name
COMMIT
SHOW application_name

BEGIN
SET application_name = 'q'
SET LOCAL application_name = 'l'
SHOW application_name
COMMIT
SHOW application_name

SET application_name = 'o'
BEGIN
SET application_name = 'x'
ROLLBACK
SHOW application_name

SET application_name = 'o'
BEGIN
SAVEPOINT s
SET LOCAL application_name = 'l'
RELEASE s
SHOW application_name
COMMIT
SHOW application_name

SET application_name = 'o'
BEGIN
SET application_name = 'y'
SAVEPOINT s
RESET application_name
SHOW application_name
ROLLBACK TO s
SHOW application_name
RESET ALL
SHOW application_name
ROLLBACK
SHOW application_name

SET application_name = 'o'
BEGIN
SET LOCAL application_name = 'u'
SAVEPOINT s
SET application_name = 'w'
ROLLBACK TO s
SHOW application_name
COMMIT
SHOW application_name

BEGIN
SAVEPOINT a
SET application_name = '1'
SAVEPOINT b
SET application_name = '2'
RELEASE b
SET application_name = '3'
ROLLBACK TO a
SHOW application_name
SET application_name = '4'
RELEASE a
ROLLBACK
SHOW application_name

BEGIN
SET application_name = 'e'
SELECT 1/0
SHOW application_name
COMMIT
SHOW application_name

BEGIN
SET application_name = 'e'
SAVEPOINT s
SELECT 1/0
ROLLBACK TO s
SHOW application_name
COMMIT
SHOW application_name

BEGIN
SET timezone = 'Europe/Berlin'
SELECT timestamptz '2024-01-01 00:00+00' AS t
ROLLBACK
SELECT timestamptz '2024-01-01 00:00+00' AS t

SET application_name = 'o'
SET application_name = 'm'; SELECT 1/0
SHOW application_name
SET application_name = 'm'; SELECT 1
SHOW application_name

SET application_name = 'o'
SET application_name = 'Other'; BEGIN; SET LOCAL application_name = 'l'; COMMIT
SHOW application_name

SET LOCAL application_name = 'n'
SHOW application_name

BEGIN
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
SAVEPOINT s
ROLLBACK TO s
SHOW transaction_isolation
COMMIT
SHOW transaction_isolation

BEGIN
SAVEPOINT a
SET TRANSACTION READ ONLY
SHOW transaction_read_only
ROLLBACK TO a
SHOW transaction_read_only
COMMIT
`;

async function answers(connect, session) {
  const client = await connect();
  const out = [];
  client.on('notice', (notice) => out.push(`${notice.severity} ${notice.code}`));
  for (const text of session.split('\n')) {
    const result = await client.query(text).catch((error) => error);
    for (const one of [result].flat()) {
      out.push(one.code ? `${text}: ${one.code}` : `${text}: ${JSON.stringify(one.rows)}`);
    }
  }
  await client.end();
  return out;
}

test('SET, SET LOCAL and RESET belong to their transaction', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const postgres = await startPostgres(t);
  const options = { application_name: 'start' };
  for (const session of sessions.trim().split('\n\n')) {
    const theirs = await answers(() => postgres.connect(null, options), session);
    const ours = await answers(() => connectSql(null, node, options), session);
    assert.deepEqual(ours, theirs, session);
  }
});

test('many savepoints and settings in one block take no more than one of each', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const client = await connectSql(t, node);
  await client.query('BEGIN');
  await client.query("SET application_name = 'before'");
  const one = "SAVEPOINT s; SET application_name = 'in'; RELEASE s;";
  for (let i = 0; i < 20; i++) await client.query(one.repeat(100));
  await client.query('SAVEPOINT t; SET application_name = DEFAULT; ROLLBACK TO t');
  assert.equal((await client.query('SHOW application_name')).rows[0].application_name, 'in');
  await client.query('ROLLBACK');
  assert.equal((await client.query('SHOW application_name')).rows[0].application_name, '');
});

// Definitions inside transactions: seen by their own transaction at once, by others at COMMIT, by
// nobody after ROLLBACK, and whole or not at all after a kill. PostgreSQL is asked the same.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startNonet } from './lib/node.mjs';
import { connectSql, outcome, startPostgres } from './lib/postgres.mjs';

const rows = async (client, text) => (await client.query({ text, rowMode: 'array' })).rows;
const code = (promise) =>
  promise.then(
    () => 'none',
    (error) => error.code,
  );

// A small generator with a seed, so that what fails can be run again.
function chance(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const COLUMNS = `SELECT table_name, column_name, data_type, is_nullable,
  trim(split_part(column_default, '::', 1), '()''')
  FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position`;
const INDEXES = `SELECT tablename, indexname FROM pg_indexes
  WHERE schemaname = 'public' ORDER BY 1, 2`;

async function state(client) {
  const all = { columns: await rows(client, COLUMNS), indexes: await rows(client, INDEXES) };
  for (const table of new Set(all.columns.map((row) => row[0])))
    all[table] = await rows(client, `SELECT * FROM "${table}" ORDER BY 1, 2`);
  return all;
}

// Of several things that are wrong, either may be told: of two rows of an INSERT, of a name that is
// taken and another that is missing.
const unordered = (result) => ({ ...result, error: result.error?.replace(/^(23|42P).*/, '$1') });

// One statement of a migration that went wild.
function wild(pick, failed) {
  const t = `t${pick(3)}`;
  const c = `c${pick(3)}`;
  const n = () => pick(12) - 2;
  const all = [
    () => `CREATE TABLE ${t} (id int PRIMARY KEY, a int, b text)`,
    () => `CREATE TABLE IF NOT EXISTS ${t} (id int PRIMARY KEY, a int, b text)`,
    () => `DROP TABLE IF EXISTS ${t}`,
    () => `ALTER TABLE ${t} ADD COLUMN IF NOT EXISTS ${c} int DEFAULT ${n()}`,
    () => `ALTER TABLE ${t} DROP COLUMN IF EXISTS ${c}`,
    () => `ALTER TABLE ${t} ALTER a ${pick(2) ? 'SET' : 'DROP'} NOT NULL`,
    () => `ALTER TABLE ${t} ALTER a TYPE ${pick(2) ? 'bigint' : 'int'}`,
    () => `ALTER TABLE ${t} ALTER b SET DEFAULT 'd${n()}'`,
    () => `ALTER TABLE ${t} ADD CONSTRAINT u${pick(3)} UNIQUE (a)`,
    () => `ALTER TABLE ${t} DROP CONSTRAINT IF EXISTS u${pick(3)}`,
    () => `ALTER TABLE ${t} ADD CONSTRAINT k${pick(2)} CHECK (a > ${n() - 3})`,
    () => `ALTER TABLE ${t} DROP CONSTRAINT IF EXISTS k${pick(2)}`,
    () =>
      `ALTER TABLE ${t} ADD COLUMN x${pick(3)} int,
         ADD CONSTRAINT q${pick(3)} CHECK (a < ${n() + 9})`,
    () => `CREATE ${pick(2) ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS i${pick(3)} ON ${t} (b)`,
    () => `DROP INDEX IF EXISTS i${pick(3)}`,
    () => `ALTER TABLE ${t} RENAME TO t${pick(3)}`,
    () => `CREATE TABLE s${pick(2)} AS SELECT id, a FROM ${t}`,
    () => `DROP TABLE s${pick(2)}`,
  ];
  const often = [
    () =>
      `INSERT INTO ${t} (id, a, b) VALUES (${n()}, ${n()}, 'x${n()}'), (${n() + 20}, ${n()}, NULL)`,
    () => `UPDATE ${t} SET a = a + 1, b = b || 'u' WHERE id = ${n()}`,
    () => `UPDATE ${t} SET id = id + 40 WHERE a = ${n()} AND id < 40`,
    () => `DELETE FROM ${t} WHERE id % 5 = ${pick(5)}`,
    () => `SELECT * FROM ${t} ORDER BY 1`,
    () =>
      `INSERT INTO ${t} (id, a) VALUES (${n()}, ${n()})
         ON CONFLICT (id) DO UPDATE SET a = excluded.a`,
  ];
  const block = [
    () => 'BEGIN',
    () => 'COMMIT',
    () => 'COMMIT',
    () => 'ROLLBACK',
    () => 'SAVEPOINT s',
    () => 'SAVEPOINT r',
    () => 'ROLLBACK TO s',
    () => 'ROLLBACK TO s',
    () => 'ROLLBACK TO r',
    () => 'RELEASE s',
  ];
  const ends = [() => 'ROLLBACK TO s', () => 'ROLLBACK TO r', () => 'COMMIT'];
  const from = failed && pick(2) ? ends : [all, often, often, block][pick(4)];
  return from[pick(from.length)]();
}

describe('definitions in blocks', () => {
  for (const seed of (process.env.SEEDS ?? '1 9').split(' '))
    test(`wild ones agree with PostgreSQL, also after kill -9 (seed ${seed})`, async (t) => {
      const pick = chance(Number(seed) * 7919);
      const node = await startNonet(t, { listen: { sql: 0 } });
      const postgres = await startPostgres(t);
      const oracle = await postgres.connect(t);
      let client = await connectSql(t, node);
      const told = [];
      let failed = false;
      const tell = (text) => told.push(text) && told.join(';\n');
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < Number(process.env.STEPS ?? 120); i++) {
          const text = wild(pick, failed);
          const theirs = unordered(await outcome(oracle, text));
          failed = Boolean(theirs.error);
          assert.deepEqual(unordered(await outcome(client, text)), theirs, tell(text));
        }
        const last = pick(2) ? 'COMMIT' : 'ROLLBACK';
        await outcome(oracle, last);
        if (last === 'COMMIT') await outcome(client, last); // else the kill ends it
        if (last === 'COMMIT')
          assert.deepEqual(await state(client), await state(oracle), tell(last));
        await node.stop('SIGKILL');
        await node.start();
        client = await connectSql(t, node);
        assert.deepEqual(await state(client), await state(oracle), tell(`${last} and a kill`));
      }
    });
});

describe('a block with definitions', () => {
  const start = async (t) => {
    const node = await startNonet(t, { listen: { sql: 0 } });
    const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
    return { node, a, b };
  };

  test('is seen by others when it has committed, views with it', async (t) => {
    const { node, a, b } = await start(t);
    await a.query('CREATE TABLE t (id int PRIMARY KEY, a int)');
    await a.query('INSERT INTO t VALUES (1, 1), (2, 2)');
    await a.query('CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n, sum(a) AS s FROM t');
    await a.query('CREATE MATERIALIZED VIEW above AS SELECT n + s AS x FROM m');
    await a.query('BEGIN');
    await a.query('UPDATE t SET a = 10 WHERE id = 1');
    await a.query('ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0), ALTER a SET NOT NULL');
    await a.query('UPDATE t SET a = 20 WHERE id = 2');
    await a.query('CREATE TABLE u (id int)');
    await a.query('INSERT INTO u VALUES (7)');
    await a.query('CREATE MATERIALIZED VIEW w AS SELECT t.id, u.id AS other FROM t, u');
    await a.query('CREATE INDEX m_n ON m (n)');
    await a.query(`COMMENT ON MATERIALIZED VIEW m IS 'of t'`);
    assert.equal(await code(a.query('SELECT * FROM w')), '55000', 'it begins at COMMIT');
    await a.query('ROLLBACK');
    assert.deepEqual(await rows(b, 'SELECT * FROM m'), [['2', '3']]);

    await a.query('BEGIN');
    await a.query('UPDATE t SET a = 10 WHERE id = 1');
    await a.query('ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0), ALTER a SET NOT NULL');
    await a.query('UPDATE t SET a = 20 WHERE id = 2');
    await a.query('CREATE TABLE u (id int)');
    await a.query('INSERT INTO u VALUES (7)');
    await a.query('CREATE MATERIALIZED VIEW w AS SELECT t.id, u.id AS other FROM t, u');
    await a.query('CREATE INDEX m_n ON m (n)');
    assert.equal(await code(b.query('SELECT * FROM u')), '42P01');
    assert.deepEqual(await rows(b, 'SELECT * FROM m'), [['2', '3']]);
    await a.query('COMMIT');
    const check = async (client) => {
      assert.deepEqual(await rows(client, 'SELECT * FROM m'), [['2', '30']]);
      assert.deepEqual(await rows(client, 'SELECT * FROM above'), [['32']]);
      const w = 'SELECT * FROM w ORDER BY 1';
      assert.deepEqual(await rows(client, w), [
        ['1', '7'],
        ['2', '7'],
      ]);
    };
    await check(b);
    assert.equal(await code(b.query('INSERT INTO t VALUES (3, NULL)')), '23502');
    assert.equal(await code(b.query('INSERT INTO t VALUES (3, -1)')), '23514');
    await node.stop('SIGKILL');
    await node.start();
    const c = await connectSql(t, node);
    await check(c);
    await c.query('INSERT INTO t VALUES (3, 3)');
    assert.deepEqual(await rows(c, 'SELECT * FROM m WHERE n = 3'), [['3', '33']]);
    assert.deepEqual(await rows(c, 'SELECT count(*) FROM w'), [['3']]);
  });

  test('is one at a time: others wait as long as lock_timeout says', async (t) => {
    const { a, b } = await start(t);
    await a.query('CREATE TABLE t (id int PRIMARY KEY)');
    await b.query("SET lock_timeout = '50ms'");
    await a.query('BEGIN');
    await a.query('ALTER TABLE t ADD COLUMN a int');
    assert.equal(await code(b.query('CREATE TABLE u (id int)')), '55P03');
    // Reading and writing go on; the COMMIT of what the block alters waits.
    assert.deepEqual(await rows(b, 'SELECT * FROM t'), []);
    assert.equal(await code(b.query('INSERT INTO t VALUES (1)')), '55P03');
    await b.query('SET lock_timeout = 0');
    const waits = b.query('INSERT INTO t VALUES (1)');
    await a.query('ROLLBACK');
    await waits;
    assert.deepEqual(await rows(a, 'SELECT * FROM t'), [['1']]);

    await a.query('BEGIN');
    await a.query('ALTER TABLE t ADD COLUMN a int');
    const lost = code(b.query('INSERT INTO t VALUES (2)'));
    await a.query('COMMIT');
    assert.equal(await lost, '40001', 'it is another table now');
    await b.query('INSERT INTO t VALUES (2)');

    await a.query('BEGIN');
    await a.query('CREATE TABLE u (id int)');
    const second = code(b.query('CREATE TABLE u (id int, other int)'));
    await a.query('COMMIT');
    assert.equal(await second, '42P07', 'judged by what the first has left');
    await a.query('BEGIN');
    await a.query('DROP TABLE u');
    await b.query("SET statement_timeout = '50ms'");
    assert.equal(
      await code(b.query('INSERT INTO u VALUES (1)')),
      '57014',
      'a COMMIT that waits ends',
    );
    await a.query('COMMIT');
  });

  test('what cannot be within one is refused, and what is read back is as it was', async (t) => {
    const { node, a } = await start(t);
    await a.query('CREATE TABLE t (id int PRIMARY KEY, a int)');
    await a.query('BEGIN');
    assert.equal(await code(a.query('CREATE INDEX CONCURRENTLY i ON t (a)')), '25001');
    await a.query('ROLLBACK');
    await a.query('BEGIN');
    assert.equal(await code(a.query('VACUUM')), '25001');
    assert.equal(await code(a.query('SELECT * FROM nothing')), '25P02');
    await a.query('ROLLBACK');
    await a.query('CREATE INDEX CONCURRENTLY i ON t (a)');

    // A key that goes refuses nothing, before and after a start.
    await a.query('CREATE UNIQUE INDEX one ON t (a)');
    await a.query('INSERT INTO t VALUES (1, 1)');
    await a.query('BEGIN; DROP INDEX one; INSERT INTO t VALUES (2, 1); COMMIT');
    await a.query('BEGIN; DELETE FROM t WHERE id = 1; CREATE UNIQUE INDEX one ON t (a); COMMIT');
    assert.equal(await code(a.query('INSERT INTO t VALUES (3, 1)')), '23505');
    await node.stop('SIGKILL');
    await node.start();
    const b = await connectSql(t, node);
    assert.deepEqual(await rows(b, 'SELECT * FROM t'), [['2', '1']]);
    assert.equal(await code(b.query('INSERT INTO t VALUES (3, 1)')), '23505');
  });

  test('without BEGIN: the statements of one Query are one', async (t) => {
    const { a } = await start(t);
    const query = 'CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE VIEW v AS TABLE t';
    assert.equal(await code(a.query(`${query}; SELECT 1/0`)), '22012');
    assert.equal(await code(a.query('SELECT * FROM t')), '42P01');
    await a.query(query);
    assert.deepEqual(await rows(a, 'SELECT * FROM v'), [['1']]);
  });
});

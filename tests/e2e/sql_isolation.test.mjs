// What transactions see and lose of each other, anomaly by anomaly, as Martin Kleppmann's Hermitage
// lists them. Nonet never waits: where PostgreSQL holds the second writer up, here the second to
// commit gets 40001. So the scripts say what is expected, step by step: `a: statement -> answer`,
// the answer being its rows, its count of rows, or its SQLSTATE; without one it only has to work.

import assert from 'node:assert/strict';
import { onNonet } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const COMMITTED = 'READ COMMITTED';
const REPEATABLE = 'REPEATABLE READ';
const ALL = 'SELECT * FROM t ORDER BY id';

// [name, what holds at both levels or [at READ COMMITTED, at REPEATABLE READ]]; the table has
// (1, 10), (2, 20) when it begins.
const SCRIPTS = [
  [
    'G0: of two that write the same rows one stays, whole',
    [
      `a: UPDATE t SET v = 11 WHERE id = 1
       b: UPDATE t SET v = 12 WHERE id = 1
       a: UPDATE t SET v = 21 WHERE id = 2
       a: COMMIT
       b: ${ALL} -> 40001
       b: COMMIT -> ROLLBACK
       c: ${ALL} -> 1,11 2,21`,
      `a: UPDATE t SET v = 11 WHERE id = 1
       b: UPDATE t SET v = 12 WHERE id = 1
       a: UPDATE t SET v = 21 WHERE id = 2
       a: COMMIT
       b: ${ALL} -> 1,12 2,20
       b: UPDATE t SET v = 22 WHERE id = 2 -> 40001
       b: COMMIT -> ROLLBACK
       c: ${ALL} -> 1,11 2,21`,
    ],
  ],
  [
    'locks of rows are refused, not passed over',
    `a: SELECT * FROM t WHERE id = 1 FOR UPDATE -> 0A000
     a: ROLLBACK
     b: SELECT * FROM (SELECT id FROM t FOR SHARE SKIP LOCKED) q -> 0A000`,
  ],
  [
    'G1a: nothing is read of what is taken back',
    `a: UPDATE t SET v = 101 WHERE id = 1
     b: ${ALL} -> 1,10 2,20
     a: ROLLBACK
     b: ${ALL} -> 1,10 2,20
     b: COMMIT`,
  ],
  [
    'G1b: nothing is read of what is changed again before its commit',
    [
      `a: UPDATE t SET v = 101 WHERE id = 1
       b: ${ALL} -> 1,10 2,20
       a: UPDATE t SET v = 11 WHERE id = 1
       a: COMMIT
       b: ${ALL} -> 1,11 2,20`,
      `a: UPDATE t SET v = 101 WHERE id = 1
       b: ${ALL} -> 1,10 2,20
       a: UPDATE t SET v = 11 WHERE id = 1
       a: COMMIT
       b: ${ALL} -> 1,10 2,20`,
    ],
  ],
  [
    'G1c: two do not read each other’s changes',
    `a: UPDATE t SET v = 11 WHERE id = 1
     b: UPDATE t SET v = 22 WHERE id = 2
     a: SELECT v FROM t WHERE id = 2 -> 20
     b: SELECT v FROM t WHERE id = 1 -> 10
     a: COMMIT
     b: COMMIT
     c: ${ALL} -> 1,11 2,22`,
  ],
  [
    'OTV: what was seen of a transaction does not vanish again',
    [
      `a: UPDATE t SET v = v + 1
       b: UPDATE t SET v = 12 WHERE id = 1
       a: COMMIT
       c: SELECT v FROM t WHERE id = 1 -> 11
       b: UPDATE t SET v = 18 WHERE id = 2 -> 40001
       c: SELECT v FROM t WHERE id = 2 -> 21
       b: COMMIT -> ROLLBACK
       c: ${ALL} -> 1,11 2,21`,
      `a: UPDATE t SET v = v + 1
       b: UPDATE t SET v = 12 WHERE id = 1
       a: COMMIT
       c: SELECT v FROM t WHERE id = 1 -> 11
       b: UPDATE t SET v = 18 WHERE id = 2 -> 40001
       c: SELECT v FROM t WHERE id = 2 -> 21
       b: COMMIT -> ROLLBACK
       c: ${ALL} -> 1,11 2,21`,
    ],
  ],
  [
    'PMP: rows that come to meet a condition',
    [
      `a: SELECT * FROM t WHERE v = 30 ->
       b: INSERT INTO t VALUES (3, 30)
       b: COMMIT
       a: SELECT * FROM t WHERE v % 3 = 0 -> 3,30`,
      `a: SELECT * FROM t WHERE v = 30 ->
       b: INSERT INTO t VALUES (3, 30)
       b: COMMIT
       a: SELECT * FROM t WHERE v % 3 = 0 ->`,
    ],
  ],
  [
    'PMP: a DELETE whose rows another changes',
    `a: UPDATE t SET v = v + 10
     b: DELETE FROM t WHERE v = 20 -> 1
     a: COMMIT
     b: COMMIT -> 40001
     c: ${ALL} -> 1,20 2,30`,
  ],
  [
    'P4: no update is lost',
    `a: SELECT v FROM t WHERE id = 1 -> 10
     b: SELECT v FROM t WHERE id = 1 -> 10
     a: UPDATE t SET v = 11 WHERE id = 1
     b: UPDATE t SET v = 11 WHERE id = 1
     a: COMMIT
     b: COMMIT -> 40001`,
  ],
  [
    'G-single: two reads are of one moment',
    [
      `a: SELECT v FROM t WHERE id = 1 -> 10
       b: UPDATE t SET v = v + 2
       b: COMMIT
       a: SELECT v FROM t WHERE id = 2 -> 22`,
      `a: SELECT v FROM t WHERE id = 1 -> 10
       b: UPDATE t SET v = v + 2
       b: COMMIT
       a: SELECT v FROM t WHERE id = 2 -> 20
       a: DELETE FROM t WHERE v = 20 -> 40001
       a: COMMIT -> ROLLBACK`,
    ],
  ],
  [
    'G2-item: write skew is possible, as the documents say',
    `a: ${ALL} -> 1,10 2,20
     b: ${ALL} -> 1,10 2,20
     a: UPDATE t SET v = 11 WHERE id = 1
     b: UPDATE t SET v = 21 WHERE id = 2
     a: COMMIT
     b: COMMIT
     c: ${ALL} -> 1,11 2,21`,
  ],
  [
    'G2: and with rows that come',
    `a: SELECT * FROM t WHERE v % 3 = 0 ->
     b: SELECT * FROM t WHERE v % 3 = 0 ->
     a: INSERT INTO t VALUES (3, 30)
     b: INSERT INTO t VALUES (4, 42)
     a: COMMIT
     b: COMMIT
     c: ${ALL} -> 1,10 2,20 3,30 4,42`,
  ],
  [
    'a row is never seen in two versions',
    [
      `a: UPDATE t SET v = 11 WHERE id = 1
       b: UPDATE t SET v = 12 WHERE id = 1
       b: COMMIT
       a: SELECT v FROM t WHERE id = 1 -> 40001
       a: SELECT 1 -> 25P02
       a: ROLLBACK
       a: ${ALL} -> 1,12 2,20`,
      `a: UPDATE t SET v = 11 WHERE id = 1
       b: UPDATE t SET v = 12 WHERE id = 1
       b: COMMIT
       a: SELECT v FROM t WHERE id = 1 -> 11
       a: COMMIT -> 40001`,
    ],
  ],
  [
    'nor two rows with one key',
    [
      `a: INSERT INTO t VALUES (3, 1)
       b: INSERT INTO t VALUES (3, 2)
       b: COMMIT
       a: ${ALL} -> 40001
       a: ROLLBACK
       c: ${ALL} -> 1,10 2,20 3,2`,
      `a: INSERT INTO t VALUES (3, 1)
       b: INSERT INTO t VALUES (3, 2)
       b: COMMIT
       a: ${ALL} -> 1,10 2,20 3,1
       a: COMMIT -> 23505`,
    ],
  ],
  [
    'many rows of others, and of its own, are compared',
    [
      `a: INSERT INTO t SELECT g, 0 FROM generate_series(3, 3000) g
       b: INSERT INTO t SELECT g, 0 FROM generate_series(3001, 9000) g
       b: COMMIT
       a: SELECT count(*) FROM t -> 9000
       c: INSERT INTO t VALUES (9001, 0)
       c: DELETE FROM t WHERE id = 9000
       c: COMMIT
       a: SELECT count(*) FROM t -> 9000
       a: DELETE FROM t WHERE id > 2500
       c: ROLLBACK
       c: UPDATE t SET v = 1 WHERE id = 5000
       a: SELECT count(*) FROM t -> 40001`,
      `a: INSERT INTO t SELECT g, 0 FROM generate_series(3, 3000) g
       b: INSERT INTO t SELECT g, 0 FROM generate_series(3001, 9000) g
       b: COMMIT
       a: SELECT count(*) FROM t -> 3000
       a: COMMIT
       c: SELECT count(*) FROM t -> 9000`,
    ],
  ],
  [
    'after ROLLBACK TO what others have changed is no conflict',
    `a: UPDATE t SET v = 11 WHERE id = 1
     a: SAVEPOINT s
     a: UPDATE t SET v = 22 WHERE id = 2
     a: INSERT INTO t VALUES (3, 1)
     b: INSERT INTO t VALUES (3, 2)
     b: COMMIT
     a: ROLLBACK TO s
     a: SELECT v FROM t WHERE id = 1 -> 11
     a: COMMIT
     c: ${ALL} -> 1,11 2,20 3,2`,
  ],
  [
    'ON CONFLICT DO NOTHING does not pass over a row that cannot be seen',
    [
      `a: ${ALL} -> 1,10 2,20
       b: INSERT INTO t VALUES (3, 1)
       b: COMMIT
       a: INSERT INTO t VALUES (3, 2) ON CONFLICT DO NOTHING -> 0
       a: ${ALL} -> 1,10 2,20 3,1`,
      `a: ${ALL} -> 1,10 2,20
       b: INSERT INTO t VALUES (3, 1)
       b: COMMIT
       a: INSERT INTO t VALUES (1, 2) ON CONFLICT DO NOTHING -> 0
       a: INSERT INTO t VALUES (3, 2) ON CONFLICT DO NOTHING -> 40001`,
    ],
  ],
];

async function answer(client, statement) {
  try {
    const result = await client.query({ text: statement, rowMode: 'array' });
    if (result.fields.length) return result.rows.map((row) => row.join()).join(' ');
    return result.command === 'ROLLBACK' ? 'ROLLBACK' : `${result.rowCount ?? ''}`;
  } catch (error) {
    if (!error.code) throw error;
    return error.code;
  }
}

async function play(sessions, level, script) {
  const { c } = sessions;
  await c.query('DELETE FROM t; INSERT INTO t VALUES (1, 10), (2, 20)');
  for (const who of 'ab') await sessions[who].query(`BEGIN ISOLATION LEVEL ${level}`);
  const said = [];
  const expected = [];
  for (const line of script.split('\n')) {
    const [, who, statement, wanted] = /^\s*(\w): (.*?)(?: ->\s?(.*))?$/.exec(line);
    const found = await answer(sessions[who], statement);
    const shown = wanted ?? (/^[0-9A-Z]{5}$/.test(found) ? 'works' : found);
    said.push(`${who}: ${statement} -> ${found}`);
    expected.push(`${who}: ${statement} -> ${shown}`);
  }
  for (const who of 'abc') await sessions[who].query('ROLLBACK');
  assert.deepEqual(said, expected);
}

onNonet('isolation', { listen: { sql: 0 } }, (it) => {
  for (const [name, scripts] of SCRIPTS) {
    it(name, async (t, node) => {
      const sessions = {};
      for (const who of 'abc') sessions[who] = await connectSql(t, node);
      await sessions.c.query('CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY, v int)');
      const [committed, repeatable] = Array.isArray(scripts) ? scripts : [scripts, scripts];
      await play(sessions, COMMITTED, committed);
      await play(sessions, REPEATABLE, repeatable);
    });
  }
});

// A view whose state grows to its budget: it stops with words in nonet_views and keeps its last
// rows, the node's memory stays near the bound, and other views and sessions go on.
//
// NONET_SQL_SOAK: how many rounds of growth the others see after that (3).

import assert from 'node:assert/strict';
import { residentMib, SANITIZED } from './lib/abuse.mjs';
import { check, startNonet } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';
import { failure } from './lib/postgres_client.mjs';

const ROUNDS = Number(process.env.NONET_SQL_SOAK ?? 3);
const BUDGET_MIB = 16;
const TABLE_MIB = 16; // the table below, whose rows are taken away again
const MARGIN_MIB = 100;
const ROWS = 10_000; // each round

check('a view at its budget stops, and nothing else does', async (t) => {
  const config = `sql: {work_mem: 64MB, memory: ${BUDGET_MIB}MB}\n`;
  const node = await startNonet(t, { config, listen: { sql: 0 } });
  const client = await connectSql(t, node);
  const one = async (text) => (await client.query({ text, rowMode: 'array' })).rows[0];
  await client.query('CREATE TABLE item (id bigint PRIMARY KEY, kind int)');
  // What `grows` keeps of each row it keeps for good: the table's own rows go again.
  await client.query(`CREATE MATERIALIZED VIEW grows AS
    SELECT a.id, b.id AS other, repeat(md5(a.id::text), 4) AS text
    FROM item a JOIN item b ON a.kind = b.kind`);
  await client.query('CREATE MATERIALIZED VIEW above AS SELECT count(*) AS n FROM grows');
  await client.query(`CREATE MATERIALIZED VIEW counts AS
    SELECT kind, count(*) AS n, max(id) AS last FROM item GROUP BY kind`);
  const fill = async (from) => {
    const row = 'SELECT g, g % 100 FROM generate_series';
    await client.query(`INSERT INTO item ${row}(${from}, ${from + ROWS - 1}) g`);
  };
  const states = async () =>
    (await client.query('SELECT name, state FROM nonet_views ORDER BY name')).rows;
  const before = residentMib(node);

  await fill(0);
  assert.equal((await failure(client.query('FLUSH'))).code, '53200');
  const [error] = await one(`SELECT error FROM nonet_views WHERE name = 'grows'`);
  assert.match(error, /memory/);
  const stopped = [
    { name: 'above', state: 'failed' },
    { name: 'counts', state: 'live' },
    { name: 'grows', state: 'failed' },
  ];
  assert.deepEqual(await states(), stopped);
  assert.deepEqual(await one('SELECT n FROM above'), ['0'], 'the last whole step');

  for (let round = 1; round <= ROUNDS; round++) {
    await fill(round * ROWS);
    await client.query(`DELETE FROM item WHERE id < ${round * ROWS}`);
    assert.equal((await failure(client.query('FLUSH'))).code, '53200', 'it goes on saying so');
    const last = `${(round + 1) * ROWS - 1}`;
    assert.deepEqual(await one('SELECT n, last FROM counts WHERE kind = 99'), ['100', last]);
    assert.deepEqual(await states(), stopped);
    const grown = residentMib(node) - before;
    const bound = 2 * BUDGET_MIB + TABLE_MIB + MARGIN_MIB;
    assert.ok(SANITIZED || grown < bound, `${grown} MiB more, the bound is ${bound}`);
  }

  // Dropped and made again, of less, it works.
  await client.query('DROP MATERIALIZED VIEW grows CASCADE');
  await client.query('FLUSH');
  await client.query('CREATE MATERIALIZED VIEW grows AS SELECT count(*) AS n FROM item');
  await client.query('FLUSH');
  assert.deepEqual(await one('SELECT n FROM grows'), [`${ROWS}`]);
});

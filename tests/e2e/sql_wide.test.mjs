// Statements as wide as they may be, and wider: rows of very many columns.

import assert from 'node:assert/strict';
import { onNonet } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';
import { failure } from './lib/postgres_client.mjs';

const COLUMNS = 1600;
const each = (make, count = COLUMNS) => Array.from({ length: count }, (_, i) => make(i)).join(', ');

onNonet('wide SQL', { listen: { sql: 0 } }, (it) => {
  it('a table of 1600 columns is written, changed, sorted and joined', async (t, node) => {
    const client = await connectSql(t, node);
    const one = async (text) => (await client.query({ text, rowMode: 'array' })).rows[0];
    await client.query(`CREATE TABLE wide (${each((i) => `c${i} int`)}, UNIQUE (c0))`);
    await client.query(`INSERT INTO wide VALUES (${each((i) => i)})`);
    const all = each((i) => `c${i}`);
    const last = COLUMNS - 1;
    await client.query(`UPDATE wide SET c${last} = c${last} + 1`);
    await client.query(
      `INSERT INTO wide VALUES (${each((i) => i)}) ON CONFLICT (c0) DO UPDATE SET c1 = wide.c2`,
    );
    const row = await one(`SELECT ${all} FROM wide ORDER BY c0 LIMIT 1`);
    assert.deepEqual([row[1], row[last]], ['2', `${COLUMNS}`]);
    assert.equal((await one(`SELECT ${each((i) => `c${i} + 1`)} FROM wide LIMIT 1`))[0], '1');
    assert.equal((await failure(client.query(`SELECT ${all}, 1 FROM wide`))).code, '54011');
    assert.equal((await failure(client.query('SELECT * FROM wide a, wide b'))).code, '54011');
    assert.deepEqual(await one(`SELECT a.c1, b.c${last} FROM wide a JOIN wide b ON a.c0 = b.c0`), [
      '2',
      `${COLUMNS}`,
    ]);
    assert.deepEqual(await one('SELECT count(*) FROM wide a, wide b WHERE a = b'), ['1']);
    await client.query('DELETE FROM wide');
  });

  it('rows on their way are bounded, too', async (t, node) => {
    const client = await connectSql(t, node);
    await client.query(`CREATE TABLE t (${each((i) => `c${i} int`, 400)})`);
    const tables = each((i) => `t t${i}`, 200);
    const error = await failure(
      client.query(`SELECT ${each((i) => `t${i}.c7`, 200)} FROM ${tables}`),
    );
    assert.match(error.code, /^(53200|54001)$/);
    assert.equal((await client.query('SELECT 1 AS a')).rows[0].a, '1');
  });
});

// Definitions beside transactions and queries that are at work: whoever has begun on what is
// altered or dropped gives up, nothing else is disturbed, and after a kill all is as it was.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startNonet } from './lib/node.mjs';
import { pgClient } from './lib/postgres_client.mjs';

const node = (t) => startNonet(t, { listen: { sql: 0 } });
const rows = async (client, text) => (await client.query({ text, rowMode: 'array' })).rows;

// SERVER after a kill, and a client of it.
async function again(t, server) {
  await server.stop('SIGKILL');
  await server.start();
  return pgClient(t, server);
}

describe('a definition', () => {
  for (const [what, definition] of [
    ['dropped', 'DROP TABLE t'],
    ['given columns', 'ALTER TABLE t ADD COLUMN b text, ADD COLUMN c text, ADD COLUMN d text'],
    ['given a unique index', 'CREATE UNIQUE INDEX one ON t (a)'],
  ]) {
    test(`ends transactions that have rows of a table that is ${what}`, async (t) => {
      const server = await node(t);
      const [one, two] = [await pgClient(t, server), await pgClient(t, server)];
      await one.query('CREATE TABLE t (id int PRIMARY KEY, a int)');
      await one.query('INSERT INTO t VALUES (1, 1), (2, 2)');
      await one.query('BEGIN');
      await one.query('INSERT INTO t VALUES (3, 3)');
      await two.query(definition);
      await assert.rejects(one.query('COMMIT'), { code: '40001' });
      await two.query('CREATE TABLE other (id int)');
      await two.query('INSERT INTO other VALUES (1)');
      const after = await again(t, server);
      assert.deepEqual(await rows(after, 'SELECT id FROM other'), [[1]]);
      if (!/DROP/.test(definition))
        assert.deepEqual(await rows(after, 'SELECT id FROM t ORDER BY id'), [[1], [2]]);
    });

    test(`ends a statement in such a transaction, ${what}`, async (t) => {
      const server = await node(t);
      const [one, two] = [await pgClient(t, server), await pgClient(t, server)];
      await one.query('CREATE TABLE t (id int PRIMARY KEY, a int)');
      await one.query('BEGIN');
      await one.query('INSERT INTO t VALUES (3, 3)');
      await two.query(definition);
      await assert.rejects(one.query('INSERT INTO t (id, a) VALUES (4, 4)'));
      await one.query('ROLLBACK');
      await one.query('CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY, a int)');
      await one.query('INSERT INTO t (id, a) VALUES (4, 4)');
      assert.deepEqual(await rows(one, 'SELECT id, a FROM t'), [[4, 4]]);
    });
  }

  test('and commits at the same time leave what can be read back', async (t) => {
    const server = await node(t);
    const clients = [];
    for (let i = 0; i < 4; i++) clients.push(await pgClient(t, server));
    await clients[0].query('CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, a int)');
    let stop = false;
    let kept = 0;
    const writers = clients.slice(1).map(async (client) => {
      while (!stop) {
        try {
          await client.query('INSERT INTO t (a) VALUES (1)');
          kept += 1;
        } catch (error) {
          assert.equal(error.code, '40001');
        }
      }
    });
    for (let i = 0; i < 12; i++) {
      await clients[0].query(`ALTER TABLE t ADD COLUMN c${i} int DEFAULT ${i}`);
      await clients[0].query(`ALTER TABLE t DROP COLUMN c${i}`);
    }
    stop = true;
    await Promise.all(writers);
    const after = await again(t, server);
    assert.deepEqual(await rows(after, 'SELECT count(*) FROM t'), [[String(kept)]]);
    assert.deepEqual(await rows(after, 'SELECT * FROM t WHERE false'), []);
  });

  test('that rows refuse does not stop the next start', async (t) => {
    const server = await node(t);
    const client = await pgClient(t, server);
    await client.query('CREATE TABLE t (id int, a text)');
    await client.query(`INSERT INTO t VALUES (70000, 'x'), (70000, 'y')`);
    for (const [text, code] of [
      ['ALTER TABLE t ALTER COLUMN id TYPE smallint', '22003'],
      ['ALTER TABLE t ADD COLUMN b int DEFAULT 1 / 0', '22012'],
      ['ALTER TABLE t ADD COLUMN b timestamptz DEFAULT now()', '0A000'],
      ["SET TimeZone = 'Europe/Zurich'", undefined],
      ["ALTER TABLE t ADD COLUMN b timestamptz DEFAULT '2026-01-01'", '0A000'],
      ['RESET TimeZone', undefined],
      ['CREATE UNIQUE INDEX one ON t (id)', '23505'],
      ['ALTER TABLE t DROP CONSTRAINT none', '42704'],
    ])
      if (code) await assert.rejects(client.query(text), { code }, text);
      else await client.query(text);
    for (let i = 0; i < 32; i++) await client.query(`CREATE INDEX i${i} ON t (id)`);
    await assert.rejects(client.query('CREATE INDEX i32 ON t (id)'), { code: '54011' });
    const after = await again(t, server);
    assert.deepEqual(await rows(after, 'SELECT * FROM t ORDER BY a'), [
      [70000, 'x'],
      [70000, 'y'],
    ]);
    await after.query('CREATE TABLE u (id int)');
  });

  test('of a view that would read itself is refused', async (t) => {
    const client = await pgClient(t, await node(t));
    await client.query('CREATE VIEW v AS SELECT 1 AS a');
    await assert.rejects(client.query('CREATE OR REPLACE VIEW v AS SELECT a + 1 AS a FROM v'), {
      code: '42P17',
    });
    assert.deepEqual(await rows(client, 'SELECT a FROM v'), [[1]]);
  });

  test('whose client leaves, or whose time is over, is made or is not, for good', async (t) => {
    const server = await node(t);
    const client = await pgClient(t, server);
    for (let i = 0; i < 20; i++) {
      const leaving = await pgClient(t, server);
      leaving.query(`CREATE TABLE left_${i} (id int PRIMARY KEY)`).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, i % 4));
      leaving.connection.stream.destroy();
    }
    await client.query('CREATE TABLE last (id int PRIMARY KEY)');
    await client.query('INSERT INTO last VALUES (7)');
    const names = 'SELECT relname FROM pg_class WHERE relkind = $$r$$ ORDER BY relname COLLATE "C"';
    const before = await rows(client, names);
    const after = await again(t, server);
    assert.deepEqual(await rows(after, names), before);
    assert.deepEqual(await rows(after, 'SELECT * FROM last'), [[7]]);
  });
});

describe('what has begun', () => {
  test('a portal goes on by the plan it began with, and ends with its transaction', async (t) => {
    const server = await node(t);
    const [one, two] = [await pgClient(t, server), await pgClient(t, server)];
    await one.query('CREATE TABLE t (id int PRIMARY KEY, a int)');
    await one.query('INSERT INTO t SELECT g, g FROM generate_series(1, 5000) g');
    await one.query('BEGIN');
    // Executed two rows at a time, through node-postgres' own messages.
    const results = [];
    const connection = one.connection;
    const message = (name) =>
      new Promise((resolve, reject) => {
        connection.once(name, resolve);
        connection.once('errorMessage', reject);
      });
    const idle = one.query('SELECT 1');
    await idle;
    one.activeQuery = null;
    const on = (m) => results.push(m.fields.map(String));
    one.handled = true;
    connection.removeAllListeners('dataRow');
    connection.removeAllListeners('portalSuspended');
    connection.removeAllListeners('readyForQuery');
    connection.removeAllListeners('errorMessage');
    connection.removeAllListeners('commandComplete');
    connection.removeAllListeners('parseComplete');
    connection.on('dataRow', on);
    connection.on('errorMessage', () => {});
    connection.parse({ name: 's', text: 'SELECT id, a FROM t' });
    connection.bind({ portal: 'p', statement: 's', values: [], valueMapper: (v) => v });
    let suspended = message('portalSuspended');
    connection.execute({ portal: 'p', rows: 2 });
    connection.sync();
    await suspended;
    assert.equal(results.length, 2);
    await two.query('CREATE INDEX later ON t (a)');
    suspended = message('portalSuspended');
    // The same statement once more: it is bound anew, the portal goes on.
    connection.bind({ portal: 'q', statement: 's', values: [], valueMapper: (v) => v });
    connection.execute({ portal: 'q', rows: 1 });
    connection.sync();
    await suspended;
    // A pipeline that ends the transaction and asks the portal for more.
    connection.parse({ name: 'e', text: 'COMMIT' });
    connection.bind({ portal: 'c', statement: 'e', values: [], valueMapper: (v) => v });
    connection.execute({ portal: 'c', rows: 0 });
    const failed = new Promise((resolve) => connection.once('errorMessage', resolve));
    connection.execute({ portal: 'p', rows: 4000 });
    connection.sync();
    await failed;
    assert.deepEqual(await rows(two, 'SELECT count(*) FROM t'), [['5000']]);
  });

  test('a look-up goes on while its rows are deleted, vacuumed and the index goes', async (t) => {
    const server = await node(t);
    const [one, two] = [await pgClient(t, server), await pgClient(t, server)];
    await one.query('CREATE TABLE t (id int, k int)');
    await one.query('CREATE INDEX by_k ON t (k)');
    await one.query('INSERT INTO t SELECT g, 1 FROM generate_series(1, 20000) g');
    const reading = [];
    for (let i = 0; i < 20; i++) {
      reading.push(one.query('SELECT count(*) FROM t WHERE k = 1').catch((e) => e));
    }
    await two.query('DELETE FROM t WHERE id % 2 = 0');
    await new Promise((resolve) => setTimeout(resolve, 150));
    await two.query('DROP INDEX by_k');
    for (const answer of await Promise.all(reading))
      assert.ok(
        answer.code === '40001' || ['20000', '10000'].includes(answer.rows[0].count),
        answer,
      );
    assert.deepEqual(await rows(two, 'SELECT count(*) FROM t WHERE k = 1'), [['10000']]);
  });

  test('EXECUTE of another statement of the same name is refused, not misread', async (t) => {
    const server = await node(t);
    const client = await pgClient(t, server);
    await client.query('PREPARE p AS SELECT 1 AS a, 2 AS b');
    const e = { name: 'e', text: 'EXECUTE p', rowMode: 'array' };
    assert.deepEqual((await client.query(e)).rows, [[1, 2]]);
    await client.query('DEALLOCATE p');
    await assert.rejects(client.query(e), { code: '26000' });
    await client.query('PREPARE p AS SELECT 5 AS a');
    await assert.rejects(client.query(e), { code: '0A000' });
    await client.query('PREPARE q(int) AS SELECT $1 + 1');
    assert.deepEqual(await rows(client, 'EXECUTE q(4)'), [[5]]);
  });
});

describe('rows', () => {
  test('keys that change places, NULLs, numerics of another scale, one key twice', async (t) => {
    const server = await node(t);
    const client = await pgClient(t, server);
    await client.query('CREATE TABLE t (id int PRIMARY KEY, n numeric UNIQUE, a int)');
    await client.query('INSERT INTO t VALUES (1, 1.0, 1), (2, NULL, 2), (3, NULL, 3)');
    await client.query('UPDATE t SET id = CASE id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE id END');
    assert.deepEqual(await rows(client, 'SELECT id, n FROM t ORDER BY id'), [
      [1, null],
      [2, '1.0'],
      [3, null],
    ]);
    await assert.rejects(client.query('INSERT INTO t VALUES (4, 1.00, 4)'), { code: '23505' });
    assert.deepEqual(await rows(client, 'SELECT id FROM t WHERE n = 1.000'), [[2]]);
    assert.deepEqual(await rows(client, 'SELECT id FROM t WHERE n = NULL'), []);
    await assert.rejects(
      client.query(
        'INSERT INTO t VALUES (9, 9, 1), (9, 9, 2) ON CONFLICT (id) DO UPDATE SET a = excluded.a',
      ),
      { code: '21000' },
    );
    await client.query('INSERT INTO t VALUES (9, 9, 1), (9, 9, 2) ON CONFLICT DO NOTHING');
    assert.deepEqual(await rows(client, 'SELECT a FROM t WHERE id = 9'), [[1]]);
    assert.deepEqual(
      (
        await client.query(
          'UPDATE t SET a = x.v FROM (VALUES (9, 5), (9, 5)) x(id, v) WHERE x.id = t.id',
        )
      ).rowCount,
      1,
    );
    assert.deepEqual(await rows(client, 'SELECT a FROM t WHERE id = 9'), [[5]]);
    const gone = await client.query(
      'DELETE FROM t USING (VALUES (9), (9), (3)) x(id) WHERE x.id = t.id RETURNING t.id',
    );
    assert.deepEqual(gone.rows.map((r) => r.id).sort(), [3, 9]);
  });
});

// What the database keeps of itself in stream SQL: checkpoints, after which what is older is let
// go, and what a start makes of them, also after kills at any moment.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const MIB = 1024 * 1024;

async function rows(client, text) {
  return (await client.query({ text, rowMode: 'array' })).rows;
}

async function state(t, node, stream = 'SQL') {
  const nats = await node.connect(t);
  const answer = (await nats.request(`$JS.API.STREAM.INFO.${stream}`)).json();
  await nats.close();
  return answer.state;
}

// Row KEY of table `fat` is written again and again: about 128 KiB a time.
const FAT = 'CREATE TABLE fat (id int PRIMARY KEY, n int, body text)';
const write = (client, key, n) =>
  client.query(
    `INSERT INTO fat VALUES (${key}, ${n}, repeat('x', 131072))
       ON CONFLICT (id) DO UPDATE SET n = excluded.n, body = excluded.body`,
  );

// What a person sees of the database, and what programs do.
async function everything(client) {
  const texts = [
    'SELECT id, n, length(body) FROM fat ORDER BY id',
    'SELECT * FROM item ORDER BY id',
    'SELECT * FROM item', // the order of the rows
    'SELECT * FROM other.dropped_column',
    'SELECT * FROM price ORDER BY 1',
    'SELECT * FROM by_colour ORDER BY 1',
    'SELECT * FROM shown ORDER BY 1',
    'SELECT twice(4)',
    `SELECT oid, relname, relkind FROM pg_class WHERE oid >= 16384 ORDER BY 1`,
    `SELECT attrelid, attname, attnum, atttypid, attnotnull FROM pg_attribute
       WHERE attrelid >= 16384 AND attnum > 0 ORDER BY 1, 3`,
    `SELECT oid, typname FROM pg_type WHERE oid >= 16384 ORDER BY 1`,
    `SELECT indexrelid, indrelid, indisunique, indisprimary, indkey FROM pg_index
       WHERE indrelid >= 16384 ORDER BY 1`,
    `SELECT obj_description('item'::regclass)`,
  ];
  const all = [];
  for (const text of texts) all.push(await rows(client, text));
  return all;
}

test('stream SQL shrinks, and a start from it gives the same database', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  let client = await connectSql(t, node);
  for (const text of [
    `CREATE TYPE colour AS ENUM ('red', 'green')`,
    'CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS $$ SELECT 2 * n $$',
    'CREATE SCHEMA other',
    'CREATE TABLE gone (id int)',
    FAT,
    `CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, c colour,
       name text DEFAULT 'no''name' NOT NULL, size numeric CHECK (size > 0))`,
    `COMMENT ON TABLE item IS 'things'`,
    `INSERT INTO item (c, size) VALUES ('red', 1), ('green', 2.50), ('red', 3)`,
    'DELETE FROM item WHERE id = 3', // its number is not given again
    `UPDATE item SET size = 4 WHERE id = 1`,
    'CREATE TABLE other.dropped_column (a int, b text, c int)',
    `INSERT INTO other.dropped_column VALUES (1, 'b', 2)`,
    'ALTER TABLE other.dropped_column DROP COLUMN b',
    `ALTER TABLE other.dropped_column ADD COLUMN d text DEFAULT 'later'`,
    'CREATE TABLE cost (v int)',
    'ALTER TABLE cost RENAME TO price',
    'INSERT INTO price VALUES (5), (6)',
    'CREATE INDEX by_name ON item (name)',
    'CREATE UNIQUE INDEX to_drop ON item (size)',
    'DROP INDEX to_drop',
    'CREATE VIEW shown AS SELECT id, twice(id::int) FROM item',
    'CREATE MATERIALIZED VIEW by_colour AS SELECT c, count(*), sum(size) FROM item GROUP BY c',
    'CREATE INDEX by_count ON by_colour (count)',
    'DROP TABLE gone',
  ])
    await client.query(text);
  await assert.rejects(client.query('INSERT INTO item (size) VALUES (-1)'), /check constraint/);
  for (let i = 0; i < 280; i++) await write(client, i % 10, i);
  await client.query('CREATE TABLE behind (id int)');
  await client.query('INSERT INTO behind VALUES (7)');
  // 35 MiB were written; what the tables hold are less than 2.
  await until(async () => (await state(t, node)).first_seq > 25, 'a checkpoint');
  assert((await state(t, node)).bytes < 22 * MIB);

  const expected = await everything(client);
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGKILL']) {
    await node.stop(signal);
    await node.start();
    client = await connectSql(t, node);
    assert.deepEqual(await everything(client), expected);
    assert.deepEqual(await rows(client, 'SELECT id FROM behind'), [['7']]);
  }
  // Everything goes on where it was.
  await client.query(`INSERT INTO item (c, size) VALUES ('green', 9)`);
  assert.deepEqual(await rows(client, 'SELECT id, name FROM item WHERE size = 9'), [
    [expected[1].length === 2 && '5', `no'name`],
  ]);
  assert.deepEqual(await rows(client, `SELECT count, sum FROM by_colour WHERE c::text = 'green'`), [
    ['2', '11.50'],
  ]);
  await assert.rejects(client.query('INSERT INTO item (size) VALUES (-1)'), /check constraint/);
  await assert.rejects(client.query('INSERT INTO fat VALUES (1, 1)'), /duplicate key/);
  await client.query('CREATE TABLE gone (id int)');
  const oids = await rows(client, `SELECT max(oid) = 'gone'::regclass FROM pg_class`);
  assert.deepEqual(oids, [['t']]);
});

test('statements go on while a checkpoint is copied, definitions too', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  let client = await connectSql(t, node);
  await client.query(FAT);
  await client.query('CREATE TABLE many (id int PRIMARY KEY, body text)');
  await client.query('CREATE TABLE count (id int PRIMARY KEY, n int)');
  await client.query('INSERT INTO count SELECT i, 0 FROM generate_series(1, 1000) i');
  await client.query(
    `INSERT INTO many SELECT i, repeat('y', 1000) FROM generate_series(1, 12000) i`,
  );
  const before = (await state(t, node)).first_seq;
  const other = await connectSql(t, node);
  let shrunk = false,
    n = 0;
  // Rows change, tables are rewritten, dropped and made on all sides of the moment.
  for (; !shrunk && n < 60; n++) {
    const all = await Promise.allSettled([
      write(client, n % 3, n),
      other.query(`UPDATE count SET n = n + 1`),
      other.query(`DELETE FROM many WHERE id % 97 = ${n}`),
      other.query(`CREATE TABLE t${n} AS SELECT ${n} AS n`),
      other.query(`ALTER TABLE many ADD COLUMN c${n} int DEFAULT ${n}`),
      n ? other.query(`DROP TABLE t${n - 1}`) : null,
    ]);
    for (const { reason } of all) assert.ifError(reason);
    if (n % 5 === 0) shrunk = (await state(t, node)).first_seq > before;
  }
  assert(shrunk, 'a checkpoint');
  const told = async () => [
    await rows(client, 'SELECT id, n, length(body) FROM fat ORDER BY id'),
    await rows(client, `SELECT count(*), sum(id), sum(c0), sum(c${n - 1}) FROM many`),
    await rows(client, 'SELECT sum(n), count(DISTINCT n) FROM count'),
    await rows(client, `SELECT * FROM t${n - 1}`),
  ];

  const expected = await told();
  assert.deepEqual(expected[2], [[String(1000 * n), '1']]);
  await node.stop('SIGKILL');
  await node.start();
  client = await connectSql(t, node);
  assert.deepEqual(await told(), expected);
});

// Writers say what was acknowledged; each kill comes at another moment of writing and copying.
test('what was acknowledged is there exactly, whenever the node is killed', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  let client = await connectSql(t, node);
  await client.query(FAT);
  await client.query(
    `CREATE TABLE step (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int, n int)`,
  );
  await client.query('CREATE TABLE pair (a int, b int)');
  await client.query(
    'CREATE MATERIALIZED VIEW total AS SELECT writer, count(*), max(n) FROM step GROUP BY writer',
  );
  const done = [0, 0, 0]; // acknowledged steps of each writer
  const firsts = new Set();
  for (let kill = 0; kill < 4; kill++) {
    let killed = false;
    const writer = async (w) => {
      const own = await connectSql(t, node);
      own.on('error', () => {});
      try {
        for (let n = done[w] + 1; !killed; n++) {
          // One transaction: all of it or nothing.
          await own.query(
            `BEGIN; INSERT INTO step (writer, n) VALUES (${w}, ${n});
             DELETE FROM pair WHERE a = ${w}; INSERT INTO pair VALUES (${w}, ${n});
             INSERT INTO fat VALUES (${w}, ${n}, repeat('x', 131072))
               ON CONFLICT (id) DO UPDATE SET n = excluded.n, body = excluded.body; COMMIT`,
          );
          done[w] = n;
        }
      } catch (error) {
        if (!killed) throw error;
      }
    };
    const writers = [0, 1, 2].map(writer);
    const goal = done[0] + done[1] + done[2] + 90 + 47 * kill;
    await until(() => done[0] + done[1] + done[2] >= goal, 'writes');
    killed = true;
    await node.stop('SIGKILL');
    await Promise.all(writers);
    await node.start();
    client = await connectSql(t, node);
    firsts.add((await state(t, node)).first_seq);
    const there = await rows(
      client,
      `SELECT s.writer, max(s.n), count(*), count(DISTINCT s.id), p.b, f.n, t.count, t.max
         FROM step s JOIN pair p ON p.a = s.writer JOIN fat f ON f.id = s.writer
         JOIN total t ON t.writer = s.writer
         GROUP BY s.writer, p.b, f.n, t.count, t.max ORDER BY 1`,
    );
    assert.equal(there.length, 3);
    for (const [w, last, ...same] of there) {
      // At most the one that was not answered is there too.
      assert([done[w], done[w] + 1].includes(Number(last)), `${w}: ${done[w]}, ${last}`);
      for (const value of same) assert.equal(value, last);
      done[w] = Number(last);
    }
  }
  assert(firsts.size > 1, `checkpoints on the way: ${[...firsts]}`);
});

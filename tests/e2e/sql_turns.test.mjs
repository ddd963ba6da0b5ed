// Sessions share one loop: a query that takes long steps aside in the midst of its work, the others
// are served, and what they change meanwhile is not what it reads.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import Cursor from 'pg-cursor';
import { startNonet } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const code = (promise) =>
  promise.then(
    () => 'none',
    (error) => error.code,
  );
const one = async (client, text) => (await client.query(text)).rows[0];
const ENDLESS = 'SELECT count(*) FROM generate_series(1, 100000000000)';

// CancelRequest, on a connection of its own.
async function cancel(client) {
  const socket = net.connect(client.port, client.host);
  const request = Buffer.alloc(16);
  [16, 80877102, client.processID, client.secretKey].forEach((word, i) =>
    request.writeInt32BE(word, 4 * i),
  );
  socket.end(request);
  await once(socket.resume(), 'close');
}

test('an endless query holds nobody up, and is cancelled', { timeout: 60_000 }, async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
  for (const text of [
    ENDLESS,
    'SELECT count(*) FROM generate_series(1, 1000000) x, generate_series(1, 1000000) y',
    'SELECT * FROM generate_series(1, 9000) x, generate_series(1, 100000000) y WHERE x + y < 0',
    'WITH g AS MATERIALIZED (SELECT g FROM generate_series(1, 200000) g) ' +
      'SELECT max(g) OVER (ORDER BY g ROWS BETWEEN 190000 PRECEDING AND CURRENT ROW) FROM g',
  ]) {
    const endless = code(a.query(text));
    for (let i = 1; i <= 20; i++)
      assert.equal((await one(b, `SELECT ${i} AS x`)).x, String(i), text);
    await cancel(a);
    assert.equal(await endless, '57014', text);
    assert.equal((await one(a, 'SELECT 2 AS x')).x, '2', 'its session goes on');
  }
  await a.query("SET statement_timeout = '200ms'");
  assert.equal(await code(a.query(ENDLESS)), '57014');
  // A client that leaves takes its query with it.
  const left = await connectSql(t, node);
  left.query(ENDLESS).catch(() => {});
  await one(b, 'SELECT 1 AS x');
  left.connection.stream.destroy();
  assert.equal((await one(b, 'SELECT 1 AS x')).x, '1');
});

test('many rows are sorted in pieces', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const a = await connectSql(t, node);
  const { rows } = await a.query(
    'SELECT g * 7919 % 50021 AS h, g FROM generate_series(1, 50000) g ORDER BY h DESC',
  );
  assert.equal(rows.length, 50000);
  for (let i = 1; i < rows.length; i++) assert.ok(Number(rows[i - 1].h) > Number(rows[i].h));
});

test('what changes while a query rests is not what it reads', { timeout: 60_000 }, async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
  await a.query('CREATE TABLE t (id int PRIMARY KEY, name text, v int)');
  await a.query("INSERT INTO t SELECT g, repeat('n', 20) || g, 1 FROM generate_series(1, 3000) g");
  let running = true;
  const sum = one(
    a,
    'SELECT sum(v * (g - g + 1)) AS s, max(length(name)) AS l FROM generate_series(1, 1000) g, t',
  ).finally(() => (running = false));
  let changes = 0;
  while (running) {
    await b.query(`UPDATE t SET v = v + 1, name = repeat('m', 40) WHERE id <= 1500`);
    changes++;
  }
  assert.ok(changes > 0);
  assert.deepEqual(await sum, { s: '3000000', l: '24' });

  // One whose table goes is told so; or it had all of it.
  for (const gone of ['TRUNCATE t', 'ALTER TABLE t ADD COLUMN w int DEFAULT 7', 'DROP TABLE t']) {
    await b.query(
      "INSERT INTO t SELECT g, 'x', 1 FROM generate_series(5000, 8000) g ON CONFLICT DO NOTHING",
    );
    const long = a.query(
      'SELECT count(*) FROM generate_series(1, 1000) g, t WHERE length(name) > g',
    );
    const outcome = code(long);
    await one(b, 'SELECT 1 AS x');
    await b.query(gone);
    assert.match(await outcome, /^(none|40001)$/, gone);
    assert.equal((await one(a, 'SELECT 3 AS x')).x, '3');
  }
});

test('a portal reads what was there when it was opened', async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const [a, b] = [await connectSql(t, node), await connectSql(t, node)];
  await a.query('CREATE TABLE t (id int, v text)');
  await a.query("INSERT INTO t SELECT g, 'old' FROM generate_series(1, 5000) g");
  await a.query('BEGIN');
  await a.query("INSERT INTO t SELECT g, 'own' FROM generate_series(5001, 9000) g");
  const cursor = a.query(new Cursor('SELECT id, v FROM t, generate_series(1, 2)'));
  const seen = [];
  for (let at = 0; ; at++) {
    const rows = await cursor.read(1500);
    if (!rows.length) break;
    seen.push(...rows);
    await b.query(`UPDATE t SET v = 'new' WHERE id % 4 = ${at % 4}`);
  }
  await cursor.close();
  await a.query('ROLLBACK');
  assert.equal(seen.length, 18000);
  assert.equal(seen.filter((row) => row.v === 'old').length, 10000);
  assert.equal(seen.filter((row) => row.v === 'own').length, 8000);

  // A block that ends takes its portals along.
  await a.query('BEGIN');
  const open = a.query(new Cursor('SELECT id, v FROM t, generate_series(1, 2)'));
  assert.equal((await open.read(10)).length, 10);
  await a.connection.stream.destroy();
  assert.equal((await one(b, 'SELECT count(*) AS n FROM t')).n, '5000');
});

test('a view that would never end its step stops, and says so', { timeout: 60_000 }, async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const a = await connectSql(t, node);
  await a.query(`CREATE MATERIALIZED VIEW endless AS ${ENDLESS}`);
  const { state, error } = await one(a, "SELECT * FROM nonet_views WHERE name = 'endless'");
  assert.equal(state, 'failed');
  assert.match(error, /one step of it took more than/);
  assert.equal((await one(a, 'SELECT 1 AS x')).x, '1');
  assert.equal(await code(a.query('FLUSH')), '57014');
});

test('a client that does not hang up does not hold up a stop', async (t) => {
  const config = 'limits: {drain_timeout: 2s}\n';
  const node = await startNonet(t, { listen: { sql: 0 }, config });
  const a = await connectSql(t, node);
  const idle = net.connect({ host: a.host, port: a.port, allowHalfOpen: true });
  t.after(() => idle.destroy());
  idle.write(Buffer.from('\0\0\0\x14\0\x03\0\0user\0nonet\0\0', 'latin1'));
  let told = '';
  idle.on('data', (bytes) => (told += bytes.toString('latin1')));
  while (!told.includes('Z\0\0\0\x05I')) await once(idle, 'data');
  await a.end();
  await node.stop();
  assert.match(told, /57P01/);
  assert.doesNotMatch(node.log, /drain ended before all clients had gone/);
});

test('who comes while the database is read back waits for it', { timeout: 60_000 }, async (t) => {
  const node = await startNonet(t, { listen: { sql: 0 } });
  const a = await connectSql(t, node);
  await a.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
  await a.query("INSERT INTO t SELECT g, repeat('v', 50) FROM generate_series(1, 400000) g");
  await node.stop('SIGKILL');
  await node.start({ ...node.options, config: 'limits: {auth_timeout: 100ms}\n' });
  const b = await connectSql(t, node);
  assert.equal((await one(b, 'SELECT count(*) AS n FROM t')).n, '400000');
});

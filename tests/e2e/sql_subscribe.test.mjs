// SUBSCRIBE: the rows of a view, a table or a query, and then their changes, over the PostgreSQL
// wire: streamed, by portal, by COPY and by cursor; what ends it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import pg from 'pg';
import { startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';
import { failure, int32, psql, row, text, types, Wire } from './lib/postgres_client.mjs';

const CONFIG = `
streams:
  BIDS: {subjects: ["bid.>"]}
`;

const BID = `CREATE TABLE bid (auction bigint, price numeric) WITH (subject = 'bid.>')`;
const BEST = `CREATE MATERIALIZED VIEW best AS
  SELECT auction, max(price) AS price, count(*) AS bids FROM bid GROUP BY auction`;

async function open(t, options = {}) {
  const server = await startNonet(t, { config: CONFIG, ...options, listen: { sql: 0 } });
  return { server, client: await connectSql(t, server), nats: await server.connect(t) };
}

const bid = (nats, auction, price) => nats.request('bid.new', JSON.stringify({ auction, price }));

async function rows(client, sql) {
  return (await client.query({ text: sql, rowMode: 'array' })).rows;
}

// A SUBSCRIBE of its own session: `rows` has what came, `ended` its error.
async function subscribe(t, server, sql, values) {
  const client = await connectSql(t, server);
  const told = { client, rows: [], ended: null, process: client.processID };
  const query = new pg.Query({ text: sql, values, rowMode: 'array' });
  query.on('row', (each) => told.rows.push(each));
  query.on('error', (error) => (told.ended = error));
  client.query(query);
  told.until = (count) => until(() => told.rows.length >= count || told.ended, `${count} rows`);
  told.end = () => until(() => told.ended, 'the end');
  return told;
}

// What is there after all changes: the rows by their text, each as often as it is there.
function fold(changes, own = 2) {
  const there = new Map();
  for (const change of changes) {
    const diff = Number(change[own - 1]);
    const key = JSON.stringify(change.slice(own));
    there.set(key, (there.get(key) ?? 0) + diff);
    assert.ok(there.get(key) >= 0, `taken away before it came: ${key}`);
    if (there.get(key) === 0) there.delete(key);
  }
  return [...there].flatMap(([key, count]) => Array(count).fill(key)).sort();
}

const sorted = (list) => list.map((each) => JSON.stringify(each)).sort();

describe('SUBSCRIBE', () => {
  test('tells the rows of a view, and then each of its changes', async (t) => {
    const { server, client, nats } = await open(t);
    await client.query(BID);
    await client.query(BEST);
    await bid(nats, 1, 10);
    await bid(nats, 2, 5);
    await client.query('FLUSH');
    const told = await subscribe(t, server, 'SUBSCRIBE TO best');
    await told.until(2);
    assert.deepEqual(sorted(told.rows.map((each) => each.slice(1))), [
      '["1","1","10","1"]',
      '["1","2","5","1"]',
    ]);
    const position = told.rows[0][0];
    assert.ok(Number(position) > 0 && told.rows[1][0] === position, 'of one position');
    await bid(nats, 1, 12);
    await told.until(4);
    assert.deepEqual(
      told.rows.slice(2).map((each) => each.slice(1)),
      [
        ['-1', '1', '10', '1'],
        ['1', '1', '12', '2'],
      ],
    );
    assert.ok(Number(told.rows[2][0]) > Number(position));
    // Changes of many are those that a reader sees.
    for (let i = 0; i < 200; i++) nats.publish('bid.new', `{"auction":${i % 7},"price":${i % 31}}`);
    await bid(nats, 3, 1000);
    await client.query('FLUSH');
    const expected = sorted(await rows(client, 'SELECT * FROM best'));
    await until(
      () => JSON.stringify(fold(told.rows)) === JSON.stringify(expected),
      'the fold of the changes to be the view',
    );
    assert.equal(told.ended, null);
  });

  test('of a table follows commits, and begins by its WITH', async (t) => {
    const { server, client } = await open(t);
    await client.query('CREATE TABLE item (id int PRIMARY KEY, name text)');
    await client.query(`INSERT INTO item VALUES (1, 'chair'), (2, NULL)`);
    const all = await subscribe(t, server, 'SUBSCRIBE item WITH (PROGRESS)');
    const later = await subscribe(t, server, 'SUBSCRIBE item WITH (SNAPSHOT = false)');
    const some = await subscribe(t, server, 'SUBSCRIBE (SELECT name FROM item WHERE id = $1)', [2]);
    await all.until(3);
    await some.until(1);
    assert.deepEqual(all.rows[2].slice(1), ['t', null, null, null]);
    await client.query('BEGIN');
    await client.query(`UPDATE item SET name = 'bed' WHERE id = 2`);
    await client.query('DELETE FROM item WHERE id = 1');
    await client.query('COMMIT');
    await Promise.all([all.until(7), later.until(3), some.until(3)]);
    assert.deepEqual(sorted(later.rows.map((each) => each.slice(1))), [
      '["-1","1","chair"]',
      '["-1","2",null]',
      '["1","2","bed"]',
    ]);
    assert.equal(new Set(later.rows.map((each) => each[0])).size, 1, 'a commit has one position');
    assert.deepEqual(
      fold(
        all.rows.filter((each) => each[1] === 'f'),
        3,
      ),
      ['["2","bed"]'],
    );
    assert.deepEqual(fold(some.rows), ['["bed"]']);
    // Its own transaction's changes are not there yet.
    await client.query('BEGIN');
    await client.query('DELETE FROM item');
    assert.equal((await failure(client.query('SUBSCRIBE item'))).code, '25001');
    await client.query('ROLLBACK');
    // Another form, and no form.
    await client.query('ALTER TABLE item ADD COLUMN price int');
    await all.end();
    assert.equal(all.ended.code, '55000');
    const again = await subscribe(t, server, 'SUBSCRIBE item');
    await again.until(1);
    await client.query('DROP TABLE item');
    await again.end();
    assert.equal(again.ended.code, '55000');
  });

  test('of a query that is no view reads streams and tables by itself', async (t) => {
    const { server, client, nats } = await open(t);
    await client.query(BID);
    await client.query('CREATE TABLE item (id bigint PRIMARY KEY, name text)');
    await client.query(`INSERT INTO item VALUES (1, 'chair'), (2, 'table')`);
    for (let i = 0; i < 50; i++) await bid(nats, 1 + (i % 3), i);
    const query = `SELECT name, max(price) FROM item LEFT JOIN bid ON auction = id GROUP BY name`;
    const told = await subscribe(t, server, `SUBSCRIBE TO (${query})`);
    await told.until(2);
    assert.deepEqual(fold(told.rows), ['["chair","48"]', '["table","49"]']);
    assert.equal(told.rows.length, 2, 'what came before is told once');
    await bid(nats, 1, 100);
    await client.query(`INSERT INTO item VALUES (3, 'bed')`);
    const expected = sorted(await rows(client, query));
    await until(() => `${fold(told.rows)}` === `${expected}`, 'the change');
    // A left join gives and takes back within a step: that is not told.
    assert.ok(!told.rows.some((each) => each[2] === 'bed' && each[3] === null));
    // Nothing of it is a view.
    assert.deepEqual(await rows(client, 'SELECT name FROM nonet_views'), []);
    await client.query('FLUSH');
  });

  test('ends when it is cancelled, fails, or cannot be', async (t) => {
    const { server, client, nats } = await open(t);
    await client.query(BID);
    await client.query('CREATE MATERIALIZED VIEW inverse AS SELECT 1 / price AS x FROM bid');
    await client.query('CREATE MATERIALIZED VIEW above AS SELECT count(*) FROM inverse');
    const wrong = [
      ['SUBSCRIBE', '42601'],
      ['SUBSCRIBE TO', '42601'],
      ['SUBSCRIBE (SELECT 1', '42601'],
      ['SUBSCRIBE SELECT 1', '42601'],
      ['SUBSCRIBE nothing', '42P01'],
      ['SUBSCRIBE inverse AS OF 12', '0A000'],
      ['SUBSCRIBE inverse UP TO 12', '0A000'],
      ['SUBSCRIBE inverse ENVELOPE UPSERT (KEY (x))', '0A000'],
      ['SUBSCRIBE inverse WITH (SPEED = 3)', '22023'],
      ['SUBSCRIBE inverse WITH (SNAPSHOT = perhaps)', '22023'],
      ['SUBSCRIBE (SELECT now(), x FROM inverse)', '0A000'],
      ['SUBSCRIBE pg_class', '0A000'],
      ['CREATE MATERIALIZED VIEW x AS SELECT count(*) FROM nonet_views', '0A000'],
      ['SUBSCRIBE (SELECT random(), x FROM inverse)', '0A000'],
      ['SUBSCRIBE (INSERT INTO bid VALUES (1))', '42601'],
    ];
    for (const [sql, code] of wrong) {
      assert.equal((await failure(client.query(sql))).code, code, sql);
    }
    const first = await subscribe(t, server, 'SUBSCRIBE inverse');
    const second = await subscribe(t, server, 'SUBSCRIBE (SELECT * FROM above)');
    await second.until(1);
    await first.client.cancel?.(first.client, null);
    const { host, port } = first.client;
    const wire = await Wire.open(t, server, { start: false });
    const key = Buffer.alloc(8);
    key.writeInt32BE(first.client.processID, 0);
    key.writeInt32BE(first.client.secretKey, 4);
    wire.request(80877102, key);
    await first.end();
    assert.equal(first.ended.code, '57014', `${host}:${port}`);
    assert.deepEqual(await rows(first.client, 'SELECT 1'), [['1']], 'the session goes on');
    await bid(nats, 1, 0);
    await second.end();
    assert.match(second.ended.message, /division by zero/);
    // The node stops all the same.
    const third = await subscribe(t, server, 'SUBSCRIBE (SELECT auction FROM bid)');
    await third.until(1);
    const exit = await server.stop();
    assert.equal(exit.status, 0);
    assert.ok(third.ended);
  });

  test('is read by portal, by COPY and by cursor', async (t) => {
    const { server, client } = await open(t);
    await client.query('CREATE TABLE item (id int, name text)');
    await client.query(`INSERT INTO item SELECT i, 'n' || i FROM generate_series(1, 5) i`);
    const wire = await Wire.open(t, server);
    wire.send(
      ['P', text(''), text('SUBSCRIBE item'), Buffer.from([0, 0])],
      ['B', text('p'), text(''), Buffer.alloc(6)],
      ['E', text('p'), int32(2)],
      ['H'],
    );
    assert.equal(types(await wire.until('s')), '1 2 D D s');
    wire.send(['E', text('p'), int32(2)], ['H']);
    assert.equal(types(await wire.until('s')), 'D D s');
    wire.send(['E', text('p'), int32(2)], ['H']);
    assert.deepEqual(row(await wire.next()).slice(1), ['1', '5', 'n5']);
    await client.query(`INSERT INTO item VALUES (6, 'n6')`);
    assert.deepEqual(row(await wire.next()).slice(1), ['1', '6', 'n6']);
    assert.equal((await wire.next()).type, 's');

    await client.query('BEGIN');
    await client.query('DECLARE c CURSOR FOR SUBSCRIBE item WITH (SNAPSHOT = true)');
    assert.equal((await rows(client, 'FETCH 4 c')).length, 4);
    assert.equal((await rows(client, 'FETCH ALL c')).length, 2);
    const other = await connectSql(t, server);
    const waits = rows(client, 'FETCH 10 c');
    await other.query('DELETE FROM item WHERE id < 3');
    assert.deepEqual(
      (await waits).map((each) => each.slice(1)),
      [
        ['-1', '1', 'n1'],
        ['-1', '2', 'n2'],
      ],
    );
    await client.query('COMMIT');

    // It has no end but this one.
    const copied = await psql(
      server,
      `SET statement_timeout = 500;\nCOPY (SUBSCRIBE TO item) TO STDOUT WITH (FORMAT csv);`,
    );
    assert.match(copied.stderr, /statement timeout/);
    assert.match(copied.stdout, /^\d+,1,3,n3\n\d+,1,4,n4\n\d+,1,5,n5\n\d+,1,6,n6\n$/);
  });

  test('gives up on a client that does not read, and holds nothing back', async (t) => {
    const { server, client } = await open(t, {
      config: `${CONFIG}\nsql: {subscription_buffer: 1MB}\n`,
    });
    await client.query('CREATE TABLE item (id int, body text)');
    const wire = await Wire.open(t, server);
    wire.send(['Q', text('SUBSCRIBE item')]);
    await wire.until('T');
    wire.socket.pause();
    for (let i = 0; i < 30; i++) {
      await client.query(
        `INSERT INTO item SELECT i, repeat('x', 1000) FROM generate_series(1, 1000) i`,
      );
    }
    assert.deepEqual(await rows(client, 'SELECT count(*) FROM item'), [['30000']]);
    wire.socket.resume();
    const last = (await wire.until('Z')).at(-2);
    assert.equal(last.type, 'E');
    assert.match(last.body.toString(), /53400/);
    assert.match(last.body.toString(), /subscription_buffer/);
  });
});

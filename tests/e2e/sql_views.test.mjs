// Materialized views as a client sees them: over streams, stored tables and each other, through
// kills; what is wrong with a record, a row or a stream, and what the view then says.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const CONFIG = `
streams:
  BIDS: {subjects: ["bid.>"]}
`;

const node = (t) => startNonet(t, { config: CONFIG, listen: { sql: 0 } });

async function rows(client, text) {
  return (await client.query({ text, rowMode: 'array' })).rows;
}

// What the log has is in the views when this returns.
async function publish(t, server, client, records) {
  const nats = await server.connect(t);
  for (const record of records) {
    // Answered when it is on disk.
    await nats.request('bid.new', typeof record === 'string' ? record : JSON.stringify(record));
  }
  await client.query('FLUSH');
}

const BID = `CREATE TABLE bid (auction bigint, price numeric, date_time timestamp(3), city text,
    nonet_sequence bigint)
  WITH (subject = 'bid.>', path.city = '/address/city',
        watermark = 'date_time - interval ''4 s''')`;

describe('views over streams', () => {
  test('are kept up to date, read by key, and are the same after a kill', async (t) => {
    const server = await node(t);
    let client = await connectSql(t, server);
    await client.query(BID);
    await publish(t, server, client, [{ auction: 1, price: 100.5 }]);
    await client.query(
      `CREATE MATERIALIZED VIEW best AS
         SELECT auction, max(price) AS price, count(*) AS bids FROM bid GROUP BY auction`,
    );
    await client.query('CREATE TABLE item (id bigint PRIMARY KEY, name text)');
    await client.query(`INSERT INTO item VALUES (1, 'chair'), (2, 'table')`);
    await client.query(
      `CREATE MATERIALIZED VIEW shown AS
         SELECT i.id, i.name, b.price FROM item i LEFT JOIN best b ON b.auction = i.id`,
    );
    await client.query('CREATE INDEX by_name ON shown (name)');
    await publish(t, server, client, [
      { auction: 1, price: '120' },
      { auction: 2, price: 7, address: { city: 'Ulm' } },
    ]);
    await client.query(`UPDATE item SET name = 'armchair' WHERE id = 1`);
    const expected = [
      ['1', 'armchair', '120'],
      ['2', 'table', '7'],
    ];
    for (let kills = 0; kills < 2; kills++) {
      await client.query('FLUSH');
      assert.deepEqual(await rows(client, 'SELECT * FROM shown ORDER BY id'), expected);
      assert.deepEqual(await rows(client, `SELECT id FROM shown WHERE name = 'table'`), [['2']]);
      assert.deepEqual(await rows(client, 'SELECT bids FROM best WHERE auction = 1'), [['2']]);
      assert.deepEqual(await rows(client, `SELECT nonet_sequence FROM bid WHERE city = 'Ulm'`), [
        ['3'],
      ]);
      const plan = await rows(client, 'EXPLAIN SELECT * FROM best WHERE auction = 1');
      assert.match(plan[0][0], /by index where auction = /);
      await server.stop('SIGKILL');
      await server.start();
      client = await connectSql(t, server);
    }
  });

  test('say what is wrong', async (t) => {
    const server = await node(t);
    const client = await connectSql(t, server);
    await client.query(BID);
    await client.query('CREATE MATERIALIZED VIEW inverse AS SELECT 1 / price AS x FROM bid');
    await client.query('CREATE MATERIALIZED VIEW above AS SELECT count(*) FROM inverse');
    await publish(t, server, client, [{ price: 4 }, 'no JSON', { price: 'many' }, { price: null }]);
    const status = `SELECT state, rows, bad_records, error FROM nonet_views
      WHERE name = 'inverse'`;
    assert.deepEqual(await rows(client, status), [['live', '2', '2', null]]);
    await assert.rejects(publish(t, server, client, [{ price: 0 }]), {
      code: '22012',
    });
    assert.deepEqual(await rows(client, status), [['failed', '2', '2', 'division by zero']]);
    assert.deepEqual(await rows(client, 'SELECT x FROM inverse WHERE x IS NOT NULL'), [
      ['0.25000000000000000000'],
    ]);
    assert.deepEqual(await rows(client, 'SELECT * FROM above'), [['2']]);
    assert.match(
      (await rows(client, `SELECT error FROM nonet_views WHERE name = 'above'`))[0][0],
      /"inverse" has stopped: division by zero/,
    );
    await client.query('DROP MATERIALIZED VIEW inverse CASCADE');
    await client.query('FLUSH');
  });

  test('close windows by the newest row, and let go of what comes too late', async (t) => {
    const server = await node(t);
    const client = await connectSql(t, server);
    await client.query(BID);
    await client.query(
      `CREATE MATERIALIZED VIEW closed AS
         SELECT window_end, count(*) AS bids FROM tumble(bid, date_time, interval '10 s')
         GROUP BY window_end EMIT ON WINDOW CLOSE`,
    );
    const at = (second) => ({ date_time: `2024-01-01T10:00:${second}Z` });
    await publish(t, server, client, ['01', '03', '12', '09', '25', '07'].map(at));
    const closed = `SELECT to_char(window_end, 'SS'), bids FROM closed ORDER BY window_end`;
    const late = `SELECT late_rows FROM nonet_views WHERE name = 'closed'`;
    assert.deepEqual(await rows(client, closed), [
      ['10', '3'],
      ['20', '1'],
    ]);
    assert.deepEqual(await rows(client, late), [['1']]);
    await server.stop('SIGKILL');
    await server.start();
    const again = await connectSql(t, server);
    await again.query('FLUSH');
    assert.equal((await rows(again, closed)).length, 2);
    assert.deepEqual(await rows(again, late), [['1']]);
  });

  test('begin when their stream does', async (t) => {
    const server = await node(t);
    const client = await connectSql(t, server);
    await client.query(`CREATE TABLE later (a int) WITH (subject = 'later')`);
    await client.query('CREATE MATERIALIZED VIEW sums AS SELECT sum(a) FROM later');
    await client.query('FLUSH');
    assert.deepEqual(await rows(client, 'SELECT * FROM sums'), [[null]]);
    const nats = await server.connect(t);
    const create = { name: 'LATER', subjects: ['later'] };
    await nats.request('$JS.API.STREAM.CREATE.LATER', JSON.stringify(create));
    await nats.request('later', '{"a":5}');
    await client.query('FLUSH');
    assert.deepEqual(await rows(client, 'SELECT * FROM sums'), [['5']]);
    await nats.request('$JS.API.STREAM.DELETE.LATER', '');
    await until(
      async () => (await rows(client, 'SELECT state FROM nonet_views'))[0][0] === 'failed',
      'the view to say that its stream has gone',
    );
  });

  test('that read a table through its windows follow it', async (t) => {
    const client = await connectSql(t, await node(t));
    const visit = (...at) =>
      client.query(
        `INSERT INTO visit VALUES ${at.map((s) => `(1, '2024-01-01 10:00:${s}')`).join(', ')}`,
      );
    await client.query('CREATE TABLE visit (who int, at timestamp)');
    await visit('00', '08', '30');
    await client.query(
      `CREATE MATERIALIZED VIEW stay AS
         SELECT window_start::text, window_end::text, count(*)
         FROM session(visit, at, who, interval '10 s') GROUP BY 1, 2`,
    );
    const stays = () => rows(client, 'SELECT * FROM stay ORDER BY 1');
    assert.deepEqual(await stays(), [
      ['2024-01-01 10:00:00', '2024-01-01 10:00:18', '2'],
      ['2024-01-01 10:00:30', '2024-01-01 10:00:40', '1'],
    ]);
    await visit('18', '25'); // joins the two
    await client.query('FLUSH');
    assert.deepEqual(await stays(), [['2024-01-01 10:00:00', '2024-01-01 10:00:40', '5']]);
    await assert.rejects(client.query('DROP TABLE visit'), { code: '2BP01' });
  });
});

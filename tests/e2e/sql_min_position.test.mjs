// min_position: what a session has published is in what it reads, however far behind views are.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startNonet } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const CONFIG = `
streams:
  BIDS: {subjects: ["bid.>"]}
  OTHERS: {subjects: ["other.>"]}
`;

const node = (t) => startNonet(t, { config: CONFIG, listen: { sql: 0 } });

async function rows(client, text) {
  return (await client.query({ text, rowMode: 'array' })).rows;
}

// A publish that is acknowledged; gives the position, as SET min_position wants it.
async function publish(nats, subject, value) {
  const reply = await nats.request(subject, JSON.stringify(value));
  const { stream, seq } = reply.json();
  return `${stream}:${seq}`;
}

const BID = `CREATE TABLE bid (auction bigint, price bigint) WITH (subject = 'bid.>')`;
const BEST = `CREATE MATERIALIZED VIEW best AS
  SELECT auction, max(price) AS price, count(*) AS bids FROM bid GROUP BY auction`;

describe('min_position', () => {
  test('shows each publish to its maker, under load, through views of views', async (t) => {
    const server = await node(t);
    const nats = await server.connect(t);
    const client = await connectSql(t, server);
    await client.query(BID);
    await client.query(BEST);
    await client.query('CREATE MATERIALIZED VIEW total AS SELECT sum(bids) AS bids FROM best');
    await client.query('CREATE TABLE written (n int)');
    let going = true;
    const load = (async () => {
      const others = await connectSql(t, server); // groups of commits on their way, too
      while (going) {
        for (let i = 0; i < 50; i++) nats.publish('bid.load', JSON.stringify({ auction: 0 }));
        await others.query('INSERT INTO written VALUES (1)');
        await nats.flush();
      }
    })();
    for (let price = 1; price <= 100; price++) {
      const position = await publish(nats, 'bid.mine', { auction: 7, price });
      const answers = await client.query(
        `BEGIN; SET LOCAL min_position = '${position}';
         SELECT price, bids FROM best WHERE auction = 7; SELECT bids >= ${price} AS all FROM total;
         COMMIT`,
      );
      assert.deepEqual(answers[2].rows, [{ price: String(price), bids: String(price) }]);
      assert.deepEqual(answers[3].rows, [{ all: 't' }]);
      assert.deepEqual(await rows(client, 'SHOW min_position'), [['']]);
    }
    const prepared = { name: 'read', text: 'SELECT price FROM best WHERE auction = $1' };
    for (let price = 101; price <= 150; price++) {
      await client.query(
        `SET min_position = '${await publish(nats, 'bid.mine', { auction: 7, price })}'`,
      );
      const { rows: found } = await client.query({ ...prepared, values: [7] });
      assert.equal(found[0].price, String(price));
    }
    going = false;
    await load;
  });

  test('waits for a stream that has just come, not for one that is not read', async (t) => {
    const server = await node(t);
    const nats = await server.connect(t);
    const client = await connectSql(t, server);
    const manager = (name, subjects) =>
      nats.request(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify({ name, subjects }));
    await client.query(`CREATE TABLE late (n int) WITH (subject = 'late.>')`);
    await client.query(`CREATE TABLE never (n int) WITH (subject = 'never.>')`);
    await client.query(
      `CREATE MATERIALIZED VIEW both_of AS SELECT n FROM late UNION ALL SELECT n FROM never`,
    );
    await manager('LATE', ['late.>']);
    const position = await publish(nats, 'late.a', { n: 1 });
    const other = await publish(nats, 'other.a', {});
    await client.query(`SET min_position = '${position}, ${other}'`);
    assert.deepEqual(await rows(client, 'SELECT * FROM both_of'), [['1']]);
    assert.deepEqual(await rows(client, 'SELECT * FROM late'), [['1']]);
  });

  test('is bounded, and says what is missing', async (t) => {
    const server = await node(t);
    const nats = await server.connect(t);
    const client = await connectSql(t, server);
    await client.query(BID);
    await client.query(BEST);
    await publish(nats, 'bid.a', { auction: 1, price: 2 });
    await client.query('FLUSH');
    await client.query(`SET min_position_timeout = '50ms'`);
    await client.query(`SET min_position = 'BIDS:3'`);
    await assert.rejects(client.query('SELECT * FROM best'), {
      code: '57014',
      message: '"best" has not reached min_position after 50 ms',
      detail: 'It has stream "BIDS" up to 1, and 3 is waited for.',
    });
    await assert.rejects(client.query('SELECT * FROM bid'), { code: '57014' });
    await assert.rejects(client.query('CREATE TABLE copy AS SELECT * FROM best'), {
      code: '57014',
    });
    await client.query('SET min_position_timeout = 0');
    await client.query('SET statement_timeout = 50');
    await assert.rejects(client.query('SELECT * FROM best'), {
      code: '57014',
      message: 'canceling statement due to statement timeout',
    });
    await client.query('RESET statement_timeout');
    const answer = rows(client, 'SELECT bids FROM best'); // comes with the third
    const others = await connectSql(t, server);
    // Who waits holds up nobody.
    assert.deepEqual(await rows(others, 'SELECT bids FROM best'), [['1']]);
    await publish(nats, 'bid.a', { auction: 1, price: 2 });
    await publish(nats, 'bid.a', { auction: 1, price: 2 });
    assert.deepEqual(await answer, [['3']]);
    for (const wrong of ['BIDS', 'BIDS:', 'BIDS:x', ':3', 'BIDS:1 OTHERS:2']) {
      await assert.rejects(client.query(`SET min_position = '${wrong}'`), { code: '22023' });
    }
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query(`SET LOCAL min_position = 'BIDS:3'`);
    assert.deepEqual(await rows(client, 'SELECT bids FROM best'), [['3']]);
    await assert.rejects(client.query(`SET LOCAL min_position = 'BIDS:4'`), { code: '25001' });
    await client.query('ROLLBACK');
  });

  test('says that a view has stopped', async (t) => {
    const server = await node(t);
    const nats = await server.connect(t);
    const client = await connectSql(t, server);
    await client.query(BID);
    await client.query('CREATE MATERIALIZED VIEW inverse AS SELECT 1 / price AS x FROM bid');
    await client.query(`SET min_position = '${await publish(nats, 'bid.a', { price: 0 })}'`);
    await assert.rejects(client.query('SELECT * FROM inverse'), {
      code: '55000',
      message: /"inverse" has stopped: division by zero/,
    });
  });
});

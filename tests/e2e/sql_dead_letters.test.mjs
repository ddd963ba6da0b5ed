// Records that do not fit their tables, and rows that come too late, laid aside: each once, however
// many views read the table, and through kills.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { headers } from '@nats-io/transport-node';
import { startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const CONFIG = `
streams:
  BIDS: {subjects: ["bid.>"]}
  MINE: {subjects: ["mine.>"]}
`;

const node = (t) => startNonet(t, { config: CONFIG, listen: { sql: 0 } });

async function rows(client, text) {
  return (await client.query({ text, rowMode: 'array' })).rows;
}

async function publish(server, t, records) {
  const nats = await server.connect(t);
  for (const record of records) {
    const payload = typeof record === 'string' ? record : JSON.stringify(record);
    const reply = await nats.request('bid.new', payload);
    assert.ok(reply.json().seq, reply.string());
  }
  return nats;
}

const COUNT = 'SELECT count(*), count(DISTINCT sequence) FROM nonet_dead_letters';
const laidAside = (client, count) =>
  until(async () => {
    const [[all, different]] = await rows(client, COUNT);
    assert.equal(all, different);
    assert.ok(Number(all) <= count, `${all} letters`);
    return Number(all) === count;
  }, `${count} dead letters`);

describe('dead letters', () => {
  test('are the records that do not fit, with their reason, each once', async (t) => {
    const server = await node(t);
    let client = await connectSql(t, server);
    assert.deepEqual(await rows(client, 'SELECT * FROM nonet_dead_letters'), []);
    await publish(server, t, ['before the table', { auction: 1, price: 2 }]);
    await client.query(
      `CREATE TABLE bid (auction bigint NOT NULL, price bigint, city text)
         WITH (subject = 'bid.>', dead_letter = true)`,
    );
    // None of them reads the price, two read the table.
    for (const view of ['a', 'b']) {
      await client.query(`CREATE MATERIALIZED VIEW ${view} AS SELECT auction, city FROM bid`);
    }
    const nats = await publish(server, t, [
      { auction: 2, price: 'many' },
      { price: 3 },
      { auction: 4, price: 5, city: 'Ulm' },
    ]);
    const h = headers();
    h.set('traceparent', '00-1');
    h.set('Nats-Msg-Id', 'mine');
    await nats.request('bid.with.headers', '{"auction":', { headers: h });
    await laidAside(client, 4);
    const letters = await rows(
      client,
      `SELECT table_name, stream, sequence, subject, column_name, sqlstate, nonet_payload
         FROM nonet_dead_letters ORDER BY sequence`,
    );
    assert.deepEqual(letters, [
      ['bid', 'BIDS', '1', 'bid.new', null, '22P02', 'before the table'],
      ['bid', 'BIDS', '3', 'bid.new', 'price', '22P02', '{"auction":2,"price":"many"}'],
      ['bid', 'BIDS', '4', 'bid.new', 'auction', '23502', '{"price":3}'],
      ['bid', 'BIDS', '6', 'bid.with.headers', null, '22P02', '{"auction":'],
    ]);
    assert.deepEqual(
      await rows(client, 'SELECT reason FROM nonet_dead_letters WHERE sequence = 3'),
      [['invalid input syntax for type bigint: "many"']],
    );
    const get = async () =>
      (
        await nats.request(
          '$JS.API.STREAM.MSG.GET.SQL_DEAD',
          JSON.stringify({ last_by_subj: 'sql.dead.bid' }),
        )
      ).json().message;
    const fields = Buffer.from((await get()).hdrs, 'base64').toString();
    assert.match(fields, /\r\nNats-Msg-Id: \d+:BIDS:6\r\n/);
    assert.match(fields, /\r\ntraceparent: 00-1\r\n/);
    assert.doesNotMatch(fields, /mine/);
    for (let kills = 0; kills < 2; kills++) {
      await server.stop('SIGKILL');
      await server.start();
      client = await connectSql(t, server);
      await publish(server, t, [{ auction: 'x' }]);
      await laidAside(client, 5 + kills);
    }
    // Who has purged them has them no more, after a start neither.
    const again = await server.connect(t);
    await until(async () => {
      const notes = await again.request(
        '$JS.API.STREAM.MSG.GET.SQL_JUDGED',
        JSON.stringify({ last_by_subj: `sql.judged.${fields.match(/Msg-Id: (\d+):/)[1]}` }),
      );
      const { message } = notes.json();
      return message && JSON.parse(Buffer.from(message.data, 'base64')).sequence >= 8;
    }, 'the note');
    await again.request('$JS.API.STREAM.PURGE.SQL_DEAD', '');
    await server.stop('SIGKILL');
    await server.start();
    client = await connectSql(t, server);
    await publish(server, t, [{ auction: 'y' }]);
    await laidAside(client, 1);
    assert.deepEqual(await rows(client, 'SELECT sequence FROM nonet_dead_letters'), [['9']]);
  });

  test('are each there once when the node is killed again and again', async (t) => {
    const server = await node(t);
    let client = await connectSql(t, server);
    await client.query(
      `CREATE TABLE bid (auction bigint) WITH (subject = 'bid.>', dead_letter = 'mine.dead')`,
    );
    await client.query(
      `CREATE TABLE letters (sequence bigint, nonet_payload bytea)
         WITH (subject = 'mine.dead', format = 'raw', header.sequence = 'Nonet-Sequence')`,
    );
    let sent = 0;
    for (let round = 0; round < 4; round++) {
      const nats = await server.connect(t);
      for (let i = 0; i < 300; i++) nats.publish('bid.new', i % 3 ? 'bad' : '{"auction":1}');
      await nats.request('bid.new', 'bad'); // stored, and so is what was published before it
      sent += 201;
      await server.stop('SIGKILL');
      await server.start();
      client = await connectSql(t, server);
    }
    const text = 'SELECT count(*), count(DISTINCT sequence) FROM letters';
    await until(async () => {
      const [[all, different]] = await rows(client, text);
      assert.equal(all, different);
      return Number(all) === sent;
    }, 'all letters');
    assert.deepEqual(
      await rows(client, `SELECT DISTINCT convert_from(nonet_payload, 'UTF8') FROM letters`),
      [['bad']],
    );
    // A table over the letters, which do not fit it, lays none of them aside again.
    await client.query(
      `CREATE TABLE looped (n int) WITH (subject = 'mine.dead', dead_letter = 'mine.dead')`,
    );
    await client.query('CREATE MATERIALIZED VIEW l AS SELECT n FROM looped');
    await client.query('FLUSH');
    assert.deepEqual(await rows(client, text), [[String(sent), String(sent)]]);
  });

  test('are of late rows, too', async (t) => {
    const server = await node(t);
    let client = await connectSql(t, server);
    await client.query(
      `CREATE TABLE bid (price int, at timestamp) WITH (subject = 'bid.>', late_rows = true,
         watermark = 'at - interval ''4 s''')`,
    );
    const late = 'SELECT sequence, nonet_payload FROM nonet_late_rows ORDER BY sequence';
    const row = (price, second) => ({ price, at: `2024-01-01T10:00:${second}Z` });
    await publish(server, t, [row(1, '10'), row(2, '05'), row(3, '06'), row(4, '20'), 'no JSON']);
    await until(async () => (await rows(client, late)).length === 1, 'the late row');
    await server.stop('SIGKILL');
    await server.start();
    client = await connectSql(t, server);
    await publish(server, t, [row(5, '15'), row(6, '16')]);
    await until(async () => (await rows(client, late)).length === 2, 'another late row');
    assert.deepEqual(await rows(client, late), [
      ['2', JSON.stringify(row(2, '05'))],
      ['6', JSON.stringify(row(5, '15'))],
    ]);
    assert.deepEqual(await rows(client, 'SELECT reason FROM nonet_late_rows WHERE sequence = 2'), [
      ['it is 1000000 us behind the watermark'],
    ]);
  });

  test('are asked for by options that are judged', async (t) => {
    const server = await node(t);
    const client = await connectSql(t, server);
    for (const [options, code] of [
      [`subject = 'a', dead_letter = 'a.>'`, '22023'],
      [`subject = 'a', late_rows = true`, '42P16'],
      [`dead_letter = true`, '42P16'],
      [`subject = 'a', header.m = 'X'`, '42703'],
      [`subject = 'a', format = 'xml'`, '22023'],
    ]) {
      await assert.rejects(client.query(`CREATE TABLE t (n int) WITH (${options})`), { code });
    }
    await client.query(
      `CREATE TABLE t (n int, trace text, m int) WITH (subject = 'bid.>', dead_letter = false,
         header.trace = 'traceparent', header.m = 'Number')`,
    );
    const nats = await server.connect(t);
    const h = headers();
    h.set('traceparent', '00-1');
    h.set('Number', '7');
    await nats.request('bid.a', '{"n":1,"trace":"no"}', { headers: h });
    await nats.request('bid.a', '{"n":2}');
    h.set('Number', 'x');
    await nats.request('bid.a', '{"n":3}', { headers: h });
    assert.deepEqual(await rows(client, 'SELECT * FROM t'), [
      ['1', '00-1', '7'],
      ['2', null, null],
    ]);
    await assert.rejects(client.query('DROP TABLE nonet_dead_letters'), { code: '42501' });
  });
});

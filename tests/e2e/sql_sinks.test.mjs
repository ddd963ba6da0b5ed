// CREATE SINK: views told on subjects of the user's own, whole and once, also after kills.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { sleep, startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const config = `
streams:
  BIDS: {subjects: ["bid.>"]}
  OUT: {subjects: ["out.>"]}
`;
const BID = `CREATE TABLE bid (auction bigint, price numeric, region text)
  WITH (subject = 'bid.>')`;
const BEST = `CREATE MATERIALIZED VIEW best AS
  SELECT auction, region, max(price) AS price FROM bid GROUP BY auction, region`;

const open = (t, more = {}) => startNonet(t, { config, listen: { sql: 0 }, ...more });
const rows = async (client, sql) => (await client.query({ text: sql, rowMode: 'array' })).rows;
const texts = async (client, sql) => (await rows(client, sql)).map(([text]) => text).sort();
const field = (message, name) => message.header?.get(name) ?? message.headers?.get(name);
const text = (message) => new TextDecoder().decode(message.data);
const bid = (nats, auction, price, region) =>
  nats.request('bid.new', JSON.stringify({ auction, price, region }));

// All messages of OUT whose subject begins with PREFIX.
async function stored(nats, prefix) {
  const jsm = await jetstreamManager(nats);
  const { state } = await jsm.streams.info('OUT');
  const messages = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await jsm.streams.getMessage('OUT', { seq }).catch(() => null);
    if (message?.subject.startsWith(prefix)) messages.push(message);
  }
  return messages;
}

// What upserts come to: the last payload of each subject and key.
function latest(messages) {
  const there = new Map();
  for (const message of messages) {
    const key = `${message.subject} ${field(message, 'Nonet-Key')}`;
    const op = field(message, 'Nonet-Op');
    if (op === 'delete') assert.equal(text(message), '');
    else assert.equal(op, 'upsert');
    if (op === 'delete') assert.ok(there.delete(key), `${key} goes twice`);
    else there.set(key, text(message));
  }
  return [...there.values()].sort();
}

async function refused(client, sql, code, words) {
  await assert.rejects(client.query(sql), (error) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  });
}

describe('sinks', () => {
  test('say where and how in their options, and refuse what they cannot', async (t) => {
    const server = await open(t);
    const client = await connectSql(t, server);
    await client.query(BID);
    await client.query(BEST);
    const made = await client.query(
      `CREATE SINK hot FROM best WITH (subject = 'out.hot.\${region}', type = 'upsert')`,
    );
    assert.equal(made.command, 'CREATE');
    await client.query(`CREATE SINK IF NOT EXISTS hot FROM best WITH (subject = 'out.x')`);
    const sink = (options, of = 'FROM best') =>
      `CREATE SINK s ${of} WITH (subject = 'out.s', ${options})`;
    await refused(client, 'CREATE SINK s FROM best', '42601', /names its subject/);
    await refused(client, `CREATE SINK s WITH (subject = 'out.s')`, '42601', /FROM a table or/);
    await refused(client, `CREATE SINK s FROM nope WITH (subject = 'out.s')`, '42P01', /nope/);
    await refused(client, `CREATE SINK s FROM best WITH (type = 'upsert')`, '22023', /subject/);
    await refused(client, sink(`type = 'debezium'`), '22023', /upsert or append-only/);
    await refused(client, sink(`kind = 'x'`), '22023', /unrecognized parameter "kind"/);
    await refused(client, sink(`key = 'region'`), '22023', /type upsert has a key/);
    await refused(client, sink(`type = 'upsert', key = 'nope'`), '42703', /no column "nope"/);
    await refused(client, sink(`type = 'upsert', key = 'region'`), '42P16', /several rows/);
    await refused(client, sink(`type = 'append-only'`), '0A000', /may change or go/);
    await refused(client, sink(`type = 'upsert'`, 'AS SELECT price FROM bid'), '42P16', /unique/);
    const on = (subject) => `CREATE SINK s FROM best WITH (subject = '${subject}')`;
    for (const subject of ['view.x', '$JS.x', 'es.a', '${region}.x']) {
      await refused(client, on(subject), '42501', /not for/);
    }
    for (const subject of ['', 'a..b', 'out.>', 'out.*', 'a b', 'out.*.${region}']) {
      await refused(client, on(subject), '22023', /no subject/);
    }
    await refused(client, on('out.hot.eu'), '42710', /"hot"/);
    await refused(client, sink(`type = 'changelog'`, 'AS SELECT now() AS n'), '0A000', /now/);
    await refused(client, 'DROP MATERIALIZED VIEW best', '2BP01', /depend/);
    await refused(client, 'DROP SINK best', '42809', /"best" is not a sink/);
    await refused(client, 'DROP SINK nope', '42P01', /sink "nope" does not exist/);
    await client.query('DROP SINK IF EXISTS nope');
    const where = await client
      .query(`CREATE SINK s AS SELECT nope FROM best WITH (subject = 'out.s')`)
      .catch((error) => error);
    assert.equal(where.position, '25');
    // In a transaction, and gone with it.
    await client.query('BEGIN');
    await client.query(sink(`type = 'changelog'`));
    await client.query('ROLLBACK');
    assert.deepEqual(await rows(client, 'SELECT name, subject, type FROM nonet_sinks'), [
      ['hot', 'out.hot.${region}', 'upsert'],
    ]);
    await client.query('DROP SINK hot');
    assert.deepEqual(await rows(client, 'SELECT name FROM nonet_sinks'), []);
  });

  test('of an app are made with its views', async (t) => {
    const server = await open(t, {
      files: {
        'sql/b.sql': `CREATE SINK told AS SELECT auction, price FROM bid WHERE price > 10
          WITH (subject = 'out.told', type = 'append-only');`,
        'sql/a.sql': `${BID};`,
      },
    });
    const nats = await server.connect(t);
    await bid(nats, 1, 5, 'eu');
    await bid(nats, 1, 15, 'eu');
    await until(async () => (await stored(nats, 'out.told')).length === 1, 'the row');
    const [message] = await stored(nats, 'out.told');
    assert.equal(text(message), '{"auction":1,"price":15}');
    assert.equal(field(message, 'Nonet-Op'), 'insert');
  });

  test('upserts are told to where each row belongs', async (t) => {
    const server = await open(t);
    const client = await connectSql(t, server);
    const nats = await server.connect(t);
    await client.query('CREATE TABLE item (id int PRIMARY KEY, shop text, name text)');
    await client.query(
      `CREATE SINK items FROM item WITH (subject = 'out.shop.\${shop}.item-\${id}', type = 'upsert',
       key = 'id')`,
    );
    await client.query(
      `INSERT INTO item VALUES (1, 'a b', 'one'), (2, NULL, 'two'), (3, '', 'x.y')`,
    );
    await until(async () => (await stored(nats, 'out.shop')).length === 3, 'the rows');
    assert.deepEqual((await stored(nats, 'out.shop')).map((m) => m.subject).sort(), [
      'out.shop.%.item-3', 'out.shop.a%20b.item-1', 'out.shop.null.item-2',
    ]);
    await client.query(`UPDATE item SET name = 'eins' WHERE id = 1`);
    await client.query(`UPDATE item SET shop = 'c' WHERE id = 2`);
    await client.query('DELETE FROM item WHERE id = 3');
    await until(async () => (await stored(nats, 'out.shop')).length === 7, 'the changes');
    const messages = (await stored(nats, 'out.shop')).slice(3);
    assert.deepEqual(
      messages.map((m) => [m.subject, field(m, 'Nonet-Op'), field(m, 'Nonet-Key'), text(m)]),
      [
        ['out.shop.a%20b.item-1', 'upsert', '{"id":1}', '{"id":1,"shop":"a b","name":"eins"}'],
        ['out.shop.null.item-2', 'delete', '{"id":2}', ''],
        ['out.shop.c.item-2', 'upsert', '{"id":2}', '{"id":2,"shop":"c","name":"two"}'],
        ['out.shop.%.item-3', 'delete', '{"id":3}', ''],
      ],
    );
    // One message of each subject is enough to go on from.
    const jsm = await jetstreamManager(nats);
    await jsm.streams.update('OUT', { max_msgs_per_subject: 1 });
    await server.stop('SIGKILL');
    await server.start();
    const again = await server.connect(t);
    const after = await connectSql(t, server);
    await after.query(`INSERT INTO item VALUES (4, 'd', 'four')`);
    await until(async () => (await stored(again, 'out.shop.d')).length === 1, 'the new row');
    assert.deepEqual(latest((await stored(again, 'out.shop')).filter((m) => text(m))), [
      '{"id":1,"shop":"a b","name":"eins"}', '{"id":2,"shop":"c","name":"two"}',
      '{"id":4,"shop":"d","name":"four"}',
    ]);
    assert.equal((await stored(again, 'out.shop')).length, 5, 'nothing is told again');
  });

  test('wait for a stream that is full, and then tell each row once', async (t) => {
    const server = await open(t, {
      config: `
streams:
  BIDS: {subjects: ["bid.>"]}
  OUT: {subjects: ["out.>"], max_msgs: 3, discard: new}
`,
    });
    let client = await connectSql(t, server);
    let nats = await server.connect(t);
    await client.query(BID);
    await client.query(
      `CREATE SINK told AS SELECT auction FROM bid
         WITH (subject = 'out.told', type = 'append-only')`,
    );
    const state = async () =>
      (await rows(client, `SELECT error, waiting FROM nonet_sinks WHERE name = 'told'`))[0];
    const full = async () => /maximum of messages/.test((await state())[0]);
    for (let auction = 0; auction < 8; auction++) await bid(nats, auction, 1, 'eu');
    await until(full, 'the reason why it waits');
    assert.equal((await stored(nats, 'out.told')).length, 3);
    await server.stop('SIGKILL');
    await server.start();
    client = await connectSql(t, server);
    nats = await server.connect(t);
    await until(full, 'the reason again');
    const jsm = await jetstreamManager(nats);
    await jsm.streams.update('OUT', { max_msgs: 100 });
    await until(async () => (await stored(nats, 'out.told')).length >= 8, 'what waited');
    await bid(nats, 8, 1, 'eu');
    await until(async () => (await stored(nats, 'out.told')).length >= 9, 'what came after');
    const told = (await stored(nats, 'out.told')).map((m) => JSON.parse(text(m)).auction);
    assert.deepEqual(told.sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(await state(), [null, '0']);
  });

  test('go with what they read, if one says so', async (t) => {
    const client = await connectSql(t, await open(t));
    await client.query(BID);
    await client.query(BEST);
    await client.query(`CREATE SINK first FROM best WITH (subject = 'out.first')`);
    await client.query(`CREATE SINK second FROM first WITH (subject = 'out.second')`);
    const names = () => texts(client, 'SELECT name FROM nonet_sinks');
    for (const sql of ['DROP SINK first', 'DROP MATERIALIZED VIEW best', 'DROP TABLE bid']) {
      await refused(client, sql, '2BP01', /depend/);
    }
    assert.deepEqual(await names(), ['first', 'second']);
    await refused(client, 'DROP SINK second, nope', '42P01', /nope/);
    assert.deepEqual(await names(), ['first', 'second']);
    await client.query('BEGIN');
    await client.query('DROP SINK first CASCADE');
    await client.query('ROLLBACK');
    assert.deepEqual(await names(), ['first', 'second']);
    await client.query('DROP SINK first CASCADE');
    assert.deepEqual(await names(), []);
    for (const option of ['snapshot = false', 'force_append_only = true', `format = 'json'`]) {
      await refused(
        client, `CREATE SINK s FROM best WITH (subject = 'out.s', ${option})`, '22023',
        /unrecognized parameter/,
      );
    }
    await client.query('DROP MATERIALIZED VIEW best');
  });

  test('tell each change once, whatever is killed when', async (t) => {
    const server = await open(t);
    let client = await connectSql(t, server);
    let nats = await server.connect(t);
    await client.query(BID);
    await client.query(BEST);
    await client.query(
      `CREATE SINK hot FROM best WITH (subject = 'out.hot.\${region}', type = 'upsert')`,
    );
    await client.query(
      `CREATE SINK dear AS SELECT auction, price FROM bid WHERE price > 500
         WITH (subject = 'out.dear', type = 'append-only')`,
    );
    const sent = [];
    let number = 0;
    for (let kills = 0; kills < 3; kills++) {
      const work = (async () => {
        for (;;) {
          const [auction, price] = [number % 13, ((number++ * 7919) % 997) + number / 1000];
          sent.push({ auction, price, acknowledged: false });
          const at = sent.length - 1;
          await bid(nats, auction, price, `r${auction % 3}`);
          sent[at].acknowledged = true;
        }
      })().catch(() => {});
      await until(() => number > 150 * (kills + 1), 'bids');
      await server.stop('SIGKILL');
      await work;
      await nats.close();
      await server.start();
      client = await connectSql(t, server);
      nats = await server.connect(t);
      if (kills === 1) continue; // killed again before it has told anything
      await client.query('FLUSH');
      const expected = {
        hot: await texts(client, 'SELECT to_json(b)::text FROM best b'),
        dear: await texts(client, `SELECT to_json(d)::text FROM dear d`),
      };
      const dear = expected.dear.length;
      assert.ok(dear > 50);
      await until(async () => (await stored(nats, 'out.dear')).length >= dear, 'all dear bids');
      const hot = JSON.stringify(expected.hot);
      await until(
        async () => JSON.stringify(latest(await stored(nats, 'out.hot'))) === hot,
        'the best bids',
      );
      await sleep(300);
      const told = await stored(nats, 'out.dear');
      assert.deepEqual(told.map(text).sort(), expected.dear, 'each once, none missing');
      assert.deepEqual(
        told.map((m) => Number(field(m, 'Nonet-Change'))), told.map((_, i) => i + 1),
      );
      const prices = new Set(told.map((m) => JSON.parse(text(m)).price));
      for (const { price, acknowledged } of sent)
        if (acknowledged && price > 500) assert.ok(prices.has(price), `${price} was acknowledged`);
    }
    // What its stream has let go of is not known: nothing is told twice, it says why it rests.
    const jsm = await jetstreamManager(nats);
    await jsm.streams.purge('OUT', { filter: 'out.dear', keep: 10 });
    await server.stop('SIGKILL');
    await server.start();
    client = await connectSql(t, server);
    await until(
      async () => (await rows(client, `SELECT error FROM nonet_sinks WHERE name = 'dear'`))[0][0],
      'the reason',
    );
    const [[why]] = await rows(client, `SELECT error FROM nonet_sinks WHERE name = 'dear'`);
    assert.match(why, /let go of messages/);
    assert.equal((await stored(await server.connect(t), 'out.dear')).length, 10);
  });
});

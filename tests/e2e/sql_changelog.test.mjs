// What materialized views tell on view.NAME: to who listens, and to the stream that captures it,
// whose messages come to the view, also after kills.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { sleep, startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const STREAMS = `
streams:
  BIDS: {subjects: ["bid.>"]}
`;
const CAPTURED = `${STREAMS}  CHANGES: {subjects: ["view.>"]}\n`;

const BID = `CREATE TABLE bid (auction bigint, price numeric, at timestamp)
  WITH (subject = 'bid.>')`;
const BEST = `CREATE MATERIALIZED VIEW best AS
  SELECT auction, max(price) AS price, max(at) AS "newest bid" FROM bid GROUP BY auction`;

const open = (t, config) => startNonet(t, { config, listen: { sql: 0 } });

const bid = (nats, auction, price) =>
  nats.request('bid.new', JSON.stringify({ auction, price, at: 1704103200000 + price }));

async function rows(client, sql) {
  return (await client.query({ text: sql, rowMode: 'array' })).rows;
}

// The rows of a view as its messages write them.
const content = async (client, view) =>
  (await rows(client, `SELECT to_json(v)::text FROM ${view} v`)).map(([text]) => text).sort();

const field = (message, name) =>
  message.headers?.get(name) ?? message.header?.get(name) ?? undefined;

// What MESSAGES come to; throws where they cannot be.
function fold(messages) {
  const there = new Map();
  for (const message of messages) {
    const text = new TextDecoder().decode(message.data);
    const op = field(message, 'Nonet-Op');
    if (op === 'reset') there.clear();
    else there.set(text, (there.get(text) ?? 0) + (op === 'insert' ? 1 : -1));
    assert.ok((there.get(text) ?? 0) >= 0, `deleted before it was inserted: ${text}`);
    if (there.get(text) === 0) there.delete(text);
  }
  return [...there].flatMap(([text, count]) => Array(count).fill(text)).sort();
}

// All messages of SUBJECT in STREAM.
async function stored(nats, stream, subject) {
  const jsm = await jetstreamManager(nats);
  const { state } = await jsm.streams.info(stream);
  const messages = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await jsm.streams.getMessage(stream, { seq }).catch(() => null);
    if (message?.subject === subject) messages.push(message);
  }
  return messages;
}

// Each message has the number behind the last, and its place in its step.
function checkNumbers(messages) {
  let [number, position, step] = [null, 0, [0, 0]];
  for (const message of messages) {
    const next = Number(field(message, 'Nonet-Change'));
    if (number !== null) assert.equal(next, number + 1);
    number = next;
    const at = Number(field(message, 'Nonet-Position'));
    assert.ok(at >= position, 'positions never fall');
    position = at;
    const [place, count] = field(message, 'Nonet-Step').split('/').map(Number);
    assert.equal(place, step[0] === step[1] ? 1 : step[0] + 1, 'steps are whole');
    step = [place, count];
  }
  assert.equal(step[0], step[1], 'the last step is whole');
}

describe('changelogs', () => {
  test('tell who listens of each change, and are told by the node alone', async (t) => {
    const server = await open(t, STREAMS);
    const client = await connectSql(t, server);
    const nats = await server.connect(t);
    await client.query(BID);
    await client.query(BEST);
    await client.query('CREATE SCHEMA shop');
    await client.query('CREATE TABLE item (id int, name text)');
    await client.query('CREATE MATERIALIZED VIEW shop."a b" AS SELECT * FROM item');
    await bid(nats, 1, 10);
    await client.query('FLUSH');
    const heard = [];
    const listener = nats.subscribe('view.>', {
      callback: (error, message) => heard.push(message),
    });
    await nats.flush();
    await bid(nats, 1, 12);
    await until(() => heard.length === 2, 'a change');
    const [gone, come] = heard;
    assert.equal(come.subject, 'view.best');
    assert.equal(gone.string(), '{"auction":1,"price":10,"newest bid":"2024-01-01T10:00:00.01"}');
    assert.equal(come.string(), '{"auction":1,"price":12,"newest bid":"2024-01-01T10:00:00.012"}');
    assert.equal(gone.headers.get('Nonet-Op'), 'delete');
    assert.equal(come.headers.get('Nonet-Op'), 'insert');
    assert.equal(gone.headers.get('Nonet-Step'), '1/2');
    const told = await rows(client, `SELECT position FROM nonet_views WHERE name = 'best'`);
    assert.equal(come.headers.get('Nonet-Position'), told[0][0]);
    await client.query(`INSERT INTO item VALUES (1, NULL), (1, NULL)`);
    await until(() => heard.length === 4, 'the rows of a commit');
    assert.equal(heard[3].subject, 'view.shop.a%20b');
    assert.equal(heard[3].string(), '{"id":1,"name":null}');
    checkNumbers(heard.slice(0, 2));
    checkNumbers(heard.slice(2));
    // Who stops listening misses what comes then, and hears by a gap that there was something.
    listener.unsubscribe();
    await nats.flush();
    await bid(nats, 2, 1);
    await client.query('FLUSH');
    assert.equal(heard.length, 4);

    const other = await server.connect(null);
    const refusals = [];
    (async () => {
      for await (const status of other.status()) {
        if (status.type === 'error') refusals.push(status.error.message);
      }
    })();
    other.publish('view.best', '{}', { headers: headers() });
    other.publish('some', '', { reply: 'view.best' });
    await until(() => refusals.length === 2, 'refusals');
    assert.match(refusals[0], /permissions violation for publish to "view.best"/i);
    await other.close();
  });

  test('are whole in the stream that captures them, also after kills', async (t) => {
    const server = await open(t, CAPTURED);
    let client = await connectSql(t, server);
    let nats = await server.connect(t);
    await client.query(BID);
    await client.query(BEST);
    await client.query('CREATE TABLE item (id bigint PRIMARY KEY, name text)');
    await client.query(
      `CREATE MATERIALIZED VIEW shown AS
         SELECT i.id, i.name, b.price FROM item i LEFT JOIN best b ON b.auction = i.id`,
    );
    const settled = async (view) => {
      await client.query('FLUSH');
      const expected = JSON.stringify(await content(client, view));
      let messages;
      await until(async () => {
        messages = await stored(nats, 'CHANGES', `view.${view}`);
        return JSON.stringify(fold(messages)) === expected;
      }, `the changes of ${view} to come to ${expected}`);
      checkNumbers(messages);
      return messages;
    };
    let published = 0;
    for (let kills = 0; kills < 3; kills++) {
      const work = (async () => {
        for (;;) {
          const n = published++;
          await client.query(
            `INSERT INTO item VALUES (${n % 10}, 'n${n}')
             ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
          );
          await bid(nats, n % 7, n % 100);
        }
      })().catch(() => {});
      await until(() => published > 40 * (kills + 1), 'changes');
      await server.stop('SIGKILL');
      await work;
      await nats.close();
      await server.start();
      client = await connectSql(t, server);
      nats = await server.connect(t);
      if (kills === 1) continue; // killed again before anybody looks
      const messages = await settled('best');
      await settled('shown');
      const resets = messages.filter((message) => field(message, 'Nonet-Op') === 'reset');
      assert.equal(resets.length, 1, 'nothing is told anew');
      assert.equal(messages[0], resets[0]);
    }
    // A start without changes tells nothing.
    const before = (await stored(nats, 'CHANGES', 'view.best')).length;
    await server.stop('SIGKILL');
    await server.start();
    client = await connectSql(t, server);
    nats = await server.connect(t);
    await client.query('FLUSH');
    await sleep(600);
    assert.equal((await stored(nats, 'CHANGES', 'view.best')).length, before);
  });

  test('of a view of many rows take what changes while they are compared', async (t) => {
    const server = await open(t, CAPTURED);
    const client = await connectSql(t, server);
    const nats = await server.connect(t);
    await client.query('CREATE TABLE item (id int PRIMARY KEY, name text)');
    await client.query(`INSERT INTO item SELECT i, 'n' || i FROM generate_series(1, 20000) i`);
    await client.query('CREATE MATERIALIZED VIEW shown AS SELECT * FROM item WHERE id > 10');
    for (let i = 0; i < 100; i++) {
      await client.query(`UPDATE item SET name = name || 'x' WHERE id = ${20 + (i % 9)}`);
    }
    const jsm = await jetstreamManager(nats);
    await until(
      async () => (await jsm.streams.info('CHANGES')).state.messages > 0,
      'the beginning',
    );
    await client.query('DELETE FROM item WHERE id > 15000');
    const consumer = await jetstream(nats).consumers.get('CHANGES');
    const messages = [];
    let deleted = false;
    for await (const message of await consumer.consume()) {
      messages.push(message);
      deleted ||=
        field(message, 'Nonet-Op') === 'delete' && message.string().startsWith('{"id":20000,');
      const [place, count] = field(message, 'Nonet-Step').split('/');
      if (deleted && place === count) break;
    }
    assert.equal(field(messages[0], 'Nonet-Op'), 'reset');
    checkNumbers(messages);
    assert.deepEqual(fold(messages), await content(client, 'shown'));
  });

  test('begin anew in a stream that has nothing, or not all', async (t) => {
    const server = await open(t, STREAMS);
    let client = await connectSql(t, server);
    let nats = await server.connect(t);
    await client.query(BID);
    await client.query(BEST);
    await bid(nats, 1, 10);
    await client.query('FLUSH');
    const heard = [];
    nats.subscribe('view.best', { callback: (error, message) => heard.push(message) });
    await bid(nats, 2, 20);
    await until(() => heard.length === 1, 'a change without a stream');
    const jsm = await jetstreamManager(nats);
    await jsm.streams.add({ name: 'LATER', subjects: ['view.*'] });
    await bid(nats, 3, 30);
    await until(async () => (await stored(nats, 'LATER', 'view.best')).length === 4, 'all rows');
    const messages = await stored(nats, 'LATER', 'view.best');
    assert.equal(field(messages[0], 'Nonet-Op'), 'reset');
    assert.deepEqual(fold(messages), await content(client, 'best'));
    assert.equal(heard.length, 5, 'who listens hears what is stored, once');
    await bid(nats, 3, 31);
    await until(async () => (await stored(nats, 'LATER', 'view.best')).length === 6, 'a change');
    // Its beginning goes.
    await jsm.streams.purge('LATER', { keep: 2 });
    await server.stop('SIGKILL');
    await server.start();
    client = await connectSql(t, server);
    nats = await server.connect(t);
    await until(async () => (await stored(nats, 'LATER', 'view.best')).length === 6, 'all anew');
    const anew = await stored(nats, 'LATER', 'view.best');
    checkNumbers(anew);
    assert.deepEqual(
      anew.map((message) => field(message, 'Nonet-Op')),
      ['delete', 'insert', 'reset', 'insert', 'insert', 'insert'],
    );
    assert.deepEqual(fold(anew.slice(2)), await content(client, 'best'));
    // Another view of the name: the difference.
    await client.query('DROP MATERIALIZED VIEW best');
    await client.query(
      `CREATE MATERIALIZED VIEW best AS
         SELECT auction, max(price) AS price, max(at) AS "newest bid" FROM bid WHERE auction <> 2
         GROUP BY auction`,
    );
    await until(async () => (await stored(nats, 'LATER', 'view.best')).length === 7, 'the row');
    const last = (await stored(nats, 'LATER', 'view.best')).at(-1);
    assert.equal(field(last, 'Nonet-Op'), 'delete');
    assert.match(new TextDecoder().decode(last.data), /"auction":2/);
  });
});

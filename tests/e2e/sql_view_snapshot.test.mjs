// What views keep on disk, so that a start goes on from there: also where a stream has let go of
// what they have read, and what they do where that is damaged.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const CONFIG = `
streams:
  SHORT: {subjects: ["short.>"], max_msgs: 3}
  LONG: {subjects: ["long.>"]}
  MID: {subjects: ["mid.>"], max_msgs: 200}
`;

const node = (t) => startNonet(t, { config: CONFIG, listen: { sql: 0 } });
// Says of each snapshot what it has taken.
const telling = (t) =>
  startNonet(t, { config: `node: {log: {level: debug}}${CONFIG}`, listen: { sql: 0 } });

async function rows(client, text) {
  return (await client.query({ text, rowMode: 'array' })).rows;
}

const TABLE = (name) =>
  `CREATE TABLE ${name} (k int, v bigint, at timestamp, word text)
     WITH (subject = '${name}.>', watermark = 'at - interval ''1 s''')`;

// With CLIENT each is in the views before the next comes: the stream may keep only a few.
async function publish(t, server, subject, records, client) {
  const nats = await server.connect(t);
  for (const record of records) {
    await nats.request(subject, JSON.stringify(record));
    await client?.query('FLUSH');
  }
  await nats.close();
}

async function snapshots(t, server) {
  const nats = await server.connect(t);
  const answer = (await nats.request('$JS.API.STREAM.INFO.SQL_VIEWS')).json();
  await nats.close();
  return answer.state ?? { messages: 0, last_seq: 0 };
}

// As many messages as that are in stream SQL_VIEWS.
async function saved(t, server, parts) {
  await until(async () => (await snapshots(t, server)).messages >= parts, 'snapshots');
}

async function again(t, server, signal = 'SIGKILL') {
  await server.stop(signal);
  await server.start();
  return connectSql(t, server);
}

test('a view keeps its sums though the stream has let go of the first messages', async (t) => {
  const server = await node(t);
  let client = await connectSql(t, server);
  await client.query(TABLE('short'));
  for (const text of [
    `CREATE MATERIALIZED VIEW sums AS
       SELECT k, count(*) AS n, sum(v) AS v, min(v) AS least, array_agg(v) AS list
         FROM short GROUP BY k`,
    'CREATE MATERIALIZED VIEW above AS SELECT count(*) AS groups, sum(v) AS v FROM sums',
    'CREATE INDEX by_v ON sums (v)',
    `CREATE MATERIALIZED VIEW closed AS
       SELECT window_end, count(*) AS n FROM tumble(short, at, interval '10 s')
         GROUP BY window_end EMIT ON WINDOW CLOSE`,
  ])
    await client.query(text);
  const told = async () => [
    await rows(client, 'SELECT * FROM sums ORDER BY k'),
    await rows(client, 'SELECT k FROM sums'),
    await rows(client, 'SELECT * FROM above'),
    await rows(client, 'SELECT * FROM closed ORDER BY 1'),
    await rows(client, 'SELECT name, rows, late_rows, bad_records FROM nonet_views ORDER BY 1'),
  ];
  const at = (seconds) => `2024-01-01T00:00:${String(seconds).padStart(2, '0')}`;
  let expected = [];
  for (let round = 0; round < 3; round++) {
    const records = [];
    for (let i = 0; i < 8; i++) {
      const n = round * 8 + i;
      records.push({ k: n % 4, v: 10 ** i, at: at(n + (i === 3 ? -n : 0)), word: 'w' });
    }
    const before = (await snapshots(t, server)).last_seq;
    await publish(t, server, 'short.a', [...records, { k: 'no number' }], client);
    expected = await told();
    await until(async () => (await snapshots(t, server)).last_seq >= before + 8, 'snapshots');
    client = await again(t, server);
    assert.deepEqual(await told(), expected);
  }
  assert.deepEqual(expected[0][0].slice(0, 3), ['0', '6', '30003']);
  assert.deepEqual(expected[2], [['4', '33333333']]);
  const [, closed] = expected[4];
  assert.equal(closed[0], 'closed');
  assert(Number(closed[2]) >= 2, 'late rows');
  assert.equal(expected[4][2][3], '3', 'bad records');
  // What is older than the newest snapshot goes.
  await until(async () => (await snapshots(t, server)).messages < 12, 'old ones let go');
  await client.query('DROP MATERIALIZED VIEW sums CASCADE');
  await client.query('DROP MATERIALIZED VIEW closed');
  await until(async () => (await snapshots(t, server)).messages === 0, 'dropped ones let go');
  client = await again(t, server);
  assert.deepEqual(await rows(client, 'SELECT * FROM nonet_views'), []);
});

test('views of one or more streams, joined, go on after kills at any moment', async (t) => {
  const server = await node(t);
  let client = await connectSql(t, server);
  await client.query(TABLE('short'));
  await client.query(TABLE('long'));
  await client.query(
    `CREATE MATERIALIZED VIEW joined AS
       SELECT l.k, count(*) AS n, sum(l.v) AS v, max(s.v) AS top
         FROM long l JOIN (SELECT k, max(v) AS v FROM short GROUP BY k) s ON s.k = l.k
         GROUP BY l.k`,
  );
  await client.query('CREATE MATERIALIZED VIEW plain AS SELECT count(*) AS n, sum(v) FROM long');
  await client.query('CREATE TABLE name (k int PRIMARY KEY, name text)');
  await client.query(`INSERT INTO name SELECT i, 'n' || i FROM generate_series(0, 4) i`);
  await client.query(
    `CREATE MATERIALIZED VIEW named AS
       SELECT n.name, sum(l.v) AS v FROM long l JOIN name n ON n.k = l.k GROUP BY n.name`,
  );
  let v = 0;
  const sums = [0, 0, 0, 0, 0];
  for (let kill = 0; kill < 4; kill++) {
    const short = [0, 1, 2, 3, 4].map((k) => ({ k, v: 1000 * kill + k }));
    await publish(t, server, 'short.a', short, client);
    await until(
      async () => (await rows(client, 'SELECT min(top) FROM joined'))[0][0] !== null || kill === 0,
      'the join',
    );
    const before = (await snapshots(t, server)).last_seq;
    await until(async () => (await snapshots(t, server)).last_seq > before + 2, 'a snapshot');
    for (let burst = 0; burst < 3; burst++) {
      const records = [];
      for (let i = 0; i < 200; i++, v++) {
        records.push({ k: v % 5, v, word: 'x' });
        sums[v % 5] += v;
      }
      await publish(t, server, 'long.a', records);
      await new Promise((resolve) => setTimeout(resolve, 130 * kill));
      client = await again(t, server);
    }
    await client.query('FLUSH');
    const expected = sums.map((sum, k) => [
      String(k),
      String(v / 5),
      String(sum),
      String(1000 * kill + k),
    ]);
    assert.deepEqual(await rows(client, 'SELECT * FROM joined ORDER BY k'), expected);
    assert.deepEqual(await rows(client, 'SELECT * FROM plain'), [
      [String(v), String((v * (v - 1)) / 2)],
    ]);
    assert.deepEqual(
      await rows(client, 'SELECT v FROM named ORDER BY name'),
      sums.map((sum) => [String(sum)]),
    );
  }
});

test('a snapshot that is damaged, or of another stream, does not count', async (t) => {
  const server = await node(t);
  let client = await connectSql(t, server);
  await client.query(TABLE('short'));
  await client.query(
    'CREATE MATERIALIZED VIEW words AS SELECT word, count(*) AS n FROM short GROUP BY word',
  );
  const words = async () => rows(client, 'SELECT * FROM words ORDER BY word');
  const mark = 'damage-here-damage-here';
  const some = [mark, 'b', 'c', 'd'].map((word) => ({ word }));
  await publish(t, server, 'short.a', some, client);
  await saved(t, server, 4);
  const all = [
    ['b', '1'],
    ['c', '1'],
    ['d', '1'],
    [mark, '1'],
  ];
  client = await again(t, server, 'SIGTERM');
  assert.deepEqual(await words(), all);
  await server.stop('SIGTERM');
  let damaged = 0;
  const walk = (dir) => {
    for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
      const file = path.join(dir, entry.name);
      if (entry.isDirectory()) walk(file);
      else {
        const bytes = fs.readFileSync(file);
        // The record itself is long out of the stream.
        for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1), damaged++)
          bytes[at] ^= 1;
        fs.writeFileSync(file, bytes);
      }
    }
  };
  walk(path.join(server.data, 'log', 'segments'));
  assert(damaged > 0, 'the snapshot was found');
  await server.start();
  client = await connectSql(t, server);
  await client.query('FLUSH');
  assert.deepEqual(await words(), all.slice(0, 3), 'what the stream still has');
  assert.match(server.log, /a view is computed from the log.*view=words/);

  // Another stream of its name.
  await publish(t, server, 'short.a', [{ word: 'e' }]);
  await client.query('FLUSH');
  const before = (await snapshots(t, server)).last_seq;
  await until(async () => (await snapshots(t, server)).last_seq >= before, 'a snapshot');
  const nats = await server.connect(t);
  await nats.request('$JS.API.STREAM.DELETE.SHORT');
  await nats.request(
    '$JS.API.STREAM.CREATE.SHORT',
    JSON.stringify({ name: 'SHORT', subjects: ['short.>'], storage: 'file' }),
  );
  await publish(t, server, 'short.a', [{ word: 'f' }]);
  client = await again(t, server);
  await client.query('FLUSH');
  assert.deepEqual(await words(), [['f', '1']]);
});

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A state of many MiB from few records: each of K counts STEPS groups.
const LARGE = (table, steps) =>
  `CREATE MATERIALIZED VIEW large AS
     SELECT k, i, count(*) AS n, sum(v) AS v, array_agg(v) AS list
       FROM ${table}, generate_series(1, ${steps}) i GROUP BY k, i`;

test('while a large view is saved queries go on, and it says how large it is', async (t) => {
  const server = await telling(t);
  let client = await connectSql(t, server);
  await client.query(TABLE('mid'));
  await client.query(LARGE('mid', 4000));
  // No rows, so that the stream has let go of something; then enough that it hurries.
  await publish(t, server, 'mid.a', Array.from({ length: 201 }, () => ({ k: 'none' })));
  const records = Array.from({ length: 120 }, (_, v) => ({ k: v % 50, v }));
  await publish(t, server, 'mid.a', records, client);
  const saved = async () =>
    (await rows(client, `SELECT saved_bytes, saved_at <= now() FROM nonet_views`))[0];
  const begun = Date.now();
  let longest = 0;
  for (let bytes = 0; bytes < 15e6; bytes = Number((await saved())[0])) {
    assert(Date.now() - begun < 60_000, 'it is saved');
    const since = performance.now();
    await client.query('SELECT 1');
    longest = Math.max(longest, performance.now() - since);
  }
  const [bytes] = await saved();
  const told = await until(
    () => server.log.match(new RegExp(`view=large bytes=${bytes} held_us=(\\d+)`)),
    'the log says it',
  );
  const [, held] = told;
  t.diagnostic(`${bytes} bytes, held for ${held} us, the longest query took ${longest} ms`);
  assert.deepEqual(await saved(), [bytes, 't']);
  assert((await snapshots(t, server)).messages >= 15, 'parts');
  // A start reads it, and says the same of it.
  client = await again(t, server);
  assert.deepEqual(await saved(), [bytes, 't']);
  assert.deepEqual(await rows(client, 'SELECT count(*), sum(n), sum(v) FROM large'), [
    ['200000', '480000', String(4000 * ((119 * 120) / 2))],
  ]);
});

test('a view that is killed while it is saved or read back has each record once', async (t) => {
  const server = await node(t);
  let client = await connectSql(t, server);
  const KEYS = 20;
  const STEPS = 1500;
  await client.query(TABLE('mid'));
  await client.query(LARGE('mid', STEPS));
  const one = async (text) => (await rows(client, text))[0][0];
  const counts = Array(KEYS).fill(0);
  let n = 0;
  // No rows, so that the stream has let go of something and hurries.
  const none = Array.from({ length: 201 }, () => ({ k: 'none' }));
  await publish(t, server, 'mid.a', none);
  for (let kill = 0; kill < 6; kill++) {
    const records = Array.from({ length: 90 }, () => ({ k: n++ % KEYS, v: 1 }));
    for (const { k } of records) counts[k]++;
    await publish(t, server, 'mid.a', records);
    await client.query('FLUSH');
    const published = await one('SELECT now()');
    // Where half of what the stream keeps is in no snapshot one is begun within a second.
    await wait(Math.random() * 1600);
    await server.stop('SIGKILL');
    // And perhaps once more while it is read back, at any moment of it.
    if (kill % 2) {
      await server.start();
      await wait(Math.random() * 100);
      await server.stop('SIGKILL');
    }
    await server.start();
    client = await connectSql(t, server);
    await client.query('FLUSH');
    assert.deepEqual(
      await rows(client, 'SELECT k, count(*), min(n), max(n) FROM large GROUP BY k ORDER BY k'),
      counts.map((c, k) => [String(k), String(STEPS), String(c), String(c)]),
      `after kill ${kill}`,
    );
    // So much that the stream has lost nothing by the next kill.
    const safe = `SELECT saved_at >= '${published}'::timestamptz FROM nonet_views`;
    await until(async () => (await one(safe)) === 't', 'a snapshot', 2500).catch(() => {});
  }
});

// Each of them over TABLE, so that what is in views of a short stream is asked of a long one.
const MIXED = {
  named: (table) =>
    `SELECT n.name, count(*) AS n, sum(m.v * n.factor) AS v, max(h.n) AS same
       FROM ${table} m JOIN name n ON n.k = m.k LEFT JOIN same_name h ON h.name = n.name
       GROUP BY n.name`,
  shares: (table) =>
    `SELECT t.k, t.n AS of_k, count(n.k) AS known, sum(m.v) AS v
       FROM ${table} m JOIN ${table}_counts t ON t.k = m.k LEFT JOIN name n ON n.k = m.k
       GROUP BY t.k, t.n`,
  unknown: (table) => `SELECT m.k, m.v FROM ${table} m WHERE m.k NOT IN (SELECT k FROM name)`,
};

test('views of streams, tables and views go on after kills while all change', async (t) => {
  const server = await node(t);
  let client = await connectSql(t, server);
  await client.query(TABLE('mid'));
  await client.query(TABLE('long'));
  await client.query('CREATE TABLE name (k int PRIMARY KEY, name text, factor int)');
  await client.query(`INSERT INTO name SELECT i, 'n' || i % 7, i FROM generate_series(0, 14) i`);
  await client.query(
    'CREATE MATERIALIZED VIEW same_name AS SELECT name, count(*) AS n FROM name GROUP BY name',
  );
  for (const table of ['mid', 'long'])
    await client.query(
      `CREATE MATERIALIZED VIEW ${table}_counts AS
         SELECT k, count(*) AS n FROM ${table} GROUP BY k`,
    );
  for (const [name, query] of Object.entries(MIXED))
    await client.query(`CREATE MATERIALIZED VIEW ${name} AS ${query('mid')}`);
  await publish(t, server, 'mid.a', Array.from({ length: 201 }, () => ({ k: 'none' })));
  const pick = (n) => Math.floor(Math.random() * n);
  let v = 0;
  let went = 0;
  for (let kill = 0; kill < 7; kill++) {
    const records = Array.from({ length: 90 }, () => ({ k: pick(20), v: v++ }));
    await publish(t, server, 'long.a', records);
    await publish(t, server, 'mid.a', records);
    await client.query('FLUSH');
    let stopped = false;
    const changing = (async () => {
      while (!stopped) {
        const k = pick(20);
        await client.query('BEGIN');
        await client.query(`DELETE FROM name WHERE k = ${k}`);
        const row = `${k}, 'n${pick(7)}', ${pick(9)}`;
        if (k % 3) await client.query(`INSERT INTO name VALUES (${row})`);
        await client.query(`UPDATE name SET factor = factor + 1 WHERE k = ${pick(20)}`);
        await client.query('COMMIT');
      }
    })().catch(() => {});
    await wait(Math.random() * 1700);
    stopped = kill % 2 === 0; // else it is cut off within a transaction
    if (stopped) await changing;
    await server.stop('SIGKILL');
    stopped = true;
    await changing;
    if (kill % 3 === 1) {
      await server.start();
      await wait(Math.random() * 60);
      await server.stop('SIGKILL');
    }
    await server.start();
    client = await connectSql(t, server);
    await client.query('FLUSH');
    const saved = await rows(client, 'SELECT name FROM nonet_views WHERE saved_at IS NOT NULL');
    went += saved.length;
    for (const [name, query] of Object.entries(MIXED)) {
      const sorted = (text) => rows(client, `SELECT * FROM (${text}) q ORDER BY 1, 2, 3, 4`);
      const two = name === 'unknown' ? ', 0, 0' : '';
      assert.deepEqual(
        await sorted(`SELECT *${two} FROM ${name}`),
        await sorted(`SELECT *${two} FROM (${query('long')}) l`),
        `${name} after kill ${kill}`,
      );
    }
    // So much that the stream has lost nothing by the next kill.
    const since = (await rows(client, 'SELECT now()'))[0][0];
    const late = `SELECT count(*) FROM nonet_views WHERE saved_at IS NULL OR saved_at < '${since}'`;
    await until(async () => (await rows(client, late))[0][0] === '1', '', 1500).catch(() => {});
  }
  assert(went >= 8, `views went on from ${went} snapshots`);
  assert.doesNotMatch(server.log, /its snapshot does not count/);
});

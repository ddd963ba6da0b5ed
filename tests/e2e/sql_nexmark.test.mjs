// All Nexmark queries but the wall clock's, as materialized views over generated events, against
// PostgreSQL over the same rows: ordered and out of order, whole and with kills on the way; and
// each view against its own query asked once.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sleep, startNonet, until } from './lib/node.mjs';
import {
  forPostgres,
  preparation,
  queries,
  schema,
  schemaForPostgres,
  statements,
  wallClock,
} from './lib/nexmark.mjs';
import { connectSql, outcome, startPostgres } from './lib/postgres.mjs';

const EVENTS = 16_000; // of 16 seconds of their own time, which is what windows are of
const BIDS = (EVENTS * 46) / 50;

const config = (more) => `
streams:
  NEXMARK: {subjects: ["person.>", "auction.>", "bid.>"]}
flows:
  nexmark:
    from: {nexmark: {rate: 1000/s, seed: 11, limit: ${EVENTS}${more}}}
    to: {publish: "{kind}.new"}
`;

async function prepare(client) {
  for (const text of [...statements(schema), ...preparation]) {
    await client.query(text);
  }
  for (const { name, text } of [...queries, wallClock]) {
    await client.query(`CREATE MATERIALIZED VIEW ${name} AS ${text}`);
  }
}

async function allBids(t, node) {
  let client = await connectSql(t, node);
  await until(
    async () => {
      await sleep(200);
      return Number((await client.query('SELECT count(*) FROM bid')).rows[0].count) === BIDS;
    },
    'all bids',
    60_000,
  );
  await client.query('FLUSH');
  return client;
}

// The rows Nonet has, in PostgreSQL.
async function copyRows(nonet, postgres) {
  for (const text of statements(schemaForPostgres)) {
    await postgres.query(text);
  }
  for (const text of preparation) await postgres.query(text);
  for (const table of ['person', 'auction', 'bid']) {
    const { rows } = await nonet.query(`SELECT * FROM ${table}`);
    for (let from = 0; from < rows.length; from += 5000) {
      await postgres.query(
        `INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, $1)`,
        [JSON.stringify(rows.slice(from, from + 5000))],
      );
    }
  }
}

async function compare(nonet, postgres) {
  for (const { name, text } of queries) {
    const expected = await outcome(postgres, forPostgres(text), { ordered: false });
    assert.equal(expected.error, undefined, `${name} on PostgreSQL: ${expected.error}`);
    const view = await outcome(nonet, `SELECT * FROM ${name}`, { ordered: false });
    assert.equal(view.error, undefined, `${name}: ${view.error}`);
    assert.equal(view.columns, expected.columns, `${name}: its columns`);
    assert.equal(view.rows.length, expected.rows.length, `${name}: how many rows`);
    assert.deepEqual(view.rows, expected.rows, `${name}: its rows`);
    const once = await outcome(nonet, text, { ordered: false });
    assert.deepEqual(once.rows, view.rows, `${name}: asked once`);
  }
}

describe('Nexmark', () => {
  for (const [what, more, kills] of [
    ['in order', '', 0],
    ['out of order, killed three times', ', out_of_order: 200', 3],
  ]) {
    test(what, { timeout: 240_000 }, async (t) => {
      const postgres = await (await startPostgres(t)).connect(t);
      const node = await startNonet(t, { config: config(more), listen: { sql: 0 } });
      const first = await connectSql(null, node);
      await prepare(first);
      for (let i = 0; i < kills; i++) {
        await sleep(3000);
        await node.stop('SIGKILL');
        await node.start();
      }
      if (kills === 0) await first.end();
      const nonet = await allBids(t, node);
      await copyRows(nonet, postgres);
      await compare(nonet, postgres);
      const clock = await outcome(nonet, `SELECT sum(bids)::bigint FROM ${wallClock.name}`);
      assert.deepEqual(clock.rows, [`["${BIDS}"]`], 'each bid is in one window of the clock');
    });
  }
});

// A view is at every moment what its query would answer: random tables, views over them and over
// each other, and random transactions, from seeds that are told. After each FLUSH every view is
// compared with its query asked once, as multisets of typed values, and in some runs with what
// PostgreSQL 15 answers after the same statements; in the end once more after a kill -9.
//
// NONET_SQL_RUNS: how many runs (4); NONET_SQL_SEED: the first one's seed.

import assert from 'node:assert/strict';
import { check, startNonet } from './lib/node.mjs';
import { connectSql, startPostgres } from './lib/postgres.mjs';
import { RandomSql } from './lib/sql_random.mjs';

const RUNS = Number(process.env.NONET_SQL_RUNS ?? 4);
const SEED = Number(process.env.NONET_SQL_SEED ?? Date.now() % 1_000_000_000);
const EVERY_ORACLE = 2; // every second run is compared with PostgreSQL
const VIEWS = 6;
const STEPS = 5;
const ROWS_MAX = 120; // of each table, about
const NUMERIC_OID = 1700;

// Rows as texts in an order of their own; a numeric without its trailing zeros.
async function answer(client, text) {
  const { fields, rows } = await client.query({ text, rowMode: 'array' });
  const canonical = (value, i) =>
    fields[i].dataTypeID === NUMERIC_OID && value?.includes('.')
      ? value.replace(/\.?0+$/, '')
      : value;
  return {
    types: fields.map((field) => field.dataTypeID),
    rows: rows.map((row) => JSON.stringify(row.map(canonical))).sort(),
  };
}

// What each run did, for whoever has to find out why.
class Story {
  constructor(seed) {
    this.seed = seed;
    this.statements = [];
  }

  async run(clients, text) {
    this.statements.push(text);
    for (const client of clients)
      await client.query(text).catch((error) => {
        throw new Error(`${error.code} ${error.message}\n${this.told()}`);
      });
  }

  same(found, expected, what) {
    try {
      assert.deepEqual(found, expected);
    } catch (error) {
      throw new Error(`${what}\n${error.message}\n${this.told()}`);
    }
  }

  told() {
    return `NONET_SQL_SEED=${this.seed}\n${this.statements.join(';\n')};`;
  }
}

async function compare(story, nonet, oracle, views) {
  await nonet.query('FLUSH');
  for (const { name, text } of views) {
    const kept = await answer(nonet, `SELECT * FROM ${name}`);
    story.same(kept, await answer(nonet, text), `view ${name} and its query asked once: ${text}`);
    if (oracle) story.same(kept, await answer(oracle, text), `${name} and PostgreSQL: ${text}`);
  }
}

async function one(seed, run, nonet, postgres) {
  const random = new RandomSql(seed, `r${run}`);
  const story = new Story(seed);
  const oracle = run % EVERY_ORACLE === 0 ? postgres : null;
  const all = oracle ? [nonet, oracle] : [nonet];
  for (const text of random.definitions()) await story.run(all, text);
  for (const table of random.tables) await story.run(all, random.insert(table, 15));
  const views = [];
  let rows = 0;
  const change = async () => {
    for (const text of random.transaction(rows)) await story.run(all, text);
    const counts = random.tables.map((name) => `(SELECT count(*) FROM ${name})`);
    rows = Number((await nonet.query(`SELECT greatest(${counts}) AS n`)).rows[0].n);
  };
  for (let step = 0; step < STEPS; step++) {
    // Some views begin with what is there, others with nothing.
    while (views.length < VIEWS && !(step === 0 && views.length > VIEWS / 2)) {
      const view = random.view();
      views.push(view);
      await story.run([nonet], `CREATE MATERIALIZED VIEW ${view.name} AS ${view.text}`);
      if (oracle) await oracle.query(`CREATE VIEW ${view.name} AS ${view.text}`);
    }
    for (let i = 0; i < 3; i++) await change();
    for (const table of random.tables)
      await story.run(
        all,
        `DELETE FROM ${table} WHERE id <= (SELECT max(id) FROM ${table}) - ${ROWS_MAX}`,
      );
    await compare(story, nonet, oracle, views);
  }
  return { story, views };
}

check('views are what their queries answer, whatever changes', async (t) => {
  t.diagnostic(`NONET_SQL_SEED=${SEED} NONET_SQL_RUNS=${RUNS}`);
  const node = await startNonet(t, { listen: { sql: 0 } });
  const postgres = await (await startPostgres(t)).connect(t);
  let nonet = await connectSql(t, node);
  const done = [];
  for (let run = 0; run < RUNS; run++) done.push(await one(SEED + run, run, nonet, postgres));
  await node.stop('SIGKILL');
  await node.start();
  nonet = await connectSql(t, node);
  for (const { story, views } of done.slice(-10)) await compare(story, nonet, null, views);
});

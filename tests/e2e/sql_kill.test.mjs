// Stored tables under kill -9: several connections move money between accounts, each transfer a
// transaction that also leaves a row of its own; a transaction that 40001 refuses is done again.
// After each kill: what COMMIT has answered is there; what it has not is there whole or not at all;
// what was rolled back never is; balances are what the transfers make of them, so nothing is lost
// or made; and the views over both tables say the same.
//
// NONET_SQL_KILLS: how many kills (4).

import assert from 'node:assert/strict';
import { check, startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const KILLS = Number(process.env.NONET_SQL_KILLS ?? 4);
const WRITERS = 6;
const ACCOUNTS = 20;
const START_BALANCE = 1000;
const DIGITS = 1_000_000; // transfer ids: of each writer so many

const below = (n) => Math.floor(Math.random() * n);

// What this test knows of transfers, by their id.
class Ledger {
  constructor() {
    this.committed = new Set();
    this.undone = new Set(); // rolled back, wholly or to a savepoint
    this.open = new Set(); // COMMIT was sent, and not answered
    this.retries = 0;
  }
}

// One transfer, done again until it is answered. Throws what a connection throws that is gone.
async function transfer(client, ledger, id) {
  const [from, to, amount] = [below(ACCOUNTS), below(ACCOUNTS), 1 + below(50)];
  const move = (by, key) => [
    `UPDATE account SET balance = balance - ${amount} WHERE id = ${from}`,
    `UPDATE account SET balance = balance + ${amount} WHERE id = ${to}`,
    `INSERT INTO transfer VALUES (${key}, ${from}, ${to}, ${amount})`,
  ];
  const text = ['BEGIN', ...move('', id)];
  const style = below(6);
  if (style === 0) {
    // A second one within, which is taken back.
    ledger.undone.add(-id);
    text.push('SAVEPOINT s', ...move('', -id), 'ROLLBACK TO s');
  }
  if (style === 1) ledger.undone.add(id);
  else ledger.open.add(id);
  text.push(style === 1 ? 'ROLLBACK' : 'COMMIT');
  for (;;) {
    try {
      if (style === 2) await client.query(text.join(';'));
      else for (const statement of text) await client.query(statement);
      if (style !== 1 && ledger.open.delete(id)) ledger.committed.add(id);
      return;
    } catch (error) {
      if (error.code !== '40001') throw error;
      ledger.retries += 1;
      await client.query('ROLLBACK');
    }
  }
}

async function write(server, ledger, writer, next, alive) {
  const client = await connectSql(null, server);
  const left = new Promise((resolve) => client.once('end', resolve));
  try {
    while (alive()) await transfer(client, ledger, writer * DIGITS + ++next[writer]);
  } catch (error) {
    if (alive() && error.code) throw error; // an answer of the node that it should not give
  }
  client.end().catch(() => {});
  await left;
}

const rows = async (client, text) => (await client.query({ text, rowMode: 'array' })).rows;

async function verify(client, ledger) {
  await client.query('FLUSH');
  const transfers = await rows(client, 'SELECT id, source, target, amount FROM transfer');
  const there = new Set(transfers.map(([id]) => Number(id)));
  assert.equal(there.size, transfers.length, 'an id occurs once');
  for (const id of ledger.committed) assert.ok(there.has(id), `${id} was committed and is gone`);
  for (const id of ledger.undone) assert.ok(!there.has(id), `${id} was rolled back and is there`);
  for (const id of there)
    assert.ok(ledger.committed.has(id) || ledger.open.has(id), `nobody has committed ${id}`);
  for (const id of ledger.open) if (there.has(id)) ledger.committed.add(id);
  for (const id of ledger.open) if (!there.has(id)) ledger.undone.add(id); // and stays so
  ledger.open.clear();

  const balances = new Map(Array.from({ length: ACCOUNTS }, (_, i) => [i, START_BALANCE]));
  for (const [, source, target, amount] of transfers) {
    balances.set(Number(source), balances.get(Number(source)) - Number(amount));
    balances.set(Number(target), balances.get(Number(target)) + Number(amount));
  }
  const expected = [...balances].map(([id, balance]) => [`${id}`, `${balance}`]);
  const ask = (table) => rows(client, `SELECT id, balance FROM ${table} ORDER BY id`);
  assert.deepEqual(await ask('account'), expected, 'the table');
  assert.deepEqual(await ask('balances'), expected, 'the view over transfers');
  assert.deepEqual(await rows(client, 'SELECT * FROM totals'), [
    [`${ACCOUNTS * START_BALANCE}`, `${transfers.length}`],
  ]);
  return there.size;
}

const DEFINITIONS = `
  CREATE TABLE account (id int PRIMARY KEY, balance bigint);
  CREATE TABLE transfer (id bigint PRIMARY KEY, source int, target int, amount bigint);
  INSERT INTO account SELECT i, ${START_BALANCE} FROM generate_series(0, ${ACCOUNTS - 1}) i;
  CREATE MATERIALIZED VIEW balances AS
    SELECT a.id, ${START_BALANCE} + coalesce(sum(m.amount), 0) AS balance
    FROM (SELECT id FROM account) a LEFT JOIN
         (SELECT source AS id, -amount AS amount FROM transfer
          UNION ALL SELECT target, amount FROM transfer) m ON m.id = a.id
    GROUP BY a.id;
  CREATE MATERIALIZED VIEW totals AS
    SELECT (SELECT sum(balance) FROM account) AS balance, (SELECT count(*) FROM transfer) AS n`;

check('what COMMIT has answered survives kill -9, and nothing by half', async (t) => {
  const server = await startNonet(t, { listen: { sql: 0 } });
  const ledger = new Ledger();
  const next = Array.from({ length: WRITERS }, () => 0);
  const first = await connectSql(t, server);
  for (const text of DEFINITIONS.split(';')) await first.query(text);
  for (let kill = 0; kill < KILLS; kill++) {
    let killed = false;
    const before = ledger.committed.size;
    const busy = next.map((_, writer) => write(server, ledger, writer, next, () => !killed));
    const enough = before + 10 + below(150);
    await Promise.race([until(() => ledger.committed.size > enough, 'commits', 60_000), ...busy]);
    killed = true; // what fails from now on is the kill's
    await server.stop('SIGKILL');
    await Promise.all(busy);
    await server.start();
    if (below(3) === 0) {
      await server.stop('SIGKILL'); // while it reads, perhaps
      await server.start();
    }
    const client = await connectSql(t, server);
    const there = await verify(client, ledger);
    assert.ok(there > before, 'transfers were done');
  }
  t.diagnostic(`${ledger.committed.size} transfers, ${ledger.retries} done again`);
});

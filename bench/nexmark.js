// nexmark - the groups of bench/run for SQL: the Nexmark queries as materialized views over a
// stream of JSON, and how views are read.
//
//   nexmark   BENCH_NEXMARK_EVENTS (10,000,000) events at 100,000 a second of their own time lie
//             in the log; each query becomes a view, and what counts is the CPU the node takes
//             until the view has all of them: reading, decoding, computing, keeping. The node
//             has computed one before, untold: memory that a virtual machine has to find for it
//             first is dear (q0 takes half as long again), and the queries behind would have it.
//   sql_read  a view of 100,000 keys read by key, through prepared statements (pgbench), beside an
//             indexed table of PostgreSQL of the same rows
//
// psql and pgbench are Debian's, of the package postgresql-15.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const RATE = 100_000;
// Thousands of events a CPU second (issue 5).
const AIMS = { q0: 1500, q1: 1400, q2: 1500, q3: 1200, q4: 500, q5: 700, q7: 700, q8: 1200, q9: 150,
  q11: 600, q15: 400, q16: 150, q17: 500, q18: 250, q19: 250, q20: 250, q21: 700, q22: 900 };

module.exports = function nexmark(bench) {
  const { compare, die, figure, folder, measure, nonet, onLoadCores, progress, run, setting, sleep,
    start, state, stopAndForget } = bench;
  const postgres = require('./postgres.js')(bench);
  const events = setting('BENCH_NEXMARK_EVENTS', 10_000_000, 500_000);
  const chosen = process.env.BENCH_NEXMARK_QUERIES?.split(',');
  const sources = path.join(__dirname, 'nexmark');
  const read = (name) => fs.readFileSync(path.join(sources, name), 'utf8');

  function psql(server, ...texts) {
    const words = ['-h', '127.0.0.1', '-p', `${server.port}`, '-U', 'nonet', '-d', 'nonet', '-X',
      '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', ...texts.flatMap((text) => ['-c', text])];
    const result = spawnSync('psql', words, { encoding: 'utf8', maxBuffer: 1 << 26 });
    if (result.status !== 0) die(`psql: ${result.stderr || result.error}`);
    return result.stdout.trim();
  }

  const node = (app) => (port, data) => [nonet, 'run', app, '--data', data, '--listen',
    `sql=127.0.0.1:${port}`, '--listen', 'nats=off', '--listen', 'admin=off', '--listen',
    'http=off', '--shards', '1', '--quiet'];

  async function filled() {
    const app = folder('nexmark-app');
    fs.writeFileSync(path.join(app, 'nonet.yaml'), `
sql: {memory: 16GB}
streams:
  NEXMARK: {subjects: ["person.>", "auction.>", "bid.>"]}
flows:
  nexmark:
    from: {nexmark: {rate: ${RATE}/s, seed: 7, limit: ${events}}}
    to: {publish: "{kind}.new"}
`);
    const server = await start('nonet', { command: node(app) });
    for (const name of ['schema.sql', 'prepare.sql'])
      psql(server, ...read(name).split(';\n').filter((text) => text.trim()));
    psql(server, 'CREATE MATERIALIZED VIEW arrived AS SELECT count(*) AS bids FROM bid');
    const bids = Math.floor((events * 46) / 50);
    for (let seen = 0; seen < bids; await sleep(1000)) {
      seen = Number(psql(server, 'SELECT bids FROM arrived'));
      progress(`${figure(events)} events: ${figure((100 * seen) / bids)} %`);
    }
    psql(server, 'DROP MATERIALIZED VIEW arrived');
    return server;
  }

  // Until the node has put away what came, or for a minute: the first query does not pay for that.
  async function settle(server) {
    for (let second = 0, before = Infinity; second < 60; second++) {
      const cpu = measure('cpu', server).cpu_seconds;
      if (cpu - before < 0.02) break;
      before = cpu;
      await sleep(1000);
    }
  }

  // The CPU seconds, rows and bytes of state of the query NAME as a view, which is dropped again.
  function compute(server, name) {
    progress(name);
    const before = measure('cpu', server).cpu_seconds;
    psql(server, `CREATE MATERIALIZED VIEW ${name} AS ${read(`${name}.sql`)}`, 'FLUSH');
    const cpu = measure('cpu', server).cpu_seconds - before;
    const [rows, bytes] = psql(server, `SELECT rows, state_bytes FROM nonet_views
      WHERE name = '${name}'`).split('|').map(Number);
    psql(server, `DROP MATERIALIZED VIEW ${name}`);
    return { cpu, rows, bytes };
  }

  async function queries() {
    const server = await filled();
    await settle(server);
    const names = fs.readdirSync(sources).filter((name) => /^q\d+\.sql$/.test(name))
      .map((name) => name.replace('.sql', '')).filter((name) => !chosen || chosen.includes(name))
      .sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
    compute(server, 'q0');
    for (const name of names) {
      const { cpu, rows, bytes } = compute(server, name);
      const aim = AIMS[name] ? { least: AIMS[name] } : {};
      const kept = `${figure(rows)} rows, ${figure(bytes / 1e6)} MB of state`;
      state(`${name}: events a CPU second (${kept})`, null, events / cpu / 1000, 'thousand', aim);
    }
    await stopAndForget(server);
  }

  // ---- reads by key -----------------------------------------------------------------------------

  function pgbench(words, script, database) {
    const text = run(onLoadCores([postgres.path('pgbench'), ...words, '-n', '-M', 'prepared', '-c',
      '4', '-T', '5', '-f', script, database]), 'pgbench');
    const rate = /^tps = ([\d.]+)/m.exec(text);
    if (!rate) die(`pgbench: ${text}`);
    return Number(rate[1]);
  }

  async function reads() {
    const app = folder('sql-app');
    fs.writeFileSync(path.join(app, 'nonet.yaml'), 'node: {name: bench}\n');
    const script = path.join(app, 'read.sql');
    fs.writeFileSync(script,
      '\\set k random(1, 100000)\nSELECT n, total FROM kept WHERE k = :k;\n');
    const server = await start('nonet', { command: node(app) });
    psql(server, 'CREATE TABLE t (id bigint PRIMARY KEY, k bigint, v bigint)',
      'INSERT INTO t SELECT g, g % 100000 + 1, g FROM generate_series(1, 300000) g',
      'CREATE MATERIALIZED VIEW kept AS ' +
        'SELECT k, count(*) AS n, sum(v) AS total FROM t GROUP BY k',
      'FLUSH');
    const here = ['-h', '127.0.0.1', '-p', `${server.port}`, '-U', 'nonet'];
    const mine = pgbench(here, script, 'nonet');
    await stopAndForget(server);
    const rival = await postgres.open();
    rival.ask('CREATE TABLE kept AS SELECT g AS k, 3 AS n, (g * 3)::numeric AS total ' +
      'FROM generate_series(1, 100000) g');
    rival.ask('ALTER TABLE kept ADD PRIMARY KEY (k)');
    rival.ask('VACUUM ANALYZE kept');
    const theirs = pgbench(rival.at, script, 'postgres');
    await stopAndForget(rival.server);
    compare('a view read by key, 4 connections, prepared', theirs, mine, '/s', { least: 1 },
      'PostgreSQL');
  }

  return { nexmark: queries, sql_read: reads };
};

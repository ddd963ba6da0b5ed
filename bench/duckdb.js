// duckdb - the group sql_scan of bench/run: one-shot scans and aggregates of a stored table beside
// DuckDB, for honesty: it is made for them, by columns, where Nonet keeps rows.
//
// DuckDB runs within a process of Node, in memory, with one thread; Nonet answers over the wire of
// PostgreSQL. It is no dependency of anything: npm puts it into build-bench when it is measured.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const PACKAGE = '@duckdb/node-api@1.5.6-r.1';
const RUNS = 7;
const QUERIES = [
  ['a filter over', 'SELECT count(*) FROM t WHERE v % 7 = 0'],
  ['1,000 groups of', 'SELECT k, count(*), sum(v), max(v) FROM t GROUP BY k'],
  ['the last 10 of', 'SELECT id, v FROM t ORDER BY v DESC, id LIMIT 10'],
];
const filling = (rows) => 'INSERT INTO t ' +
  `SELECT g, g % 1000, (g * 7919) % 1000003 FROM generate_series(1, ${rows}) x(g)`;
const TABLE = 'CREATE TABLE t (id bigint, k bigint, v bigint)';

// Milliseconds of each query, the best of RUNS; in the process of Node.
const inNode = (statements) => `
const { DuckDBInstance } = require('@duckdb/node-api');
(async () => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  for (const statement of ${JSON.stringify(statements)}) await connection.run(statement);
  const times = [];
  for (const [, query] of ${JSON.stringify(QUERIES)}) {
    let best = Infinity;
    for (let i = 0; i < ${RUNS}; i++) {
      const began = performance.now();
      await connection.runAndReadAll(query);
      best = Math.min(best, performance.now() - began);
    }
    times.push(best);
  }
  console.log(JSON.stringify(times));
})();`;

module.exports = function duckdb(bench) {
  const { build, compare, die, figure, folder, nonet, onLoadCores, onServerCores, progress, run,
    setting, start, stopAndForget } = bench;
  const rows = setting('BENCH_SCAN_ROWS', 1_000_000, 200_000);

  function theirs() {
    const home = path.join(build, 'duckdb');
    const script = path.join(home, 'measure.js');
    fs.mkdirSync(home, { recursive: true });
    if (!fs.existsSync(path.join(home, 'node_modules')))
      run(['npm', 'install', '--prefix', home, '--no-save', PACKAGE], 'npm');
    fs.writeFileSync(script, inNode([TABLE, filling(rows)]));
    return JSON.parse(run(onServerCores(['node', script]), 'DuckDB'));
  }

  async function mine() {
    const app = folder('scan-app');
    fs.writeFileSync(path.join(app, 'nonet.yaml'), 'node: {name: bench}\nsql: {memory: 4GB}\n');
    const server = await start('nonet', { command: (port, data) => [nonet, 'run', app, '--data',
      data, '--listen', `sql=127.0.0.1:${port}`, '--listen', 'nats=off', '--listen', 'admin=off',
      '--listen', 'http=off', '--shards', '1', '--quiet'] });
    const psql = (...words) => run(onLoadCores(['psql', '-h', '127.0.0.1', '-p',
      `${server.port}`, '-U', 'nonet', '-d', 'nonet', '-X', '-q', '-v', 'ON_ERROR_STOP=1',
      ...words]), 'psql');
    psql('-c', TABLE);
    for (let done = 0; done < rows; done += 100_000) // within one step's memory
      psql('-c', 'INSERT INTO t SELECT g, g % 1000, (g * 7919) % 1000003 ' +
        `FROM generate_series(${done + 1}, ${Math.min(done + 100_000, rows)}) x(g)`);
    const times = QUERIES.map(([, query]) => {
      const asked = Array.from({ length: RUNS }, () => ['-c', query]).flat();
      const text = psql('-c', '\\timing on', '-o', '/dev/null', ...asked);
      const each = [...text.matchAll(/^Time: ([\d.]+) ms/gm)].map((found) => Number(found[1]));
      if (each.length !== RUNS) die(`psql: ${text}`);
      return Math.min(...each);
    });
    await stopAndForget(server);
    return times;
  }

  return {
    async sql_scan() {
      progress('DuckDB');
      const rival = theirs();
      progress('scans');
      const own = await mine();
      QUERIES.forEach(([what], i) =>
        compare(`${what} ${figure(rows)} rows`, rival[i], own[i], 'ms', {}, 'DuckDB'));
    },
  };
};

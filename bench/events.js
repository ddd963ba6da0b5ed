// events - the group of bench/run that measures event streams beside PostgreSQL.
//
// The same thing durably, one at a time a connection: an event of 200 B to a stream that has to be
// new. Nonet over HTTP with JSON (POST /v1/streams/NAME, expect none; load: append_load),
// PostgreSQL over its own protocol with a prepared INSERT into a table with UNIQUE (stream,
// revision) and synchronous_commit = on (load: pgbench). Both on an empty store, on the same disk,
// in turn. With one connection also append_server: a socket, a write and an fdatasync, and nothing
// else.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const DATA = 'x'.repeat(200);
const CONNECTIONS = [1, 64, 1024];
const REQUEST_BYTES = 460; // of an append over HTTP, head and body

module.exports = function events(bench) {
  const postgres = require('./postgres.js')(bench);
  const { appendLoad, appendServer, compare, die, inTurn, measure, nonet, onLoadCores, options, run,
    sleep, start, stopAndForget } = bench;
  const SECONDS = options.quick ? 2 : 6;

  // ---- servers ----------------------------------------------------------------------------------

  const nonetNode = (port, data) => [nonet, 'run', '--data', data, '--listen',
    `admin=127.0.0.1:${port}`, '--listen', 'nats=0', '--listen', 'http=off',
    '--listen', 'sql=off', '--shards', '1',
    '--quiet'];

  // ---- loads ------------------------------------------------------------------------------------

  const percentile = (sorted, share) => sorted[Math.floor(sorted.length * share)] / 1000;

  async function onPostgres(clients) {
    const { server, at, ask } = await postgres.open();
    ask(`CREATE TABLE events (position bigserial PRIMARY KEY, stream text NOT NULL,
      revision bigint NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), type text NOT NULL,
      at timestamptz NOT NULL DEFAULT now(), data jsonb NOT NULL, UNIQUE (stream, revision))`);
    const script = path.join(server.data, 'append.sql');
    fs.writeFileSync(script, `\\set n random(1, 9000000000000000)
INSERT INTO events (stream, revision, type, data)
VALUES ('bench-' || :n, 0, 'Happened', '{"text":"${DATA}"}');\n`);
    const log = path.join(server.data, 'times'); // connecting is part of -T, but not of its rate
    const seconds = SECONDS + Math.ceil(clients / 100);
    const text = run(onLoadCores([postgres.path('pgbench'), ...at, '-n', '-M', 'prepared', '-c',
      `${clients}`, '-j', '1', '-T', `${seconds}`, '-f', script, '-l', `--log-prefix=${log}`,
      'postgres']), 'pgbench');
    const rate = /^tps = ([\d.]+)/m.exec(text);
    if (!rate) die(`pgbench: ${text}`);
    const times = fs.readdirSync(server.data).filter((name) => name.startsWith('times'))
      .flatMap((name) => fs.readFileSync(path.join(server.data, name), 'utf8').trim().split('\n'))
      .map((line) => Number(line.split(' ')[2])).sort((a, b) => a - b);
    await stopAndForget(server);
    return { rate: Number(rate[1]), p50: percentile(times, 0.5),
      p99: percentile(times, 0.99) };
  }

  const event = JSON.stringify({ expect: 'none',
    events: [{ type: 'Happened', data: { text: DATA } }] });

  async function onNonet(clients) {
    const server = await start('nonet', { command: nonetNode });
    const token = fs.readFileSync(path.join(server.data, 'admin.token'), 'utf8').trim();
    const text = run(onLoadCores([appendLoad, `${server.port}`, token, `${clients}`, `${SECONDS}`,
      event]), 'append_load');
    await stopAndForget(server);
    return JSON.parse(text);
  }

  // As many bytes as such a request has, over the least there can be between a socket and a disk.
  async function onAppendServer() {
    const command = (port, data) =>
      [appendServer, `${port}`, path.join(data, 'file'), `${REQUEST_BYTES}`];
    const server = await start('append_server', { command });
    const work = { size: REQUEST_BYTES };
    measure('append', server, { ...work, count: 500 });
    const { rate, p50_us: p50, p99_us: p99 } = measure('append', server,
      { ...work, count: SECONDS * 2000 });
    await stopAndForget(server);
    return { rate, p50: p50 / 1000, p99: p99 / 1000 };
  }

  // ---- group ------------------------------------------------------------------------------------

  async function appends() {
    for (const clients of CONNECTIONS) {
      const what = `durable append of a 200 B event, ${clients} ` +
        `connection${clients > 1 ? 's' : ''}`;
      const on = { nonet: onNonet, postgres: onPostgres, append_server: onAppendServer };
      const names = ['postgres', 'nonet', ...(clients === 1 ? ['append_server'] : [])];
      const [rival, mine, bare] = await inTurn(names, what, (name) => on[name](clients));
      compare(what, rival.rate, mine.rate, '/s', clients > 1 ? { least: 5 } : {}, 'PostgreSQL');
      compare(`${what}: p50`, rival.p50, mine.p50, 'ms', {}, 'PostgreSQL');
      compare(`${what}: p99`, rival.p99, mine.p99, 'ms', {}, 'PostgreSQL');
      if (bare)
        compare(`${what}: time of one`, 1e6 / bare.rate, 1e6 / mine.rate, 'us', { most: 1.3 },
          'append_server');
    }
  }

  return { events: appends };
};

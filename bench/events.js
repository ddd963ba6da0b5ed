// events - the group of bench/run that measures event streams beside PostgreSQL.
//
// The same thing durably, one at a time a connection: an event of 200 B to a stream that has to be
// new. Nonet over HTTP with JSON (POST /v1/streams/NAME, expect none; load: wrk), PostgreSQL over
// its own protocol with a prepared INSERT into a table with UNIQUE (stream, revision) and
// synchronous_commit = on (load: pgbench). Both on an empty store, on the same disk, in turn.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const DATA = 'x'.repeat(200);
const CONNECTIONS = [1, 64, 1024];

module.exports = function events(bench) {
  const { compare, die, inTurn, nonet, onLoadCores, options, run, sleep, start, stopAndForget } =
    bench;
  const SECONDS = options.quick ? 2 : 6;

  // ---- servers ----------------------------------------------------------------------------------

  const nonetNode = (port, data) => [nonet, 'run', '--data', data, '--listen',
    `admin=127.0.0.1:${port}`, '--listen', 'nats=0', '--listen', 'http=off', '--shards', '1',
    '--quiet'];

  function postgresPath(name) {
    const versions = '/usr/lib/postgresql';
    const found = fs.existsSync(versions) &&
      fs.readdirSync(versions).sort((a, b) => b - a)
        .map((version) => path.join(versions, version, 'bin', name)).find(fs.existsSync);
    if (!found) die(`there is no ${name}: apt-get install postgresql`);
    return found;
  }

  // PostgreSQL does not run as root.
  const asPostgres = (words) => process.getuid() === 0
    ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', ...words] : words;

  function postgres(port, data) {
    if (process.getuid() === 0) run(['chown', 'postgres', data]);
    const store = path.join(data, 'store');
    run(asPostgres([postgresPath('initdb'), '-D', store, '-U', 'bench', '-A', 'trust', '-E',
      'UTF8', '--no-locale']));
    fs.appendFileSync(`${store}/postgresql.conf`, `
listen_addresses = '127.0.0.1'
port = ${port}
unix_socket_directories = ''
max_connections = 1100
shared_buffers = 256MB
max_wal_size = 4GB
fsync = on
synchronous_commit = on
`);
    return asPostgres([postgresPath('postgres'), '-D', store]);
  }

  // ---- loads ------------------------------------------------------------------------------------

  const percentile = (sorted, share) => sorted[Math.floor(sorted.length * share)] / 1000;

  async function onPostgres(clients) {
    const server = await start('postgres', { command: postgres });
    const at = ['-h', '127.0.0.1', '-p', `${server.port}`, '-U', 'bench'];
    const ask = (sql) => run(['psql', ...at, '-q', '-d', 'postgres', '-c', sql]);
    for (let tries = 0; ; tries++) { // it listens before it serves
      const { status } = spawnSync('psql', [...at, '-d', 'postgres', '-c', 'SELECT 1'],
        { stdio: 'ignore' });
      if (status === 0) break;
      if (tries === 100) die('postgres does not start');
      await sleep(50);
    }
    ask(`CREATE TABLE events (position bigserial PRIMARY KEY, stream text NOT NULL,
      revision bigint NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), type text NOT NULL,
      at timestamptz NOT NULL DEFAULT now(), data jsonb NOT NULL, UNIQUE (stream, revision))`);
    const script = path.join(server.data, 'append.sql');
    fs.writeFileSync(script, `\\set n random(1, 9000000000000000)
INSERT INTO events (stream, revision, type, data)
VALUES ('bench-' || :n, 0, 'Happened', '{"text":"${DATA}"}');\n`);
    const log = path.join(server.data, 'times'); // connecting is part of -T, but not of its rate
    const seconds = SECONDS + Math.ceil(clients / 100);
    const text = run(onLoadCores([postgresPath('pgbench'), ...at, '-n', '-M', 'prepared', '-c',
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

  const MS = { us: 1e-3, ms: 1, s: 1e3 };

  async function onNonet(clients) {
    const server = await start('nonet', { command: nonetNode });
    const lua = path.join(server.data, 'append.lua');
    const token = fs.readFileSync(path.join(server.data, 'admin.token'), 'utf8').trim();
    const body = JSON.stringify({ expect: 'none',
      events: [{ type: 'Happened', data: { text: DATA } }] });
    fs.writeFileSync(lua, `local n = 0
local headers = {Authorization = 'Bearer ${token}', ['Content-Type'] = 'application/json'}
request = function()
  n = n + 1
  return wrk.format('POST', '/v1/streams/bench-' .. n, headers, '${body}')
end
`);
    const text = run(onLoadCores(['wrk', '-t1', `-c${clients}`, `-d${SECONDS}s`, '--timeout', '10s',
      '--latency', '-s', lua, `http://127.0.0.1:${server.port}`]), 'wrk');
    const failed = /Non-2xx or 3xx responses: (\d+)/.exec(text) || /Socket errors: (.*)/.exec(text);
    if (failed) die(`wrk: ${failed[0]}`);
    const at = (percent) => {
      const [, number, unit] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(text);
      return Number(number) * MS[unit];
    };
    await stopAndForget(server);
    return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]), p50: at(50), p99: at(99) };
  }

  // ---- group ------------------------------------------------------------------------------------

  async function appends() {
    for (const clients of CONNECTIONS) {
      const what = `durable append of a 200 B event, ${clients} ` +
        `connection${clients > 1 ? 's' : ''}`;
      const [rival, mine] = await inTurn(['postgres', 'nonet'], what,
        (name) => (name === 'nonet' ? onNonet(clients) : onPostgres(clients)));
      compare(what, rival.rate, mine.rate, '/s', {}, 'PostgreSQL');
      compare(`${what}: p50`, rival.p50, mine.p50, 'ms', {}, 'PostgreSQL');
      compare(`${what}: p99`, rival.p99, mine.p99, 'ms', {}, 'PostgreSQL');
    }
  }

  return { events: appends };
};

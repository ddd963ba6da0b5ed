// postgres - the rival PostgreSQL of bench/run: Debian's, in a folder of its own, with fsync on.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

module.exports = function postgres({ die, run, sleep, start }) {
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

  function command(port, data) {
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

  // Up and serving: {server, at: psql's arguments, ask(sql)}.
  async function open() {
    const server = await start('postgres', { command });
    const at = ['-h', '127.0.0.1', '-p', `${server.port}`, '-U', 'bench'];
    const ask = (sql) => run(['psql', ...at, '-q', '-d', 'postgres', '-c', sql]);
    for (let tries = 0; ; tries++) { // it listens before it serves
      const { status } = spawnSync('psql', [...at, '-d', 'postgres', '-c', 'SELECT 1'],
        { stdio: 'ignore' });
      if (status === 0) break;
      if (tries === 100) die('postgres does not start');
      await sleep(50);
    }
    return { server, at, ask };
  }

  return { open, path: postgresPath };
};

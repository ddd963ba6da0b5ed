// A real PostgreSQL 15 of its own for a test, in a folder of its own, reached by a socket there:
// the oracle that Nonet's SQL is compared with. It is built as the documents say Nonet is: UTF-8,
// text ordered by bytes ("C"), UTC.
//
// PostgreSQL refuses to run as root; as root it is run as the user `postgres` that its package
// makes.

import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { temporaryFolder, until } from './node.mjs';
import { pgClient } from './postgres_client.mjs';

const FOLDER = '/usr/lib/postgresql/15/bin';
const ROOT = process.getuid() === 0;

// Values as the text the server sent, so that both servers' own words are compared.
export const asText = { getTypeParser: () => (value) => value };

const asUser = (command, args) =>
  ROOT ? ['runuser', ['-u', 'postgres', '--', command, ...args]] : [command, args];

export async function startPostgres(t) {
  const dir = temporaryFolder();
  const data = path.join(dir, 'data');
  if (ROOT) {
    fs.chmodSync(dir, 0o755);
    fs.mkdirSync(data);
    fs.mkdirSync(path.join(dir, 'socket'));
    for (const each of [data, path.join(dir, 'socket')]) execFileSync('chown', ['postgres', each]);
  } else {
    fs.mkdirSync(path.join(dir, 'socket'));
  }
  const init = ['-D', data, '-E', 'UTF8', '--locale=C', '-A', 'trust', '-U', 'postgres', '-N'];
  execFileSync(...asUser(path.join(FOLDER, 'initdb'), init), { stdio: 'pipe' });
  const settings = ['listen_addresses=', 'fsync=off', 'timezone=UTC', 'autovacuum=off'];
  const args = ['-D', data, '-k', path.join(dir, 'socket'), '-p', '5432'];
  for (const setting of settings) args.push('-c', setting);
  const [command, all] = asUser(path.join(FOLDER, 'postgres'), args);
  const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (bytes) => (log += bytes));
  const exited = new Promise((resolve) => child.on('close', resolve));
  const server = {
    host: path.join(dir, 'socket'),
    async connect(test, options = {}) {
      const client = new pg.Client({
        host: server.host,
        port: 5432,
        user: 'postgres',
        database: 'postgres',
        types: asText,
        ...options,
      });
      await client.connect();
      client.on('error', () => {}); // the server may be stopped first
      test?.after(() => client.end());
      return client;
    },
    async stop() {
      child.kill('SIGINT'); // runuser hands it on
      const pidFile = path.join(data, 'postmaster.pid');
      if (fs.existsSync(pidFile)) {
        const pid = Number(fs.readFileSync(pidFile, 'utf8').split('\n')[0]);
        try {
          process.kill(pid, 'SIGQUIT');
        } catch {
          // it has gone by itself
        }
      }
      await exited;
    },
  };
  await until(() => /ready to accept connections/.test(log), `PostgreSQL: ${log}`, 30_000);
  t?.after(() => server.stop());
  return server;
}

// A client of Nonet's listener `sql`, closed when test T ends, that has values as text.
export const connectSql = (t, node, options = {}) =>
  pgClient(t, node, { user: 'nonet', types: asText, ...options });

// What a statement comes to, in a form that two servers can be compared in.
export async function outcome(client, text, { ordered = /\border\s+by\b/i.test(text) } = {}) {
  try {
    const result = await client.query({ text, rowMode: 'array' });
    const rows = result.rows.map((row) => JSON.stringify(row));
    return {
      columns: result.fields.map((field) => `${field.name}:${field.dataTypeID}`).join(' '),
      rows: ordered ? rows : rows.sort(),
    };
  } catch (error) {
    if (!error.code || error.code.length !== 5) throw error;
    return { error: error.code };
  }
}

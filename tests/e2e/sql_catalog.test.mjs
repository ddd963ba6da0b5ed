// What psql's backslash commands, drivers and tools ask pg_catalog and information_schema: Nonet
// prints what PostgreSQL 15 prints of the same objects. psql is Debian's.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { startNonet } from './lib/node.mjs';
import { connectSql, startPostgres } from './lib/postgres.mjs';

const run = promisify(execFile);

const OBJECTS = [
  `CREATE TYPE mood AS ENUM ('sad', 'glad')`,
  `CREATE TABLE item (id bigint PRIMARY KEY, name text NOT NULL, price numeric(9,2),
     mood mood, tags text[], made timestamptz, short varchar(10) UNIQUE,
     CONSTRAINT priced CHECK (price > 0))`,
  'CREATE TABLE "Odd Name" (a int, "B c" bool)',
  'CREATE INDEX item_by_name ON item (name, price)',
  'CREATE VIEW shown AS SELECT id, name FROM item',
  'CREATE MATERIALIZED VIEW counted AS SELECT name, count(*) AS items FROM item GROUP BY name',
  `COMMENT ON TABLE item IS 'what is sold'`,
];

// The same of both, to the letter.
const COMMANDS = [
  ...['\\d', '\\dt', '\\dv', '\\dm', '\\di', '\\ds', '\\dn', '\\dn+', '\\dT', '\\df'],
  ...['\\dp', '\\dD', '\\dO', '\\det', '\\dRp', '\\dP', '\\dt public.*', '\\d nothing'],
  ...['\\d counted', '\\d shown', '\\d "Odd Name"', '\\d item_pkey', '\\d item_by_name'],
];

const QUERIES = [
  `SELECT * FROM abs(-3)`,
  `SELECT s[i] FROM generate_series(1, 2) AS i, string_to_array('a,b', ',') s ORDER BY 1`,
  // Grafana's list of tables.
  `SELECT CASE WHEN quote_ident(table_schema) IN (
       SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
       FROM generate_series(
         array_lower(string_to_array(current_setting('search_path'), ','), 1),
         array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i,
         string_to_array(current_setting('search_path'), ',') s)
     THEN quote_ident(table_name)
     ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
   FROM information_schema.tables
   WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog') ORDER BY 1`,
  `SELECT 'item'::regclass, 'item'::regclass::oid > 0, to_regclass('nothing'),
     'public'::regnamespace, 'int'::regtype, pg_typeof('item'::regclass)`,
  `SELECT table_schema, table_name, table_type FROM information_schema.tables
     WHERE table_schema = 'public' ORDER BY 2`,
  `SELECT column_name, ordinal_position, is_nullable, data_type, character_maximum_length,
     numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision, udt_name
     FROM information_schema.columns WHERE table_name = 'item' ORDER BY 2`,
  `SELECT constraint_name, constraint_type FROM information_schema.table_constraints
     WHERE table_name = 'item' AND constraint_name NOT LIKE '%not_null' ORDER BY 1`,
  `SELECT constraint_name, column_name, ordinal_position FROM information_schema.key_column_usage
     WHERE table_name = 'item' ORDER BY 1`,
  `SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a
     WHERE a.attrelid = 'item'::regclass AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum`,
  `SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2`,
  `SELECT conname, contype, conkey, pg_get_constraintdef(oid) FROM pg_constraint
     WHERE conrelid = 'item'::regclass AND contype <> 'c' ORDER BY 1`,
  `SELECT i.relname, x.indisunique, x.indisprimary, x.indkey FROM pg_index x
     JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = 'item'::regclass ORDER BY 1`,
  `SELECT typname, typtype, typcategory, typlen FROM pg_type
     WHERE typname IN ('int4', 'text', '_text', 'mood', 'numeric', 'bool') ORDER BY 1`,
  `SELECT enumlabel, enumsortorder FROM pg_enum WHERE enumtypid = 'mood'::regtype ORDER BY 2`,
  `SELECT obj_description('item'::regclass, 'pg_class'), col_description('item'::regclass, 1)`,
  `SELECT current_schemas(true), current_schemas(false), current_setting('server_encoding'),
     current_setting('no.such', true), pg_encoding_to_char(6), pg_is_in_recovery()`,
  `SELECT format_type(1043, 14), format_type(1042, NULL), format_type(1042, -1),
     format_type(1700, 589830), format_type(1009, NULL), format_type(0, NULL), format_type(3, 3)`,
  `SELECT pg_size_pretty(0::bigint), pg_size_pretty(10239::bigint), pg_size_pretty(10240::bigint),
     pg_size_pretty(10485247::bigint), pg_size_pretty(10485248::bigint),
     pg_size_pretty(-12345678901::bigint)`,
  `SELECT has_table_privilege('item', 'SELECT'), has_schema_privilege('public', 'USAGE')`,
  `SELECT rolname, rolsuper, rolcanlogin FROM pg_roles WHERE rolname = current_user`,
];

const psql = async (host, port, args) => {
  const connection = ['-X', '-h', host, '-p', port, '-U', 'nonet', '-d', 'nonet'];
  // An error ends it with 1; what it printed is what counts.
  const told = await run('psql', [...connection, ...args]).catch((error) => error);
  return told.stdout + told.stderr;
};

async function both(t) {
  const server = await startNonet(t, { listen: { sql: 0 } });
  const client = await connectSql(t, server);
  const postgres = await startPostgres(t);
  const admin = await postgres.connect(t);
  await admin.query('CREATE USER nonet SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS');
  await admin.query('CREATE DATABASE nonet OWNER nonet');
  const oracle = await postgres.connect(t, { user: 'nonet', database: 'nonet' });
  await oracle.query('ALTER SCHEMA public OWNER TO nonet');
  await oracle.query('COMMENT ON SCHEMA public IS NULL');
  await oracle.query('ALTER SCHEMA public RENAME TO old');
  await oracle.query('DROP SCHEMA old');
  await oracle.query('CREATE SCHEMA public');
  for (const text of OBJECTS) {
    await client.query(text);
    await oracle.query(text);
  }
  const [host, port] = server.ports.sql.split(':');
  return {
    nonet: (...args) => psql(host, port, args),
    pg: (...args) => psql(postgres.host, '5432', args),
  };
}

test('psql lists and describes, and tools are answered, as with PostgreSQL', async (t) => {
  const { nonet, pg } = await both(t);
  for (const command of COMMANDS) {
    assert.equal(await nonet('-c', command), await pg('-c', command), command);
  }
  for (const query of QUERIES) {
    assert.equal(await nonet('-c', query), await pg('-c', query), query);
  }
});

test('what is Nonet’s own: definitions as they were written, sizes, one role', async (t) => {
  const { nonet } = await both(t);
  assert.match(await nonet('-c', '\\d+ shown'), /View definition:\n SELECT id, name FROM item;/);
  assert.match(
    await nonet('-c', '\\sv shown'),
    /^CREATE OR REPLACE VIEW public.shown AS\n SELECT id/,
  );
  assert.match(await nonet('-c', '\\dt+'), / item .*permanent.*heap.* bytes +\| what is sold/);
  assert.match(await nonet('-c', '\\dm+'), / counted .*materialized view/);
  assert.match(
    await nonet('-c', '\\d item'),
    /Check constraints:\n    ".*" CHECK \(\(price > 0\)\)/,
  );
  assert.match(await nonet('-c', '\\du'), / nonet +\| Superuser/);
  assert.match(await nonet('-c', '\\l'), / nonet \| nonet \| UTF8/);
});

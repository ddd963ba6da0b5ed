// The definitions in an app's folder sql/: made at the start, once, whatever their order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNonet, until } from './lib/node.mjs';
import { connectSql } from './lib/postgres.mjs';

const config = 'streams:\n  ORDERS: {subjects: ["order.>"]}\n';
const files = {
  'sql/1-views.sql': `-- what it reads is defined in the next file
CREATE MATERIALIZED VIEW sold AS
  SELECT item, count(*) AS orders FROM orders GROUP BY item
;`,
  'sql/2-tables.sql': `CREATE TABLE orders (item text) WITH (subject = 'order.>');`,
  'sql/notes.txt': 'no SQL at all',
};
const told = (node) => until(() => /definitions of the app .*/.exec(node.log)?.[0], 'definitions');
const rows = async (client) => {
  await client.query('FLUSH');
  return (await client.query('SELECT item, orders FROM sold ORDER BY item')).rows;
};

test('an app defines its tables and views in any order', async (t) => {
  const node = await startNonet(t, { config, files, listen: { sql: 0 } });
  assert.match(await told(node), /files=2 made=2/);
  const connection = await node.connect(t);
  for (const item of ['tea', 'milk', 'tea']) {
    await connection.request('order.new', JSON.stringify({ item }));
  }
  const expected = [
    { item: 'milk', orders: '1' },
    { item: 'tea', orders: '2' },
  ];
  const client = await connectSql(t, node);
  assert.deepEqual(await rows(client), expected);
  const { rows: views } = await client.query(`SELECT pg_get_viewdef('sold'::regclass) AS text`);
  assert.match(views[0].text, /^ SELECT item[^\n]* GROUP BY item;$/, 'shown as a line of SQL');

  await node.stop('SIGKILL');
  node.log = '';
  await node.start();
  assert.match(await told(node), /files=2 made=0/);
  assert.doesNotMatch(node.log, /was not made/);
  assert.deepEqual(await rows(await connectSql(t, node)), expected);
});

test('what is there stays, and a mistake is told with its place', async (t) => {
  const node = await startNonet(t, { config, files, listen: { sql: 0 } });
  await told(node);
  await node.stop();
  node.options.files = {
    ...files,
    'sql/2-tables.sql': `CREATE TABLE orders (item text, more int) WITH (subject = 'order.>');`,
    'sql/3.sql': 'CREATE TABLE a (x int);\nCREATE TABLE b (\n  x nope);\nSELECT 1;',
  };
  node.log = '';
  await node.start();
  assert.match(await told(node), /files=3 made=1/);
  assert.match(node.log, /at=sql\/2-tables\.sql:1:1 .*defined otherwise/);
  assert.match(node.log, /at=sql\/3\.sql:3:5 .*nope.* does not exist/);
  assert.match(node.log, /at=sql\/3\.sql:4:1 .*only CREATE statements/);
  const client = await connectSql(t, node);
  assert.deepEqual((await client.query('SELECT * FROM orders')).fields.length, 1);
});

// COPY through psql in all shapes, and pgbench.

import assert from 'node:assert/strict';
import { onNonet } from './lib/node.mjs';
import { pgClient, psql, runClient } from './lib/postgres_client.mjs';

onNonet('sql copy', { listen: { sql: 0 } }, (it) => {
  it('rows go in and out as text and csv', async (t, node) => {
    const script = `CREATE TABLE copied (a int, b text);
COPY copied FROM STDIN;
1\ta\\tb
2\t\\N
\\.
COPY copied FROM STDIN (FORMAT csv, HEADER);
a,b
3,"q ""x"", y"
4,
\\.
COPY copied TO STDOUT;
COPY (SELECT a, b FROM copied WHERE a > 2 ORDER BY a) TO STDOUT (FORMAT csv, HEADER);
COPY (SELECT 1, 'x', NULL) TO STDOUT (FORMAT csv, FORCE_QUOTE *);
`;
    const { stdout, stderr } = await psql(node, script);
    assert.equal(stderr, '');
    assert.equal(
      stdout,
      '1\ta\\tb\n2\t\\N\n3\tq "x", y\n4\t\\N\na,b\n3,"q ""x"", y"\n4,\n"1","x",\n',
    );
  });

  it('binary that went out comes in again', async (t, node) => {
    const client = await pgClient(t, node);
    await client.query('CREATE TABLE sent (a int8, b text, c numeric, d timestamp)');
    await client.query('CREATE TABLE got (a int8, b text, c numeric, d timestamp)');
    await client.query(`INSERT INTO sent SELECT g, 'row ' || g, g * 1.5, NULL
      FROM generate_series(1, 5000) g`);
    const file = `${node.dir}/sent.bin`;
    const script = `\\copy sent TO '${file}' BINARY\n\\copy got FROM '${file}' BINARY\n`;
    const { status, stderr } = await psql(node, script);
    assert.equal(stderr, '');
    assert.equal(status, 0);
    const { rows } = await client.query(`SELECT count(*)::int4 AS n, sum(c)::text AS c FROM got`);
    assert.deepEqual(rows, [{ n: 5000, c: '18753750.0' }]);
  });

  it('a bad row names its line, and nothing of the copy stays', async (t, node) => {
    const script = `CREATE TABLE refused (a int);
COPY refused FROM STDIN;
1
x
\\.
SELECT count(*) FROM refused;
`;
    const { stdout, stderr } = await psql(node, script);
    assert.match(stderr, /ERROR: {2}invalid input syntax for type integer: "x"/);
    assert.match(stderr, /CONTEXT: {2}COPY refused, line 2/);
    assert.equal(stdout, '0\n');
  });

  it('pgbench runs, by every protocol', async (t, node) => {
    const init = await runClient(node, 'pgbench', ['-i', '-q', '-s', '1']);
    assert.equal(init.status, 0, init.stderr);
    for (const protocol of ['simple', 'extended', 'prepared']) {
      const args = ['-n', '-c', '4', '-t', '25', '--max-tries=10', '-M', protocol];
      const { status, stdout, stderr } = await runClient(node, 'pgbench', args);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /number of transactions actually processed: \d+\/100/);
    }
    const client = await pgClient(t, node);
    const { rows } = await client.query(`SELECT
      (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history) a,
      (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history) b`);
    assert.deepEqual(rows, [{ a: true, b: true }]);
  });
});

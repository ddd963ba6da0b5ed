// Statements, messages and clients made to hurt: each is refused in words or held up by itself, and
// the node goes on, in bounded memory.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { residentMib, SANITIZED } from './lib/abuse.mjs';
import { onNonet, until } from './lib/node.mjs';
import {
  failure,
  fields,
  int16,
  int32,
  pgClient,
  text,
  types,
  Wire,
} from './lib/postgres_client.mjs';

const code = async (promise) => (await failure(promise)).code;
const served = async (t, node) => {
  const client = await pgClient(t, node);
  assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1);
  await client.end();
};

const CHAINS = {
  sums: `SELECT 1${' + 1'.repeat(100_000)}`,
  'sums of calls': `SELECT abs(1)${' + greatest(1, 2)'.repeat(100_000)}`,
  casts: `SELECT 1${'::int'.repeat(100_000)}`,
  'set operations': `SELECT 1, 2${' UNION ALL SELECT 1, 2'.repeat(20_000)}`,
};

const nested = (open, inside, close, depth) => open.repeat(depth) + inside + close.repeat(depth);

const CTES = Array.from(
  { length: 300 },
  (_, i) => `w${i} AS (SELECT ${i ? `x + random() AS x FROM w${i - 1}` : '1 AS x'})`,
);

// What is too deep, too long or too large, and the code it is refused with.
const REFUSED = [
  ['parentheses', `SELECT ${nested('(', '1', ')', 50_000)}`, '54001'],
  ['NOTs', `SELECT ${'NOT '.repeat(50_000)} true`, '54001'],
  ['CASEs', `SELECT ${nested('CASE WHEN true THEN ', '1', ' END', 5_000)}`, '54001'],
  ['calls', `SELECT ${nested('abs(', '1', ')', 5_000)}`, '54001'],
  ['subqueries', `SELECT ${nested('(SELECT ', '1', ')', 2_000)}`, '54001'],
  ['tables in tables', `SELECT 1 FROM ${nested('(SELECT 1 FROM ', 'h', ') q', 2_000)}`, '54001'],
  ['tables joined', `SELECT 1 FROM ${Array.from({ length: 400 }, (_, i) => `h h${i}`)}`, '54001'],
  ['a chain of CTEs', `WITH ${CTES} SELECT x FROM w299`, '54001'],
  ['arrays', `SELECT ${nested('ARRAY[', '1', ']', 7)}`, '54000'],
  ['array text', `SELECT '${nested('{', '1', '}', 100_000)}'::int[]`, '54000'],
  ['jsonb', `SELECT '${nested('[', '1', ']', 100_000)}'::jsonb`, '54001'],
  ['json', `SELECT '${nested('{"a":', '1', '}', 100_000)}'::json`, '54001'],
  ['a list of IN', `SELECT 1 IN (${Array.from({ length: 100_000 }, (_, i) => i)})`, '54001'],
  ['a text', `SELECT length(repeat('x', 2000000000))`, '54000'],
  ['a padded text', `SELECT length(lpad('x', 2000000000))`, '54000'],
  ['a number', `SELECT 10::numeric ^ 1000000::numeric`, '22003'],
  ['a factorial', `SELECT factorial(1000000)`, '22003'],
  ['an array', `SELECT array_fill(1, ARRAY[100000, 100000])`, '54000'],
  ['a negative LIMIT', `SELECT 1 FROM h LIMIT -1`, '2201W'],
  ['a statement', `SELECT '${'x'.repeat(5_000_000)}'`, '54000'],
];

// What is answered, however large its numbers.
const ANSWERED = [
  ['SELECT count(*)::int AS n FROM (SELECT * FROM h LIMIT 9223372036854775807) q', 1],
  ['SELECT count(*)::int AS n FROM (SELECT * FROM h OFFSET 9223372036854775807) q', 0],
  ['SELECT count(*)::int AS n FROM (SELECT * FROM h ORDER BY 1 LIMIT 9223372036854775807) q', 1],
];

const BOMBS = ['(a+)+$', '(a|a)*$', '(a*)*b', '(.*)*x', '((a{0,30}){0,30}){0,30}b'];

onNonet('hostile SQL', { listen: { sql: 0 } }, (it) => {
  for (const [name, statement] of Object.entries(CHAINS)) {
    it(`a chain of very many ${name} is refused`, async (t, node) => {
      const client = await pgClient(t, node);
      assert.equal(await code(client.query(statement)), '54001');
      assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1);
    });
  }

  it('what is too deep or too large is refused', async (t, node) => {
    const client = await pgClient(t, node);
    await client.query('CREATE TABLE IF NOT EXISTS h (a int)');
    await client.query('INSERT INTO h VALUES (1)');
    const found = [];
    for (const [name, statement] of REFUSED)
      found.push([name, await code(client.query(statement))]);
    assert.deepEqual(
      found,
      REFUSED.map(([name, , expected]) => [name, expected]),
    );
    for (const [statement, n] of ANSWERED)
      assert.equal((await client.query(statement)).rows[0].n, n, statement);
  });

  it('patterns that never end are given up', async (t, node) => {
    const client = await pgClient(t, node);
    for (const bomb of BOMBS) {
      const statement = `SELECT repeat('a', 5000) || '!' ~ '${bomb}' AS found`;
      const answer = await client.query(statement).catch((error) => error);
      assert.ok(answer.code ? answer.code.length === 5 : !answer.rows[0].found, bomb);
      assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1);
    }
  });

  it('what never ends is cancelled, and others are served meanwhile', async (t, node) => {
    for (const statement of [
      'SELECT count(*) FROM generate_series(1, 9000000000000000000)',
      'SELECT g FROM generate_series(1, 9000000000000000000) g WHERE g < 0',
      'SELECT 1 FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a + b < 0',
    ]) {
      const wire = await Wire.open(t, node);
      const key = wire.greeting.find((m) => m.type === 'K').body;
      wire.send(['Q', text(statement)]);
      await served(t, node);
      const cancel = await Wire.open(t, node, { start: false });
      cancel.request(80877102, key);
      const answer = await wire.until('Z');
      assert.equal(fields(answer.find((m) => m.type === 'E')).C, '57014', statement);
    }
  });

  it('parameters may be very many, and never more than are there', async (t, node) => {
    const wire = await Wire.open(t, node);
    const count = 65_535;
    const places = Array.from({ length: count }, (_, i) => `($${i + 1}::int)`);
    wire.send(['P', text('all'), text(`SELECT sum(column1) FROM (VALUES ${places}) q`), int16(0)]);
    const one = Buffer.concat([int32(1), Buffer.from('1')]);
    const values = Buffer.concat(Array(count).fill(one));
    wire.send(['B', text(''), text('all'), int16(0), int16(count), values, int16(0)]);
    wire.send(['E', text(''), int32(0)], ['S']);
    assert.equal(types(await wire.until('Z')), '1 2 D C Z');
    // Counts that promise more than the message has, or other than the statement wants.
    for (const rest of [
      [int16(0), int16(count), one],
      [int16(3), int16(1), int16(count), values, int16(0)],
      [int16(0), int16(1), int32(2_000_000_000)],
      [int16(0), int16(1), int32(-7)],
      [int16(0), int16(2), one, one, int16(0)],
    ]) {
      wire.send(['B', text(''), text('all'), ...rest], ['S']);
      assert.equal(fields((await wire.until('Z'))[0]).C, '08P01');
    }
  });

  it('messages that stop half way, or promise too much, cost their session', async (t, node) => {
    for (const bytes of [
      Buffer.concat([Buffer.from('Q'), int32(1_000_000), Buffer.from('SELECT')]),
      Buffer.concat([Buffer.from('P'), int32(60_000_000), Buffer.alloc(1000)]),
    ]) {
      const wire = await Wire.open(t, node);
      wire.socket.write(bytes);
      await served(t, node);
      wire.socket.destroy();
    }
    for (const length of [3, -1, 2_000_000_000]) {
      const wire = await Wire.open(t, node);
      wire.socket.write(Buffer.concat([Buffer.from('Q'), int32(length), Buffer.alloc(100)]));
      assert.equal(fields(await wire.next()).C, '08P01');
      assert.equal(await wire.next(), null);
    }
    await served(t, node);
  });

  it('garbage in COPY is refused with its line', async (t, node) => {
    const client = await pgClient(t, node);
    await client.query('CREATE TABLE IF NOT EXISTS copied (a int, b text, c numeric, d timestamp)');
    let seed = 1;
    const byte = () => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16) & 0xff;
    const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
    const wire = await Wire.open(t, node);
    for (const format of ['text', 'csv', 'binary']) {
      for (let i = 0; i < 20; i++) {
        const noise = Buffer.from(Array.from({ length: 1 + byte() * 8 }, byte));
        const data = format === 'binary' && i % 2 ? Buffer.concat([signature, noise]) : noise;
        wire.send(['Q', text(`COPY copied FROM STDIN (FORMAT ${format})`)]);
        assert.equal((await wire.next()).type, 'G');
        wire.send(['d', data], ['c']);
        const answer = await wire.until('Z');
        assert.match(fields(answer[0]).C, /^(22...|08P01)$/, `${format} ${data.toString('hex')}`);
      }
    }
    assert.equal((await client.query('SELECT count(*)::int AS n FROM copied')).rows[0].n, 0);
  });

  it('a transaction has a bound of savepoints', async (t, node) => {
    const client = await pgClient(t, node);
    await client.query('BEGIN');
    const many = Array.from({ length: 10_000 }, (_, i) => `SAVEPOINT s${i}`).join(';');
    assert.equal(await code(client.query(many)), '54000');
    assert.equal(await code(client.query('SELECT 1')), '25P02');
    await client.query('ROLLBACK TO s500');
    await client.query('COMMIT');
  });
});

const BOUNDS = `
sql: {work_mem: 16MB, memory: 16MB, max_sessions: 8}
limits: {auth_timeout: 1s}
`;

onNonet('hostile SQL at its bounds', { config: BOUNDS, listen: { sql: 0 } }, (it) => {
  it('who comes when all sessions are taken is told, and may come again', async (t, node) => {
    const all = [];
    for (let i = 0; i < 8; i++) all.push(await pgClient(null, node));
    assert.equal(await code(pgClient(null, node)), '53300');
    await all[0].end();
    await until(async () => (await pgClient(t, node).catch(() => null)) !== null, 'a free place');
    for (const client of all.slice(1)) await client.end();
  });

  it('who does not get through the startup is sent away', async (t, node) => {
    const slow = [];
    for (let i = 0; i < 4; i++) slow.push(await Wire.open(t, node, { start: false }));
    slow[1].socket.write(Buffer.from([0, 0]));
    slow[2].socket.write(Buffer.concat([int32(100), int32(196608), text('user')]));
    await served(t, node);
    await Promise.all(slow.map((wire) => wire.closed ?? once(wire.socket, 'close')));
  });

  it('a transaction past the memory of its table fails, the next one works', async (t, node) => {
    const client = await pgClient(t, node);
    await client.query('CREATE TABLE bounded (a int, b text)');
    const fill = `INSERT INTO bounded SELECT g, repeat('x', 1000) FROM generate_series(1, 2000) g`;
    await client.query('BEGIN');
    const fails = async () => {
      for (let i = 0; i < 20; i++) await client.query(fill);
    };
    assert.equal(await code(fails()), '53200');
    assert.equal(await code(client.query('SELECT 1')), '25P02');
    await client.query('ROLLBACK');
    await client.query(fill);
    const { rows } = await client.query('SELECT count(*)::int AS n FROM bounded');
    assert.equal(rows[0].n, 2000);
    // An answer past the memory of a statement, and what one step would hold.
    const large = `SELECT repeat('x', 1000) FROM generate_series(1, 100000) g ORDER BY 1`;
    assert.equal(await code(client.query(large)), '53200');
    const sorted = 'SELECT array_agg(g) FROM generate_series(1, 10000000) g';
    assert.match(await code(client.query(sorted)), /^(53200|54000)$/);
    assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1);
  });

  it('giant rows are refused', async (t, node) => {
    const client = await pgClient(t, node);
    await client.query('CREATE TABLE giant (a text, b text)');
    const row = `INSERT INTO giant VALUES (repeat('x', 15000000), repeat('y', 15000000))`;
    assert.match(await code(client.query(row)), /^(53200|54000)$/);
    await client.query(`INSERT INTO giant VALUES ('x', repeat('y', 1000000))`);
    assert.equal((await client.query('SELECT length(b) AS n FROM giant')).rows[0].n, 1_000_000);
  });

  it('clients that never read hold up themselves, in bounded memory', async (t, node) => {
    const before = residentMib(node);
    for (let i = 0; i < 4; i++) {
      const wire = await Wire.open(t, node);
      wire.socket.pause();
      wire.send(['Q', text("SELECT repeat('x', 10000) FROM generate_series(1, 100000)")]);
    }
    for (let i = 0; i < 20; i++) await served(t, node);
    const grown = residentMib(node) - before;
    assert.ok(SANITIZED || grown < 200, `${grown} MiB more`);
  });
});

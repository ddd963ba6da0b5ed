// Sessions of the listener sql: startup, queries, the extended protocol, errors, cancelling.

import assert from 'node:assert/strict';
import Cursor from 'pg-cursor';
import { onNonet } from './lib/node.mjs';
import {
  Wire,
  failure,
  fields,
  int16,
  int32,
  pgClient,
  psql,
  row,
  text,
  types,
} from './lib/postgres_client.mjs';

const rows = async (client, ...query) => (await client.query(...query)).rows;

onNonet('sql sessions', { listen: { sql: 0 } }, (it) => {
  it('a client is greeted with the settings drivers rely on', async (t, node) => {
    const wire = await Wire.open(t, node);
    const status = Object.fromEntries(
      wire.greeting.filter((m) => m.type === 'S').map((m) => m.body.toString().split('\0')),
    );
    assert.match(status.server_version, /^15\.0 \(Nonet/);
    assert.equal(status.server_encoding, 'UTF8');
    assert.equal(status.client_encoding, 'UTF8');
    assert.equal(status.DateStyle, 'ISO, MDY');
    assert.equal(status.integer_datetimes, 'on');
    assert.equal(status.standard_conforming_strings, 'on');
    assert.ok(wire.greeting.some((m) => m.type === 'K'));
    assert.equal(wire.greeting.at(-1).body.toString(), 'I');
  });

  it('the database is nonet or named as the user', async (t, node) => {
    for (const database of ['nonet', 'ann']) {
      const client = await pgClient(t, node, { database });
      assert.deepEqual(await rows(client, 'SELECT current_database() d, current_user u'), [
        { d: 'nonet', u: 'ann' },
      ]);
    }
    const error = await failure(pgClient(t, node, { database: 'other' }));
    assert.equal(error.code, '3D000');
    assert.match(error.message, /database "other" does not exist/);
  });

  it('settings of the startup message hold, and a wrong one ends the session', async (t, node) => {
    const client = await pgClient(t, node, {
      application_name: 'auction',
      options: '-c timezone=Europe/Berlin --extra_float_digits=0',
    });
    assert.equal((await rows(client, 'SHOW timezone'))[0].timezone, 'Europe/Berlin');
    assert.equal((await rows(client, 'SHOW application_name'))[0].application_name, 'auction');
    const wire = await Wire.open(t, node, { start: false });
    wire.startup({ user: 'ann', database: 'nonet', nonsense: '1' });
    const error = fields((await wire.until('E')).at(-1));
    assert.equal(error.S, 'FATAL');
    assert.equal(error.C, '42704');
    assert.equal(await wire.next(), null);
  });

  it('what is newer than 3.0 is told, and the session goes on', async (t, node) => {
    const wire = await Wire.open(t, node, { start: false });
    wire.startup({ user: 'ann', database: 'nonet', '_pq_.x': '1' }, 196610);
    const greeting = await wire.until('Z');
    assert.equal(greeting[0].type, 'v');
    assert.equal(greeting[0].body.toString('latin1', 8), '_pq_.x\0');
  });

  it('who does not speak the protocol is sent away with words', async (t, node) => {
    const cases = [
      ['GET / HTTP/1.1\r\n\r\n', /invalid length of startup packet/],
      [Buffer.from([0, 0, 0, 8, 0, 2, 0, 0]), /unsupported frontend protocol/],
    ];
    for (const [bytes, words] of cases) {
      const wire = await Wire.open(t, node, { start: false });
      wire.socket.write(bytes);
      assert.match(fields((await wire.until('E')).at(-1)).M, words);
      assert.equal(await wire.next(), null);
    }
    const wire = await Wire.open(t, node);
    wire.send(['z']);
    assert.match(fields((await wire.until('E')).at(-1)).M, /invalid frontend message type 122/);
    assert.equal(await wire.next(), null);
  });

  it('values come back as they were sent, as text and in binary', async (t, node) => {
    const client = await pgClient(t, node);
    const values = [
      [true, 'bool'],
      [-32768, 'int2'],
      [2147483647, 'int4'],
      ['9223372036854775807', 'int8'],
      ['-12345678901234567890.123', 'numeric'],
      [0.1, 'float8'],
      [0.5, 'float4'],
      ['grüße "\\ \t', 'text'],
      ['', 'text'],
      [Buffer.from([0, 1, 255]), 'bytea'],
      ['2026-02-28', 'date'],
      ['23:59:59.999999', 'time'],
      ['2026-02-28 12:13:14.123456', 'timestamp'],
      ['2026-02-28 12:13:14.5+00', 'timestamptz'],
      ['1 year 2 mons -3 days 04:05:06.7', 'interval'],
      ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'uuid'],
      ['{"a": [1, null]}', 'jsonb'],
      ['{1,NULL,3}', 'int4[]'],
      [null, 'text'],
    ];
    for (const [value, type] of values) {
      const same = `$1::${type} IS NOT DISTINCT FROM (($1::${type})::text)::${type}`;
      assert.deepEqual(
        await rows(client, `SELECT ${same} AS same`, [value]),
        [{ same: true }],
        type,
      );
    }
    for (const binary of [false, true]) {
      const [got] = await rows(client, {
        text: `SELECT true b, 7::int2 s, -7::int4 i, 1.5::float8 f, 'x'::text t, '\\x00ff'::bytea y,
               NULL::int4 n`,
        binary,
      });
      assert.deepEqual(
        { ...got, y: [...got.y] },
        {
          b: true,
          s: 7,
          i: -7,
          f: 1.5,
          t: 'x',
          y: [0, 255],
          n: null,
        },
      );
    }
  });

  it('parameters in binary are taken', async (t, node) => {
    const wire = await Wire.open(t, node);
    wire.send(
      ['P', text(''), text('SELECT $1::int4 + 1, $2::text'), int16(0)],
      [
        'B',
        text(''),
        text(''),
        int16(2),
        int16(1),
        int16(0),
        int16(2),
        int32(4),
        int32(41),
        int32(1),
        Buffer.from('x'),
        int16(1),
        int16(0),
      ],
      ['E', text(''), int32(0)],
      ['S'],
    );
    const answer = await wire.until('Z');
    assert.equal(types(answer), '1 2 D C Z');
    assert.deepEqual(row(answer[2]), ['42', 'x']);
  });

  it('errors say where, and the session goes on', async (t, node) => {
    const client = await pgClient(t, node);
    const cases = [
      ['SELECT nope', '42703', '8'],
      ['SELEC 1', '42601', '1'],
      ["SELECT 'ü', nope", '42703', '13'],
      ['SELECT * FROM nowhere', '42P01', '15'],
      ['SELECT 1/0', '22012', undefined],
      ["SELECT 'x'::int4", '22P02', '8'],
    ];
    for (const [query, code, position] of cases) {
      for (const values of [undefined, []]) {
        const error = await failure(client.query(query, values));
        assert.equal(error.code, code, query);
        assert.equal(error.position, position, query);
        assert.equal(error.severity, 'ERROR');
      }
    }
    assert.deepEqual(await rows(client, 'SELECT 1 a'), [{ a: 1 }]);
  });

  it('several statements of one query are one transaction', async (t, node) => {
    const client = await pgClient(t, node);
    await client.query('CREATE TABLE several (a int)');
    const results = await client.query('INSERT INTO several VALUES (1); SELECT a FROM several');
    assert.deepEqual(
      results.map((r) => r.command),
      ['INSERT', 'SELECT'],
    );
    assert.deepEqual(results[1].rows, [{ a: 1 }]);
    await failure(client.query('INSERT INTO several VALUES (2); SELECT 1/0'));
    assert.deepEqual(await rows(client, 'SELECT a FROM several'), [{ a: 1 }]);
    await failure(client.query('INSERT INTO several VALUES (3); COMMIT; SELECT 1/0'));
    assert.deepEqual(await rows(client, 'SELECT a FROM several ORDER BY a'), [{ a: 1 }, { a: 3 }]);
  });

  it('a transaction is kept to itself, and a failed one is over', async (t, node) => {
    const one = await pgClient(t, node);
    const other = await pgClient(t, node);
    await one.query('CREATE TABLE kept (a int)');
    await one.query('BEGIN');
    await one.query('INSERT INTO kept VALUES (1)');
    assert.deepEqual(await rows(one, 'SELECT a FROM kept'), [{ a: 1 }]);
    assert.deepEqual(await rows(other, 'SELECT a FROM kept'), []);
    await one.query('COMMIT');
    assert.deepEqual(await rows(other, 'SELECT a FROM kept'), [{ a: 1 }]);
    await one.query('BEGIN');
    await failure(one.query('SELECT nope'));
    assert.equal((await failure(one.query('SELECT 1'))).code, '25P02');
    assert.equal((await one.query('COMMIT')).command, 'ROLLBACK');
    await one.query('SELECT 1');
  });

  it('of two that change one row the first wins, the other may try again', async (t, node) => {
    const one = await pgClient(t, node);
    const other = await pgClient(t, node);
    const change = 'UPDATE keyed SET n = n + 1 WHERE id = 1';
    await one.query('CREATE TABLE keyed (id int PRIMARY KEY, n int)');
    await one.query('INSERT INTO keyed VALUES (1, 0)');
    for (const client of [one, other]) {
      await client.query('BEGIN');
      await client.query(change);
    }
    await one.query('COMMIT');
    assert.equal((await failure(other.query('COMMIT'))).code, '40001');
    await other.query(change);
    assert.deepEqual(await rows(one, 'SELECT n FROM keyed'), [{ n: 2 }]);
    assert.equal((await failure(one.query('INSERT INTO keyed VALUES (1, 9)'))).code, '23505');
  });

  it('prepared statements are kept by name until they are closed', async (t, node) => {
    const client = await pgClient(t, node);
    const query = { name: 'double', text: 'SELECT $1::int4 * 2 AS twice' };
    for (const n of [1, 2, 3])
      assert.deepEqual(await rows(client, { ...query, values: [n] }), [{ twice: n * 2 }]);
    await client.query('DEALLOCATE double');
    const error = await failure(client.query({ ...query, values: [4] }));
    assert.equal(error.code, '26000');
    assert.match(error.message, /prepared statement "double" does not exist/);
  });

  it('a portal gives its rows in pieces', async (t, node) => {
    const client = await pgClient(t, node);
    const cursor = client.query(new Cursor('SELECT g FROM generate_series(1, 2500) g'));
    const sizes = [];
    let expected = 1;
    for (let got; (got = await cursor.read(1000)).length > 0;) {
      sizes.push(got.length);
      for (const { g } of got) assert.equal(g, expected++);
    }
    assert.deepEqual(sizes, [1000, 1000, 500]);
    await cursor.close();
    const early = client.query(new Cursor('SELECT g FROM generate_series(1, 2500) g'));
    assert.equal((await early.read(3)).length, 3);
    await early.close();
    assert.deepEqual(await rows(client, 'SELECT 1 a'), [{ a: 1 }]);
  });

  it('a portal bound before a definition runs on what is there now', async (t, node) => {
    const wire = await Wire.open(t, node);
    const other = await pgClient(t, node);
    await other.query("CREATE TABLE bound AS SELECT 1 AS a, 'x'::text AS b, NULL::text AS c");
    const bind = async (sql) => {
      wire.send(
        ['P', text(''), text(sql), int16(0)],
        ['B', text(''), text(''), int16(0), int16(0), int16(0)],
        ['H'],
      );
      assert.equal(types(await wire.until('2')), '1 2');
    };
    const execute = async () => {
      wire.send(['E', text(''), int32(0)], ['S']);
      return wire.until('Z');
    };
    await bind('SELECT a, b, c FROM bound');
    await other.query('CREATE TABLE unrelated (a int, b numeric, c text)');
    assert.deepEqual(row((await execute())[0]), ['1', 'x', null]);
    await bind("COPY (SELECT a, b, c FROM bound) TO STDOUT (NULL 'nothing at all')");
    await other.query('DROP TABLE unrelated');
    const copied = (await execute()).find((message) => message.type === 'd');
    assert.equal(copied.body.toString(), '1\tx\tnothing at all\n');
  });

  it('a prepared statement never changes its columns unsaid', async (t, node) => {
    const client = await pgClient(t, node);
    const make = (columns) => client.query(`CREATE TABLE anew AS SELECT ${columns}`);
    const run = () => client.query({ name: 'anew', text: 'SELECT * FROM anew' });
    await make('1 AS a, 2 AS b, 3 AS c');
    assert.deepEqual((await run()).rows, [{ a: 1, b: 2, c: 3 }]);
    await client.query('DROP TABLE anew');
    assert.equal((await failure(run())).code, '42P01');
    await make('4 AS a');
    const error = await failure(run());
    assert.equal(error.code, '0A000');
    assert.equal(error.message, 'cached plan must not change result type');
  });

  it('messages may be sent ahead; an error passes over the rest up to Sync', async (t, node) => {
    const wire = await Wire.open(t, node);
    const select = (sql) => [
      ['P', text(''), text(sql), int16(0)],
      ['B', text(''), text(''), int16(0), int16(0), int16(0)],
      ['D', Buffer.from('P'), text('')],
      ['E', text(''), int32(0)],
    ];
    wire.send(
      ...select('SELECT 1'),
      ...select('SELECT 2'),
      ['S'],
      ...select('SELECT 1/0'),
      ...select('SELECT 3'),
      ['S'],
      ...select('SELECT 4'),
      ['S'],
    );
    assert.equal(types(await wire.until('Z')), '1 2 T D C 1 2 T D C Z');
    assert.equal(types(await wire.until('Z')), '1 2 T E Z');
    const last = await wire.until('Z');
    assert.equal(types(last), '1 2 T D C Z');
    assert.deepEqual(row(last[3]), ['4']);
  });

  it('what is sent ahead up to a Sync is one transaction', async (t, node) => {
    const wire = await Wire.open(t, node);
    wire.send(['Q', text('CREATE TABLE ahead (a int)')]);
    await wire.until('Z');
    const run = (sql) => [
      ['P', text(''), text(sql), int16(0)],
      ['B', text(''), text(''), int16(0), int16(0), int16(0)],
      ['E', text(''), int32(0)],
    ];
    wire.send(...run('INSERT INTO ahead VALUES (1)'), ...run('SELECT 1/0'), ['S']);
    await wire.until('Z');
    wire.send(...run('INSERT INTO ahead VALUES (2)'), ...run('INSERT INTO ahead VALUES (3)'), [
      'S',
    ]);
    assert.equal(types(await wire.until('Z')), '1 2 C 1 2 C Z');
    wire.send(['Q', text('SELECT a FROM ahead ORDER BY a')]);
    const answer = await wire.until('Z');
    assert.deepEqual(answer.filter((m) => m.type === 'D').map(row), [['2'], ['3']]);
  });

  it('mistakes of the protocol are errors that a Sync ends', async (t, node) => {
    const wire = await Wire.open(t, node);
    const cases = [
      [['B', text(''), text('none'), int16(0), int16(0), int16(0)], '26000'],
      [['E', text('none'), int32(0)], '34000'],
      [['D', Buffer.from('P'), text('none')], '34000'],
      [['P', text(''), text('SELECT 1; SELECT 2'), int16(0)], '42601'],
      [['P', text(''), Buffer.from('SELECT 1'), int16(0)], '08P01'],
      [['F', int32(1)], '0A000'],
      [['P', text(''), Buffer.from([0x27, 0xff, 0x27, 0]), int16(0)], '22021'],
    ];
    for (const [message, code] of cases) {
      wire.send(message);
      const error = fields((await wire.until('E')).at(-1));
      assert.equal(error.C, code);
      if (message[0] !== 'F') wire.send(['S']);
      await wire.until('Z');
    }
    wire.send(['P', text('twice'), text('SELECT 1'), int16(0)]);
    wire.send(['P', text('twice'), text('SELECT 1'), int16(0)], ['S']);
    const answer = await wire.until('Z');
    assert.equal(types(answer), '1 E Z');
    assert.equal(fields(answer[1]).C, '42P05');
  });

  it('an empty query is answered', async (t, node) => {
    const wire = await Wire.open(t, node);
    wire.send(['Q', text(' -- nothing')]);
    assert.equal(types(await wire.until('Z')), 'I Z');
    wire.send(
      ['P', text(''), text(''), int16(0)],
      ['B', text(''), text(''), int16(0), int16(0), int16(0)],
      ['D', Buffer.from('P'), text('')],
      ['E', text(''), int32(0)],
      ['S'],
    );
    assert.equal(types(await wire.until('Z')), '1 2 n I Z');
  });

  it('a statement is described before it runs', async (t, node) => {
    const wire = await Wire.open(t, node);
    wire.send(
      ['P', text('s'), text('SELECT $1::int4 AS a, $2::numeric(10,2) AS b'), int16(0)],
      ['D', Buffer.from('S'), text('s')],
      ['S'],
    );
    const answer = await wire.until('Z');
    assert.equal(types(answer), '1 t T Z');
    assert.deepEqual([...answer[1].body], [...int16(2), ...int32(23), ...int32(1700)]);
    assert.equal(answer[2].body.readInt16BE(0), 2);
  });

  it('a query that runs is cancelled from another connection', async (t, node) => {
    const wire = await Wire.open(t, node);
    const key = wire.greeting.find((m) => m.type === 'K').body;
    wire.send(['Q', text('CREATE TABLE many AS SELECT g FROM generate_series(1, 20000) g')]);
    await wire.until('Z');
    wire.send(['Q', text('SELECT count(*) FROM many a, many b WHERE a.g * 7 + b.g < 0')]);
    const other = await Wire.open(t, node, { start: false });
    other.request(80877102, Buffer.concat([key.subarray(0, 4), int32(12345)]));
    assert.equal(await other.next(), null);
    const right = await Wire.open(t, node, { start: false });
    right.request(80877102, key);
    assert.equal(await right.next(), null);
    const answer = await wire.until('Z');
    assert.equal(fields(answer.find((m) => m.type === 'E')).C, '57014');
    wire.send(['Q', text('SELECT 1')]);
    assert.equal(types(await wire.until('Z')), 'T D C Z');
  });

  it('a client that does not read holds up its query only', async (t, node) => {
    const wire = await Wire.open(t, node);
    wire.socket.pause();
    wire.send(['Q', text("SELECT repeat('x', 10000) FROM generate_series(1, 20000)")]);
    const client = await pgClient(t, node);
    for (let i = 0; i < 20; i++) assert.deepEqual(await rows(client, 'SELECT 1 a'), [{ a: 1 }]);
    wire.socket.resume();
    const answer = await wire.until('Z');
    assert.equal(answer.filter((m) => m.type === 'D').length, 20000);
  });

  it('psql prints tables, notices and errors', async (t, node) => {
    const script = `CREATE TABLE shown (id int PRIMARY KEY, name text);
      INSERT INTO shown VALUES (1, 'a'), (2, NULL);
      SELECT * FROM shown ORDER BY id;
      CREATE TABLE IF NOT EXISTS shown (id int);
      SELECT nothing;
      SELECT 1\\; SELECT 2;`;
    const { stdout, stderr } = await psql(node, script);
    assert.equal(stdout, '1|a\n2|\n1\n2\n');
    assert.match(stderr, /NOTICE: {2}relation "shown" already exists, skipping/);
    assert.match(stderr, /ERROR: {2}column "nothing" does not exist\nLINE 1: SELECT nothing;\n/);
  });

  it('sessions end when the node stops, and what was committed is there again', async (t, node) => {
    const client = await pgClient(t, node);
    await client.query('CREATE TABLE stays (a int)');
    await client.query('INSERT INTO stays VALUES (7)');
    await node.stop();
    await node.start();
    const again = await pgClient(t, node);
    assert.deepEqual(await rows(again, 'SELECT a FROM stays'), [{ a: 7 }]);
  });
});

// Who may open a session of the listener sql, and how it is kept from others.

import assert from 'node:assert/strict';
import { Certificates } from './lib/certificates.mjs';
import { onNonet } from './lib/node.mjs';
import { Wire, failure, fields, pgClient, psql, text, types } from './lib/postgres_client.mjs';

const made = new Certificates();
made.authority('authority');
made.signed('server', 'authority', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
const ca = made.read('authority.pem');

// bcrypt of "secret", cost 4.
const BCRYPT = '$2b$04$tWstzkzMynysKPVApFYgUOqC0ZwNPYqpN5bhQZU3m8j/CZFoQktDa';

const config = `
listen: {sql: {tls: {cert: server.pem, key: server.key}}}
auth:
  users:
    - {user: ann, password: pencil}
    - {user: cat, password: "a long one, with ümlaut"}
    - {user: dan, password: few, publish: {allow: ["a.>"]}}
`;

onNonet('sql logins', { config, files: made.files('server'), listen: { sql: 0 } }, (it) => {
  it('a plain password is proven by SCRAM-SHA-256', async (t, node) => {
    const client = await pgClient(t, node, { password: 'pencil' });
    assert.equal((await client.query('SELECT current_user u')).rows[0].u, 'ann');
    await pgClient(t, node, { user: 'cat', password: 'a long one, with ümlaut' });
    const { stdout } = await psql(node, 'SELECT 1', [], { env: { PGPASSWORD: 'pencil' } });
    assert.equal(stdout, '1\n');
  });

  it('the password itself is never asked for', async (t, node) => {
    const wire = await Wire.open(t, node, { start: false });
    wire.startup({ user: 'ann', database: 'nonet' });
    const asked = await wire.next();
    assert.equal(asked.type, 'R');
    assert.equal(asked.body.readInt32BE(0), 10);
    assert.equal(asked.body.toString('latin1', 4), 'SCRAM-SHA-256\0\0');
    wire.send(['p', text('pencil')]);
    assert.equal(fields(await wire.next()).C, '08P01');
    assert.equal(await wire.next(), null);
  });

  it('a wrong password and a user who is not there are told the same', async (t, node) => {
    for (const [user, password] of [
      ['ann', 'pen'],
      ['bob', 'pencil'],
      ['ann', 'pencil '],
    ]) {
      const error = await failure(pgClient(t, node, { user, password }));
      assert.equal(error.code, '28P01');
      assert.equal(error.message, `password authentication failed for user "${user}"`);
    }
  });

  it('a user of some subjects only is refused', async (t, node) => {
    const error = await failure(pgClient(t, node, { user: 'dan', password: 'few' }));
    assert.equal(error.code, '28000');
    assert.match(error.message, /rights to some subjects only/);
  });

  it('nothing is served before the login', async (t, node) => {
    const wire = await Wire.open(t, node, { start: false });
    wire.startup({ user: 'ann', database: 'nonet' });
    await wire.next();
    wire.send(['Q', text('SELECT 1')]);
    assert.equal(types([await wire.next()]), 'E');
    assert.equal(await wire.next(), null);
  });

  it('TLS begins where a client asks for it', async (t, node) => {
    const client = await pgClient(t, node, { password: 'pencil', ssl: { ca } });
    assert.equal((await client.query("SELECT repeat('x', 1000000) x")).rows[0].x.length, 1000000);
    const env = { PGPASSWORD: 'pencil', PGSSLMODE: 'require' };
    const { stdout } = await psql(node, '\\conninfo\nSELECT 1;', [], { env });
    assert.match(stdout, /SSL connection \(protocol: TLSv1\.3/);
  });

  it('plain bytes behind the request for TLS are refused', async (t, node) => {
    const wire = await Wire.open(t, node, { start: false });
    wire.socket.write(Buffer.from('0000000804d2162f51000000', 'hex'));
    assert.match(fields((await wire.until('E')).at(-1)).M, /unencrypted data after SSL request/);
  });
});

onNonet(
  'sql logins of bcrypt users',
  {
    config: `auth: {users: [{user: ann, password: "${BCRYPT}"}]}\n`,
    listen: { sql: 0 },
  },
  (it) => {
    it('their password is asked for as it is, on loopback', async (t, node) => {
      const wire = await Wire.open(t, node, { start: false });
      wire.startup({ user: 'ann', database: 'nonet' });
      assert.equal((await wire.next()).body.readInt32BE(0), 3);
      wire.send(['p', text('wrong')]);
      assert.equal(fields(await wire.next()).C, '28P01');
      const client = await pgClient(t, node, { password: 'secret' });
      assert.equal((await client.query('SELECT 1 a')).rows[0].a, 1);
    });
  },
);

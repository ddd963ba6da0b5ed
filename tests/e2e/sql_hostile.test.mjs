// Statements made to hurt: each is refused in words, and the node goes on.

import assert from 'node:assert/strict';
import { onNonet } from './lib/node.mjs';
import { failure, pgClient } from './lib/postgres_client.mjs';

const CHAINS = {
  sums: `SELECT 1${' + 1'.repeat(100_000)}`,
  'sums of calls': `SELECT abs(1)${' + greatest(1, 2)'.repeat(100_000)}`,
  casts: `SELECT 1${'::int'.repeat(100_000)}`,
  'set operations': `SELECT 1, 2${' UNION ALL SELECT 1, 2'.repeat(20_000)}`,
};

onNonet('hostile SQL', { listen: { sql: 0 } }, (it) => {
  for (const [name, statement] of Object.entries(CHAINS)) {
    it(`a chain of very many ${name} is refused`, async (t, node) => {
      const client = await pgClient(t, node);
      assert.equal((await failure(client.query(statement))).code, '54001');
      assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1);
    });
  }
});

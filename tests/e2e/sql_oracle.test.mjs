// The same statements on PostgreSQL 15 and on Nonet, and the same answers: columns with their
// names and types, rows as text, errors by their SQLSTATE. The cases are lib/sql_cases_*.txt, a
// statement a line; a line that starts with `!` prepares what follows and must work on both.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { startNonet } from './lib/node.mjs';
import { connectSql, outcome, startPostgres } from './lib/postgres.mjs';

const FOLDER = new URL('./lib/', import.meta.url);
const FILES = fs.readdirSync(FOLDER).filter((name) => /^sql_cases_\w+\.txt$/.test(name));

const lines = (name) =>
  fs
    .readFileSync(new URL(name, FOLDER), 'utf8')
    .split('\n')
    .filter((line) => line.trim() && !line.startsWith('#'));

describe('PostgreSQL and Nonet answer alike', () => {
  for (const name of FILES) {
    test(name, async (t) => {
      const postgres = await (await startPostgres(t)).connect(t);
      const node = await startNonet(t, { listen: { sql: 0 } });
      const nonet = await connectSql(t, node);
      const wrong = [];
      let count = 0;
      for (const line of lines(name)) {
        const text = line.replace(/^!\s*/, '');
        const expected = await outcome(postgres, text);
        const found = await outcome(nonet, text);
        if (line.startsWith('!')) assert.equal(found.error, undefined, `${text}: ${found.error}`);
        count += 1;
        try {
          assert.deepEqual(found, expected);
        } catch {
          wrong.push({ text, expected, found });
        }
      }
      assert.ok(count > 0, 'there are cases');
      const shown = wrong.slice(0, Number(process.env.SHOWN ?? 10));
      assert.equal(
        wrong.length,
        0,
        `${wrong.length} of ${count}: ${JSON.stringify(shown, null, 1)}`,
      );
    });
  }
});

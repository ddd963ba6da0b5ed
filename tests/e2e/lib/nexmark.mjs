// The Nexmark queries of bench/nexmark: as Nonet takes them, and rewritten for PostgreSQL, which
// has no window functions in FROM. A window is a subquery there, cut from 1970 on as Nonet's are.

import fs from 'node:fs';

const FOLDER = new URL('../../../bench/nexmark/', import.meta.url);
const read = (name) => fs.readFileSync(new URL(name, FOLDER), 'utf8');

// A file's statements; none of them has a semicolon at the end of a line within.
export const statements = (text) => text.split(';\n').filter((part) => part.trim());

export const schema = read('schema.sql');
// Of the wall clock: there is no answer to compare it with.
export const wallClock = { name: 'q12', text: read('q12.sql') };

export const queries = fs
  .readdirSync(FOLDER)
  .filter((name) => /^q\d+\.sql$/.test(name) && name !== 'q12.sql')
  .sort((a, b) => Number(a.match(/\d+/)[0]) - Number(b.match(/\d+/)[0]))
  .map((name) => ({ name: name.replace('.sql', ''), text: read(name) }));

export const preparation = statements(read('prepare.sql'));

const EPOCH = `timestamp '1970-01-01'`;
const seconds = (n) => `interval '${n} seconds'`;

const tumble = (all, table, time, size) =>
  `(SELECT t.*, date_bin(${seconds(size)}, ${time}, ${EPOCH}) AS window_start,
           date_bin(${seconds(size)}, ${time}, ${EPOCH}) + ${seconds(size)} AS window_end
    FROM ${table} t) AS ${table}`;

const hop = (all, table, time, slide, size) =>
  `(SELECT t.*, s AS window_start, s + ${seconds(size)} AS window_end
    FROM ${table} t, generate_series(
      date_bin(${seconds(slide)}, ${time}, ${EPOCH}) - ${seconds(size - slide)},
      date_bin(${seconds(slide)}, ${time}, ${EPOCH}), ${seconds(slide)}) s) AS ${table}`;

const session = (all, table, time, key, gap) =>
  `(SELECT t.*, min(${time}) OVER part AS window_start,
           max(${time}) OVER part + ${seconds(gap)} AS window_end
    FROM (SELECT t.*, sum(CASE WHEN later THEN 1 ELSE 0 END)
                        OVER (PARTITION BY ${key} ORDER BY ${time}) AS part
          FROM (SELECT t.*, ${time} - lag(${time}) OVER (PARTITION BY ${key} ORDER BY ${time})
                              > ${seconds(gap)} AS later
                FROM ${table} t) t) t
    WINDOW part AS (PARTITION BY ${key}, part)) AS ${table}`;

export function forPostgres(text) {
  return text
    .replace(/tumble\((\w+), (\w+), INTERVAL '(\d+)' SECOND\)/g, tumble)
    .replace(/hop\((\w+), (\w+), INTERVAL '(\d+)' SECOND, INTERVAL '(\d+)' SECOND\)/g, hop)
    .replace(/session\((\w+), (\w+), (\w+), INTERVAL '(\d+)' SECOND\)/g, session)
    .replace(/as_of_now\((\w+)\)/g, '$1');
}

// The tables as PostgreSQL has them: without what says where their rows come from.
export const schemaForPostgres = schema.replace(/\) WITH \([^;]*\);/g, ');');

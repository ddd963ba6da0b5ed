// Random SQL from a seed: tables, queries over them and over earlier views, changes of rows.
//
// A query's rows are decided by the rows of its tables alone, as a multiset: whatever numbers or
// cuts rows orders them by all columns, so that only equal rows can change places; floats are
// compared and never summed; a numeric's trailing zeros (which of 1.5 and 1.50 stands for a group)
// are for whoever compares to leave out.

const INT = 'int';
const BIGINT = 'bigint';
const NUMERIC = 'numeric';
const TEXT = 'text';
const TIME = 'timestamptz';
const FLOAT = 'float8';
const BOOL = 'boolean';
const NUMBERS = [INT, BIGINT, NUMERIC];

const COLUMNS = [
  ['id', INT],
  ['k', INT],
  ['v', BIGINT],
  ['n', NUMERIC],
  ['s', TEXT],
  ['ts', TIME],
  ['f', FLOAT],
  ['g', BOOL],
];
const DEPTH = 3;
const COLUMNS_SHOWN = 6;
const ROWS_FEW = 20;
const JOINED_MAX = 4; // tables joined to each other in one query, with those of views it reads

// A stream of numbers below 2^32 (mulberry32).
export class Chance {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  number() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(n) {
    return this.number() % n;
  }

  one(list) {
    return list[this.below(list.length)];
  }

  // True once in N.
  rarely(n) {
    return this.below(n) === 0;
  }
}

const names = (columns) => columns.map(([name]) => name);
const renamed = (expressions) => expressions.map(([text], i) => `${text} AS c${i}`).join(', ');
const joined = (...sources) => sources.reduce((product, { size }) => product * size, 1);
const asColumns = (expressions) => expressions.map(([, type], i) => [`c${i}`, type]);

export class RandomSql {
  constructor(seed, prefix) {
    this.chance = new Chance(seed);
    this.tables = [0, 1, 2].map((i) => `${prefix}_t${i}`);
    this.relations = this.tables.map((name) => ({ name, columns: COLUMNS, size: 1 }));
    this.prefix = prefix;
    this.nextId = 1;
    this.aliases = 0;
  }

  definitions() {
    const columns = COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ');
    return this.tables.map((name) => `CREATE TABLE ${name} (${columns}, PRIMARY KEY (id))`);
  }

  // A view, which later queries may read: {name, text}.
  view() {
    const { text, columns, size } = this.query(DEPTH);
    const name = `${this.prefix}_v${this.relations.length - this.tables.length}`;
    this.relations.push({ name, columns, size });
    return { name, text };
  }

  // --- values -------------------------------------------------------------------------------

  literal(type) {
    const c = this.chance;
    if (c.rarely(6)) return 'NULL';
    switch (type) {
      case INT:
        return `${c.below(6)}`;
      case BIGINT:
        return `${c.below(25) - 5}`;
      case NUMERIC:
        return c.one(['0', '1.5', '1.50', '-2.25', '10', `${c.below(300)}.${c.below(100)}`]);
      case TEXT:
        return c.one(["'x'", "'y'", "'zebra'", "''", "'Ähre'", `'w${c.below(8)}'`]);
      case TIME:
        return `'2024-03-31 0${c.below(4)}:${10 + c.below(50)}:00+00'`;
      case FLOAT:
        return c.one(["'NaN'", "'-Infinity'", '0.1', '-0.0', '2.5', '1e300']);
      default:
        return c.one(['true', 'false']);
    }
  }

  // A value of TYPE over COLUMNS; a literal where none has it.
  value(columns, type) {
    const c = this.chance;
    const own = columns.filter((column) => column[1] === type);
    if (!own.length) return `CAST(${this.literal(type)} AS ${type})`;
    const a = c.one(own)[0];
    const b = c.one(own)[0];
    if (!c.rarely(3)) return a;
    if (type === INT) return c.one([`(${a} + 1)`, `coalesce(${a}, ${b}, 0)`, `abs(${a} - ${b})`]);
    if (type === BIGINT) return c.one([`(${a} - ${b})`, `coalesce(${a}, 0)`, `nullif(${a}, ${b})`]);
    if (type === NUMERIC) return c.one([`(${a} + ${b})`, `round(${a}, 1)`, `greatest(${a}, ${b})`]);
    if (type === TEXT)
      return c.one([`(${a} || '-' || ${b})`, `upper(${a})`, `coalesce(${a}, '?')`]);
    if (type === TIME) return c.one([`(${a} + interval '90 min')`, `date_trunc('hour', ${a})`]);
    if (type === BOOL) return c.one([`(NOT ${a})`, `(${a} IS TRUE)`, `(${a} OR ${b})`]);
    return `CASE WHEN ${a} > ${b} THEN ${a} ELSE ${b} END`;
  }

  condition(columns) {
    const c = this.chance;
    const [name, type] = c.one(columns);
    const others = columns.filter((column) => column[0] !== name);
    const other = this.value(others, type);
    const literal = `CAST(${this.literal(type)} AS ${type})`;
    const plain = c.one([
      `${name} ${c.one(['=', '<>', '<', '<=', '>', '>='])} ${c.rarely(2) ? other : literal}`,
      `${name} IS ${c.one(['', 'NOT '])}NULL`,
      `${name} IS DISTINCT FROM ${other}`,
      `${name} IN (${literal}, ${other})`,
      `${name} BETWEEN ${literal} AND ${other}`,
    ]);
    if (c.rarely(4)) return `(${plain} ${c.one(['AND', 'OR'])} ${this.condition(columns)})`;
    return c.rarely(6) ? `NOT (${plain})` : plain;
  }

  some(columns, count) {
    return Array.from({ length: count }, () => this.chance.one(columns));
  }

  order(columns) {
    return names(columns)
      .map((name) => `${name}${this.chance.one(['', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])}`)
      .join(', ');
  }

  // --- queries ------------------------------------------------------------------------------

  alias() {
    this.aliases += 1;
    return `q${this.aliases}`;
  }

  // Something to stand in FROM: {from, columns, size}, its columns named with its alias. Size: how
  // many tables multiply their rows in it.
  source(depth) {
    const alias = this.alias();
    if (depth === 0 || this.chance.rarely(3)) {
      const { name, columns, size } = this.chance.one(this.relations);
      const own = columns.map(([n, t]) => [`${alias}.${n}`, t]);
      return { from: `${name} ${alias}`, columns: own, size };
    }
    const { text, columns, size } = this.query(depth - 1);
    const own = columns.map(([n, t]) => [`${alias}.${n}`, t]);
    return { from: `(${text}) ${alias}`, columns: own, size };
  }

  query(depth) {
    const kinds = [
      'filter',
      'join',
      'join',
      'semi',
      'aggregate',
      'aggregate',
      'distinct',
      'setOperation',
      'window',
      'top',
      'distinctOn',
      'scalar',
      'groupingSets',
      'lateral',
    ];
    return this[depth === 0 ? 'filter' : this.chance.one(kinds)](depth);
  }

  select({ from, size }, expressions, tail = '') {
    const all = expressions.slice(0, COLUMNS_SHOWN);
    return { text: `SELECT ${renamed(all)} FROM ${from}${tail}`, columns: asColumns(all), size };
  }

  shown(columns) {
    const some = this.some(columns, 1 + this.chance.below(4));
    return some.map(([, type]) => [this.value(columns, type), type]);
  }

  filter(depth) {
    const source = this.source(depth - (depth > 0));
    const { columns } = source;
    const where = this.chance.rarely(4) ? '' : ` WHERE ${this.condition(columns)}`;
    return this.select(source, this.shown(columns), where);
  }

  equal(left, right) {
    const telling = left.filter(([, type]) => type !== BOOL); // else nearly all rows meet
    const pairs = telling.flatMap((l) => right.filter((r) => r[1] === l[1]).map((r) => [l, r]));
    if (!pairs.length) return 'false';
    const [l, r] = this.chance.one(pairs);
    return `${l[0]} = ${r[0]}`;
  }

  join(depth) {
    const c = this.chance;
    const left = this.source(depth - 1);
    const right = this.source(depth - 1);
    const size = joined(left, right);
    if (size > JOINED_MAX) return this.semi(depth);
    const both = [...left.columns, ...right.columns];
    const equal = this.equal(left.columns, right.columns);
    // A full join takes conditions that can be hashed only, in PostgreSQL.
    const full = equal !== 'false' && c.rarely(4);
    const kind = full ? 'FULL JOIN' : c.one(['JOIN', 'LEFT JOIN', 'RIGHT JOIN']);
    const more = !full && c.rarely(2) ? ` AND ${this.condition(both)}` : '';
    const from = `${left.from} ${kind} ${right.from} ON ${equal}${more}`;
    return this.select({ from, size }, this.shown(both));
  }

  semi(depth) {
    const c = this.chance;
    const left = this.source(depth - 1);
    const right = this.source(depth - 1);
    const pairs = left.columns.flatMap((l) =>
      right.columns.filter((r) => r[1] === l[1]).map((r) => [l, r]),
    );
    const not = c.one(['', 'NOT ']);
    const equal = this.equal(left.columns, right.columns);
    let test = `${not}EXISTS (SELECT 1 FROM ${right.from} WHERE ${equal})`;
    if (pairs.length && c.rarely(2)) {
      const [l, r] = c.one(pairs);
      const where = this.condition(right.columns);
      test = `${l[0]} ${not}IN (SELECT ${r[0]} FROM ${right.from} WHERE ${where})`;
    }
    return this.select(left, this.shown(left.columns), ` WHERE ${test}`);
  }

  aggregates(columns, count) {
    const c = this.chance;
    return this.some(columns, count).map(([name, type]) => {
      const filter = c.rarely(4) ? ` FILTER (WHERE ${this.condition(columns)})` : '';
      const choices = [
        ['count(*)', BIGINT],
        [`count(${name})`, BIGINT],
        [`count(DISTINCT ${name})`, BIGINT],
      ];
      if (NUMBERS.includes(type)) {
        const sum = type === INT ? BIGINT : NUMERIC;
        choices.push([`sum(${name})`, sum], [`avg(${name})`, NUMERIC]);
        choices.push([`sum(DISTINCT ${name})`, sum], [`var_pop(${name})`, NUMERIC]);
      }
      if (type === BOOL) choices.push([`bool_or(${name})`, BOOL], [`every(${name})`, BOOL]);
      else choices.push([`min(${name})`, type], [`max(${name})`, type]);
      if (type === TEXT) choices.push([`string_agg(${name}, ',' ORDER BY ${name} DESC)`, TEXT]);
      if (type === INT) {
        choices.push([`array_to_string(array_agg(${name} ORDER BY ${name}), ';', '-')`, TEXT]);
        choices.push([`percentile_disc(0.5) WITHIN GROUP (ORDER BY ${name})`, INT]);
      }
      const [text, result] = c.one(choices);
      return text.startsWith('array_to_string') ? [text, result] : [text + filter, result];
    });
  }

  aggregate(depth) {
    const c = this.chance;
    const source = this.source(depth - 1);
    const { columns } = source;
    const groups = this.some(columns, c.below(3));
    const aggregates = this.aggregates(columns, 1 + c.below(3));
    const by = groups.length ? ` GROUP BY ${names(groups).join(', ')}` : '';
    const having = c.rarely(4) ? ` HAVING count(*) ${c.one(['>', '<='])} ${c.below(4)}` : '';
    return this.select(source, [...groups, ...aggregates], by + having);
  }

  groupingSets(depth) {
    const c = this.chance;
    const source = this.source(depth - 1);
    const { columns } = source;
    const [a, b] = this.some(columns, 2);
    const sets = c.one([
      `ROLLUP (${a[0]}, ${b[0]})`,
      `CUBE (${a[0]}, ${b[0]})`,
      `GROUPING SETS ((${a[0]}), (), (${b[0]}))`,
    ]);
    const all = [a, b, [`GROUPING(${a[0]})`, INT], ...this.aggregates(columns, 1)];
    return this.select(source, all, ` GROUP BY ${sets}`);
  }

  distinct(depth) {
    const source = this.source(depth - 1);
    const { columns } = source;
    const { text, columns: given } = this.select(source, this.shown(columns));
    return { text: text.replace('SELECT', 'SELECT DISTINCT'), columns: given, size: source.size };
  }

  distinctOn(depth) {
    const source = this.source(depth - 1);
    const { columns } = source;
    const key = this.chance.one(columns)[0];
    const { text, columns: given } = this.select(source, columns);
    const shown = `SELECT DISTINCT ON (${key})${text.slice('SELECT'.length)}`;
    const order = ` ORDER BY ${key}, ${this.order(columns)}`;
    return { text: shown + order, columns: given, size: source.size };
  }

  setOperation(depth) {
    const c = this.chance;
    const left = this.source(depth - 1);
    const right = this.source(depth - 1);
    const types = this.some(left.columns, 1 + c.below(3)).map(([, type]) => type);
    const side = (source) =>
      this.select(
        source,
        types.map((type) => [this.value(source.columns, type), type]),
        c.rarely(3) ? ` WHERE ${this.condition(source.columns)}` : '',
      );
    const operation = c.one(['UNION', 'INTERSECT', 'EXCEPT']) + c.one(['', ' ALL']);
    const { text, columns } = side(left);
    const size = Math.max(left.size, right.size);
    return { text: `(${text}) ${operation} (${side(right).text})`, columns, size };
  }

  window(depth) {
    const c = this.chance;
    const source = this.source(depth - 1);
    const { columns } = source;
    const [part] = this.some(columns, 1);
    const [of] = this.some(columns, 1);
    const by = c.rarely(4) ? '' : `PARTITION BY ${part[0]} `;
    const over = `OVER (${by}ORDER BY ${this.order(columns)}`;
    const frame = c.one([
      '',
      ' ROWS BETWEEN 2 PRECEDING AND CURRENT ROW',
      ' ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW',
      ' GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING',
    ]);
    const number = columns.find(([, type]) => NUMBERS.includes(type)) ?? ['1', INT];
    const sum = number[1] === INT ? BIGINT : NUMERIC;
    const choices = [
      [`row_number() ${over})`, BIGINT],
      [`rank() OVER (PARTITION BY ${part[0]} ORDER BY ${of[0]})`, BIGINT],
      [`dense_rank() OVER (ORDER BY ${of[0]} DESC)`, BIGINT],
      [`lag(${of[0]}) ${over})`, of[1]],
      [`lead(${of[0]}, 2) ${over})`, of[1]],
      [`first_value(${of[0]}) ${over}${frame})`, of[1]],
      [`last_value(${of[0]}) ${over}${frame})`, of[1]],
      [`count(*) ${over}${frame})`, BIGINT],
      [`sum(${number[0]}) ${over}${frame})`, sum],
      [`ntile(3) ${over})`, INT],
    ];
    const shown = [c.one(choices), c.one(choices), ...this.some(columns, 3)];
    const query = this.select(source, shown);
    if (c.rarely(2) || !/^row_number|^rank|^dense_rank/.test(shown[0][0])) return query;
    const alias = this.alias(); // a rank that is cut: the planner makes a TOP of it
    return {
      text: `SELECT * FROM (${query.text}) ${alias} WHERE c0 <= ${1 + c.below(3)}`,
      columns: query.columns,
      size: query.size,
    };
  }

  top(depth) {
    const c = this.chance;
    const source = this.source(depth - 1);
    const { columns } = source;
    const offset = c.rarely(3) ? ` OFFSET ${c.below(4)}` : '';
    const tail = ` ORDER BY ${this.order(columns)} LIMIT ${1 + c.below(6)}${offset}`;
    return this.select(source, columns, tail);
  }

  scalar(depth) {
    const left = this.source(depth - 1);
    const right = this.source(depth - 1);
    const [[text, type]] = this.aggregates(right.columns, 1);
    const where = ` WHERE ${this.equal(left.columns, right.columns)}`;
    const value = `(SELECT ${text} FROM ${right.from}${this.chance.rarely(3) ? '' : where})`;
    return this.select(left, [[value, type], ...this.shown(left.columns)]);
  }

  lateral(depth) {
    const left = this.source(depth - 1);
    const right = this.source(depth - 1);
    const where = ` WHERE ${this.equal(left.columns, right.columns)}`;
    const tail = ` ORDER BY ${this.order(right.columns)} LIMIT ${1 + this.chance.below(3)}`;
    const inner = this.select(right, right.columns, where + tail);
    const alias = this.alias();
    const given = inner.columns.map(([name, type]) => [`${alias}.${name}`, type]);
    const from = `${left.from} LEFT JOIN LATERAL (${inner.text}) ${alias} ON true`;
    return this.select({ from, size: left.size }, this.shown([...left.columns, ...given]));
  }

  // --- changes ------------------------------------------------------------------------------

  insert(table, count) {
    const value = ([name, type]) => (name === 'id' ? this.nextId++ : this.literal(type));
    const rows = Array.from({ length: count }, () => `(${COLUMNS.map(value).join(', ')})`);
    return `INSERT INTO ${table} VALUES ${rows.join(', ')}`;
  }

  change(rows) {
    const c = this.chance;
    const table = c.one(this.tables);
    const few = `id % ${3 + c.below(6)} = ${c.below(3)}`;
    if (rows < ROWS_FEW || c.rarely(2)) return this.insert(table, 1 + c.below(6));
    if (c.rarely(3)) return `DELETE FROM ${table} WHERE ${c.rarely(15) ? 'true' : few}`;
    const [name, type] = c.one(COLUMNS.slice(1));
    const value = c.rarely(2)
      ? `CAST(${this.literal(type)} AS ${type})`
      : this.value(COLUMNS, type);
    return `UPDATE ${table} SET ${name} = ${value} WHERE ${c.rarely(15) ? 'true' : few}`;
  }

  // The statements of one transaction, BEGIN to its end; ROWS: how many there are by now, about.
  transaction(rows) {
    const c = this.chance;
    const statements = ['BEGIN'];
    for (let i = c.below(5); i >= 0; i--) {
      statements.push(this.change(rows));
      if (c.rarely(6)) statements.push('SAVEPOINT s', this.change(rows), 'ROLLBACK TO SAVEPOINT s');
    }
    statements.push(c.rarely(5) ? 'ROLLBACK' : 'COMMIT');
    return statements;
  }
}

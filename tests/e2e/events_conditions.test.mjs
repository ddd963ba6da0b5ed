// Conditions by type and tag, with 64 connections that race for the same: never do two get through,
// whatever dies in between (the examples are those of dcb.events).

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Pool } from 'undici';
import { check, sleep, startNonet } from './lib/node.mjs';

const CONNECTIONS = 64;

// Asks over CONNECTIONS connections; null where the node has gone.
function api(t, server) {
  const pool = new Pool(server.admin, { connections: CONNECTIONS });
  t.after(() => pool.destroy());
  const token = server.token;
  const call = async (method, target, body) => {
    try {
      const answer = await pool.request({
        method,
        path: target,
        headers: { authorization: `Bearer ${token}` },
        body: body && JSON.stringify(body),
      });
      return { status: answer.statusCode, ...(await answer.body.json()) };
    } catch {
      return null;
    }
  };
  return {
    append: (appends, checks) => call('POST', '/v1/append', { appends, checks }),
    events: (query) => call('GET', `/v1/events?${query}`),
  };
}

async function allEvents(events, query) {
  const found = [];
  for (let after = 0; ;) {
    const page = await events(`after=${after}&limit=1000&${query}`);
    found.push(...page.events);
    after = page.next - 1;
    if (page.caught_up) return { events: found, last: page.last };
  }
}

const race = (count, run) => Promise.all(Array.from({ length: count }, (_, i) => run(i)));

// --- a user name is there once ---------------------------------------------------------------

const registration = (user, name) => [
  [
    {
      stream: `user-${user}`,
      events: [{ type: 'Registered', id: `${user}`, tags: [`name:${name}`] }],
    },
  ],
  [{ none: { types: ['Registered'], tags: [`name:${name}`] } }],
];

check('of 64 connections that ask for a name one gets it', async (t) => {
  const server = await startNonet(t);
  const { append, events } = api(t, server);
  for (const name of ['bob', 'ann', 'eve']) {
    const answers = await race(CONNECTIONS, (i) => append(...registration(`${name}${i}`, name)));
    const winner = answers.filter((a) => a.status === 201);
    assert.equal(winner.length, 1);
    for (const answer of answers.filter((a) => a !== winner[0])) {
      assert.equal(answer.status, 409);
      const [{ detail, ...violation }] = answer.violations;
      assert.equal(detail, undefined);
      assert.deepEqual(violation, {
        check: 'none',
        index: 0,
        item: 0,
        after: 0,
        position: winner[0].position,
        stream: winner[0].streams[0].stream,
        type: 'Registered',
      });
    }
    assert.equal((await events(`tags=name:${name}&direction=backwards`)).events.length, 1);
  }
});

check('a name stays given over kills, and its owner may ask again', async (t) => {
  const server = await startNonet(t);
  const owners = new Map();
  for (let life = 0; life < 4; life++) {
    const { append, events } = api(t, server);
    const names = Array.from({ length: 6 }, (_, i) => `n${life}-${i}`);
    // Names of this life, and all that were asked for in the lives before.
    const asked = [...names, ...owners.keys()].map((name) =>
      race(CONNECTIONS / 4, async (i) => {
        const user = `${name}-${i}`;
        const answer = await append(...registration(user, name));
        if (answer?.status === 201 || answer?.status === 200) {
          assert.equal(owners.get(name) ?? user, user, `${name} was given twice`);
          owners.set(name, user);
        }
      }),
    );
    await sleep(5 + Math.random() * 60);
    await server.stop('SIGKILL');
    await Promise.all(asked);
    await server.start();
    const after = api(t, server);
    for (const [name, user] of owners) {
      const { events: found } = await allEvents(after.events, `tags=name:${name}`);
      assert.deepEqual(
        found.map((event) => event.id),
        [user],
      );
      assert.equal((await after.append(...registration(user, name))).status, 200);
    }
    for (const name of names) {
      const { events: found } = await allEvents(after.events, `tags=name:${name}`);
      assert.ok(found.length <= 1, `${name} is there ${found.length} times`);
      if (found.length) owners.set(name, found[0].id);
    }
    assert.ok(events);
  }
  assert.ok(owners.size > 0);
});

// --- a course has so many seats --------------------------------------------------------------

const CAPACITY = 20;
const COURSES_MAX = 2; // of one student

const tag = (kind, id) => `${kind}:${id}`;

// What is known of a course and a student, and up to where.
async function decide(events, course, student) {
  const of = await allEvents(events, `types=Subscribed&tags=${tag('course', course)}`);
  const by = await allEvents(events, `types=Subscribed&tags=${tag('student', student)}`);
  const free =
    of.events.length < CAPACITY &&
    by.events.length < COURSES_MAX &&
    !by.events.some((event) => event.tags.includes(tag('course', course)));
  return { free, after: Math.min(of.last, by.last) };
}

// Reads, decides, appends; again where somebody else came in between. True: it has a seat.
async function subscribe({ append, events }, course, student) {
  for (;;) {
    const { free, after } = await decide(events, course, student);
    if (!free) return false;
    const tags = [tag('course', course), tag('student', student)];
    const answer = await append(
      [{ stream: `subscription-${student}`, events: [{ type: 'Subscribed', tags }] }],
      [
        {
          none: [
            { types: ['Subscribed'], tags: [tags[0]] },
            { types: ['Subscribed'], tags: [tags[1]] },
          ],
          after,
        },
      ],
    );
    if (answer.status === 201) return true;
    assert.equal(answer.status, 409, JSON.stringify(answer));
    for (const violation of answer.violations) assert.ok(violation.position > after);
  }
}

check('64 connections fill courses to the last seat, and no further', async (t) => {
  const server = await startNonet(t);
  const door = api(t, server);
  const courses = ['c1', 'c2', 'c3'];
  const seats = await race(CONNECTIONS, async (i) => {
    let got = 0;
    for (let k = 0; k < 3; k++)
      if (await subscribe(door, courses[(i + k) % 3], `s${i % 40}`)) got++;
    return got;
  });
  await server.stop('SIGKILL');
  await server.start();
  const { events } = api(t, server);
  const taken = (await allEvents(events, 'types=Subscribed')).events;
  assert.equal(
    taken.length,
    seats.reduce((sum, n) => sum + n, 0),
  );
  const count = new Map();
  for (const event of taken)
    for (const name of [...event.tags, event.tags.join()])
      count.set(name, (count.get(name) ?? 0) + 1);
  for (const course of courses) assert.equal(count.get(tag('course', course)), CAPACITY);
  for (const [name, n] of count) {
    if (name.includes(',')) assert.equal(n, 1, `${name} has two seats`);
    else if (name.startsWith('student')) assert.ok(n <= COURSES_MAX, `${name} has ${n} courses`);
  }
  for (const course of courses) {
    const back = await events(
      `tags=${tag('course', course)}&types=Subscribed&direction=backwards&limit=1000`,
    );
    assert.equal(back.events.length, CAPACITY);
  }
});

// --- when the streams come -------------------------------------------------------------------

const streamNames = async (server, t) => {
  const connection = await server.connect(t);
  const names = [];
  for await (const name of (await jetstreamManager(connection)).streams.names()) names.push(name);
  return { connection, names };
};

check('a node has ES from the start where nonet.yaml says `events`', async (t) => {
  const server = await startNonet(t, { config: 'events: {}\n' });
  const { connection, names } = await streamNames(server, t);
  assert.deepEqual(names.sort(), ['ES', 'ES_NOTES']);
  const ack = await jetstream(connection).publish('es.order.1', 'first');
  assert.equal(ack.stream, 'ES');
  assert.equal(ack.seq, 1);
});

check('and else none that nobody has asked for', async (t) => {
  const server = await startNonet(t);
  const { connection, names } = await streamNames(server, t);
  assert.deepEqual(names, []);
  await assert.rejects(jetstream(connection).publish('es.order.1', 'first', { timeout: 2000 }));
});

check('ES_NOTES is the node`s own, and goes with ES', async (t) => {
  const server = await startNonet(t, { config: 'events: {}\n' });
  const { connection } = await streamNames(server, t);
  const manager = await jetstreamManager(connection);
  await assert.rejects(manager.streams.delete('ES_NOTES'), /belongs to stream ES/);
  await assert.rejects(manager.streams.update('ES_NOTES', { max_msgs: 1 }), /belongs to stream ES/);
  await assert.rejects(manager.streams.purge('ES_NOTES'));
  assert.ok(await manager.streams.delete('ES'));
  const { names } = await streamNames(server, t);
  assert.deepEqual(names, []);
});

// Event streams under kill -9: what has been acknowledged or seen is found again, and the head
// of a chain that was noted before a kill is a prefix of the chain after it.

import assert from 'node:assert/strict';
import { check, run, startNonet, until } from './lib/node.mjs';

const KILLS = 6;
const STREAMS = 5;
const WRITERS = 8;

// Appends of 1 to 3 events to streams at random, one after another, until the node is gone. What
// was acknowledged goes to NOTED.acknowledged: [stream, last revision].
async function write(server, noted, alive) {
  const headers = { authorization: `Bearer ${server.token}` };
  while (alive()) {
    const stream = `k-${Math.floor(Math.random() * STREAMS)}`;
    const events = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => ({
      type: 'T',
      data: { x: Math.random() },
    }));
    const body = JSON.stringify({ events });
    const answer = await fetch(`${server.admin}/v1/streams/${stream}`, {
      method: 'POST',
      headers,
      body,
    }).then(
      (a) => a.json(),
      () => null,
    );
    if (answer?.last !== undefined) noted.acknowledged.push([stream, answer.last]);
  }
}

// Reads the heads of streams meanwhile: NOTED.heads gets [stream, revision, chain].
async function watch(server, noted, alive) {
  while (alive()) {
    const stream = `k-${Math.floor(Math.random() * STREAMS)}`;
    const url = `${server.admin}/v1/streams/${stream}?direction=backwards&limit=1`;
    const page = await fetch(url).then(
      (a) => a.json(),
      () => null,
    );
    const event = page?.events?.[0];
    if (event) noted.heads.push([stream, event.revision, event.chain]);
  }
}

async function chains(server, stream) {
  const url = `${server.admin}/v1/streams/${stream}?limit=1000`;
  const found = [];
  for (let from = 0; from !== null;) {
    const page = await (await fetch(`${url}&from=${from}`)).json();
    for (const event of page.events) {
      assert.equal(event.revision, found.length, `${stream} has a gap`);
      found.push(event.chain);
    }
    from = page.next;
  }
  return found;
}

check('a chain head noted before a kill is a prefix of the one after', async (t) => {
  const server = await startNonet(t);
  const noted = { acknowledged: [], heads: [] };
  for (let kill = 0; kill < KILLS; kill++) {
    let killed = false;
    const alive = () => !killed;
    const before = noted.acknowledged.length;
    const busy = [watch(server, noted, alive)];
    for (let i = 0; i < WRITERS; i++) busy.push(write(server, noted, alive));
    await until(() => noted.acknowledged.length > before + 20 + Math.random() * 100);
    await server.stop('SIGKILL');
    killed = true;
    await Promise.all(busy);

    // As the kill has left it, and as the next life finds it.
    const verified = await run(['events', 'verify', '--data', server.data, '--json']);
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    await server.start();
    const all = new Map();
    for (let i = 0; i < STREAMS; i++) all.set(`k-${i}`, await chains(server, `k-${i}`));
    for (const [stream, last] of noted.acknowledged)
      assert.ok(last < all.get(stream).length, `${stream}@${last} was acknowledged and is gone`);
    for (const [stream, revision, chain] of noted.heads)
      assert.equal(all.get(stream)[revision], chain, `${stream}@${revision} is another one`);
    const events = [...all.values()].reduce((sum, list) => sum + list.length, 0);
    assert.equal(JSON.parse(verified.stdout).report.events, events);
    // What has been found goes on being found.
    for (const [stream, list] of all) noted.heads.push([stream, list.length - 1, list.at(-1)]);
  }
  assert.ok(noted.heads.length > KILLS * STREAMS, 'heads were read while appends went on');
});

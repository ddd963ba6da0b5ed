// The house's own auctions, event-sourced: what happens to auction ID is the event stream
// auction-ID, and nothing else is kept of it, here or anywhere.
//
//     command     decides by the state          appends                expecting
//     open        -                             Opened                 no such event stream
//     bid         open, and above the price     Bid                    the revision that was read
//     close       open                          Closed                 the revision that was read
//
// The state is the node's: section events.folds of nonet.yaml says what each event changes. A
// command that another one was faster than is decided again, by the state that there is then; so
// of two equal bids one is too low, whichever way they came here.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const TRIES = 20; // of one command against others
const TIMEOUT_MS = 5000;

// A command that cannot be done. STATUS as HTTP has it.
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const read = (name) => readFileSync(path.join(process.env.NONET_DATA ?? '.nonet', name), 'utf8');

// Asks the node's API of event streams; {status, body}.
async function ask(method, target, body) {
  const { admin } = JSON.parse(read('ports.json'));
  if (!admin) throw new Refused(503, 'the house needs the admin listener of the node');
  const response = await fetch(`http://${admin}/v1/streams/${target}`, {
    method,
    headers: { Authorization: `Bearer ${read('admin.token')}` },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return { status: response.status, body: await response.json() };
}

const stream = (id) => encodeURIComponent(`auction-${id}`);

// What a command answers: where the auction has got to.
function good({ status, body }) {
  if (status < 300) return body;
  throw new Refused(status, body.detail);
}

// The state of auction ID as the node tells it, now or AT a revision or time; null where there is
// none.
export async function find(id, at) {
  const query = at ? `?at=${encodeURIComponent(at)}` : '';
  const found = await ask('GET', `${stream(id)}/state${query}`);
  return found.status === 404 ? null : good(found);
}

// Appends what DECIDE makes of the state, if the state is still that one. ACTOR: who asked for it.
async function command(id, actor, decide) {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const now = await find(id);
    if (!now) throw new Refused(404, `no auction ${id}`);
    if (now.state.closed) throw new Refused(409, `auction ${id} was closed at ${now.state.closed}`);
    const event = { ...decide(now.state), metadata: { actor } };
    const done = await ask('POST', stream(id), { expect: now.revision, events: [event] });
    if (done.status !== 409) return { id, revision: good(done).last, ...event.data };
  }
  throw new Refused(503, `too much happens to auction ${id}: try again`);
}

function whole(value, name) {
  if (!Number.isSafeInteger(value) || value < 1) throw new Refused(400, `${name}: a whole number`);
  return value;
}

export async function open(
  actor,
  { id = `h${randomUUID().slice(0, 7)}`, item_name, initial_bid = 1 },
) {
  if (typeof id !== 'string' || !/^[\w-]{1,64}$/.test(id) || /^\d+$/.test(id))
    throw new Refused(400, 'id: letters, digits, - and _, not digits alone');
  if (typeof item_name !== 'string' || !item_name) throw new Refused(400, 'item_name: a text');
  const data = { item_name, initial_bid: whole(initial_bid, 'initial_bid') };
  const done = await ask('POST', stream(id), {
    expect: 'none',
    events: [{ type: 'Opened', data, metadata: { actor } }],
  });
  if (done.status === 409) throw new Refused(409, `there is an auction ${id} already`);
  return { id, revision: good(done).last, ...data };
}

export function bid(actor, id, { bidder, price }) {
  const data = { bidder: whole(bidder, 'bidder'), price: whole(price, 'price') };
  return command(id, actor, (state) => {
    const least = state.price === undefined ? state.initial_bid : state.price + 1;
    if (price < least) throw new Refused(409, `${price} is too low: ${least} at least`);
    return { type: 'Bid', data };
  });
}

export function close(actor, id) {
  return command(id, actor, () => ({ type: 'Closed' }));
}

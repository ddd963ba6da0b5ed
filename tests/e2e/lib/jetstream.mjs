// What the tests of durable streams share: an opened client, and refusals as the API words them.

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';

// A client of SERVER that is closed when test T ends. api(NAME, BODY) asks $JS.API.NAME and gives
// the answer's JSON; publish() gives the acknowledgement's JSON, an error included.
export async function openJetstream(t, server) {
  const nc = await server.connect(t);
  const api = async (name, body = '') => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return (await nc.request(`$JS.API.${name}`, text)).json();
  };
  const publish = async (subject, data = '', fields = {}) => {
    const h = headers();
    for (const [key, value] of Object.entries(fields)) h.set(key, value);
    return (await nc.request(subject, data, { headers: h, timeout: 10_000 })).json();
  };
  return { nc, api, publish, jsm: await jetstreamManager(nc), js: jetstream(nc) };
}

// The error of an answer, as "code err_code", or with its words.
export function errorOf(answer) {
  assert.ok(answer.error, `it was not refused: ${JSON.stringify(answer)}`);
  return `${answer.error.code} ${answer.error.err_code}`;
}

// The HTTP API of event streams, asked by who owns the node.

import assert from 'node:assert/strict';
import { request } from 'undici';

// One exchange with SERVER; a BODY that is neither text nor bytes goes as JSON, and one of JSON
// comes back parsed (`text` is what came).
export async function ask(server, method, target, { headers = {}, body } = {}) {
  const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  const answer = await request(`${server.admin}${target}`, {
    method: method.toUpperCase(),
    headers: { authorization: `Bearer ${server.token}`, ...headers },
    body: raw ? body : JSON.stringify(body),
  });
  const text = await answer.body.text();
  const type = (answer.headers['content-type'] ?? '').split(';')[0];
  const json = /[/+]json$/.test(type) && text.length > 0;
  return {
    status: answer.statusCode,
    headers: answer.headers,
    type,
    text,
    body: json ? JSON.parse(text) : text,
  };
}

// Appends EVENTS to STREAM, expecting anything; gives the answer's body.
export async function append(server, stream, ...events) {
  const answer = await ask(server, 'POST', `/v1/streams/${stream}`, { body: { events } });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

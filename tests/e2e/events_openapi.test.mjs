// The OpenAPI document of event streams: valid by its own specification, true of what is served.
// Answers, errors among them, are held to the schemas that it has for them.

import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import { ask } from './lib/events.mjs';
import { onNonet, run } from './lib/node.mjs';

const LINES = 'application/x-ndjson';

const document = async (server) => (await ask(server, 'GET', '/v1/openapi.json')).body;

// Every operation as [path, method, operation].
const operations = ({ paths }) =>
  Object.entries(paths).flatMap(([target, methods]) =>
    Object.entries(methods).map(([method, operation]) => [target, method, operation]),
  );

// What the document says of an answer; throws where it does not know it, or it is another one.
function judge(spec, target, method, answer) {
  const operation = spec.paths[target][method];
  let response = operation.responses[answer.status];
  assert.ok(response, `${method} ${target}: ${answer.status} is not described: ${answer.text}`);
  if (response.$ref) response = spec.components.responses[response.$ref.split('/').pop()];
  if (!response.content) return;
  const content = response.content[answer.type];
  assert.ok(content, `${method} ${target}: ${answer.status} ${answer.type} is not described`);
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const validate = ajv.compile({ ...content.schema, components: spec.components });
  const lines = answer.type === LINES;
  const values = lines
    ? answer.text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [answer.body];
  for (const value of values)
    assert.ok(
      validate(value),
      `${method} ${target}: ${JSON.stringify(validate.errors)}: ${answer.text}`,
    );
}

const CONFIG = `
events:
  folds:
    order: {version: 1, on: {Placed: {merge: .}}}
`;

onNonet('OpenAPI', { config: CONFIG }, (it) => {
  it('the document is OpenAPI 3.1', async (t, server) => {
    const answer = await ask(server, 'GET', '/v1/openapi.json');
    assert.deepEqual([answer.status, answer.type], [200, 'application/json']);
    const validator = new Validator();
    const { valid, errors } = await validator.validate(answer.body);
    assert.ok(valid, JSON.stringify(errors));
    assert.equal(validator.version, '3.1');
    const { stdout } = await run(['--version']);
    assert.ok(stdout.includes(answer.body.info.version));
    const ids = operations(answer.body).map(([, , { operationId }]) => operationId);
    assert.equal(new Set(ids).size, ids.length);
    // References lead somewhere, and everything is referred to.
    const used = new Set(answer.text.match(/#\/components\/[a-z]+\/[A-Za-z0-9_-]+/g));
    for (const reference of used) {
      const [, , kind, name] = reference.split('/');
      assert.ok(answer.body.components[kind][name], reference);
    }
    for (const kind of ['parameters', 'schemas', 'responses'])
      for (const name of Object.keys(answer.body.components[kind]))
        assert.ok(used.has(`#/components/${kind}/${name}`), `nobody speaks of ${kind} ${name}`);
  });

  it('every path that it has answers', async (t, server) => {
    const spec = await document(server);
    await ask(server, 'POST', '/v1/streams/path-1', { body: { events: [{ type: 'T' }] } });
    for (const [target, method] of operations(spec)) {
      const real = target.replace('{stream}', 'path-1').replace('{revision}', '0');
      const body = ['post', 'put'].includes(method) ? {} : undefined;
      const answer = await ask(server, method, `${real}?dry_run=1`, { body });
      assert.notEqual(answer.status, 405, `${method} ${target}`);
      assert.doesNotMatch(answer.text, /there is nothing at this path/, `${method} ${target}`);
      judge(spec, target, method, answer);
      // Methods that the document does not have are not there.
      const others = ['patch', 'put', 'post', 'delete'].filter((m) => !spec.paths[target][m]);
      for (const other of others)
        assert.equal((await ask(server, other, real)).status, 405, `${other} ${target}`);
    }
  });

  it('answers are what it says they are', async (t, server) => {
    const spec = await document(server);
    const seen = async (target, method, real, options) => {
      const answer = await ask(server, method, real, options);
      judge(spec, target, method, answer);
      return answer;
    };
    const stream = '/v1/streams/{stream}';
    const post = (body, headers) => seen(stream, 'post', '/v1/streams/order-1', { body, headers });
    const event = {
      type: 'Placed',
      id: 'e1',
      data: { a: 1 },
      tags: ['x'],
      metadata: { actor: 'a' },
      attributes: { subject: 's', n: 1, b: true },
    };
    assert.equal((await post({ expect: 'none', events: [event] })).status, 201);
    assert.equal((await post({ expect: 'none', events: [event] })).status, 200);
    assert.equal((await post({ expect: 'none', events: [{ type: 'T' }] })).status, 409);
    const checks = [{ none: { types: ['Placed'], tags: ['x'] } }];
    assert.equal((await post({ events: [{ type: 'T' }], checks })).status, 409);
    assert.equal((await post({ events: [{ type: 'T' }] }, { 'if-match': '"7"' })).status, 412);
    assert.equal((await post({ evnts: [] })).status, 400);
    assert.equal((await post({}, { authorization: 'Bearer x' })).status, 401);
    assert.equal((await post({}, { 'content-type': 'application/cloudevents+x' })).status, 415);
    const bytes = { type: 'Raw', data_base64: 'AAE=', datacontenttype: 'image/x' };
    const together = {
      appends: [
        { stream: 'order-1', events: [bytes] },
        { stream: 'b-1', events: [event] },
      ],
    };
    assert.equal((await seen('/v1/append', 'post', '/v1/append', { body: together })).status, 201);
    const conflict = {
      ...together,
      checks: [
        { stream: 'b-2', expect: 'exists' },
        { stream: 'b-3', expect: 4 },
      ],
    };
    conflict.appends = [{ stream: 'b-4', events: [event] }];
    assert.equal((await seen('/v1/append', 'post', '/v1/append', { body: conflict })).status, 409);
    for (const accept of ['application/json', LINES, 'application/cloudevents-batch+json']) {
      const headers = { accept };
      for (const query of ['', '?direction=backwards&limit=1', '?limit=1', '?from=99'])
        await seen(stream, 'get', `/v1/streams/order-1${query}`, { headers });
      await seen('/v1/events', 'get', '/v1/events?tags=x', { headers });
    }
    assert.equal((await seen(stream, 'get', '/v1/streams/none-1')).status, 404);
    assert.equal((await seen(stream, 'get', '/v1/streams/order-1?limit=x')).status, 400);
    assert.equal((await seen('/v1/events', 'get', '/v1/events?min_position=999')).status, 504);
    const one = '/v1/streams/{stream}/events/{revision}';
    await seen(one, 'get', '/v1/streams/order-1/events/0');
    await seen(one, 'get', '/v1/streams/order-1/events/0', {
      headers: { accept: 'application/cloudevents+json' },
    });
    await seen(one, 'get', '/v1/streams/order-1/events/77');
    const state = `${stream}/state`;
    const folded = await seen(state, 'get', '/v1/streams/order-1/state');
    assert.equal(folded.status, 200);
    await seen(state, 'get', '/v1/streams/order-1/state?at=0');
    await seen(state, 'get', '/v1/streams/order-1/state?at=x');
    await seen(state, 'get', '/v1/streams/none-1/state');
    const known = await seen(state, 'get', '/v1/streams/order-1/state', {
      headers: { 'if-none-match': '*' },
    });
    assert.equal(known.status, 304);
    for (const accept of ['application/json', LINES])
      await seen('/v1/audit', 'get', '/v1/audit?actor=a', { headers: { accept } });
    await seen('/v1/audit', 'get', '/v1/audit?limit=1');
    await seen('/v1/audit', 'get', '/v1/audit?from=soon');
    await seen('/v1/events/verify', 'get', '/v1/events/verify');
    const limits = `${stream}/limits`;
    await seen(limits, 'get', '/v1/streams/order-1/limits');
    await seen(limits, 'put', '/v1/streams/order-1/limits', { body: { max_count: 1 } });
    await seen(limits, 'put', '/v1/streams/order-1/limits', { body: { max_counts: 1 } });
    await seen(stream, 'get', '/v1/streams/order-1');
    await seen(stream, 'delete', '/v1/streams/order-1?expect=99');
    await seen(stream, 'delete', '/v1/streams/order-1');
    await seen(limits, 'get', '/v1/streams/order-1/limits');
    await seen(stream, 'delete', '/v1/streams/order-1?permanent=1');
    assert.equal((await seen(stream, 'get', '/v1/streams/order-1')).status, 410);
    assert.equal((await post({ events: [{ type: 'T' }] })).status, 409);
  });
});

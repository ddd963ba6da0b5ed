// CloudEvents 1.0 over HTTP, with CNCF's own SDK on the other side: all three modes in, structured,
// batched and binary out, what the specification refuses; and revisions as HTTP has them (ETag,
// If-Match).

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { CloudEvent, HTTP } from 'cloudevents';
import { ask } from './lib/events.mjs';
import { onNonet } from './lib/node.mjs';

const STRUCTURED = 'application/cloudevents+json';
const BATCHED = 'application/cloudevents-batch+json';

const post = (server, stream, message, query = '') =>
  ask(server, 'POST', `/v1/streams/${stream}${query}`, message);
const one = (server, stream, revision, options, query = '') =>
  ask(server, 'GET', `/v1/streams/${stream}/events/${revision}${query}`, options);

// A CloudEvent without what tells where it stands here, and without what the node has filled in.
function bare(event) {
  const { stream, revision, position, chain, ...rest } = event;
  return rest;
}

const sample = (more = {}) =>
  new CloudEvent({
    id: 'e-1',
    source: '/shop/42',
    type: 'example.order.placed',
    time: '2026-11-30T12:00:00.000Z',
    datacontenttype: 'application/json',
    subject: 'milk',
    dataschema: 'https://example.com/schema',
    partitionkey: 'p1',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    correlationid: 'c-1',
    causationid: 'c-0',
    sampledrate: 30,
    urgent: true,
    tags: 'sku:7,user:ann',
    data: { item: 'milk', n: [1, 2] },
    ...more,
  });

onNonet('CloudEvents over HTTP', {}, (it) => {
  it('structured in, structured out: the same event, types and all', async (t, server) => {
    const sent = HTTP.structured(sample());
    const stored = await post(server, 'structured-1', sent, '?expect=none');
    assert.equal(stored.status, 201, stored.text);
    assert.deepEqual(
      [stored.body.first, stored.body.duplicate, stored.headers.etag],
      [0, false, '"0"'],
    );
    const got = await one(server, 'structured-1', 0, { headers: { accept: STRUCTURED } });
    assert.equal(got.status, 200, got.text);
    assert.match(got.headers['content-type'], /^application\/cloudevents\+json/);
    assert.deepEqual(bare(got.body), JSON.parse(sent.body));
    assert.equal(got.body.stream, 'structured-1');
    assert.equal(got.body.revision, '0');
    assert.match(got.body.position, /^[0-9]+$/);
    assert.match(got.body.chain, /^[0-9a-f]{64}$/);
    const event = HTTP.toEvent({ headers: got.headers, body: got.text });
    assert.equal(event.validate(), true);
    assert.deepEqual(event.data, { item: 'milk', n: [1, 2] });
    assert.equal(event.sampledrate, 30);
    assert.equal(event.urgent, true);
  });

  it('binary in, binary out: headers are attributes, percent-encoded', async (t, server) => {
    const stored = await post(server, 'binary-1', HTTP.binary(sample()), '?expect=none');
    assert.equal(stored.status, 201, stored.text);
    const got = await one(server, 'binary-1', 0, {}, '?mode=binary');
    assert.equal(got.status, 200, got.text);
    const event = HTTP.toEvent({ headers: got.headers, body: got.text });
    assert.equal(event.validate(), true);
    const { sampledrate, urgent, ...texts } = bare(event.toJSON());
    const expected = sample().toJSON();
    // In headers everything is text.
    assert.deepEqual([sampledrate, urgent], ['30', 'true']);
    delete expected.sampledrate;
    delete expected.urgent;
    assert.deepEqual(texts, expected);

    const odd = await post(server, 'binary-2', {
      headers: {
        'CE-SpecVersion': '1.0',
        'ce-id': '%41%20b%25',
        'ce-type': 'T',
        'ce-source': '"quoted \\" source"',
        'ce-subject': 'Euro%20%E2%82%AC%20%f0%9f%98%80',
        'content-type': 'image/x',
      },
      body: Buffer.from([0, 255, 10]),
    });
    assert.equal(odd.status, 201, odd.text);
    const json = await one(server, 'binary-2', 0);
    assert.equal(json.body.id, 'A b%');
    assert.equal(json.body.source, 'quoted " source');
    assert.deepEqual(json.body.attributes, { subject: 'Euro € 😀' });
    assert.equal(json.body.datacontenttype, 'image/x');
    assert.equal(json.body.data_base64, 'AP8K');
    const back = await one(server, 'binary-2', 0, {}, '?mode=binary');
    assert.equal(back.headers['ce-subject'], 'Euro%20%E2%82%AC%20%F0%9F%98%80');
    assert.equal(back.headers['ce-id'], 'A%20b%25');
    assert.equal(back.headers['ce-source'], 'quoted%20%22%20source');
    assert.equal(back.headers['content-type'], 'image/x');
    assert.equal(back.headers['ce-revision'], '0');
  });

  it('data of every kind comes back as it was', async (t, server) => {
    const kinds = {
      text: { datacontenttype: 'text/plain', data: 'Grüße\n' },
      xml: { datacontenttype: 'application/xml', data: '<a/>' },
      vendor: { datacontenttype: 'application/vnd.shop+json', data: { a: 1 } },
      charset: { datacontenttype: 'application/json; charset=utf-8', data: [1] },
      string: { datacontenttype: 'application/json', data: 'text' },
      bytes: { datacontenttype: 'image/png', data_base64: 'AAECAw==' },
      nothing: {},
    };
    for (const [kind, data] of Object.entries(kinds)) {
      const sent = { specversion: '1.0', id: kind, source: 's', type: 'T', ...data };
      const stored = await post(server, `data-${kind}`, {
        headers: { 'content-type': STRUCTURED },
        body: JSON.stringify(sent),
      });
      assert.equal(stored.status, 201, stored.text);
      const got = await one(server, `data-${kind}`, 0, { headers: { accept: STRUCTURED } });
      const { time, ...rest } = bare(got.body);
      assert.ok(Date.parse(time));
      assert.deepEqual(rest, sent, kind);
    }
  });

  it('a batch is one append, and comes back as one', async (t, server) => {
    const events = ['b1', 'b2', 'b3'].map((id) => JSON.parse(HTTP.structured(sample({ id })).body));
    const message = { headers: { 'content-type': BATCHED }, body: JSON.stringify(events) };
    const stored = await post(server, 'batch-1', message, '?expect=none');
    assert.equal(stored.status, 201, stored.text);
    assert.deepEqual([stored.body.first, stored.body.last], [0, 2]);
    assert.equal(stored.headers.etag, '"2"');
    const again = await post(server, 'batch-1', message, '?expect=none');
    assert.deepEqual([again.status, again.body.duplicate], [200, true]);

    const page = await ask(server, 'GET', '/v1/streams/batch-1?limit=2', {
      headers: { accept: BATCHED },
    });
    assert.match(page.headers['content-type'], /^application\/cloudevents-batch\+json/);
    assert.deepEqual(page.body.map(bare), events.slice(0, 2));
    assert.equal(page.headers.etag, '"2"');
    const next = /^<(\?[^>]+)>; rel="next"$/.exec(page.headers.link)[1];
    const rest = await ask(server, 'GET', `/v1/streams/batch-1${next}`, {
      headers: { accept: BATCHED },
    });
    assert.deepEqual(rest.body.map(bare), events.slice(2));
    assert.equal(rest.headers.link, undefined);
    const none = await ask(server, 'GET', '/v1/streams/batch-1?from=3', {
      headers: { accept: BATCHED },
    });
    assert.deepEqual(none.body, []);

    const all = await ask(server, 'GET', '/v1/events?category=batch&tags=sku:7', {
      headers: { accept: BATCHED },
    });
    assert.deepEqual(
      all.body.map((event) => [event.id, event.stream, event.revision]),
      [
        ['b1', 'batch-1', '0'],
        ['b2', 'batch-1', '1'],
        ['b3', 'batch-1', '2'],
      ],
    );
    // One that is wrong is none at all.
    const bad = await post(server, 'batch-2', {
      headers: { 'content-type': BATCHED },
      body: JSON.stringify([events[0], { ...events[1], type: undefined }]),
    });
    assert.equal(bad.status, 400);
    assert.match(bad.body.detail, /^event 1: attribute 'type': is missing$/);
    assert.equal((await ask(server, 'GET', '/v1/streams/batch-2')).status, 404);
  });

  it('an event that was read here can be appended elsewhere', async (t, server) => {
    await post(server, 'copy-1', HTTP.structured(sample({ metadata: '{"actor":"ann","n":{}}' })));
    const got = await one(server, 'copy-1', 0, { headers: { accept: STRUCTURED } });
    const copy = await post(server, 'copy-2', {
      headers: { 'content-type': STRUCTURED },
      body: got.text,
    });
    assert.equal(copy.status, 201, copy.text);
    const second = await one(server, 'copy-2', 0, { headers: { accept: STRUCTURED } });
    assert.deepEqual(bare(second.body), bare(got.body));
    assert.equal(second.body.stream, 'copy-2');
    const own = await one(server, 'copy-2', 0);
    assert.deepEqual(own.body.metadata, { actor: 'ann', n: {} });
    assert.deepEqual(own.body.tags, ['sku:7', 'user:ann']);
    assert.deepEqual(own.body.attributes.sampledrate, 30);
  });

  it('on NATS they are headers, and headers of a publish are attributes', async (t, server) => {
    await post(server, 'wire-1', HTTP.structured(sample()));
    const nc = await server.connect(t);
    const jsm = await jetstreamManager(nc);
    const stored = await jsm.direct.getMessage('ES', { last_by_subj: 'es.wire.1' });
    assert.equal(stored.header.get('ce-subject'), 'milk');
    assert.equal(stored.header.get('ce-sampledrate'), '30');
    const h = headers();
    h.set('ce-type', 'Sent');
    h.set('ce-partitionkey', 'p9');
    h.append('ce-partitionkey', 'another');
    h.set('ce-Not_a_name', 'x');
    await jetstream(nc).publish('es.wire.2', 'x', { headers: h });
    const got = await one(server, 'wire-2', 0);
    assert.deepEqual(got.body.attributes, { partitionkey: 'p9' });
  });

  it('on NATS they may be structured, too', async (t, server) => {
    const nc = await server.connect(t);
    const js = jetstream(nc);
    const publish = (subject, type, payload, more = {}) => {
      const h = headers();
      h.set('Content-Type', type);
      for (const [key, value] of Object.entries(more)) h.set(key, value);
      return js.publish(subject, payload, { headers: h });
    };
    await post(server, 'nats-0', HTTP.structured(sample())); // ES is there
    const { body } = HTTP.structured(sample());
    const stored = await publish('es.nats.1', STRUCTURED, body, { Trace: '7', 'ce-id': 'not me' });
    assert.equal(stored.duplicate, false);
    const again = await publish('es.nats.1', `${STRUCTURED}; charset=utf-8`, body);
    assert.equal(again.duplicate, true);
    const got = await one(server, 'nats-1', 0, { headers: { accept: STRUCTURED } });
    assert.deepEqual(bare(got.body), JSON.parse(body));
    const message = await (
      await jetstreamManager(nc)
    ).direct.getMessage('ES', {
      last_by_subj: 'es.nats.1',
    });
    assert.deepEqual(message.json(), { item: 'milk', n: [1, 2] });
    assert.deepEqual(
      ['ce-id', 'ce-subject', 'Content-Type', 'Trace'].map((key) => message.header.get(key)),
      ['e-1', 'milk', 'application/json', '7'],
    );
    for (const [type, payload, words] of [
      [STRUCTURED, '{"specversion":"1.0"}', /attribute 'id': is missing/],
      [STRUCTURED, '{', /body:1:2/],
      [BATCHED, `[${body}]`, /a message is one event, and no batch/],
    ])
      await assert.rejects(publish('es.nats.2', type, payload), words);
    assert.equal((await ask(server, 'GET', '/v1/streams/nats-2')).status, 404);
  });

  const good = { specversion: '1.0', id: 'i', source: 's', type: 'T' };
  const wrong = {
    'specversion missing': [{ specversion: undefined }, "attribute 'specversion': is missing"],
    'specversion of another': [
      { specversion: '0.3' },
      "attribute 'specversion': 1.0 is what is known here",
    ],
    'id missing': [{ id: undefined }, "attribute 'id': is missing"],
    'id empty': [{ id: '' }, "attribute 'id': a text that is not empty is wanted"],
    'id a number': [{ id: 7 }, "attribute 'id': a text is wanted"],
    'source missing': [{ source: undefined }, "attribute 'source': is missing"],
    'type missing': [{ type: undefined }, "attribute 'type': is missing"],
    'name with capitals': [
      { partitionKey: 'x' },
      "attribute 'partitionKey': a name has lower-case letters and digits only, at most 64",
    ],
    'value a list': [
      { list: [] },
      "attribute 'list': a text, a whole number of 32 bits or a boolean is wanted",
    ],
    'value too large': [
      { number: 2147483648 },
      "attribute 'number': a text, a whole number of 32 bits or a boolean is wanted",
    ],
    'data twice': [
      { data: 1, data_base64: 'AA==' },
      "attribute 'data_base64': there is data already",
    ],
    'base64 that is none': [{ data_base64: '?' }, "attribute 'data_base64': it is not base64"],
    'data that is no text': [
      { datacontenttype: 'text/plain', data: {} },
      "attribute 'data': data that is no JSON is a text, or data_base64",
    ],
    'bytes that are no JSON': [
      { datacontenttype: 'application/json', data_base64: 'AA==' },
      "attribute 'datacontenttype': the data is no JSON, or too deep",
    ],
    'metadata no object': [{ metadata: '[]' }, "attribute 'metadata': a JSON object in a text"],
    'a time that is none': [{ time: 'soon' }, 'events[0].time: a time of RFC 3339 is wanted'],
  };
  it('what CloudEvents refuses is refused by the name of the attribute', async (t, server) => {
    for (const [what, [change, words]] of Object.entries(wrong)) {
      const answer = await post(server, 'wrong-1', {
        headers: { 'content-type': STRUCTURED },
        body: JSON.stringify({ ...good, ...change }),
      });
      assert.equal(answer.status, 400, `${what}: ${answer.text}`);
      assert.ok(answer.body.detail.startsWith(words), `${what}: ${answer.body.detail}`);
    }
    const binary = { 'ce-specversion': '1.0', 'ce-id': 'i', 'ce-source': 's', 'ce-type': 'T' };
    const refused = {
      'ce-subject': [['100%'], "attribute 'subject': badly percent-encoded: a '%' stands as %25"],
      'ce-x': [['%C0%A0'], "attribute 'x': it is not UTF-8"],
      'ce-a_b': [['x'], "attribute 'a_b': a name has lower-case letters and digits only"],
      'ce-datacontenttype': [['a/b'], "attribute 'datacontenttype': it is Content-Type"],
      'ce-two': [['x', 'y'], "attribute 'two': it stands twice"],
    };
    for (const [name, [values, words]] of Object.entries(refused)) {
      const answer = await post(server, 'wrong-1', { headers: { ...binary, [name]: values } });
      assert.equal(answer.status, 400, name);
      assert.ok(answer.body.detail.startsWith(words), answer.body.detail);
    }
    for (const [type, status] of [
      ['application/cloudevents+avro', 415],
      ['application/cloudevents-batch+protobuf', 415],
    ])
      assert.equal(
        (await post(server, 'wrong-1', { headers: { 'content-type': type }, body: 'x' })).status,
        status,
      );
    assert.equal((await ask(server, 'GET', '/v1/streams/wrong-1')).status, 404);
  });

  it('attributes have a member in the other form, with the same rules', async (t, server) => {
    const append = (attributes) =>
      post(server, 'own-1', {
        body: JSON.stringify({ events: [{ type: 'T', attributes }] }),
      });
    const { status } = await append({ subject: 's', n: -1, flag: false, none: null });
    assert.equal(status, 201);
    const { body } = await one(server, 'own-1', 0);
    assert.deepEqual(body.attributes, { subject: 's', n: -1, flag: false });
    for (const [attributes, words] of [
      [7, 'events[0].attributes: an object is wanted'],
      [{ Big: 'x' }, 'events[0].attributes.Big: a name has lower-case letters'],
      [{ id: 'x' }, 'events[0].attributes.id: an event has a member of its own for this'],
      [{ x: 1.5 }, 'events[0].attributes.x: a text, a whole number'],
    ]) {
      const refused = await append(attributes);
      assert.equal(refused.status, 400);
      assert.ok(refused.body.detail.startsWith(words), refused.body.detail);
    }
  });

  it('If-Match and If-None-Match are expectations, and conflicts then 412', async (t, server) => {
    const append = (headers, body = {}, query = '') =>
      post(
        server,
        'match-1',
        { headers, body: JSON.stringify({ events: [{ type: 'T' }], ...body }) },
        query,
      );
    const early = await append({ 'if-match': '*' });
    assert.deepEqual([early.status, early.body.status], [412, 412]);
    assert.equal(early.body.title, 'Precondition Failed');
    assert.deepEqual(early.body.violations, [
      { check: 'expect', stream: 'match-1', expected: 'exists', actual: 'none' },
    ]);
    const first = await append({ 'if-none-match': '*' });
    assert.deepEqual([first.status, first.headers.etag], [201, '"0"']);
    assert.equal((await append({ 'if-none-match': '*' })).status, 412);
    const second = await append({ 'if-match': first.headers.etag });
    assert.deepEqual([second.status, second.headers.etag], [201, '"1"']);
    const late = await append({ 'if-match': first.headers.etag });
    assert.equal(late.status, 412);
    assert.deepEqual(late.body.violations[0].expected, 0);
    assert.equal((await append({}, {}, '?expect=0')).status, 409);
    assert.equal((await append({}, {}, '?expect=007')).status, 409);
    assert.equal((await append({}, {}, '?expect=01')).status, 201);
    for (const [headers, body, query, words] of [
      [{ 'if-match': 'W/"1"' }, {}, '', 'If-Match: * or one entity tag'],
      [{ 'if-match': '"1", "2"' }, {}, '', 'If-Match: * or one entity tag'],
      [{ 'if-none-match': '"1"' }, {}, '', 'If-None-Match: *'],
      [{ 'if-match': '"1"' }, {}, '?expect=1', 'expect: If-Match'],
      [{ 'if-match': '"1"' }, { expect: 1 }, '', 'expect: it stands in the body'],
      [{}, {}, '?expect=soon', 'expect: any, none'],
      [{}, {}, '?expect=any%22,%22checks%22:[]%7D%20', 'expect: any, none'],
    ]) {
      const answer = await append(headers, body, query);
      assert.equal(answer.status, 400, answer.text);
      assert.ok(answer.body.detail.startsWith(words), answer.body.detail);
    }
    const head = await ask(server, 'HEAD', '/v1/streams/match-1');
    assert.deepEqual([head.status, head.headers.etag, head.text], [200, '"2"', '']);
    const lines = await ask(server, 'GET', '/v1/streams/match-1?limit=1', {
      headers: { accept: 'application/x-ndjson' },
    });
    assert.match(lines.headers.link, /^<\?limit=1&from=1>; rel="next"$/);
  });

  it('an event by its revision, or a word why not', async (t, server) => {
    await post(server, 'one-1', HTTP.binary(sample()));
    assert.equal((await one(server, 'one-1', 0)).body.id, 'e-1');
    assert.equal((await one(server, 'one-1', 1)).status, 404);
    assert.equal((await one(server, 'one-2', 0)).status, 404);
    assert.equal((await one(server, 'one-1', 'x')).status, 400);
    assert.equal((await one(server, 'one-1', 0, {}, '?mode=loud')).status, 400);
    assert.equal((await one(server, 'one-1', 0, {}, '?min_position=1')).status, 200);
    const big = sample({ metadata: JSON.stringify({ x: 'y'.repeat(40_000) }) });
    const stored = await post(server, 'one-3', HTTP.structured(big));
    assert.equal(stored.status, 201, stored.text);
    assert.equal((await one(server, 'one-3', 0, {}, '?mode=binary')).status, 406);
    assert.equal((await one(server, 'one-3', 0, { headers: { accept: STRUCTURED } })).status, 200);
  });
});

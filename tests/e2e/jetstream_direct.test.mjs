// Direct get of many messages (ADR-31): batches, and the last of several subjects, now and then.

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { createInbox } from '@nats-io/transport-node';
import { onNonet } from './lib/node.mjs';

async function open(t, server) {
  const nc = await server.connect(t);
  return { nc, jsm: await jetstreamManager(nc), js: jetstream(nc) };
}

// All answers to one request, up to the status that ends them:
// {messages: ['subject seq payload pending before'], end: '204 EOB', pending, last, upTo}.
async function ask(nc, stream, request) {
  const inbox = createInbox();
  const answers = nc.subscribe(inbox);
  nc.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(request), { reply: inbox });
  const messages = [];
  for await (const m of answers) {
    const h = (key) => m.headers.get(`Nats-${key}`);
    if (!m.headers.code) {
      assert.equal(h('Stream'), stream);
      assert.ok(Date.parse(h('Time-Stamp')) > 0);
      messages.push(
        `${h('Subject')} ${h('Sequence')} ${m.string()} ${h('Num-Pending')} ${h('Last-Sequence')}`,
      );
      continue;
    }
    answers.unsubscribe();
    const end = `${m.headers.code} ${m.headers.description}`;
    return {
      messages,
      end,
      pending: h('Num-Pending'),
      last: h('Last-Sequence'),
      upTo: h('UpTo-Sequence'),
    };
  }
}

const subjects = (result) => result.messages.map((line) => line.split(' ').slice(0, 3).join(' '));

onNonet('direct get of many', {}, (it) => {
  it('a batch tells how many are left, and ends with 204', async (t, server) => {
    const { nc, jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'BATCH', subjects: ['batch.*'], allow_direct: true });
    for (let i = 1; i <= 6; i++) await js.publish(`batch.${i % 2 ? 'odd' : 'even'}`, `${i}`);
    assert.deepEqual(await ask(nc, 'BATCH', { batch: 2, seq: 1 }), {
      messages: ['batch.odd 1 1 5 0', 'batch.even 2 2 4 1'],
      end: '204 EOB',
      pending: '4',
      last: '2',
      upTo: '',
    });
    assert.deepEqual(await ask(nc, 'BATCH', { batch: 9, seq: 2, next_by_subj: 'batch.odd' }), {
      messages: ['batch.odd 3 3 1 0', 'batch.odd 5 5 0 3'],
      end: '204 EOB',
      pending: '0',
      last: '5',
      upTo: '',
    });
    await jsm.streams.deleteMessage('BATCH', 1);
    assert.deepEqual(subjects(await ask(nc, 'BATCH', { batch: 1, seq: 1 })), ['batch.even 2 2']);
    assert.equal((await ask(nc, 'BATCH', { batch: 1, seq: 7 })).end, '404 Message Not Found');
  });

  it('a batch ends at max_bytes, behind the message that reaches it', async (t, server) => {
    const { nc, jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'BYTES', subjects: ['bytes'], allow_direct: true });
    for (let i = 0; i < 5; i++) await js.publish('bytes', 'x'.repeat(1000));
    const result = await ask(nc, 'BYTES', { batch: 5, seq: 1, max_bytes: 2000 });
    assert.equal(result.messages.length, 2);
    assert.equal(result.pending, '3');
  });

  it('by time: the first at or after it', async (t, server) => {
    const { nc, jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'TIME', subjects: ['time'], allow_direct: true });
    for (let i = 1; i <= 3; i++) await js.publish('time', `${i}`);
    const second = (await jsm.streams.getMessage('TIME', { seq: 2 })).timestamp;
    assert.deepEqual(subjects(await ask(nc, 'TIME', { start_time: second, batch: 9 })), [
      'time 2 2',
      'time 3 3',
    ]);
    assert.equal(
      (await ask(nc, 'TIME', { start_time: '2200-01-01T00:00:00Z', batch: 1 })).end,
      '404 Message Not Found',
    );
  });

  it('the last of several subjects, now and as they were', async (t, server) => {
    const { nc, jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'LAST', subjects: ['last.>'], allow_direct: true });
    for (const [subject, value] of [
      ['name', 'Bob'],
      ['surname', 'Smith'],
      ['address', 'Main Street'],
      ['address', 'Oak Lane'],
      ['name', 'Rob'],
    ])
      await js.publish(`last.1234.${subject}`, value.replace(' ', '-'));
    const now = await ask(nc, 'LAST', { multi_last: ['last.1234.>', 'last.*.name'] });
    assert.deepEqual(now, {
      messages: [
        'last.1234.surname 2 Smith 2 0',
        'last.1234.address 4 Oak-Lane 1 2',
        'last.1234.name 5 Rob 0 4',
      ],
      end: '204 EOB',
      pending: '0',
      last: '5',
      upTo: '5',
    });
    const then = await ask(nc, 'LAST', { multi_last: ['last.1234.*'], up_to_seq: 3 });
    assert.deepEqual(subjects(then), [
      'last.1234.name 1 Bob',
      'last.1234.surname 2 Smith',
      'last.1234.address 3 Main-Street',
    ]);
    assert.equal(then.upTo, '3');
    const time = (await jsm.streams.getMessage('LAST', { seq: 4 })).timestamp;
    const before = await ask(nc, 'LAST', { multi_last: ['last.>'], up_to_time: time });
    assert.deepEqual(subjects(before), subjects(then));
    const page = await ask(nc, 'LAST', { multi_last: ['last.>'], up_to_seq: 3, batch: 1, seq: 2 });
    assert.deepEqual(subjects(page), ['last.1234.surname 2 Smith']);
    assert.equal(page.pending, '1');
    const none = await ask(nc, 'LAST', { multi_last: ['last.none'] });
    assert.equal(none.end, '404 No Results');
    for (const wrong of [
      { multi_last: ['last.>'], last_by_subj: 'last.1' },
      { multi_last: ['last.>'], up_to_seq: 1, up_to_time: time },
      { seq: 1, up_to_seq: 1 },
      { last_by_subj: 'last.1', batch: 2 },
    ])
      assert.equal((await ask(nc, 'LAST', wrong)).end, '408 Bad Request', JSON.stringify(wrong));
    assert.equal((await ask(nc, 'LAST', { multi_last: ['a..b'] })).end, '408 Malformed Request');
  });

  it('at most 1,024 subjects', async (t, server) => {
    const { nc, jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'MANY', subjects: ['many.*'], allow_direct: true });
    await Promise.all(Array.from({ length: 1024 }, (_, i) => js.publish(`many.${i}`, '')));
    assert.equal((await ask(nc, 'MANY', { multi_last: ['many.*'] })).messages.length, 1024);
    await js.publish('many.more', '');
    assert.equal((await ask(nc, 'MANY', { multi_last: ['many.*'] })).end, '413 Too Many Results');
    assert.equal(
      (await ask(nc, 'MANY', { multi_last: ['many.1', 'many.more'] })).messages.length,
      2,
    );
  });
});

// Atomic batches (ADR-50): all messages are stored, one behind the other, or none.

import assert from 'node:assert/strict';
import { headers } from '@nats-io/transport-node';
import { request } from 'undici';
import { errorOf, openJetstream } from './lib/jetstream.mjs';
import { onNonet, run, sleep, startNonet, check, until } from './lib/node.mjs';

const ID = 'Nats-Batch-Id';
const SEQUENCE = 'Nats-Batch-Sequence';
const COMMIT = 'Nats-Batch-Commit';

// A stream that takes batches; send() publishes one message of a batch and gives the answer, null
// where it is empty; info() the stream's state.
async function open(t, server, name, config = {}) {
  const opened = await openJetstream(t, server);
  const { nc, api } = opened;
  const subject = name.toLowerCase();
  const made = await api(`STREAM.CREATE.${name}`, {
    name,
    subjects: [`${subject}.>`],
    allow_atomic: true,
    ...config,
  });
  assert.equal(made.error, undefined, JSON.stringify(made.error));
  const send = async (id, sequence, fields = {}, to = 'x', data = `${sequence}`) => {
    const h = headers();
    if (id !== null) h.set(ID, id);
    if (sequence !== null) h.set(SEQUENCE, `${sequence}`);
    for (const [key, value] of Object.entries(fields)) h.set(key, value);
    const answer = await nc.request(`${subject}.${to}`, data, { headers: h, timeout: 5000 });
    return answer.data.length ? answer.json() : null;
  };
  const info = async () => (await api(`STREAM.INFO.${name}`)).state;
  const payloads = async () => {
    const all = [];
    const { first_seq, last_seq } = await info();
    for (let seq = first_seq; seq <= last_seq; seq++) {
      const m = await opened.jsm.streams.getMessage(name, { seq });
      all.push(m ? m.string() : null);
    }
    return all;
  };
  return { ...opened, subject, send, info, payloads };
}

async function abandoned(nc, stream) {
  const heard = [];
  nc.subscribe(`$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.${stream}`, {
    callback: (_, m) => heard.push(m.json()),
  });
  await nc.flush();
  return heard;
}

onNonet('atomic batches', {}, (it) => {
  it('of the official client: stored whole, acknowledged once', async (t, server) => {
    const { js, info, payloads } = await open(t, server, 'WHOLE');
    const batch = await js.startBatch('whole.a', 'one');
    batch.add('whole.b', 'two');
    await batch.add('whole.c', 'three', { ack: true });
    assert.equal((await info()).messages, 0);
    const ack = await batch.commit('whole.d', 'four');
    assert.deepEqual([ack.stream, ack.seq, ack.count], ['WHOLE', 4, 4]);
    assert.equal(ack.batch, batch.id);
    assert.deepEqual(await payloads(), ['one', 'two', 'three', 'four']);
  });

  it('may be as short as one message, and as long as a thousand', async (t, server) => {
    const { nc, send, info } = await open(t, server, 'LONG');
    assert.deepEqual(await send('one', 1, { [COMMIT]: '1' }), {
      stream: 'LONG',
      seq: 1,
      batch: 'one',
      count: 1,
    });
    await send('long', 1);
    for (let i = 2; i < 1000; i++) {
      const h = headers();
      h.set(ID, 'long');
      h.set(SEQUENCE, `${i}`);
      nc.publish('long.x', `${i}`, { headers: h });
    }
    const ack = await send('long', 1000, { [COMMIT]: '1' });
    assert.deepEqual([ack.seq, ack.count], [1001, 1000]);
    assert.equal((await info()).messages, 1001);
    await send('longer', 1);
    for (let i = 2; i <= 1000; i++) {
      const h = headers();
      h.set(ID, 'longer');
      h.set(SEQUENCE, `${i}`);
      nc.publish('long.x', `${i}`, { headers: h });
    }
    assert.equal(errorOf(await send('longer', 1001, { [COMMIT]: '1' })), '400 10199');
    assert.equal(errorOf(await send('unknown', 1001)), '400 10199');
    assert.equal((await info()).messages, 1001);
  });

  it('"eob" commits without a message of its own', async (t, server) => {
    const { jsm, send, payloads } = await open(t, server, 'EOB');
    await send('e', 1, {}, 'x', 'one');
    await send('e', 2, {}, 'x', 'two');
    const ack = await send('e', 3, { [COMMIT]: 'eob' }, 'x', 'not stored');
    assert.deepEqual([ack.seq, ack.count], [2, 2]);
    assert.deepEqual(await payloads(), ['one', 'two']);
    const last = await jsm.streams.getMessage('EOB', { seq: 2 });
    assert.equal(last.header.get(COMMIT), '1');
    assert.equal(errorOf(await send('f', 1, { [COMMIT]: 'eob' })), '400 10176');
  });

  it('interleave with each other and with single messages', async (t, server) => {
    const { publish, send, payloads } = await open(t, server, 'MIX');
    await send('a', 1, {}, 'x', 'a1');
    await send('b', 1, {}, 'x', 'b1');
    await publish('mix.x', 'single');
    await send('a', 2, {}, 'x', 'a2');
    await send('b', 2, { [COMMIT]: '1' }, 'x', 'b2');
    await send('a', 3, { [COMMIT]: '1' }, 'x', 'a3');
    assert.deepEqual(await payloads(), ['single', 'b1', 'b2', 'a1', 'a2', 'a3']);
  });

  it('of many clients at once stay whole and in order', async (t, server) => {
    const { info, jsm } = await open(t, server, 'MANY');
    const each = 50;
    const one = async (c) => {
      const { nc } = await openJetstream(t, server);
      for (let b = 0; b < 4; b++) {
        for (let i = 1; i <= each; i++) {
          const h = headers();
          h.set(ID, `${c}-${b}`);
          h.set(SEQUENCE, `${i}`);
          if (i < each) {
            nc.publish(`many.${c}`, `${b} ${i}`, { headers: h });
            continue;
          }
          h.set(COMMIT, '1');
          const ack = (await nc.request(`many.${c}`, `${b} ${i}`, { headers: h })).json();
          assert.equal(ack.count, each, JSON.stringify(ack));
        }
      }
    };
    await Promise.all([0, 1, 2, 3, 4, 5].map(one));
    const { messages } = await info();
    assert.equal(messages, 6 * 4 * each);
    for (let seq = 1; seq <= messages; seq++) {
      const m = await jsm.streams.getMessage('MANY', { seq });
      assert.equal(Number(m.string().split(' ')[1]), ((seq - 1) % each) + 1);
    }
  });

  it('are refused with the official codes', async (t, server) => {
    const { nc, api, publish, send, info } = await open(t, server, 'CODES');
    const heard = await abandoned(nc, 'CODES');
    assert.equal(errorOf(await send('i'.repeat(65), 1)), '400 10179');
    assert.equal(await send('i'.repeat(64), 1), null);
    assert.equal(errorOf(await send('s', null)), '400 10175');
    assert.equal(errorOf(await send('s', 'first')), '400 10175');
    assert.equal(errorOf(await send('late', 2)), '400 10176');
    await send('gap', 1);
    assert.equal(errorOf(await send('gap', 3)), '400 10176');
    assert.equal(errorOf(await send('gap', 4, { [COMMIT]: '1' })), '400 10176');
    await send('word', 1);
    assert.equal(errorOf(await send('word', 2, { [COMMIT]: 'yes' })), '400 10200');
    await send('header', 1);
    assert.equal(
      errorOf(await send('header', 2, { [COMMIT]: '1', 'Nats-Expected-Last-Msg-Id': 'x' })),
      '400 10177',
    );
    await until(() => heard.length >= 1, 'an advisory');
    assert.equal(heard[0].type, 'io.nats.jetstream.advisory.v1.stream_batch_abandoned');
    assert.deepEqual(
      [heard[0].stream, heard[0].batch, heard[0].reason],
      ['CODES', 'gap', 'incomplete'],
    );
    assert.equal((await info()).messages, 0);
    await api('STREAM.CREATE.PLAIN', { name: 'PLAIN', subjects: ['plain'] });
    const plain = await publish('plain', '', { [ID]: 'x', [SEQUENCE]: '1' });
    assert.equal(errorOf(plain), '400 10174');
  });

  it('can be allowed and forbidden later; what is under way is forgotten', async (t, server) => {
    const { api, send, info } = await open(t, server, 'LATER', { allow_atomic: false });
    const config = { name: 'LATER', subjects: ['later.>'] };
    assert.equal(errorOf(await send('a', 1)), '400 10174');
    const on = await api('STREAM.UPDATE.LATER', { ...config, allow_atomic: true });
    assert.equal(on.config.allow_atomic, true);
    assert.equal(await send('a', 1), null);
    await api('STREAM.UPDATE.LATER', config);
    await api('STREAM.UPDATE.LATER', { ...config, allow_atomic: true });
    assert.equal(errorOf(await send('a', 2, { [COMMIT]: '1' })), '400 10176');
    assert.equal((await info()).messages, 0);
  });

  it('are allowed by the command line, which shows it', async (t, server) => {
    const nonet = async (...args) => (await run([...args, '--server', server.url])).stdout;
    await nonet('stream', 'add', 'CLI', '--allow-atomic');
    assert.match(await nonet('stream', 'info', 'CLI'), /^atomic batches +are taken$/m);
  });

  it('at most fifty of a stream are under way', async (t, server) => {
    const { send } = await open(t, server, 'FIFTY');
    for (let i = 0; i < 50; i++) assert.equal(await send(`b${i}`, 1), null);
    assert.equal(errorOf(await send('b50', 1)), '429 10210');
    assert.equal((await send('b7', 2, { [COMMIT]: '1' })).count, 2);
    assert.equal(await send('b50', 1), null);
  });

  it('expect what was before them', async (t, server) => {
    const { publish, send, payloads } = await open(t, server, 'EXPECT');
    const last = 'Nats-Expected-Last-Sequence';
    const subject = 'Nats-Expected-Last-Subject-Sequence';
    await publish('expect.a', 'a');
    await publish('expect.b', 'b');
    await send('ok', 1, { [last]: '2', [subject]: '1' }, 'a');
    assert.equal((await send('ok', 2, { [COMMIT]: '1', [subject]: '2' }, 'b')).seq, 4);
    await send('old', 1, { [last]: '2' }, 'a');
    assert.equal(errorOf(await send('old', 2, { [COMMIT]: '1' }, 'a')), '400 10071');
    await send('second', 1, {}, 'a');
    const second = await send('second', 2, { [COMMIT]: '1', [last]: '5' }, 'a');
    assert.equal(errorOf(second), '400 10177');
    // a subject that the batch itself has written to
    await send('twice', 1, {}, 'a');
    assert.equal(
      errorOf(await send('twice', 2, { [COMMIT]: '1', [subject]: '3' }, 'a')),
      '400 10164',
    );
    const wild = { [COMMIT]: '1', [subject]: '4', [`${subject}-Subject`]: 'expect.*' };
    await send('wild', 1, {}, 'c');
    assert.equal(errorOf(await send('wild', 2, wild, 'd')), '400 10164');
    assert.equal((await send('alone', 1, wild, 'd')).seq, 5);
    assert.equal((await payloads()).length, 5);
  });

  it('with an id that is known are refused, whatever they expect', async (t, server) => {
    const { publish, send, info } = await open(t, server, 'IDS');
    const id = 'Nats-Msg-Id';
    await send('first', 1, { [id]: 'one', 'Nats-Expected-Last-Sequence': '0' });
    assert.equal((await send('first', 2, { [COMMIT]: '1', [id]: 'two' })).seq, 2);
    // the same once more, as after a lost answer: the ids come before what does not hold any more
    await send('again', 1, { [id]: 'one', 'Nats-Expected-Last-Sequence': '0' });
    assert.equal(errorOf(await send('again', 2, { [COMMIT]: '1', [id]: 'two' })), '400 10201');
    await send('twin', 1, { [id]: 'three' });
    assert.equal(errorOf(await send('twin', 2, { [COMMIT]: '1', [id]: 'three' })), '400 10201');
    assert.equal((await publish('ids.x', '', { [id]: 'two' })).duplicate, true);
    assert.equal((await publish('ids.x', '', { [id]: 'three' })).seq, 3);
    assert.equal((await info()).messages, 3);
  });

  it('keep to the limits of their stream, counted together', async (t, server) => {
    const discard = 'new';
    const { send, info } = await open(t, server, 'LIMIT', { discard, max_msgs: 3 });
    for (let i = 1; i < 4; i++) await send('four', i);
    assert.equal(errorOf(await send('four', 4, { [COMMIT]: '1' })), '503 10077');
    for (let i = 1; i < 3; i++) await send('three', i);
    assert.equal((await send('three', 3, { [COMMIT]: '1' })).seq, 3);
    assert.equal((await info()).messages, 3);
    const per = await open(t, server, 'PER', {
      discard,
      max_msgs: 10,
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
    });
    await per.send('same', 1, {}, 'a');
    assert.equal(errorOf(await per.send('same', 2, { [COMMIT]: '1' }, 'a')), '503 10077');
    const size = await open(t, server, 'SIZE', { max_msg_size: 300 });
    assert.equal(errorOf(await size.send('big', 1, {}, 'a', 'x'.repeat(400))), '400 10054');
  });

  it('roll up before they write', async (t, server) => {
    const { publish, send, payloads } = await open(t, server, 'ROLL', { allow_rollup_hdrs: true });
    const rollup = 'Nats-Rollup';
    for (const s of ['a', 'b', 'c', 'a', 'b', 'c']) await publish(`roll.${s}`, `${s}0`);
    await send('sub', 1, { [rollup]: 'sub' }, 'a', 'a1');
    await send('sub', 2, {}, 'a', 'a2');
    assert.equal((await send('sub', 3, { [COMMIT]: '1', [rollup]: 'sub' }, 'b', 'b1')).seq, 9);
    const left = (await payloads()).filter((p) => p !== null);
    assert.deepEqual(left, ['c0', 'c0', 'a1', 'a2', 'b1']);
    await send('late', 1, {}, 'a');
    assert.equal(
      errorOf(await send('late', 2, { [COMMIT]: '1', [rollup]: 'sub' }, 'a')),
      '500 10111',
    );
    await send('all-late', 1, {}, 'a');
    assert.equal(
      errorOf(await send('all-late', 2, { [COMMIT]: '1', [rollup]: 'all' }, 'b')),
      '500 10111',
    );
    await send('all', 1, { [rollup]: 'all' }, 'z', 'z1');
    await send('all', 2, { [COMMIT]: '1', [rollup]: 'sub' }, 'a', 'a3');
    assert.deepEqual(await payloads(), ['z1', 'a3']);
  });

  it('are transformed, republished and given their times as single messages', async (t, server) => {
    const { nc, send, info, jsm } = await open(t, server, 'KIN', {
      allow_msg_ttl: true,
      subject_transform: { src: 'kin.*', dest: 'kin.to.{{wildcard(1)}}' },
      republish: { src: 'kin.to.*', dest: 'heard.{{wildcard(1)}}' },
    });
    const heard = [];
    nc.subscribe('heard.>', {
      callback: (_, m) => heard.push(m.headers.get('Nats-Last-Sequence')),
    });
    await nc.flush();
    await send('t', 1, { 'Nats-TTL': '1s' }, 'a');
    assert.equal((await send('t', 2, { [COMMIT]: '1' }, 'a')).seq, 2);
    assert.equal((await jsm.streams.getMessage('KIN', { seq: 2 })).subject, 'kin.to.a');
    await until(() => heard.length === 2, 'both republished');
    assert.deepEqual(heard, ['0', '1']);
    await until(async () => (await info()).messages === 1, 'the first one gone');
  });

  it('where nobody is interested they leave nothing', async (t, server) => {
    const { send, info } = await open(t, server, 'NOBODY', { retention: 'interest' });
    await send('n', 1);
    assert.equal((await send('n', 2, { [COMMIT]: '1' })).seq, 2);
    await until(async () => (await info()).messages === 0, 'an empty stream');
    assert.equal((await info()).last_seq, 2);
  });

  it('work in memory, and without acknowledgements', async (t, server) => {
    const memory = await open(t, server, 'RAM', { storage: 'memory' });
    await memory.send('m', 1);
    assert.equal((await memory.send('m', 2, { [COMMIT]: '1' })).seq, 2);
    const quiet = await open(t, server, 'QUIET', { no_ack: true });
    for (const [i, commit] of [
      [1, ''],
      [2, '1'],
    ]) {
      const h = headers();
      h.set(ID, 'q');
      h.set(SEQUENCE, `${i}`);
      if (commit) h.set(COMMIT, commit);
      quiet.nc.publish('quiet.x', `${i}`, { headers: h });
    }
    await until(async () => (await quiet.info()).messages === 2, 'both stored');
  });

  it('a stream of event streams refuses them by name', async (t, server) => {
    const { publish } = await openJetstream(t, server);
    const token = server.token;
    await request(`${server.admin}/v1/streams/batch-1`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ expect: 'any', events: [{ type: 'Opened' }] }),
    });
    const answer = await publish('es.batch.1', '{}', { [ID]: 'x', [SEQUENCE]: '1' });
    assert.equal(errorOf(answer), '400 10174');
    assert.match(answer.error.description, /POST \/v1\/append/);
  });

  it('ten seconds without a message end one, with an advisory', async (t, server) => {
    const { nc, send, info } = await open(t, server, 'IDLE');
    const heard = await abandoned(nc, 'IDLE');
    await send('idle', 1);
    await send('busy', 1);
    await sleep(6000);
    await send('busy', 2);
    await until(() => heard.length > 0, 'an advisory', 15_000);
    assert.deepEqual([heard[0].batch, heard[0].reason], ['idle', 'timeout']);
    assert.equal(errorOf(await send('idle', 2, { [COMMIT]: '1' })), '400 10176');
    assert.equal((await send('busy', 3, { [COMMIT]: '1' })).count, 3);
    assert.equal((await info()).messages, 3);
  });
});

check('atomic batches over kill -9: those that were acknowledged, each whole', async (t) => {
  const server = await startNonet(t);
  let { nc } = await open(t, server, 'KILL');
  const acknowledged = new Set();
  for (let round = 0, id = 0; round < 5; round++) {
    let going = true;
    const writer = (async () => {
      while (going) {
        const batch = `${id++}`;
        for (let i = 1; i < 5; i++) {
          const h = headers();
          h.set(ID, batch);
          h.set(SEQUENCE, `${i}`);
          nc.publish('kill.x', `${batch} ${i}`, { headers: h });
        }
        const h = headers();
        h.set(ID, batch);
        h.set(SEQUENCE, '5');
        h.set(COMMIT, '1');
        const answer = await nc
          .request('kill.x', `${batch} 5`, { headers: h, timeout: 2000 })
          .catch(() => null);
        if (!answer) return;
        assert.equal(answer.json().count, 5);
        acknowledged.add(batch);
      }
    })();
    await sleep(100 + 30 * round);
    await server.stop('SIGKILL');
    going = false;
    await nc.close().catch(() => {});
    await writer;
    await server.start();
    ({ nc } = await openJetstream(t, server));
  }
  const { jsm } = await openJetstream(t, server);
  const { messages } = (await jsm.streams.info('KILL')).state;
  assert.equal(messages % 5, 0);
  const stored = new Set();
  for (let seq = 1; seq <= messages; seq++) {
    const [batch, i] = (await jsm.streams.getMessage('KILL', { seq })).string().split(' ');
    assert.equal(Number(i), ((seq - 1) % 5) + 1);
    if (i === '1') {
      assert.ok(!stored.has(batch));
      stored.add(batch);
    }
  }
  for (const batch of acknowledged) assert.ok(stored.has(batch), `batch ${batch} is lost`);
  assert.ok(acknowledged.size > 5);
});

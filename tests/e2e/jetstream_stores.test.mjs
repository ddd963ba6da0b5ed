// Key-value buckets and object stores through the official clients, which build them on streams:
// no server code of their own, so every step here is one of the stream engine's.

import assert from 'node:assert/strict';
import { Kvm } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import { check, onBoth, startNonet, until } from './lib/node.mjs';

async function refusal(promise) {
  const error = await promise.then(
    () => assert.fail('it was not refused'),
    (failure) => failure.apiError?.() ?? failure.api_error ?? failure,
  );
  return error.err_code;
}
const WRONG_LAST = 10071;

onBoth('key-value', {}, (it, kind) => {
  it('a bucket is a stream with the settings of the client', async (t, server) => {
    const nc = await server.connect(t);
    const kv = await new Kvm(nc).create('shape', { history: 7, ttl: 3600_000, maxBytes: 9e6 });
    const status = await kv.status();
    assert.equal(status.bucket, 'shape');
    assert.equal(status.history, 7);
    assert.equal(status.ttl, 3600_000);
    assert.equal(status.values, 0);
    const { config } = status.streamInfo;
    assert.deepEqual(config.subjects, ['$KV.shape.>']);
    assert.equal(config.discard, 'new');
    assert.equal(config.allow_rollup_hdrs, true);
    assert.equal(config.allow_direct, true);
    assert.equal(config.max_msgs_per_subject, 7);
    const names = [];
    for await (const bucket of new Kvm(nc).list()) names.push(bucket.bucket);
    assert.deepEqual(names, ['shape']);
    assert.equal(await kv.destroy(), true);
  });

  it('put, get, create, update', async (t, server) => {
    const kv = await new Kvm(await server.connect(t)).create('edit', { history: 3 });
    assert.equal(await kv.put('a', 'one'), 1);
    assert.equal(await kv.put('a', 'two'), 2);
    const entry = await kv.get('a');
    assert.deepEqual([entry.string(), entry.revision, entry.operation], ['two', 2, 'PUT']);
    assert.equal((await kv.get('a', { revision: 1 })).string(), 'one');
    assert.equal(await kv.get('b'), null);
    assert.equal(await refusal(kv.create('a', 'x')), WRONG_LAST);
    assert.equal(await kv.create('b', 'x'), 3);
    assert.equal(await kv.update('b', 'y', 3), 4);
    assert.equal(await refusal(kv.update('b', 'z', 3)), WRONG_LAST);
    assert.equal(await refusal(kv.update('c', 'z', 9)), WRONG_LAST);
    assert.equal((await kv.status()).values, 4);
  });

  it('delete leaves the history, purge does not; both may be undone by create', async (t, s) => {
    const kv = await new Kvm(await s.connect(t)).create('gone', { history: 5 });
    for (const key of ['d', 'p']) for (let i = 0; i < 3; i++) await kv.put(key, `${i}`);
    await kv.delete('d');
    assert.equal((await kv.get('d')).operation, 'DEL');
    assert.equal((await kv.status()).values, 7);
    await kv.purge('p');
    assert.equal((await kv.get('p')).operation, 'PURGE');
    assert.equal((await kv.status()).values, 5);
    assert.equal(await kv.create('d', 'again'), 9);
    assert.equal(await kv.create('p', 'again'), 10);
    assert.equal((await kv.get('p')).string(), 'again');
    assert.equal(await refusal(kv.delete('p', { previousSeq: 3 })), WRONG_LAST);
    await kv.delete('p', { previousSeq: 10 });
    assert.equal((await kv.get('p')).operation, 'DEL');
  });

  it('history bounds the values of a key', async (t, server) => {
    const kv = await new Kvm(await server.connect(t)).create('short', { history: 2 });
    for (let i = 1; i <= 5; i++) await kv.put('k', `${i}`);
    assert.equal((await kv.status()).values, 2);
    assert.equal(await kv.get('k', { revision: 3 }), null);
    assert.equal((await kv.get('k', { revision: 4 })).string(), '4');
  });

  it('a value that is too large, and a full bucket, are refused', async (t, server) => {
    const kvm = new Kvm(await server.connect(t));
    const kv = await kvm.create('tight', { maxValueSize: 10, max_bytes: 400 });
    assert.equal(await refusal(kv.put('k', 'x'.repeat(11))), 10054);
    if (kind !== 'nonet') return; // 2.9 counts bytes only against max_msgs_per_subject: -1
    let refused = null;
    for (let i = 0; i < 100 && !refused; i++) {
      refused = await kv.put(`k${i}`, 'x'.repeat(10)).then(() => null, (e) => e);
    }
    assert.equal(await refusal(Promise.reject(refused)), 10077);
  });

  it('watch, keys and history', async (t, server) => {
    const kv = await new Kvm(await server.connect(t)).create('seen', { history: 5 });
    for (const [key, value] of [['a', '1'], ['b.c', '2'], ['a', '3']]) await kv.put(key, value);
    await kv.delete('b.c');
    const heard = [];
    const watch = await kv.watch();
    (async () => {
      for await (const e of watch) heard.push(`${e.key} ${e.operation} ${e.revision}`);
    })();
    await until(() => heard.length === 2, 'what is there');
    await kv.put('d', '5');
    await until(() => heard.length === 3, 'what comes');
    watch.stop();
    assert.deepEqual(heard, ['a PUT 3', 'b.c DEL 4', 'd PUT 5']);
    const keys = [];
    for await (const key of await kv.keys()) keys.push(key);
    assert.deepEqual(keys.sort(), ['a', 'd']);
    const history = [];
    for await (const e of await kv.history({ key: 'a' })) history.push(e.string());
    assert.deepEqual(history, ['1', '3']);
    await kv.purgeDeletes(0);
    assert.equal(await kv.get('b.c'), null);
  });

  it('values older than the ttl go', async (t, server) => {
    const kv = await new Kvm(await server.connect(t)).create('brief', { ttl: 500 });
    await kv.put('k', 'x');
    assert.equal((await kv.get('k')).string(), 'x');
    await until(async () => (await kv.get('k')) === null, 'its end');
  });
});

onBoth('object store', {}, (it) => {
  it('objects are put, described, replaced, linked and deleted', async (t, server) => {
    const os = await new Objm(await server.connect(t)).create('files', { description: 'd' });
    const info = await os.putBlob({ name: 'a', description: 'first' }, new Uint8Array(300_000));
    assert.deepEqual([info.size, info.chunks], [300_000, 3]);
    assert.equal((await os.info('a')).description, 'first');
    const again = await os.putBlob({ name: 'a' }, new Uint8Array(10));
    assert.equal(again.chunks, 1);
    const { state } = (await os.status()).streamInfo;
    assert.equal(state.messages, 2);
    assert.equal((await os.getBlob('a')).length, 10);
    assert.deepEqual((await os.list()).map((o) => o.name), ['a']);
    await os.link('l', await os.info('a'));
    assert.equal((await os.getBlob('l')).length, 10);
    assert.equal((await os.info('l')).options.link.name, 'a');
    await os.update('a', { name: 'b' });
    assert.equal((await os.info('b')).size, 10);
    assert.equal(await os.info('a'), null);
    await os.delete('b');
    assert.equal((await os.info('b')).deleted, true);
    assert.equal(await os.destroy(), true);
  });

  it('a sealed store takes nothing more', async (t, server) => {
    const os = await new Objm(await server.connect(t)).create('done');
    await os.putBlob({ name: 'a' }, new Uint8Array(10));
    assert.equal((await os.seal()).sealed, true);
    await assert.rejects(os.putBlob({ name: 'b' }, new Uint8Array(10)));
    assert.equal((await os.info('a')).size, 10);
  });
});

check('a bucket survives kill -9', async (t) => {
  const server = await startNonet(t);
  const kv = await new Kvm(await server.connect(null)).create('live', { history: 3 });
  for (let i = 0; i < 5; i++) await kv.put('k', `${i}`);
  await kv.put('p', 'x');
  await kv.purge('p');
  await server.stop('SIGKILL');
  await server.start();
  const after = await new Kvm(await server.connect(t)).open('live');
  assert.equal((await after.get('k')).string(), '4');
  assert.equal((await after.get('p')).operation, 'PURGE');
  assert.equal((await after.status()).values, 4);
  assert.equal(await after.update('k', 'next', 5), 8);
});

// Secure delete: the bytes of a deleted message leave the disk, unless `no_erase` says otherwise.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { headers } from '@nats-io/transport-node';
import { check, onBoth, onNonet, run, startNonet, temporaryFolder, until } from './lib/node.mjs';
import { errorOf, openJetstream } from './lib/jetstream.mjs';

// Does a file below DIR hold TEXT? Files may come and go meanwhile.
function holds(dir, text) {
  return fs.readdirSync(dir, { withFileTypes: true, recursive: true }).some((entry) => {
    if (!entry.isFile()) return false;
    try {
      return fs.readFileSync(path.join(entry.parentPath ?? entry.path, entry.name)).includes(text);
    } catch {
      return false;
    }
  });
}

const dataOf = (server) => path.join(server.dir, 'data');
const isGone = (server, text, ms = 30_000) =>
  until(() => !holds(dataOf(server), text), `${text} to leave the disk`, ms);

// A stream NAME with TEXT as message 3 of 5, in its payload, and once more in a header.
async function make(t, server, name, text) {
  const opened = await openJetstream(t, server);
  const subject = name.toLowerCase();
  await opened.jsm.streams.add({ name, subjects: [subject] });
  const h = headers();
  h.set('X-Secret', text);
  for (let i = 1; i <= 5; i++)
    if (i === 3) await opened.js.publish(subject, text, { headers: h });
    else await opened.js.publish(subject, `message ${i} of ${name}`);
  return opened;
}

async function expectRest(jsm, name) {
  for (let i = 1; i <= 5; i++) {
    const message = await jsm.streams.getMessage(name, { seq: i });
    if (i === 3) assert.equal(message, null);
    else assert.equal(message.string(), `message ${i} of ${name}`);
  }
}

onBoth('secure delete', {}, (it) => {
  it('what is deleted leaves the disk', async (t, server) => {
    const { jsm } = await make(t, server, 'GONE', 'secret-of-GONE');
    assert.equal(await jsm.streams.deleteMessage('GONE', 3), true);
    await isGone(server, 'secret-of-GONE');
    await expectRest(jsm, 'GONE');
  });

  it('with no_erase it is deleted all the same', async (t, server) => {
    const { jsm, api } = await make(t, server, 'KEPT', 'secret-of-KEPT');
    const answer = await api('STREAM.MSG.DELETE.KEPT', { seq: 3, no_erase: true });
    assert.equal(answer.success, true);
    await expectRest(jsm, 'KEPT');
  });

  it('no_erase is true or false', async (t, server) => {
    const { api } = await make(t, server, 'ODD', 'secret-of-ODD');
    const answer = await api('STREAM.MSG.DELETE.ODD', { seq: 3, no_erase: 'perhaps' });
    assert.equal(errorOf(answer), '400 10025');
    assert.equal((await api('STREAM.INFO.ODD')).state.messages, 5);
  });
});

async function erasing(server) {
  const page = await fetch(`${server.admin}/metrics`, {
    headers: { authorization: `Bearer ${server.token}` },
  });
  return Number(/^nonet_log_erasing(?:\{.*\})? (\d)$/m.exec(await page.text())[1]);
}

onNonet('secure delete', {}, (it) => {
  it('nonet_log_erasing tells when it is done', async (t, server) => {
    const { jsm } = await make(t, server, 'TOLD', 'secret-of-TOLD');
    await jsm.streams.deleteMessage('TOLD', 3);
    await isGone(server, 'secret-of-TOLD');
    await until(async () => (await erasing(server)) === 0, 'the end of erasing', 30_000);
  });

  it('a stream that is in its segments since a restart', async (t, server) => {
    await make(t, server, 'OLD', 'secret-of-OLD');
    await server.stop();
    await server.start();
    assert.ok(holds(dataOf(server), 'secret-of-OLD'));
    const { jsm } = await openJetstream(t, server);
    await jsm.streams.deleteMessage('OLD', 3);
    await isGone(server, 'secret-of-OLD');
    await expectRest(jsm, 'OLD');
  });

  it('many at once', async (t, server) => {
    const { jsm, js } = await openJetstream(t, server);
    await jsm.streams.add({ name: 'MANY', subjects: ['many.*'] });
    for (let i = 0; i < 2000; i += 100)
      await Promise.all(
        Array.from({ length: 100 }, (_, k) =>
          js.publish(`many.${i + k}`, (i + k) % 2 ? `secret-of-MANY ${i + k}` : `plain ${i + k}`),
        ),
      );
    for (let s = 1; s <= 2000; s += 100)
      await Promise.all(
        Array.from({ length: 100 }, async (_, k) => {
          const message = await jsm.streams.getMessage('MANY', { seq: s + k });
          if (message.string().startsWith('secret')) await jsm.streams.deleteMessage('MANY', s + k);
        }),
      );
    await isGone(server, 'secret-of-MANY');
    assert.equal((await jsm.streams.info('MANY')).state.messages, 1000);
    assert.equal(
      (await jsm.streams.getMessage('MANY', { last_by_subj: 'many.998' })).string(),
      'plain 998',
    );
  });
});

check('with no_erase nobody reads it, and the bytes stay', async (t) => {
  const server = await startNonet(t);
  const { api } = await make(t, server, 'STAYS', 'secret-of-STAYS');
  await api('STREAM.MSG.DELETE.STAYS', { seq: 3, no_erase: true });
  assert.equal(await erasing(server), 0);
  await server.stop();
  await server.start();
  const { jsm } = await openJetstream(t, server);
  await expectRest(jsm, 'STAYS');
  assert.ok(holds(dataOf(server), 'secret-of-STAYS'));
});

check('a kill right behind the acknowledgement', async (t) => {
  const server = await startNonet(t);
  await make(t, server, 'SAVED', 'secret-of-SAVED');
  await server.stop();
  await server.start();
  await make(t, server, 'FRESH', 'secret-of-FRESH');
  const { jsm } = await openJetstream(t, server);
  await jsm.streams.deleteMessage('SAVED', 3);
  await jsm.streams.deleteMessage('FRESH', 3);
  await server.stop('SIGKILL');
  await server.start();
  const again = await openJetstream(t, server);
  await expectRest(again.jsm, 'SAVED');
  await expectRest(again.jsm, 'FRESH');
  await isGone(server, 'secret-of-SAVED');
  await isGone(server, 'secret-of-FRESH');
  await expectRest(again.jsm, 'SAVED');
  await server.stop();
  const verified = await run(['log', 'verify', server.data]);
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
});

check('a backup that was begun in between is erased where it is restored', async (t) => {
  const server = await startNonet(t);
  const dir = path.join(temporaryFolder(), 'backup');
  const { jsm } = await make(t, server, 'COPY', 'secret-of-COPY');
  const copied = run(['backup', dir, '--data', server.data]);
  await jsm.streams.deleteMessage('COPY', 3);
  assert.equal((await copied).status, 0);
  await isGone(server, 'secret-of-COPY', 60_000);
  await server.stop();
  fs.rmSync(server.data, { recursive: true });
  assert.equal((await run(['restore', dir, '--data', server.data])).status, 0);
  await server.start();
  const again = await openJetstream(t, server);
  if ((await again.jsm.streams.getMessage('COPY', { seq: 3 })) !== null) {
    t.diagnostic('the copy was made as of before the deletion');
    await again.jsm.streams.deleteMessage('COPY', 3);
  }
  await isGone(server, 'secret-of-COPY');
  await expectRest(again.jsm, 'COPY');
});

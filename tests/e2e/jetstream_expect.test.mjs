// Expectations about another subject than the message's own, of nats-server 2.12.

import assert from 'node:assert/strict';
import { errorOf, openJetstream } from './lib/jetstream.mjs';
import { onNonet } from './lib/node.mjs';

const SEQUENCE = 'Nats-Expected-Last-Subject-Sequence';
const SUBJECT = 'Nats-Expected-Last-Subject-Sequence-Subject';

onNonet('expectations about another subject', {}, (it) => {
  it('hold, or are refused with the sequence that is the last', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.EX', { name: 'EX', subjects: ['ex.>'] });
    await publish('ex.account.1', 'open');
    await publish('ex.account.2', 'open');
    const expect = (sequence, subject) =>
      publish('ex.other', 'x', { [SEQUENCE]: `${sequence}`, [SUBJECT]: subject });
    assert.equal(errorOf(await expect(2, 'ex.account.1')), '400 10071');
    assert.equal((await expect(2, 'ex.account.1')).error.description, 'wrong last sequence: 1');
    assert.equal((await expect(1, 'ex.account.1')).seq, 3);
    assert.equal((await expect(0, 'ex.account.9')).seq, 4);
    // with wildcards: the last of all that match
    assert.equal((await expect(2, 'ex.account.*')).seq, 5);
    assert.equal(errorOf(await expect(1, 'ex.account.*')), '400 10071');
    assert.equal(errorOf(await expect(4, 'ex.>')), '400 10071');
    assert.equal((await expect(5, 'ex.>')).seq, 6);
    assert.equal((await expect(0, 'nothing.here')).seq, 7);
  });

  it('see what was published just before, not yet on disk', async (t, server) => {
    const { nc, api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.EXB', { name: 'EXB', subjects: ['exb.>'] });
    for (let i = 0; i < 50; i++) nc.publish('exb.a.x', `${i}`);
    const answer = await publish('exb.b', '', { [SEQUENCE]: '50', [SUBJECT]: 'exb.a.*' });
    assert.equal(answer.seq, 51);
  });

  it('need a sequence, and a subject that is one', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.EXF', { name: 'EXF', subjects: ['exf.>'] });
    assert.equal(errorOf(await publish('exf.a', '', { [SUBJECT]: 'exf.b' })), '400 10193');
    const bad = await publish('exf.a', '', { [SUBJECT]: 'exf..b', [SEQUENCE]: '0' });
    assert.equal(errorOf(bad), '400 10193');
    assert.equal((await api('STREAM.INFO.EXF')).state.messages, 0);
  });

  it('an id that was seen comes before them', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.EXD', { name: 'EXD', subjects: ['exd.>'] });
    const fields = { 'Nats-Msg-Id': 'one', [SUBJECT]: 'exd.>', [SEQUENCE]: '0' };
    assert.equal((await publish('exd.a', '', fields)).seq, 1);
    const again = await publish('exd.a', '', fields);
    assert.deepEqual([again.seq, again.duplicate], [1, true]);
  });
});

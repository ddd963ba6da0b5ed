// The official C client, as Debian has it (libnats 3.4.1), against Nonet and nats-server: what it
// offers for durable streams, each case of libnats/libnats_check.c a test.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onBoth, run, temporaryFolder } from './lib/node.mjs';

const SOURCE = fileURLToPath(new URL('libnats/libnats_check.c', import.meta.url));
const program = path.join(temporaryFolder(), 'libnats_check');
execFileSync('cc', ['-Wall', '-Wextra', '-O1', SOURCE, '-o', program, '-lnats', '-lpthread']);
const cases = execFileSync(program, ['--list'], { encoding: 'utf8' }).trim().split('\n');

onBoth('libnats', {}, (it) => {
  for (const name of cases)
    it(name, async (t, server) => {
      const { status, stderr } = await run([server.url, name], { binary: program });
      assert.equal(status, 0, stderr);
    });
});

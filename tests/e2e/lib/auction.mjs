// The example examples/auction, to be started from any folder.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

const example = fileURLToPath(new URL('../../../examples/auction', import.meta.url));

// Its own nonet.yaml, its files where they are, and RATE ("500/s, limit: 100") events a second.
export function auctionConfig(rate) {
  return [
    ['rate: 10000/s', `rate: ${rate}`],
    ['command: node service.mjs', `command: node service.mjs\n    directory: ${example}`],
    ['files: ./public', `files: ${example}/public`],
  ].reduce(
    (text, [was, is]) => {
      assert.ok(text.includes(was), `the example has changed: '${was}' is not in it`);
      return text.replace(was, is);
    },
    fs.readFileSync(`${example}/nonet.yaml`, 'utf8'),
  );
}

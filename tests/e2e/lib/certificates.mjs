// Keys and certificates made on the spot by openssl, in a folder of their own. The tree holds none.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from './node.mjs';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const DAYS = ['-days', '2'];

export class Certificates {
  constructor() {
    this.dir = temporaryFolder();
  }

  file(name) {
    return path.join(this.dir, name);
  }

  read(name) {
    return fs.readFileSync(this.file(name), 'utf8');
  }

  openssl(...args) {
    execFileSync('openssl', args, { cwd: this.dir, stdio: 'ignore' });
  }

  // NAME.pem and NAME.key, which may sign others.
  authority(name) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    this.openssl('req', '-x509', ...NEW_KEY, ...DAYS, '-subj', `/CN=${name}`, ...files);
  }

  // NAME.pem and NAME.key, signed by AUTHORITY, with EXTENSION as openssl's files write them.
  signed(name, authority, extension) {
    const request = ['-keyout', `${name}.key`, '-out', `${name}.csr`];
    this.openssl('req', ...NEW_KEY, '-subj', `/CN=${name}`, ...request);
    fs.writeFileSync(this.file(`${name}.ext`), extension);
    const by = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
    const files = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${name}.pem`];
    this.openssl('x509', '-req', ...by, ...DAYS, ...files);
  }

  // Certificate and key of NAME, as Node's tls takes them.
  own(name) {
    return { cert: this.read(`${name}.pem`), key: this.read(`${name}.key`) };
  }

  // The same as files of an app folder.
  files(...names) {
    const all = names.flatMap((name) => [`${name}.pem`, `${name}.key`]);
    return Object.fromEntries(all.map((name) => [name, this.read(name)]));
  }
}

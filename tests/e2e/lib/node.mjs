// Starts servers for the tests: Nonet's binary, and Debian's nats-server where it is installed, so
// that one test states one expectation for both.
//
// The binary is $NONET_BINARY (build-test/nonet), its size $NONET_SHARDS (1). nats-server knows no
// shards, so it is compared with once, at 1; $NATS_SERVER names another binary.
//
// A server lives in a folder of its own and listens on free ports. When a test fails, the last
// lines of the server's log are added to what the failure says.

import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from '@nats-io/transport-node';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const BINARY = process.env.NONET_BINARY ?? path.join(ROOT, 'build-test/nonet');
export const SHARDS = process.env.NONET_SHARDS ?? '1';
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 20_000;
const LOG_LINES_SHOWN = 40;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Waits until CONDITION gives something true, and gives that.
export async function until(condition, what = condition, ms = 10_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain for: ${what}`);
    await sleep(5);
  }
}

const folders = [];
process.on('exit', () =>
  folders.forEach((dir) => fs.rmSync(dir, { recursive: true, force: true })),
);

export function temporaryFolder() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'nonet-e2e-'));
  folders.push(dir);
  return dir;
}

// Runs `nonet ARGS` to its end; gives {status, stdout, stderr}.
export function run(args, options = {}) {
  return new Promise((resolve, reject) => {
    const { binary = BINARY, ...rest } = options;
    const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], ...rest });
    const output = { stdout: '', stderr: '' };
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS_MAX);
    child.stdout.on('data', (bytes) => (output.stdout += bytes));
    child.stderr.on('data', (bytes) => (output.stderr += bytes));
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status: status ?? signal, ...output });
    });
  });
}

// What both kinds of server share: a process with a log, that is ready once READY gives its ports.
class Server {
  constructor(kind, dir) {
    Object.assign(this, { kind, dir, log: '', exit: null });
  }

  async launch(binary, args, env, ready) {
    this.exit = null;
    const child = spawn(binary, args, {
      cwd: this.dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.child = child;
    child.stdout.on('data', (bytes) => (this.log += bytes));
    child.stderr.on('data', (bytes) => (this.log += bytes));
    this.exited = new Promise((resolve) => {
      child.on('close', (status, signal) => resolve((this.exit = { status, signal })));
      child.on('error', (error) => resolve((this.exit = { status: -1, signal: error.message })));
    });
    const ports = await until(() => this.exit || ready(), 'the start', START_MS_MAX).catch((e) => {
      child.kill('SIGKILL');
      throw e;
    });
    if (this.exit) throw new Error(`${this.kind} did not start: ${this.tail()}`);
    this.ports = ports;
    this.url = `nats://${ports.nats}`;
    this.port = Number(ports.nats.split(':').pop());
    return this;
  }

  get pid() {
    return this.child.pid;
  }

  tail() {
    return this.log.split('\n').slice(-LOG_LINES_SHOWN).join('\n');
  }

  signal(name) {
    this.child.kill(name);
  }

  // Ends it and waits; gives {status, signal}.
  async stop(signal = 'SIGTERM') {
    if (this.exit) return this.exit;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS_MAX);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  // A client that is closed when test T ends. It does not reconnect unless asked to.
  async connect(t, options = {}) {
    const connection = await connect({ servers: this.url, reconnect: false, ...options });
    t?.after(() => connection.close());
    return connection;
  }
}

class NonetServer extends Server {
  // Starts it, or starts it again on the same data. OPTIONS: config, the text of nonet.yaml; files
  // beside it; args; env; listen, in place of free ports.
  async start(options = this.options ?? {}) {
    this.options = options;
    const portsFile = path.join(this.dir, 'ports.json');
    fs.rmSync(portsFile, { force: true });
    this.data = path.join(this.dir, 'data');
    const args = ['run'];
    if (options.config !== undefined) args.push(this.writeApp());
    args.push('--data', this.data, '--ports-file', portsFile, '--shards', SHARDS, '--log', 'debug');
    for (const [name, address] of Object.entries({
      nats: 0,
      admin: 0,
      sql: 'off',
      ...options.listen,
    })) {
      args.push('--listen', `${name}=${address}`);
    }
    args.push(...(options.args ?? []));
    await this.launch(BINARY, args, options.env, () => readJson(portsFile));
    this.admin = `http://${this.ports.admin}`;
    return this;
  }

  // What its owner shows to the admin listener.
  get token() {
    return fs.readFileSync(path.join(this.data, 'admin.token'), 'utf8');
  }

  writeApp(config = this.options.config) {
    const app = path.join(this.dir, 'app');
    fs.mkdirSync(app, { recursive: true });
    fs.writeFileSync(path.join(app, 'nonet.yaml'), config);
    for (const [name, text] of Object.entries(this.options.files ?? {})) {
      fs.mkdirSync(path.dirname(path.join(app, name)), { recursive: true });
      fs.writeFileSync(path.join(app, name), text);
    }
    return app;
  }

  // Puts another nonet.yaml in place and has it taken up; gives the line of the log that says so.
  async reload(config) {
    this.writeApp(config);
    const from = this.log.length;
    this.signal('SIGHUP');
    return until(
      () => /^.*\breload(ed|\b.*refused).*$/m.exec(this.log.slice(from))?.[0],
      'a reload',
    );
  }
}

class NatsServer extends Server {
  // OPTIONS: nats, the text of its configuration; files beside it.
  async start(options = this.options ?? {}) {
    this.options = options;
    for (const [name, text] of Object.entries(options.files ?? {})) {
      fs.writeFileSync(path.join(this.dir, name), text);
    }
    const config = path.join(this.dir, 'nats.conf');
    fs.writeFileSync(config, options.nats ?? '');
    const args = ['-c', config, '-a', '127.0.0.1', '-p', '-1', '-js', '-D'];
    args.push('-sd', path.join(this.dir, 'data'), '--ports_file_dir', this.dir);
    await this.launch(natsServer, args, options.env, () => {
      const file = path.join(this.dir, `nats-server_${this.child.pid}.ports`);
      const url = readJson(file)?.nats?.[0];
      return url && { nats: new URL(url).host };
    });
    return this;
  }
}

// nats-server, or `nonet nats-server` in its place: flags and files are the same for both. OPTIONS:
// args, behind those for a free port on loopback; files in its folder; env.
class DropIn extends Server {
  async start(options = this.options ?? {}) {
    this.options = options;
    this.write(options.files ?? {});
    const args = ['-a', '127.0.0.1', '-p', '-1', '--ports_file_dir', this.dir];
    args.push(...(options.args ?? []));
    const [binary, ...first] = dropInCommand(this.kind);
    await this.launch(binary, [...first, ...args], options.env, () => {
      this.portsFile = path.join(this.dir, `nats-server_${this.child.pid}.ports`);
      const ports = readJson(this.portsFile);
      const host = (kind) => ports[kind] && new URL(ports[kind][0]).host;
      return (
        ports && {
          nats: host('nats'),
          monitoring: host('monitoring'),
          websocket: host('websocket'),
        }
      );
    });
    return this;
  }

  write(files) {
    for (const [name, text] of Object.entries(files)) {
      fs.writeFileSync(path.join(this.dir, name), text);
    }
  }

  file(name) {
    return path.join(this.dir, name);
  }

  async page(name) {
    const answer = await fetch(`http://${this.ports.monitoring}/${name}`);
    return answer.json();
  }
}

const dropInCommand = (kind) => (kind === 'nonet' ? [BINARY, 'nats-server'] : [natsServer]);

// Runs nats-server, or nonet in its place, with ARGS to its end.
export function runDropIn(kind, args, options = {}) {
  const [binary, ...first] = dropInCommand(kind);
  return run([...first, ...args], { binary, ...options });
}

export async function startInPlace(t, kind, options = {}) {
  const server = new DropIn(kind, temporaryFolder());
  t.after(() => server.stop('SIGKILL'));
  return server.start(options);
}

// One test for each of the two; BODY gets (t, start, kind), and start(OPTIONS) a running server.
export function inPlace(title, body) {
  for (const kind of natsServer ? ['nonet', 'nats-server'] : ['nonet']) {
    let server = null;
    check(
      `${title} [${kind}]`,
      (t) => {
        const start = async (options) => (server = await startInPlace(t, kind, options));
        return body(t, start, kind);
      },
      () => server,
    );
  }
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return null; // not there yet, or not whole
  }
}

function findNatsServer() {
  if (SHARDS !== '1') return null;
  for (const name of [process.env.NATS_SERVER, 'nats-server', '/usr/sbin/nats-server']) {
    try {
      if (name && execFileSync(name, ['-v'], { stdio: ['ignore', 'pipe', 'ignore'] })) return name;
    } catch {
      // not this one
    }
  }
  return null;
}
const natsServer = findNatsServer();

// A node for one test, stopped when T ends.
export async function startNonet(t, options = {}) {
  const server = new NonetServer('nonet', temporaryFolder());
  t.after(() => server.stop());
  return server.start(options);
}

// Like test(); what a failure says ends with the log of SERVER(), if that gives one.
export function check(name, body, server = () => null) {
  test(name, async (t) => {
    try {
      await body(t, server());
    } catch (error) {
      const log = server()?.tail();
      if (log) error.message += `\n---- end of the server's log:\n${log}\n----`;
      throw error;
    }
  });
}

function suite(kind, title, make, options, body) {
  describe(`${title} [${kind}]`, () => {
    let server = null;
    before(async () => {
      server = make(kind, temporaryFolder());
      await server.start(typeof options === 'function' ? options() : options);
    });
    after(() => server?.stop());
    body((name, testBody) => check(name, testBody, () => server), kind);
  });
}

// Tests on one server that they share: BODY gets a function it(name, async (t, server) => …).
export function onNonet(title, options, body) {
  suite('nonet', title, (kind, dir) => new NonetServer(kind, dir), options, body);
}

// The same on Nonet and on nats-server, with the same expectations.
export function onBoth(title, options, body) {
  onNonet(title, options, body);
  if (natsServer) {
    suite('nats-server', title, (kind, dir) => new NatsServer(kind, dir), options, body);
  } else if (SHARDS === '1') {
    test(`${title} [nats-server]`, { skip: 'nats-server is not installed' }, () => {});
  }
}

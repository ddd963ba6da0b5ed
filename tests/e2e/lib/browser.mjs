// Chromium without a window, steered by its DevTools protocol over a WebSocket.

import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import WebSocket from 'ws';
import { temporaryFolder, until } from './node.mjs';

const START_MS_MAX = 30_000;

// It talks to this machine only: no updates, no reports, no names but the loopback's.
const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox', // needs what containers do not give; the pages are our own
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--no-proxy-server',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--remote-debugging-port=0',
  '--window-size=1100,1000',
];

// The first Chromium on PATH, or null.
export function findChromium() {
  for (const name of [process.env.CHROMIUM, 'chromium', 'chromium-browser']) {
    try {
      if (name && execFileSync(name, ['--version'], { stdio: 'pipe' })) return name;
    } catch {
      // not this one
    }
  }
  return null;
}

// One page in a Chromium of its own, gone when test T ends.
export class Page {
  static async open(t, url) {
    const page = new Page();
    const dir = temporaryFolder();
    const args = [...ARGUMENTS, `--user-data-dir=${dir}`, 'about:blank'];
    // A group of its own: what it starts ends with it.
    const child = spawn(findChromium(), args, { stdio: 'ignore', detached: true });
    const over = new Promise((resolve) => child.once('exit', resolve));
    t.after(async () => {
      if (child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      await over;
    });
    const file = path.join(dir, 'DevToolsActivePort');
    const [port, target] = await until(
      () => fs.existsSync(file) && /^(\d+)\n(.+)/.exec(fs.readFileSync(file, 'utf8'))?.slice(1),
      'Chromium',
      START_MS_MAX,
    );
    Object.assign(page, { waiting: new Map(), errors: [], last: 0 });
    page.socket = new WebSocket(`ws://127.0.0.1:${port}${target}`);
    page.socket.on('message', (text) => page.hear(JSON.parse(text)));
    page.socket.on('error', () => {}); // it is killed at the end
    await new Promise((resolve) => page.socket.once('open', resolve));
    const { targetId } = await page.call('Target.createTarget', { url: 'about:blank' });
    const attached = await page.call('Target.attachToTarget', { targetId, flatten: true });
    page.sessionId = attached.sessionId;
    await page.call('Runtime.enable');
    await page.call('Log.enable');
    await page.call('Page.navigate', { url });
    return page;
  }

  hear({ id, result, error, method, params }) {
    if (method === 'Runtime.exceptionThrown') this.errors.push(params.exceptionDetails.text);
    if (method === 'Log.entryAdded' && params.entry.level === 'error') {
      this.errors.push(params.entry.text);
    }
    const done = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) done?.reject(new Error(error.message));
    else done?.resolve(result);
  }

  call(method, params = {}) {
    const id = ++this.last;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.socket.send(JSON.stringify({ id, method, params, sessionId: this.sessionId }));
    return answer;
  }

  // What EXPRESSION is in the page.
  async evaluate(expression) {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', options);
    if (exceptionDetails) throw new Error(`in the page: ${exceptionDetails.text} ${expression}`);
    return result.value;
  }

  // The text of the first element that SELECTOR finds.
  text(selector) {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`);
  }

  async screenshot(file) {
    const { data } = await this.call('Page.captureScreenshot', { captureBeyondViewport: true });
    fs.writeFileSync(file, Buffer.from(data, 'base64'));
  }
}

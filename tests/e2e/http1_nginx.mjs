// Our HTTP/1 parser against nginx: every input of tests/wire/http1/*.md goes to both.
//
//     node http1_nginx.mjs build/tests/wire/http1_events tests/wire/http1
//
// nginx is asked as what it is, a proxy. Of a request it sees what its upstream, a socket of ours,
// is told in its name; of a response, what the client behind it gets. Without nginx the exit status
// is 77, which Meson reads as skipped.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { compareWith, quote } from './lib/http1_pages.mjs';

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find(fs.existsSync);
const START_MS_MAX = 10_000;
const ANSWER_MS_MAX = 5_000;

// What nginx refuses or sees otherwise and we take on purpose, by page and title.
const TUNNEL = 'nginx makes no tunnels; whether we do is for the room to say';
const ON_PURPOSE = {
  'content_length.md: Blanks around the number': 'RFC 9110 5.5: a tab is a blank',
  'request_line.md: A method is any token, in its own case':
    'nginx takes capitals only; RFC 9110 9.1: methods are tokens',
  'request_target.md: An asterisk for OPTIONS': 'RFC 9110 9.3.7; nginx knows paths only',
  'request_target.md: Dot segments and escapes are kept; `url.h` is asked for the path that counts':
    'nginx refuses here what climbs out of the root; we do where the path is looked at',
  'request_target.md: CONNECT names a host and a port; what follows is not HTTP': TUNNEL,
  'request_target.md: CONNECT to an IPv6 address': TUNNEL,
  'request_target.md: CONNECT to another host than Host names': TUNNEL,
};

// One worker without a master, all of its files in DIR. It goes to UPSTREAM with each request, says
// there what the request line was, and hands over a body only when it is whole.
const configuration = (dir, port, upstream) => `
daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log info;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  large_client_header_buffers 4 64k;
  client_max_body_size 0;
  lingering_timeout 500ms;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_http_version 1.1;
      proxy_set_header X-Request-Line $request;
      proxy_ignore_client_abort on;
      proxy_buffer_size 64k;
      proxy_buffers 8 64k;
      error_page 502 504 /refused;
    }
    location = /refused { return 444; } # closes without a word: no status of its own
  }
}
`;

// What the bytes TEXT of nginx begin with: {line, fields, body}, BODY being null while it is not
// whole. AT_END: no more will come. HAS_BODY is false for the answer to HEAD.
function read(text, atEnd, hasBody = true) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [line, ...rest] = text.slice(0, end).split('\r\n');
  const fields = new Map(
    rest.map((field) => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  return {
    line,
    fields,
    body: hasBody ? readBody(line, fields, text.slice(end + 4), atEnd) : '',
  };
}

function readBody(line, fields, text, atEnd) {
  if (/^HTTP\/1.1 (1..|204|304)/.test(line)) return '';
  if (fields.has('transfer-encoding')) return readChunks(text);
  if (fields.has('content-length')) {
    const length = Number(fields.get('content-length'));
    return text.length >= length ? text.slice(0, length) : null;
  }
  if (!line.startsWith('HTTP/')) return ''; // a request
  return atEnd ? text : null;
}

function readChunks(text) {
  let body = '';
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/i.exec(text);
    if (!line) return null;
    const length = parseInt(line[1], 16);
    text = text.slice(line[0].length);
    if (length === 0) return body;
    if (text.length < length + 2) return null;
    body += text.slice(0, length);
    text = text.slice(length + 2);
  }
}

const bytes = (text) => Buffer.from(text, 'latin1');

// Sends INPUT to PORT and then the end; gives all that comes back.
function ask(port, input) {
  return new Promise((resolve) => {
    let heard = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.end(input));
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS_MAX);
    socket.on('data', (part) => (heard += part.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(heard);
    });
  });
}

class Nginx {
  static async start() {
    const nginx = new Nginx();
    nginx.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'nonet-nginx-'));
    nginx.upstream = net.createServer({ allowHalfOpen: true }, (socket) => nginx.serve(socket));
    const upstream = await new Promise((resolve) => {
      nginx.upstream.listen(0, '127.0.0.1', () => resolve(nginx.upstream.address().port));
    });
    nginx.port = await freePort();
    const file = path.join(nginx.dir, 'nginx.conf');
    fs.writeFileSync(file, configuration(nginx.dir, nginx.port, upstream));
    nginx.child = spawn(NGINX, ['-p', nginx.dir, '-c', file], { stdio: 'ignore' });
    process.on('exit', () => {
      nginx.child.kill('SIGKILL');
      fs.rmSync(nginx.dir, { recursive: true, force: true });
    });
    await nginx.started();
    return nginx;
  }

  async started() {
    for (const deadline = Date.now() + START_MS_MAX; Date.now() < deadline;) {
      if (this.child.exitCode !== null) break;
      if (await ask(this.port, 'no request\r\n\r\n')) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('nginx did not start');
  }

  // The upstream's side of one connection: notes the request, says this.answer and the end.
  serve(socket) {
    let heard = '';
    let done = false;
    socket.on('error', () => {});
    socket.on('data', (part) => {
      heard += part.toString('latin1');
      const request = done ? null : read(heard, false);
      if (!request || request.body === null) return;
      done = true;
      this.requests.push(request);
      socket.end(this.answer);
    });
    socket.on('end', () => socket.end());
  }

  async request(input) {
    this.requests = [];
    this.answer = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
    const heard = await ask(this.port, input);
    const messages = this.requests.map(({ fields, body }) => {
      const [method, target] = fields.get('x-request-line').split(' ');
      const what = `${method} ${quote(bytes(target))}`;
      return { what, data: quote(bytes(body)), complete: true };
    });
    const refusal = /^HTTP\/1.1 ([45]\d\d)|<title>(\d+)/m.exec(heard);
    return { messages, refused: refusal?.[1] ?? refusal?.[2] ?? null };
  }

  async response(input, method) {
    this.requests = [];
    this.answer = input;
    const question = `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    const heard = await ask(this.port, question);
    const reply = read(heard, true, method !== 'HEAD');
    if (!reply) return { messages: [], refused: 'no answer' };
    const complete = reply.body !== null;
    const data = complete ? quote(bytes(reply.body)) : '""';
    const message = { what: reply.line.split(' ')[1], data, complete };
    return { messages: [message], refused: complete ? null : 'cut short' };
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

if (!NGINX) {
  console.log('nginx is not installed');
  process.exit(77);
}
const nginx = await Nginx.start();
const sees = (input, method) => {
  if (method === 'CONNECT') return null; // nginx asks for no tunnels
  return method ? nginx.response(input, method) : nginx.request(input);
};
await compareWith('nginx', process.argv.slice(2), sees, ON_PURPOSE);

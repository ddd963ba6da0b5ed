// gateway - the groups of bench/run that measure the front door beside nginx and HAProxy.
//
// Load generator and upstream have the load's cores, the proxies the server's, one worker each,
// keep-alive on both sides. What is compared is requests per CPU second of the proxy: the client's
// core is nearly the limit for the fastest of them. The upstream is nginx, answering 200 B of JSON.
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const BODY = JSON.stringify({ text: 'x'.repeat(187) });
const TICKS = 100; // of /proc/PID/stat, a second

module.exports = function gateway(bench) {
  const { amount, compare, dialable, die, folder, freePort, inTurn, nonet, onLoadCores,
    onServerCores, options, run, sleep, start, state, stopAndForget } = bench;
  const SECONDS = options.quick ? 2 : 6;

  // ---- servers ----------------------------------------------------------------------------------

  const nginxHead = (data, more = '') => `daemon off; worker_processes 1; pid ${data}/pid;
error_log ${data}/error.log crit; worker_rlimit_nofile 40000;
events { worker_connections 20000; }
http {
  access_log off; client_body_temp_path ${data}/b; proxy_temp_path ${data}/p;
  fastcgi_temp_path ${data}/f; uwsgi_temp_path ${data}/u; scgi_temp_path ${data}/s;
  keepalive_requests 1000000000; ${more}`;

  function nginxUpstream(port, data) {
    fs.writeFileSync(`${data}/nginx.conf`, `${nginxHead(data)}
  server { listen 127.0.0.1:${port} reuseport; location / {
    default_type application/json; return 200 '${BODY}'; } } }`);
    return ['nginx', '-c', `${data}/nginx.conf`, '-e', `${data}/error.log`];
  }

  function nginxProxy(upstream, features) {
    return (port, data) => {
      const many = Array.from({ length: 100 }, (_, i) =>
        `location /r${i}/ { limit_req zone=one burst=1000000 nodelay; proxy_pass http://up; }`);
      fs.writeFileSync(`${data}/nginx.conf`, `${nginxHead(data, features
        ? `log_format j escape=json '{"time":"$time_iso8601","client":"$remote_addr",` +
          `"method":"$request_method","path":"$request_uri","status":$status,` +
          `"bytes":$body_bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr"}';
           access_log ${data}/access.log j buffer=64k flush=1s;
           limit_req_zone $binary_remote_addr zone=one:10m rate=1000000r/s;` : '')}
  upstream up { server 127.0.0.1:${upstream.port}; keepalive 128; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port}; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;
    ${features ? many.join('\n') : 'location / { proxy_pass http://up; }'} } }`);
      return ['nginx', '-c', `${data}/nginx.conf`, '-e', `${data}/error.log`];
    };
  }

  function haproxyTls(upstream, pem) {
    return (port, data) => {
      fs.writeFileSync(`${data}/haproxy.cfg`, `global
  nbthread 1
  maxconn 5000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  option forwardfor
  http-reuse always
frontend f
  bind 127.0.0.1:${port} ssl crt ${pem} ssl-min-ver TLSv1.3
  default_backend b
backend b
  server s 127.0.0.1:${upstream.port}
`);
      return ['haproxy', '-db', '-f', `${data}/haproxy.cfg`];
    };
  }

  // Nonet with the section GATEWAY of its config; more sections in MORE.
  function nonetWith(gatewayYaml, more = '') {
    return (port, data) => {
      fs.writeFileSync(`${data}/nonet.yaml`, `${more}\ngateway:\n${gatewayYaml}`);
      return [nonet, 'run', data, '--data', `${data}/d`, '--listen', `http=127.0.0.1:${port}`,
        '--listen', 'nats=0', '--listen', 'admin=0', '--listen', 'sql=off',
        '--ports-file', `${data}/ports.json`,
        '--shards', '1', '--quiet'];
    };
  }

  async function startUpstream() {
    const port = await freePort();
    const data = folder('upstream');
    const words = onLoadCores(nginxUpstream(port, data));
    const child = spawn(words[0], words.slice(1), { stdio: 'ignore' });
    await dialable(port);
    return { port, stop: () => { child.kill('SIGTERM'); return sleep(200); } };
  }

  // CPU seconds of PID and of its children: nginx has its worker there.
  function cpuSeconds(pid) {
    const of = (p) => {
      const f = fs.readFileSync(`/proc/${p}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
      return (Number(f[11]) + Number(f[12])) / TICKS;
    };
    const kids = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return of(pid) + kids.split(' ').filter(Boolean).reduce((sum, kid) => sum + of(kid), 0);
  }

  // ---- loads ------------------------------------------------------------------------------------

  const MS = { us: 1e-3, ms: 1, s: 1e3 };

  // wrk on URL; requests a second, requests per CPU second of SERVER, p50 and p99 in ms.
  function wrk(server, url, { clients = 64, lua, headers = [] } = {}) {
    const words = ['wrk', '-t1', `-c${clients}`, `-d${SECONDS}s`, '--latency',
      ...headers.flatMap((h) => ['-H', h]), ...(lua ? ['-s', lua] : []), url];
    const before = cpuSeconds(server.pid);
    const text = run(onLoadCores(words), `wrk ${url}`);
    const cpu = cpuSeconds(server.pid) - before;
    const failed = /Non-2xx or 3xx responses: (\d+)/.exec(text) || /Socket errors: (.*)/.exec(text);
    if (failed) die(`wrk ${url}: ${failed[0]}`);
    const requests = Number(/(\d+) requests in/.exec(text)[1]);
    const at = (percent) => {
      const [, number, unit] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(text);
      return Number(number) * MS[unit];
    };
    return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]), perCpu: requests / cpu,
      p50: at(50), p99: at(99) };
  }

  // The p99 in ms at a fixed RATE, from h2load's own log of every request.
  function p99At(url, rate) {
    const log = path.join(folder('h2load'), 'log');
    const clients = 32;
    const each = Math.max(1, Math.floor(rate / clients));
    run(onLoadCores(['h2load', '--h1', `-c${clients}`, '-t1', `-D${SECONDS}`, `--rps=${each}`,
      '--warm-up-time=1', `--log-file=${log}`, url]), `h2load ${url}`);
    const times = fs.readFileSync(log, 'utf8').trim().split('\n')
      .map((line) => Number(line.split('\t')[2])).sort((a, b) => a - b);
    return times[Math.floor(times.length * 0.99)] / 1000;
  }

  // ---- groups -----------------------------------------------------------------------------------

  async function proxy() {
    const upstream = await startUpstream();
    const servers = {
      nginx: await start('nginx', { command: nginxProxy(upstream, false) }),
      nonet: await start('nonet', { command: nonetWith(
        `  routes: [{to: {http: "http://127.0.0.1:${upstream.port}"}}]\n`) }),
    };
    const names = Object.keys(servers);
    const url = (name) => `http://127.0.0.1:${servers[name].port}/`;
    const what = 'proxy, 200 B JSON, 64 clients';
    const [rival, mine] = await inTurn(names, what, (name) => wrk(servers[name], url(name)));
    compare(`${what}: requests per CPU second`, rival.perCpu, mine.perCpu, '/s', { least: 1.15 },
      'nginx');
    compare(`${what}: requests`, rival.rate, mine.rate, '/s', {}, 'nginx');
    const rate = 0.7 * Math.min(rival.rate, mine.rate);
    const [rivalAt, mineAt] = await inTurn(names, 'proxy at 70 % load',
      (name) => ({ p99: p99At(url(name), rate) }));
    compare('the same at 70 % load: p99', rivalAt.p99, mineAt.p99, 'ms', { most: 1 }, 'nginx');
    for (const name of names) await stopAndForget(servers[name]);
    await upstream.stop();
  }

  async function features() {
    const upstream = await startUpstream();
    const routes = Array.from({ length: 100 }, (_, i) =>
      `    - {match: {path: "/r${i}/*"}, to: {http: "http://127.0.0.1:${upstream.port}"}, ` +
      'limit: {per: client, rate: 1000000/s, burst: 1000000}}\n');
    const servers = {
      nginx: await start('nginx', { command: nginxProxy(upstream, true) }),
      nonet: await start('nonet', { command: nonetWith(
        `  access_log: {path: access.ndjson}\n  routes:\n${routes.join('')}`) }),
    };
    const what = 'proxy, 100 routes, limit, JSON access log';
    const [rival, mine] = await inTurn(Object.keys(servers), what,
      (name) => wrk(servers[name], `http://127.0.0.1:${servers[name].port}/r77/x`));
    compare(`${what}: requests per CPU second`, rival.perCpu, mine.perCpu, '/s', { least: 1 },
      'nginx');
    for (const name of Object.keys(servers)) await stopAndForget(servers[name]);
    await upstream.stop();
  }

  async function tls() {
    const upstream = await startUpstream();
    const keys = folder('tls');
    run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
      '-nodes', '-keyout', `${keys}/key.pem`, '-out', `${keys}/cert.pem`, '-days', '2', '-subj',
      '/CN=localhost']);
    fs.writeFileSync(`${keys}/both.pem`, fs.readFileSync(`${keys}/cert.pem`, 'utf8') +
      fs.readFileSync(`${keys}/key.pem`, 'utf8'));
    const servers = {
      haproxy: await start('haproxy', { command: haproxyTls(upstream, `${keys}/both.pem`) }),
      nonet: await start('nonet', { command: nonetWith(
        `  routes: [{to: {http: "http://127.0.0.1:${upstream.port}"}}]\n`,
        `listen: {http: {tls: {cert: ${keys}/cert.pem, key: ${keys}/key.pem}}}`) }),
    };
    const what = 'proxy, TLS 1.3 from the client';
    const [rival, mine] = await inTurn(Object.keys(servers), what,
      (name) => wrk(servers[name], `https://127.0.0.1:${servers[name].port}/`));
    compare(`${what}: requests per CPU second`, rival.perCpu, mine.perCpu, '/s', { least: 1 },
      'HAProxy');
    for (const name of Object.keys(servers)) await stopAndForget(servers[name]);
    await upstream.stop();
  }

  const SECRET = 'a secret of the bench, long enough';

  function token() {
    const { createHmac } = require('node:crypto');
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.` +
      part({ sub: 'bench', exp: Math.floor(Date.now() / 1000) + 3600 });
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
  }

  // Three routes of one node: plain proxy, the same behind a token, and a subject that is asked.
  async function subjects() {
    const upstream = await startUpstream();
    const server = await start('nonet', { command: nonetWith(`  auth:
    tokens: {jwt: {secret: "${SECRET}"}}
  routes:
    - {match: {path: /plain}, to: {http: "http://127.0.0.1:${upstream.port}"}}
    - {match: {path: /jwt}, to: {http: "http://127.0.0.1:${upstream.port}"}, auth: tokens}
    - {match: {path: /ask}, to: {request: bench.echo}}
    - {match: {path: /keep, method: POST}, to: {publish: bench.keep, durable: true}}
`, 'streams: {KEEP: {subjects: [bench.keep]}}') });
    const ports = JSON.parse(fs.readFileSync(`${server.data}/ports.json`, 'utf8'));
    const words = onLoadCores([nonet, 'reply', 'bench.echo', '--echo', '--server',
      `nats://${ports.nats}`]);
    const service = spawn(words[0], words.slice(1), { stdio: 'ignore' });
    await sleep(500);
    const base = `http://127.0.0.1:${server.port}`;
    const lua = path.join(folder('lua'), 'post.lua');
    fs.writeFileSync(lua, `wrk.method = "POST"\nwrk.body = '${JSON.stringify({ n: 1, text:
      'x'.repeat(100) })}'\nwrk.headers["Content-Type"] = "application/json"\n`);
    const [plain, jwt, ask] = await inTurn(['plain', 'jwt', 'ask'], 'routes of one node', (name) =>
      wrk(server, `${base}/${name}`, name === 'jwt'
        ? { headers: [`Authorization: Bearer ${token()}`] } : {}));
    compare('JWT route: requests per CPU second', plain.perCpu, jwt.perCpu, '/s', { least: 0.9 },
      'open route');
    compare('HTTP to NATS request and back: requests per CPU second', plain.perCpu, ask.perCpu,
      '/s', { least: 0.6 }, 'plain proxy');
    const [keep] = await inTurn(['keep'], 'durable publish by HTTP', () =>
      wrk(server, `${base}/keep`, { clients: 256, lua }));
    state('durable publish by HTTP with fsync, 256 connections', null, keep.rate, '/s',
      { least: 50000 });
    service.kill('SIGTERM');
    await stopAndForget(server);
    await upstream.stop();
  }

  async function idleClients() {
    const count = 1000;
    const server = await start('nonet', { command: nonetWith(
      '  routes: [{to: {respond: {body: x}}}]\n') });
    const resident = () => Number(/^Pss:\s+(\d+)/m.exec(
      fs.readFileSync(`/proc/${server.pid}/smaps_rollup`, 'utf8'))[1]) * 1024;
    const agent = new http.Agent({ keepAlive: true, maxSockets: count, maxFreeSockets: count });
    const ask = () => new Promise((resolve, reject) => {
      http.get({ port: server.port, agent, path: '/' }, (response) =>
        response.resume().once('end', resolve)).once('error', reject);
    });
    await ask();
    const before = resident();
    await Promise.all(Array.from({ length: count }, ask));
    await sleep(500);
    const each = (resident() - before) / count;
    agent.destroy();
    await stopAndForget(server);
    state(`${count} idle keep-alive clients: RAM each`, null, each, 'B', { most: 4096 });
  }

  // SSE subscribers that are one load program; each must get every message.
  async function sse() {
    const count = options.quick ? 1000 : 10_000;
    const rate = 100;
    const server = await start('nonet', { command: nonetWith(
      '  routes: [{match: {path: /live}, to: {sse: bench.live}}]\n') });
    const ports = JSON.parse(fs.readFileSync(`${server.data}/ports.json`, 'utf8'));
    const words = onLoadCores([path.join(bench.build, 'bench', 'bench_sse_load'), '--port',
      `${server.port}`, '--path', '/live', '--clients', `${count}`, '--nats-port',
      `${ports.nats.split(':').pop()}`, '--subject', 'bench.live', '--rate', `${rate}`,
      '--seconds', `${SECONDS}`]);
    const before = cpuSeconds(server.pid);
    const result = JSON.parse(run(words, 'SSE subscribers'));
    const cpu = cpuSeconds(server.pid) - before;
    await stopAndForget(server);
    state(`${count} SSE subscribers, ${rate} messages a second: delivered`, null,
      result.delivered / result.expected, 'of all', { least: 1 });
    state('the same: CPU per delivery', null, (cpu / result.delivered) * 1e6, 'us', {});
    state('the same: p99 from publish to subscriber', null, result.p99_us / 1000, 'ms', {});
  }

  return { proxy, features, tls, subjects_http: subjects, idle_http: idleClients, sse };
};

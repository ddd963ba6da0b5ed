// HTTP/1.1 by its strictest reading: one space, CR LF, one way to say where a body ends. The
// gateway may be told anything; what it says itself, to either side, has to pass here.

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const REQUEST_LINE = new RegExp(`^${TOKEN} [\\x21-\\x7e]+ HTTP/1\\.1$`);
const STATUS_LINE = /^HTTP\/1\.1 [1-5]\d\d [\x20-\x7e]*$/;
const FIELD = new RegExp(
  `^(${TOKEN}): ?((?:[\\x21-\\x7e\\x80-\\xff][\\t\\x20-\\x7e\\x80-\\xff]*)?)$`,
);
const LENGTH = /^(0|[1-9]\d{0,14})$/;

function fault(what, text) {
  return new Error(`not strict: ${what} in ${JSON.stringify(text.slice(0, 200))}`);
}

function readFields(lines) {
  return lines.map((line) => {
    const field = FIELD.exec(line);
    if (!field) throw fault('a field', line);
    return [field[1].toLowerCase(), field[2].trimEnd()];
  });
}

// All values of the field NAME of MESSAGE.
export const values = (message, name) =>
  message.fields.filter(([n]) => n === name).map(([, value]) => value);

// Reads the chunks that TEXT begins with: {body, trailers, length}; null while they are not whole.
function readChunks(text) {
  let at = 0;
  let body = '';
  for (;;) {
    const end = text.indexOf('\r\n', at);
    const line = end < 0 ? text.slice(at) : text.slice(at, end);
    if (!/^[0-9A-Fa-f]{0,8}\r?$/.test(line) || (end >= 0 && !line)) throw fault('a chunk', line);
    if (end < 0) return null;
    const size = parseInt(line, 16);
    at = end + 2;
    if (size === 0) break;
    if (text.length < at + size + 2) return null;
    body += text.slice(at, at + size);
    at += size + 2;
    if (text.slice(at - 2, at) !== '\r\n') throw fault('the end of a chunk', text.slice(at - 2));
  }
  const end = text.startsWith('\r\n', at) ? at : text.indexOf('\r\n\r\n', at) + 2;
  if (end < at || text.length < end + 2) return null;
  const trailers = readFields(text.slice(at, end).split('\r\n').filter(Boolean));
  return { body, trailers, length: end + 2 };
}

// The framing of a message: 'none', 'chunks', 'end' or a length.
function framing(message, bodiless) {
  const lengths = values(message, 'content-length');
  const codings = values(message, 'transfer-encoding');
  if (lengths.length + codings.length > 1) throw fault('two framings', message.head);
  if (lengths.length && !LENGTH.test(lengths[0])) throw fault('a length', message.head);
  if (codings.length && codings[0] !== 'chunked') throw fault('a coding', message.head);
  const status = message.status;
  if ((status < 200 || status === 204) && lengths.length + codings.length) {
    throw fault('a framing of nothing', message.head);
  }
  if (bodiless || status < 200 || status === 204 || status === 304) return 'none';
  if (codings.length) return 'chunks';
  if (lengths.length) return Number(lengths[0]);
  return status ? 'end' : 'none';
}

function readOne(text, isRequest, ended, bodiless) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = text.slice(0, end);
  const [line, ...lines] = head.split('\r\n');
  if (!(isRequest ? REQUEST_LINE : STATUS_LINE).test(line)) throw fault('a first line', line);
  const message = { head, line, fields: readFields(lines), body: '', trailers: [] };
  if (isRequest) [message.method, message.target] = line.split(' ');
  else message.status = Number(line.split(' ')[1]);
  if (isRequest && values(message, 'host').length !== 1) throw fault('Host', head);
  const rest = text.slice(end + 4);
  const frame = framing(message, bodiless);
  if (frame === 'none') return { message, rest };
  if (frame === 'chunks') {
    const chunks = readChunks(rest);
    if (!chunks) return null;
    Object.assign(message, { body: chunks.body, trailers: chunks.trailers });
    return { message, rest: rest.slice(chunks.length) };
  }
  if (frame === 'end') {
    if (!ended) return null;
    message.body = rest;
    return { message, rest: '' };
  }
  if (rest.length < frame) return null;
  message.body = rest.slice(0, frame);
  return { message, rest: rest.slice(frame) };
}

// The requests that TEXT consists of, and the REST, the beginning of another one.
export function readRequests(text) {
  const messages = [];
  for (let one; (one = readOne(text, true)); text = one.rest) messages.push(one.message);
  return { messages, rest: text };
}

// The responses that TEXT consists of, as answers to METHODS; 1xx are messages, too, but use up
// none. ENDED: the connection has been closed, which is the end of a body without any other.
export function readResponses(text, methods, ended) {
  const messages = [];
  let finals = 0;
  for (let one; text; text = one.rest) {
    one = readOne(text, false, ended, methods[finals] === 'HEAD');
    if (!one) break;
    if (one.message.status >= 200) finals++;
    messages.push(one.message);
  }
  return { messages, rest: text };
}

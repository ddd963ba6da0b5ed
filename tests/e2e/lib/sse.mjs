// A client of server-sent events, as HTML 9.2 has them: what a browser's EventSource does, but that
// it says what it is told and comes back when asked to.

import { request } from 'undici';

// Takes text apart as it comes; gives each event to ON_EVENT as {type, data, id}.
export class EventParser {
  constructor(onEvent) {
    Object.assign(this, { onEvent, rest: '', retry: null, lastId: '', comments: 0 });
    this.clear();
  }

  clear() {
    this.type = '';
    this.subject = '';
    this.data = [];
  }

  feed(text) {
    const lines = (this.rest + text).split('\n'); // the gateway ends lines with LF alone
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }

  line(line) {
    if (line === '') {
      if (this.data.length) {
        this.onEvent({
          type: this.type || 'message',
          ...(this.subject && { subject: this.subject }),
          data: this.data.join('\n'),
          id: this.lastId,
        });
      }
      this.clear();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) this.comments++;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.type = value;
    if (field === 'subject') this.subject = value; // browsers pass it over
    if (field === 'data') this.data.push(value);
    if (field === 'id') this.lastId = value;
    if (field === 'retry') this.retry = Number(value);
  }
}

// One answer of events. ENDED is 'end' or the error once it is over.
export class EventStream {
  // OPTIONS: headers, dispatcher, onEvent in place of the list EVENTS.
  static async open(t, url, options = {}) {
    const stream = new EventStream();
    const abort = new AbortController();
    stream.close = () => abort.abort();
    t?.after(() => stream.close());
    stream.parser = new EventParser(options.onEvent ?? ((event) => stream.events.push(event)));
    const { headers, dispatcher } = options;
    stream.response = await request(url, { headers, dispatcher, signal: abort.signal });
    stream.status = stream.response.statusCode;
    stream.headers = stream.response.headers;
    stream.over = stream.read();
    return stream;
  }

  constructor() {
    Object.assign(this, { events: [], ended: null });
  }

  get ids() {
    return this.events.filter(({ type }) => !type.startsWith('nonet.')).map(({ id }) => Number(id));
  }

  async read() {
    const decoder = new TextDecoder();
    try {
      for await (const bytes of this.response.body)
        this.parser.feed(decoder.decode(bytes, { stream: true }));
      this.ended = 'end';
    } catch (error) {
      this.ended = error;
    }
  }
}

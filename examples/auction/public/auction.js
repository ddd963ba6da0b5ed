// The auction house in a browser: bids as they come by server-sent events, and bids of one's own.
//
// Ten thousand bids a second are more than eyes and tables take, so the newest ones are shown once
// a frame. When the connection breaks, the browser asks again by itself and says the last sequence
// it has seen (Last-Event-ID): the node goes on behind it, and no bid is missed.

const ROWS = 12;
const YOURS = 'http'; // the channel of bids that are made here, or with curl

const element = (id) => document.getElementById(id);
const newest = [];
let total = 0;
let before = 0;
let sequence = 0;

function row(cells) {
  const tr = document.createElement('tr');
  for (const cell of cells) tr.insertCell().textContent = cell;
  return tr;
}

function take(event) {
  const bid = JSON.parse(event.data);
  total++;
  sequence = Number(event.lastEventId);
  newest.push(bid);
  if (newest.length > ROWS) newest.shift();
  if (bid.channel !== YOURS) return;
  const body = element('yours').tBodies[0];
  body.prepend(row([bid.auction, bid.bidder, bid.price, event.lastEventId]));
  while (body.rows.length > ROWS) body.lastElementChild.remove();
}

function draw() {
  const body = element('live').tBodies[0];
  const rows = newest.map((b) => row([b.auction, b.bidder, b.price, b.channel]));
  body.replaceChildren(...rows.reverse());
  element('total').textContent = total.toLocaleString('en');
  element('sequence').textContent = sequence.toLocaleString('en');
  requestAnimationFrame(draw);
}

async function bid(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const response = await fetch('/bids', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-Key': form.get('key') },
    body: JSON.stringify({
      auction: Number(form.get('auction')),
      bidder: 1,
      price: Number(form.get('price')),
      channel: YOURS,
      date_time: new Date().toISOString(),
    }),
  });
  const answer = await response.json();
  element('answer').textContent = response.ok
    ? `on disk, in ${answer.stream} at ${answer.seq}`
    : `${response.status}: ${answer.detail}`;
}

const live = new EventSource('/live');
live.onopen = () => (element('state').textContent = 'live');
live.onerror = () => (element('state').textContent = 'connecting again');
live.onmessage = take;
element('form').addEventListener('submit', bid);
setInterval(() => {
  element('rate').textContent = (total - before).toLocaleString('en');
  before = total;
}, 1000);
requestAnimationFrame(draw);

// The house's own auctions: commands, and the auction as it was after any of its events.
//
// What is shown is the state that the node has folded from the auction's event stream; the slider
// asks for an older one (?at=REVISION). Nothing is computed here.

const ROWS = 12;

const element = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString('en');
const form = element('house');

function say(id, text, mood = '') {
  element(id).textContent = text;
  element(id).className = mood;
}

function row(cells) {
  const tr = document.createElement('tr');
  for (const cell of cells) tr.insertCell().textContent = cell;
  return tr;
}

function draw({ revision, time, state }) {
  const highest = state.price ? `the highest ${number(state.price)}` : 'no bid';
  const end = state.closed ? ', closed' : '';
  element('revision').textContent = revision;
  say('then', `${new Date(time).toLocaleString('en')}: ${state.item_name}, ${highest}${end}`);
  const bids = state.history.slice(-ROWS).reverse();
  const rows = bids.map(({ bidder, price }) => row([bidder, number(price)]));
  element('history').tBodies[0].replaceChildren(...rows);
}

async function find(at) {
  const id = encodeURIComponent(form.elements.id.value);
  const response = await fetch(`/auctions/${id}${at === undefined ? '' : `?at=${at}`}`);
  return response.ok ? response.json() : null;
}

// The newest state, and how far the slider goes back.
async function look() {
  const found = await find();
  element('back').disabled = !found;
  if (!found) return;
  element('back').max = found.revision;
  element('back').value = found.revision;
  draw(found);
}

const commands = {
  open: ({ id, item_name }) => ['', { id, item_name }],
  bid: ({ id, price }) => [`/${encodeURIComponent(id)}/bids`, { bidder: 1, price: Number(price) }],
  close: ({ id }) => [`/${encodeURIComponent(id)}/close`, {}],
};

async function command(event) {
  event.preventDefault();
  const [target, body] = commands[event.submitter.value](Object.fromEntries(new FormData(form)));
  const response = await fetch(`/auctions${target}`, {
    method: 'POST',
    headers: { 'X-API-Key': element('form').elements.key.value },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (response.ok) say('judgement', `Event ${answer.revision}`, 'good');
  else say('judgement', answer.detail, 'bad');
  await look();
}

form.addEventListener('submit', command);
form.elements.id.addEventListener('change', look);
element('back').addEventListener('input', async () => {
  const then = await find(element('back').value);
  if (then) draw(then);
});

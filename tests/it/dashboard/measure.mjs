// How long it takes until the country can be used, and until thirty years of a well are drawn after a click; beside it, in the
// same browser and run, how long it takes to have every reading there and read, which is what a dashboard without thinning on the
// server does before it draws. Medians in milliseconds, as JSON.
//
//   node measure.mjs BASE [ROUNDS]
//
// The well is made there first: a million readings, one every 15 minutes.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.GWBANK_TEST_CLIENTS}/node/`);
const { chromium } = require('playwright-core');
const [base, rounds = '7'] = process.argv.slice(2);

const WELL = 'LONG-1';
const STEP = 900;
const READINGS = (30 * 365 * 86_400) / STEP;
/** As many as a message may have. */
const PIECE = 10_000;

async function send(method, path, type, body) {
  const answer = await fetch(base + path, { method, headers: { 'content-type': type, 'x-gateway': 'gw-of-thirty-years' }, body });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

await send('PUT', '/api/v1/wells', 'text/csv', `well_id,name,province_code,latitude,longitude,ground_elevation,bank_type,status\n${WELL},Thirty years,30,14.97,102.1,180,observation,active\n`);
for (let from = 0; from < READINGS; from += PIECE) {
  const readings = Array.from({ length: Math.min(PIECE, READINGS - from) }, (_, index) => {
    const seconds = (from + index) * STEP;
    const year = seconds / 31_536_000;
    const depth = 6 - 2 * Math.sin(year * 2 * Math.PI) + 0.05 * year + 0.2 * Math.sin((from + index) * 0.37);
    return { well: WELL, time: new Date((757_382_400 + seconds) * 1000).toISOString(), depth_to_water: Number(depth.toFixed(3)) };
  });
  await send('POST', '/api/v1/readings?source=import', 'application/json', JSON.stringify(readings));
}
await send('POST', '/api/v1/flush', 'application/json', '');

const browser = await chromium.launch({ executablePath: process.env.GWBANK_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

// What runs in the page measures there, so that the steering costs nothing. Painted is what was there two frames ago.

/** Since the navigation began. */
const shown = (selector) =>
  new Promise((resolve) => {
    const look = () => {
      if (document.querySelector(selector) === null) return requestAnimationFrame(look);
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
    };
    look();
  });

/** From a click until the chart is drawn otherwise than it was. */
const clicked = (selector) =>
  new Promise((resolve) => {
    const drawn = () => {
      const chart = document.querySelector('[data-drawn]');
      // A zoom shows what it has at once; it is done when the readings of the new stretch are there.
      return chart === null ? null : `${chart.dataset.drawn} ${chart.dataset.readings}`;
    };
    const was = drawn();
    const began = performance.now();
    document.querySelector(selector).click();
    const look = () => {
      if (drawn() === null || drawn() === was) return requestAnimationFrame(look);
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - began)));
    };
    look();
  });

const all = async (id) => {
  const began = performance.now();
  const answer = await fetch('/api/v1/sql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/csv', 'x-csrf-token': '' },
    body: JSON.stringify({ sql: `SELECT time, value FROM readings WHERE well_id = '${id}' AND parameter = 'depth_to_water' ORDER BY time` }),
  });
  const rows = (await answer.text()).trim().split('\n').slice(1);
  const points = rows.map((row) => {
    const [time, value] = row.split(',');
    return [Date.parse(time), Number(value)];
  });
  return [performance.now() - began, points.length];
};

const times = { first_view: [], again: [], first_click: [], click: [], zoom: [], every_reading: [] };
let [bytes, readings] = [0, 0];
for (let round = 0; round < Number(rounds); round++) {
  // Nothing is kept of the round before.
  const context = await browser.newContext({ baseURL: base, viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  for (const name of ['first_view', 'again']) {
    await page.goto('/', { waitUntil: 'commit' });
    times[name].push(await page.evaluate(shown, 'tbody a[href^="/provinces/"]'));
    if (name === 'first_view') {
      const sizes = () => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((sum, entry) => sum + entry.transferSize, 0);
      bytes = await page.evaluate(sizes);
    }
  }
  const place = await page.evaluate(async (id) => (await (await fetch(`/api/v1/wells/${id}`)).json()).province_code, WELL);
  for (const name of ['first_click', 'click']) {
    await page.goto(`/provinces/${place}`);
    const link = `table a[href="/wells/${WELL}"]`;
    await page.waitForSelector(link);
    times[name].push(await page.evaluate(clicked, link));
  }
  await page.waitForLoadState('networkidle');
  times.zoom.push(await page.evaluate(clicked, '[data-stretch="year_10"]'));
  const [took, count] = await page.evaluate(all, WELL);
  times.every_reading.push(took);
  readings = count;
  await context.close();
}
await browser.close();
const medians = Object.fromEntries(Object.entries(times).map(([name, of]) => [name, Math.round(median(of))]));
console.log(JSON.stringify({ bytes, readings, rounds: Number(rounds), ...medians }));

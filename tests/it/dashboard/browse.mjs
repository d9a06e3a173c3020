// A real browser at the dashboard of a running gwbank. Every check that fails ends it with an error.
//
//   node browse.mjs PART BASE ARTEFACTS
//
// PART `pages`: of an open demo: every page in both languages at two sizes, and what can be done on them.
// PART `guarded`: of a server with accounts: logging in, out, what is refused.
// PART `public`: of one that is open to everybody for reading.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.GWBANK_TEST_CLIENTS}/node/`);
const { chromium } = require('playwright-core');
const AXE = require.resolve('axe-core/axe.min.js');

const [part, base, artefacts] = process.argv.slice(2);
const PATIENCE = 60_000;
mkdirSync(artefacts, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.GWBANK_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });

/** What the browser complains of: errors of scripts, of the policy, and requests that failed. */
const complaints = [];

async function open(options = {}) {
  const context = await browser.newContext({ baseURL: base, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.stack}`));
  page.on('requestfailed', (request) => {
    // What a page no more needs is aborted.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') complaints.push(`${request.url()}: ${request.failure()?.errorText}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith('blob:')) complaints.push(`foreign: ${request.url()}`);
  });
  return { context, page };
}

function none(of = 'at all') {
  assert.deepEqual(complaints.splice(0), [], `complaints of the browser ${of}`);
}

async function accessible(page, name) {
  // From the outside: the policy forbids what is added to the page.
  const session = await page.context().newCDPSession(page);
  const { readFileSync } = await import('node:fs');
  await session.send('Runtime.evaluate', { expression: readFileSync(AXE, 'utf8') });
  const found = await page.evaluate(async () => {
    const result = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return result.violations
      .filter((violation) => ['serious', 'critical'].includes(violation.impact))
      .map((violation) => `${violation.id}: ${violation.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join(' | ')}`);
  });
  assert.deepEqual(found, [], `axe at ${name}`);
}

async function settled(page) {
  await page.waitForFunction(() => document.querySelector('main h1') !== null && !document.body.innerText.match(/กำลังโหลด|Loading…/));
}

async function ask(path, init) {
  const answer = await fetch(base + path, init);
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const SIZES = { phone: { width: 360, height: 740, }, desktop: { width: 1440, height: 900 } };

async function everyPage() {
  const wells = await ask('/api/v1/wells?limit=1');
  const province = wells.items[0].province_code;
  const flags = await ask('/api/v1/flags?state=all&limit=1');
  const places = {
    country: '/',
    province: `/provinces/${province}`,
    well: `/wells/${encodeURIComponent(wells.items[0].well_id)}`,
    flags: '/flags',
    sql: '/sql',
    fleet: '/fleet',
  };
  if (flags.items.length > 0) places.flag = `/flags/${encodeURIComponent(flags.items[0].id)}`;
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const language of ['th', 'en']) {
      for (const colorScheme of size === 'desktop' ? ['light', 'dark'] : ['light']) {
        const { context, page } = await open({ viewport, colorScheme, hasTouch: size === 'phone' });
        await page.addInitScript((chosen) => localStorage.setItem('gwbank.language', chosen), language);
        for (const [name, path] of Object.entries(places)) {
          const at = `${name}-${language}-${size}-${colorScheme}`;
          await page.goto(path);
          await settled(page);
          assert.equal(await page.getAttribute('html', 'lang'), language);
          const other = language === 'th' ? 'Groundwater banks' : 'ธนาคารน้ำใต้ดิน';
          assert.ok(!(await page.innerText('header')).includes(other), at);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.ok(wide <= 1, `${at} is ${wide} px wider than the screen`);
          await accessible(page, at);
          await page.screenshot({ path: `${artefacts}/${at}.png`, fullPage: true });
          none(at);
        }
        await context.close();
      }
    }
  }
  const { context, page } = await open({ viewport: SIZES.desktop });
  await page.goto('/');
  await settled(page);
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('nav').isVisible(), false, 'what is pressed is not printed');
  await page.emulateMedia({ media: 'screen' });
  const fonts = await page.evaluate(async () => {
    await document.fonts.ready;
    return [...document.fonts].filter((font) => font.status === 'loaded').map((font) => font.family);
  });
  assert.ok(fonts.some((family) => family.includes('Noto Sans Thai')), `${fonts}`);
  await context.close();
}

/** From the map to a province to a well, by keyboard alone. */
async function byKeyboard() {
  const { context, page } = await open({ viewport: SIZES.desktop });
  await page.goto('/');
  await settled(page);
  assert.equal(await page.locator('svg.map path[data-province]').count(), 77);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.locator('svg.map a[href="/provinces/30"]').focus();
  await page.keyboard.press('Enter');
  await page.waitForURL('**/provinces/30');
  await settled(page);
  await page.locator('table a[href^="/wells/"]').first().focus();
  await page.keyboard.press('Enter');
  await page.waitForURL('**/wells/**');
  await settled(page);
  await page.goBack();
  await page.waitForURL('**/provinces/30');
  await context.close();
  none('by keyboard');
}

/** A flag is raised while the page is looked at, and acknowledged on it. */
async function live() {
  const wells = await ask('/api/v1/wells?limit=10000');
  const well = wells.items.find((candidate) => candidate.flood_danger_depth !== null);
  const { context, page } = await open({ viewport: SIZES.desktop });
  await page.goto('/flags?hazard=flood');
  await settled(page);
  const mine = page.locator(`article.flag[data-flag^="flood-well-${well.well_id}-"]`);
  assert.equal(await mine.count(), 0, 'not yet');
  const now = Date.now();
  const readings = Array.from({ length: 12 }, (_, index) => ({
    well: well.well_id,
    parameter: 'depth_to_water',
    time: new Date(now - (12 - index) * 60_000).toISOString(),
    value: well.flood_danger_depth - 0.05,
    unit: 'm',
  }));
  await ask('/api/v1/readings', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-gateway': 'gw-of-the-browser' },
    body: JSON.stringify({ readings }),
  });
  await mine.first().waitFor();
  await mine.first().locator('summary', { hasText: 'คำอธิบายและหลักฐาน' }).click();
  await mine.first().locator('ol li').first().waitFor();
  await mine.first().getByRole('button', { name: 'รับทราบ' }).click();
  await mine.first().getByText('รับทราบแล้วโดย').waitFor();
  await page.screenshot({ path: `${artefacts}/live.png` });

  // The connection is lost and comes back: the page says so, and knows what came meanwhile.
  await context.setOffline(true);
  await page.locator('.offline').waitFor();
  await ask(`/api/v1/flags/${encodeURIComponent(await mine.first().getAttribute('data-flag'))}/cancel`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: 'a drill of the browser' }),
  });
  await context.setOffline(false);
  await page.locator('.offline').waitFor({ state: 'detached' });
  await mine.first().waitFor({ state: 'detached' });
  // What fails while there is no connection is no fault of the page.
  complaints.splice(0, complaints.length, ...complaints.filter((text) => !/INTERNET_DISCONNECTED|Failed to load resource|NETWORK_CHANGED/.test(text)));
  await context.close();
  none('live');
}

async function drawn(page) {
  return page.locator('[data-drawn]').first().getAttribute('data-drawn');
}

/** Thirty years, then a year of them, then days, and back; each is asked of the server anew and drawn. */
async function zoom(well) {
  const { context, page } = await open({ viewport: SIZES.desktop });
  await page.goto(`/wells/${encodeURIComponent(well)}`);
  await settled(page);
  const canvas = page.locator('.chart .u-over').first();
  await canvas.waitFor();
  assert.ok(Number(await drawn(page)) > 500, `${await drawn(page)} points of thirty years`);
  await page.screenshot({ path: `${artefacts}/thirty-years.png` });
  let [spans, before] = [[], ''];
  for (let step = 0; step < 3; step++) {
    const answered = page.waitForResponse((response) => response.url().includes('/readings?') && response.url().includes('depth_to_water') && response.url().includes('from='));
    const box = await canvas.boundingBox();
    await page.mouse.move(box.x + box.width * 0.45, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 4 });
    await page.mouse.up();
    const response = await answered;
    const query = new URL(response.url()).searchParams;
    spans.push((Date.parse(query.get('to')) - Date.parse(query.get('from'))) / 86_400_000);
    await settled(page);
    await page.waitForFunction((was) => document.querySelector('[data-drawn]')?.dataset.range !== was, before);
    before = await page.locator('[data-drawn]').first().getAttribute('data-range');
  }
  assert.ok(spans.every((span, index) => index === 0 || span < spans[index - 1] / 10), `${spans}`);
  await page.screenshot({ path: `${artefacts}/zoomed.png` });
  await canvas.dblclick();
  await page.waitForFunction((was) => document.querySelector('[data-drawn]')?.dataset.range !== was, before);
  await context.close();
  none('zooming');
}

async function sql() {
  const { context, page } = await open({ viewport: SIZES.desktop, acceptDownloads: true });
  await page.goto(`/sql?q=${encodeURIComponent('SELECT well_id, province_code FROM wells ORDER BY well_id LIMIT 3')}`);
  await settled(page);
  const state = page.locator('[data-state]');
  const runs = async () => {
    await page.getByRole('button', { name: 'สั่งค้นหา' }).click();
  };
  await runs();
  await page.locator('[data-state="done"]').waitFor();
  assert.equal(await page.locator('section[data-rows="3"] tbody tr').count(), 3);

  // By keyboard, with completion.
  const editor = page.locator('.cm-content');
  await editor.click();
  await page.keyboard.press('Control+a');
  await page.keyboard.type('SELECT count(*) AS n FROM readi');
  await page.locator('.cm-tooltip-autocomplete').getByText('readings', { exact: true }).first().waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.type('ngs');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+Enter');
  await page.locator('[data-state="done"]').waitFor();
  assert.ok(Number((await page.locator('section[data-rows] tbody td').first().innerText()).replaceAll(',', '')) > 1000);
  assert.ok(page.url().includes('q='), 'can be shared as a link');

  // A long one is stopped, here and on the server.
  const running = async () => Number(/^gwbank_queries_running (\d+)/m.exec(await (await fetch(`${base}/metrics`)).text())[1]);
  await page.goto(`/sql?q=${encodeURIComponent('SELECT count(*) FROM readings a, readings b, readings c WHERE a.value + b.value + c.value > 1e9')}`);
  await settled(page);
  await runs();
  await page.locator('[data-state="running"]').waitFor();
  for (const until = Date.now() + PATIENCE; (await running()) === 0; ) assert.ok(Date.now() < until, 'it never ran');
  await page.getByRole('button', { name: 'หยุด' }).click();
  await page.locator('[data-state="stopped"]').waitFor();
  for (const until = Date.now() + PATIENCE; (await running()) > 0; ) assert.ok(Date.now() < until, 'it goes on on the server');

  // A mistake is shown with its place.
  await page.goto(`/sql?q=${encodeURIComponent('SELECT wel FROM wells')}`);
  await settled(page);
  await runs();
  await page.locator('[data-state="failed"]').waitFor({ state: 'attached' });
  assert.match(await page.getByRole('alert').innerText(), /1:8 .*wel/);
  complaints.splice(0, complaints.length, ...complaints.filter((text) => !/status of 422/.test(text)));

  // A curve, the examples, a download.
  const examples = await page.locator('select[aria-label="ตัวอย่าง"] option').evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
  assert.ok(examples.length >= 6);
  for (const example of examples) {
    await page.locator('select[aria-label="ตัวอย่าง"]').selectOption(example);
    await runs();
    await page.locator('[data-state="done"]').waitFor();
  }
  await page.locator('select[aria-label="ตัวอย่าง"]').selectOption(examples[1]);
  await runs();
  await page.locator('[data-state="done"]').waitFor();
  await page.locator('.chart canvas').waitFor();
  await page.screenshot({ path: `${artefacts}/sql-chart.png` });
  for (const format of ['CSV', 'Parquet']) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: format }).click()]);
    const { statSync } = await import('node:fs');
    assert.ok(statSync(await download.path()).size > 100, format);
  }
  assert.ok((await page.locator('select[aria-label="ประวัติ"] option').count()) > 3);
  void state;
  await context.close();
  none('of SQL');
}

async function fleet() {
  const { context, page } = await open({ viewport: SIZES.desktop });
  const refused = await fetch(`${base}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-gateway': 'gw-of-the-browser' },
    body: JSON.stringify({ readings: [{ well: 'NOBODY-KNOWS', parameter: 'ph', time: new Date().toISOString(), value: 7, unit: '1' }] }),
  });
  assert.equal(refused.status, 422, 'kept as a dead letter');
  await page.goto('/fleet');
  await settled(page);
  const counts = await page.locator('section[aria-label="เซิร์ฟเวอร์"] dd').allInnerTexts();
  assert.ok(counts.length >= 12 && counts.every((count) => /^[\d,.]+/.test(count)), `${counts}`);
  assert.ok(Number(counts[2].replaceAll(',', '')) > 1000, `received: ${counts}`);
  const letter = page.locator('section[aria-label="ข้อมูลที่เก็บไม่ได้"] tr', { hasText: 'unknown_well' }).first();
  await letter.getByRole('button').click();
  await page.getByText(/จัดเก็บ 0 · ซ้ำ 0 · จัดเก็บไม่ได้ \d+/).waitFor();
  await page.locator('input[type="search"]').fill('gw-of-the-browser');
  const gateways = page.locator('section[aria-label="เกตเวย์"] tbody tr');
  await page.waitForFunction(() => document.querySelectorAll('section[aria-label="เกตเวย์"] tbody tr').length === 1);
  assert.match(await gateways.first().innerText(), /gw-of-the-browser/);
  await context.close();
  none('of the fleet');
}

/** An officer remarks on the flag of a place and approves its document. */
async function approves() {
  const flags = (await ask('/api/v1/flags?hazard=flood&state=open')).items;
  const flag = flags.find((candidate) => candidate.scope !== 'well');
  const { context, page } = await open({ viewport: SIZES.phone });
  await page.goto(`/flags/${encodeURIComponent(flag.id)}`);
  await settled(page);
  const card = page.locator('article.flag');
  await card.locator('summary', { hasText: 'บันทึกความเห็น' }).click();
  await card.locator('textarea').fill('ตรวจแล้ว <b>น้ำสูง</b>');
  await card.getByRole('button', { name: 'บันทึกความเห็น' }).click();
  await card.getByText('ตรวจแล้ว <b>น้ำสูง</b>').waitFor();
  await card.getByRole('button', { name: 'อนุมัติเอกสาร CAP' }).click();
  await card.getByText('อนุมัติให้เผยแพร่โดย').waitFor();
  const kept = (await ask(`/api/v1/flags/${encodeURIComponent(flag.id)}`)).actions.map((action) => action.action);
  assert.deepEqual(kept.sort(), ['approved', 'commented']);
  await context.close();
  none('of approving');
}

/** More tabs than a browser has connections to a server; and addresses that lead nowhere. */
async function manyTabs() {
  const { context, page } = await open({ viewport: SIZES.desktop });
  const tabs = [page, ...(await Promise.all(Array.from({ length: 8 }, () => context.newPage())))];
  for (const tab of tabs) {
    await tab.goto('/flags');
    await settled(tab);
  }
  for (const place of ['/wells/%', '/wells/', '/wells/A/', '/provinces/99', '/nonsense', '/sql/x']) {
    await page.goto(place);
    await page.locator('h1', { hasText: 'ไม่พบหน้านี้' }).waitFor();
  }
  assert.equal(await page.title(), 'ไม่พบหน้านี้ · gwbank');
  await context.close();
  complaints.splice(0, complaints.length, ...complaints.filter((text) => !/status of 404/.test(text)));
  none('of many tabs');
}

/** One reading, readings that failed, and none: what is drawn, and by which scale. */
async function oddWells() {
  const wells = 'well_id,name,province_code,bank_type,status\nODD-ONE,<img src=x onerror=alert(1)>,31,observation,active\nODD-BAD,Bad,31,observation,active\nODD-NONE,None,31,observation,active\nODD-UP,Up,31,observation,active\n';
  await fetch(`${base}/api/v1/wells`, { method: 'PUT', headers: { 'content-type': 'text/csv' }, body: wells });
  const day = 86_400_000;
  const readings = [{ well: 'ODD-ONE', time: new Date(Date.now() - day).toISOString(), depth_to_water: 3 }];
  for (let n = 1; n <= 60; n++) {
    const time = new Date(Date.now() - n * 3_600_000).toISOString();
    readings.push({ well: 'ODD-BAD', time, depth_to_water: n === 30 ? 499 : 2 + n / 100 });
    readings.push({ well: 'ODD-UP', time, groundwater_elevation: 100 + n / 100 });
  }
  await ask('/api/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json', 'x-gateway': 'gw-odd' }, body: JSON.stringify(readings) });
  const { context, page } = await open({ viewport: SIZES.desktop });
  const dialogs = [];
  page.on('dialog', (dialog) => dialogs.push(dialog));
  for (const [well, drawn] of [['ODD-ONE', 1], ['ODD-BAD', 60], ['ODD-UP', 60], ['ODD-NONE', null]]) {
    await page.goto(`/wells/${well}`);
    await settled(page);
    if (drawn === null) await page.getByText('ไม่มีค่าที่วัดได้').waitFor();
    else await page.locator(`[data-drawn="${drawn}"]`).waitFor();
    await page.screenshot({ path: `${artefacts}/${well}.png` });
  }
  assert.deepEqual(dialogs, []);
  await context.close();
  none('of odd wells');
}

/** What a person who looks chose stays: language, era, colours; years are of the era. */
async function settings() {
  const { context, page } = await open({ viewport: SIZES.desktop });
  const flag = (await ask('/api/v1/flags?state=all&limit=1')).items[0];
  await page.goto(`/flags/${encodeURIComponent(flag.id)}`);
  await settled(page);
  const year = Number(flag.raised_at.slice(0, 4));
  assert.match(await page.innerText('article.flag'), new RegExp(`${year + 543}`));
  await page.locator('select').first().selectOption('ce');
  assert.match(await page.innerText('article.flag .quiet'), new RegExp(`${year}`));
  await page.getByRole('button', { name: 'English' }).click();
  await page.reload();
  await settled(page);
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  assert.match(await page.innerText('article.flag'), new RegExp(`Since .*${year}`));
  await context.close();
  none('of settings');
}

async function guarded() {
  const { context, page } = await open({ viewport: SIZES.phone });
  await page.goto('/flags');
  await page.locator('form input[name="name"]').waitFor();
  await accessible(page, 'login');
  await page.screenshot({ path: `${artefacts}/login.png` });
  const log_in = async (password) => {
    await page.fill('input[name="name"]', 'officer');
    await page.fill('input[name="password"]', password);
    await page.locator('form button').click();
  };
  await log_in('wrong');
  await page.getByText('ชื่อผู้ใช้หรือรหัสผ่านไม่ถูกต้อง').waitFor();
  complaints.splice(0, complaints.length, ...complaints.filter((text) => !/status of 401/.test(text)));
  await log_in('open sesame');
  await page.locator('[data-total]').waitFor();
  const cookie = (await context.cookies()).find((found) => found.name === 'gwbank_session');
  assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict', JSON.stringify(cookie));
  assert.equal(await page.evaluate(() => document.cookie), '');
  assert.equal(await page.locator('nav a[href="/sql"]').count(), 0, 'an office has no SQL');
  await page.goto('/sql');
  await page.getByText('บัญชีนี้ไม่มีสิทธิ์ใช้หน้านี้').waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'ออกจากระบบ (officer)' }).click();
  await page.locator('form input[name="name"]').waitFor();
  const after = await page.evaluate(async () => (await fetch('/api/v1/flags')).status);
  assert.equal(after, 401);
  complaints.splice(0, complaints.length, ...complaints.filter((text) => !/status of 401/.test(text)));
  await context.close();
  none('of logging in');
}

async function open_to_everybody() {
  const { context, page } = await open({ viewport: SIZES.desktop });
  await page.goto('/');
  await settled(page);
  assert.equal(await page.locator('svg.map path[data-province]').count(), 77);
  assert.deepEqual(await page.locator('nav a[href="/sql"], nav a[href="/fleet"]').count(), 0);
  await page.locator('a[href="/login"]').click();
  await page.locator('form input[name="name"]').waitFor();
  await context.close();
  none('of everybody');
}

const zoomed = () => zoom(process.env.GWBANK_LONG_WELL);
const PARTS = {
  pages: [everyPage, byKeyboard, live, approves, zoomed, manyTabs, oddWells, sql, fleet, settings],
  guarded: [guarded],
  public: [open_to_everybody],
};

try {
  for (const check of PARTS[part]) {
    const began = performance.now();
    await check();
    console.log(`${check.name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
} catch (error) {
  for (const context of browser.contexts()) {
    for (const [index, page] of context.pages().entries()) {
      console.error(`at ${page.url()}: ${(await page.innerText('body').catch(() => '')).slice(0, 2000)}`);
      await page.screenshot({ path: `${artefacts}/failed-${index}.png` }).catch(() => {});
    }
  }
  console.error(complaints.join('\n'));
  throw error;
} finally {
  await browser.close();
}

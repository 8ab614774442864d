// The page of the job server in a real browser: jobs are deployed from it, their lanes move, one jams and is seen to, it is
// stopped; in light and dark, wide and 400 px, by keyboard, without an error in the console. README.md says how to run it.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

// By require: unlike import, it looks where NODE_PATH says.
const { chromium } = createRequire(import.meta.url)("playwright-core");
const PATIENCE_MS = 60_000, TOKEN = "token-of-the-test";
const TICKS = `CREATE SOURCE trades (ts TIMESTAMP, symbol VARCHAR, price DOUBLE, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH (connector = 'generator', rate = '20000', spacing = '1ms', disorder = '0.02', disorder_by = '3s');
CREATE SINK nowhere WITH (connector = 'blackhole');
INSERT INTO nowhere SELECT symbol, COUNT(*) AS n, AVG(price) AS mean FROM trades
  GROUP BY symbol WINDOW TUMBLING (ts, INTERVAL '1' SECOND)`;
// Nobody reads the pipe that it writes to.
const JAM = `CREATE SOURCE numbers (id BIGINT) WITH (connector = 'generator');
CREATE SINK pipe WITH (connector = 'file', path = 'files/pipe', format = 'csv');
INSERT INTO pipe SELECT id FROM numbers`;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "corelane-page-"));
const pictures = process.env.SCREENSHOTS;
fs.mkdirSync(path.join(directory, "files"));
fs.writeFileSync(path.join(directory, "server.yaml"), `listen: 127.0.0.1:0\ntoken: ${TOKEN}\nroots: [files]\n`);
const pipe = path.join(directory, "files/pipe");
execFileSync("mkfifo", [pipe]);
// Open for reading, or the job would wait for a reader before it starts.
fs.openSync(pipe, "r+");

const server = spawn(process.env.CORELANE ?? "corelane", ["serve", "--config", "server.yaml"], { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
let log = "", browser;
process.on("exit", () => { server.kill("SIGKILL"); fs.rmSync(directory, { recursive: true, force: true }); });

// A page, and what its console says is wrong. Answers that a test provokes (`refusals`, statuses) are no error.
async function open(address, { width = 1200, scheme = "light", refusals = [] } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage(), errors = [];
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => {
    const provoked = refusals.some((status) => message.text().includes(`status of ${status} `));
    if (message.type() === "error" && !provoked) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== new URL(address).origin) errors.push(`asks a foreign origin: ${request.url()}`);
  });
  await page.goto(address);
  return { page, context, errors };
}

async function eventually(what, look) {
  const started = Date.now();
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() - started < PATIENCE_MS, `waited for: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

// By keys alone: from the top of the page to the button of that name.
async function tabTo(page, id) {
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.id) === id) return;
  }
  assert.fail(`${id} is not reached by Tab`);
}

const stateOf = (page, name) => page.locator(`#jobs tr:has([data-job="${name}"]) .state`).textContent();
const widthFits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
const numbers = async (locator) => (await locator.allTextContents()).map((text) => Number(text.replace(/,/g, "")));

async function everything(address) {
  // 400: SQL that is wrong; 401: the token is missing; 409: a plan before the job has one.
  const { page, errors, context } = await open(address, { refusals: [400, 401, 409] });
  await page.getByText("No job is deployed.").waitFor();

  // Wrong SQL is refused with its place; the token is asked for first, since nobody may even ask without it.
  await tabTo(page, "deploy-open");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "name");
  await page.keyboard.type("ticks");
  await page.fill("#sql", TICKS.replace("AVG(price)", "AVG(prise)"));
  await page.fill("#options", "partitions = 2\nprocessor = partitioned");
  await page.click("#deploy-go");
  await page.locator("#asking[open]").waitFor();
  await page.fill("#token", TOKEN);
  await page.keyboard.press("Enter");
  const refused = page.locator("#deploy-refused:not([hidden])");
  await refused.waitFor();
  assert.match(await refused.textContent(), /prise.*\(line 4, column \d+\)\n.*did you mean price/s);

  // The same, right: the job is there, chosen, and runs.
  await page.fill("#sql", TICKS);
  await page.click("#deploy-go");
  await eventually("ticks runs", async () => await page.locator('[data-job="ticks"]').count() && await stateOf(page, "ticks") === "running");
  assert.equal(await page.textContent("#job-head"), "ticks");
  await eventually("two lanes", async () => await page.locator("#lanes tr").count() === 2);

  // Lanes move: rates, curves, totals.
  await eventually("both lanes have a rate", async () => (await page.locator("#lanes tr td:nth-child(5)").allTextContents()).every((rate) => parseFloat(rate) > 0));
  const curves = () => page.locator("#lanes svg.spark path").evaluateAll((paths) => paths.map((path) => path.getAttribute("d")));
  await eventually("curves", async () => (await curves()).every((curve) => curve.includes("L")));
  const before = await curves(), records = () => numbers(page.locator("#totals div:nth-child(2) dd"));
  const [read] = await records();
  await eventually("the curves go on", async () => (await curves()).every((curve, lane) => curve !== before[lane]));
  await eventually("more is read", async () => (await records())[0] > read);
  assert.match(await page.textContent("#plan"), /Layout: processor partitioned/);
  // It keeps up, so that it is healthy; its operators have rows and a share of the time.
  assert.equal(await page.textContent('#jobs tr:has([data-job="ticks"]) .pressure'), "healthy");
  const decoded = page.locator("#stages tr", { hasText: "decode" }).locator("td:nth-child(2)");
  await eventually("rows of the decoder", async () => parseFloat(await decoded.textContent()) > 0);
  assert.equal(await page.locator("#stages tr", { hasText: "GROUP BY" }).count() >= 2, true);
  assert.match(await page.locator("#stages tr", { hasText: "decode" }).textContent(), /\d %$/);

  // A job whose sink takes nothing: its state turns.
  await page.click("#deploy-open");
  await page.fill("#name", "jam");
  await page.fill("#sql", JAM);
  await page.fill("#options", "partitions = 1");
  await page.click("#deploy-go");
  await eventually("jam is shown", async () => await page.textContent("#job-head") === "jam" && await page.locator("#lanes tr").count() === 1);
  await page.locator("#lanes .pressure.saturated").waitFor();
  await eventually("the bar is full", async () => await page.locator("#lanes .queue b").evaluate((bar) => bar.style.width === "100%"));
  assert.equal(await page.textContent('#jobs tr:has([data-job="jam"]) .pressure'), "saturated");
  // It stays so: a lane that keeps up may be full for a moment, one that is jammed is so for good.
  for (let i = 0; i < 20; i++) {
    assert.equal(await page.locator("#lanes .pressure").textContent(), "saturated");
    await new Promise((done) => setTimeout(done, 150));
  }
  const red = await page.locator("#lanes .queue b").evaluate((bar) => getComputedStyle(bar).backgroundColor);
  assert.equal(red, "rgb(208, 59, 59)");

  // Another job is chosen; it is paused and resumed.
  await page.click('[data-job="ticks"]');
  await eventually("ticks is shown", async () => await page.textContent("#job-head") === "ticks");
  await page.click("#pause");
  await eventually("the pause", async () => await stateOf(page, "ticks") === "paused");
  await page.click("#resume");
  await eventually("the end of the pause", async () => await stateOf(page, "ticks") === "running");

  // Narrow, dark: the page fits, and nothing is said in the console.
  for (const [width, scheme, picture] of [[1200, "light", "dashboard.png"], [1200, "dark"], [400, "light"], [400, "dark", "dashboard-narrow.png"]]) {
    const seen = await open(`${address}/#ticks`, { width, scheme });
    await eventually("lanes", async () => await seen.page.locator("#lanes svg.spark path[d*=L]").count() === 2);
    assert.ok(await widthFits(seen.page), `${width} px, ${scheme}: the page is wider than its window`);
    const [paper, ink] = await seen.page.evaluate(() => ["backgroundColor", "color"].map((of) => Number(/\d+/.exec(getComputedStyle(document.body)[of])[0])));
    assert.ok(scheme === "dark" ? paper < 60 && ink > 200 : paper > 200 && ink < 60, `${scheme}: ${paper} ${ink}`);
    if (pictures && picture) {
      await eventually("a curve to show", async () => (await seen.page.locator("#lanes svg.spark path").first().getAttribute("d")).split("L").length > 15);
      await seen.page.screenshot({ path: path.join(pictures, picture), fullPage: width > 400 });
    }
    await seen.page.click("#deploy-open");
    assert.ok(await widthFits(seen.page), `${width} px: the dialog is wider than the window`);
    const box = await seen.page.locator("#deploy").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= width, `${width} px: the dialog stands out`);
    assert.deepEqual(seen.errors, [], `${width} px, ${scheme}`);
    await seen.context.close();
  }

  // Stopping: asked back, cancelled, then done. The pipe is emptied, or the job could not drain.
  await page.click('[data-job="jam"]');
  await eventually("jam is shown", async () => await page.textContent("#job-head") === "jam");
  await page.click("#stop");
  await page.locator("#stopping[open] button[value='']").click();
  assert.equal(await page.locator('[data-job="jam"]').count(), 1);
  await page.click("#stop");
  await page.locator("#stopping[open] button[value='stop']").click();
  // By a process: a read that waits in this one would keep it from ending.
  const drain = spawn("cat", [pipe], { stdio: "ignore" });
  await eventually("jam is gone", async () => await page.locator('[data-job="jam"]').count() === 0);
  assert.ok(await page.locator("#job").isHidden(), "a job that is gone is not shown");
  drain.kill();

  assert.deepEqual(errors, []);
  // A server that is gone is said to be; that is an error in the console, too.
  server.removeAllListeners("exit");
  server.kill("SIGKILL");
  await page.getByText("The server does not answer.").waitFor();
  await context.close();
}

try {
  const address = await new Promise((found, lost) => {
    server.stderr.on("data", (text) => { log += text; const at = /listening on (http:\S+),/.exec(log); if (at) found(at[1]); });
    server.on("exit", () => lost(new Error(`the server did not start: ${log}`)));
    server.on("error", lost);
  });
  browser = await chromium.launch({
    executablePath: process.env.CORELANE_BROWSER ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  await everything(address);
  console.log("the page works");
} catch (error) {
  console.error(error, log);
  process.exitCode = 1;
} finally {
  await browser?.close();
  process.exit();
}

// A page in a real browser, on another origin than the server's.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { key, readKey, secure, url } from "./server.mjs";

const server = { url: url.origin, key, readKey };
const { ALLOWED_PAGE, REFUSED_PAGE, CHROMIUM, SERVER_SPKI } = process.env;
let browser;

before(async () => {
  const args = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ];
  if (secure) args.push(`--ignore-certificate-errors-spki-list=${SERVER_SPKI}`);
  browser = await chromium.launchPersistentContext(process.env.PROFILE, {
    executablePath: CHROMIUM,
    args,
  });
});
after(() => browser?.close());

/** Opens a page; also what the browser says of it and speaks with the server. */
async function open(address) {
  const page = await browser.newPage();
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  const network = await browser.newCDPSession(page);
  await network.send("Network.enable");
  const spoken = new Set();
  network.on("Network.responseReceived", ({ response }) => {
    if (response.url.startsWith(server.url)) spoken.add(response.protocol);
  });
  await page.goto(address);
  return { page, said, spoken };
}

test("connect-web sends the documented examples", async () => {
  const { page, spoken } = await open(ALLOWED_PAGE);
  const came = await page.evaluate((server) => window.examples(server), server);
  assert.equal(came.sent[0], true);
  assert.match(came.sent[1], /^evt_[0-9a-f-]{36}$/);
  assert.equal(came.bought[0], true);
  assert.deepEqual(came.analytics, {
    data: { page_views: "0", unique_visitors: "1", events: "2" },
    period: { start: "2024-01-01", end: "2024-01-31" },
  });
  assert.deepEqual(came.stored, [came.sent[1], came.bought[1]]);
  // Pages see these only because the server exposes them.
  assert.equal(came.headers["x-ratelimit-limit"], "1000");
  assert.match(came.headers["x-request-id"], /^[0-9a-f-]{36}$/);
  assert.deepEqual([...spoken], [secure ? "h2" : "http/1.1"]);
});

test("connect-web is told why a call failed", async () => {
  const { page } = await open(ALLOWED_PAGE);
  const came = await page.evaluate((server) => window.failures(server), server);
  const stranger = {
    code: "Unauthenticated",
    message: "Authentication is required",
    reason: "UNAUTHORIZED",
    fields: [],
  };
  assert.deepEqual(came, {
    invalid: {
      code: "InvalidArgument",
      message: "Event name is required",
      reason: "INVALID_REQUEST",
      fields: ["event_name"],
    },
    stranger,
    reader: {
      code: "PermissionDenied",
      message: "The API key lacks the scope metrics.write",
      reason: "FORBIDDEN",
      fields: [],
    },
    stream: stranger,
  });
});

for (const format of ["text", "binary"]) {
  test(`grpc-web speaks ${format}`, async () => {
    const { page } = await open(ALLOWED_PAGE);
    const came = await page.evaluate(
      ([server, format]) => window.google(server, format),
      [server, format],
    );
    assert.match(came.sent, /^evt_[0-9a-f-]{36}$/);
    assert.ok(came.stored.includes(came.sent), JSON.stringify(came.stored));
    assert.deepEqual(came.invalid, [3, "Event name is required"]);
    assert.deepEqual(came.stranger, [16, "Authentication is required"]);
  });
}

test("a page of another origin is refused by the browser", async () => {
  const { page, said } = await open(REFUSED_PAGE);
  const failure = await page.evaluate((server) => window.attempt(server), server);
  assert.equal(failure.message, "Failed to fetch");
  assert.ok(
    said.some((line) => line.includes("blocked by CORS policy")),
    said.join("\n"),
  );
  // It did not get as far as the server storing something.
  const { page: allowed } = await open(ALLOWED_PAGE);
  const { data } = await allowed.evaluate((server) => window.january(server), server);
  assert.equal(data.events, "2");
});

test("what is meant for every page is open to it", async () => {
  const { page } = await open(REFUSED_PAGE);
  const version = await page.evaluate(
    async ({ url }) => (await (await fetch(`${url}/openapi.json`)).json()).openapi,
    server,
  );
  assert.match(version, /^3\.1\./);
});

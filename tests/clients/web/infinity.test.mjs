// The metrics product's script on a site of another origin, in a real browser.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { chromium } from "playwright-core";
import { relay, site, until } from "./relay.mjs";

const { SERVER_URL, CHROMIUM } = process.env;
let browser, server, pages, shop;

before(async () => {
  server = await relay(SERVER_URL);
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  const page = (more = "", script = "/api/v1/sdk.js", settings = "") => `<!doctype html><html><head>
    ${settings}<script defer src="${server.url}${script}" ${more}></script></head><body>
    <button id="buy-1"><b>Buy</b> it, now!</button>
    <input type="submit" value="Go on"><span role="button" title="Hint"> </span><button></button>
    <button data-infinity-event-name="plan:chosen" data-infinity-metadata-plan="team"
      data-infinity-metadata-seats="3">Choose</button>
    <a id="out" data-infinity-event-name="left" data-infinity-metadata-to="shop" href="/second">Go
      <button id="inner">there</button></a>
    <button id="pay" data-infinity-event-name="revenue:purchased" data-infinity-metadata-price="2999"
      data-infinity-metadata-currency="EUR" data-infinity-metadata-product="Book">Pay</button>
    <p id="text">Text</p></body></html>`;
  pages = {
    "/": page(),
    "/second": page(),
    "/alias": page("", "/y/api/v1/sdk.js"),
    "/manual": page(`data-auto-send-page-views="false"`, undefined,
      `<script>window.InfinityMetrics = { config: { autoInstrumentButtons: false } }</script>`),
    "/untracked": page("", undefined,
      `<script>window.InfinityMetrics = { config: { respectDoNotTrack: false } }</script>`),
  };
});
after(async () => {
  await browser?.close();
  server?.close();
});
beforeEach(async () => {
  shop = await site(pages);
});
afterEach(() => shop.close());

/** What the site's pages sent. */
const sent = () =>
  server.seen
    .filter((visit) => visit.headers.origin === shop.url && visit.method === "POST")
    .map((visit) => ({ ...visit, event: JSON.parse(visit.body) }));
const arrived = (count) =>
  until(
    () => `${count} events in ${JSON.stringify(sent().map(({ event }) => event))}`,
    () => sent().length >= count && sent(),
  );

async function visit(path, init) {
  const context = await browser.newContext();
  if (init) await context.addInitScript(init);
  const tab = await context.newPage();
  await tab.goto(shop.url + path);
  return { context, tab };
}

test("page views are sent as they are documented", async () => {
  const { context, tab } = await visit("/");
  const [first] = await arrived(1);
  const { timestamp, userAgent, eventId, ...rest } = first.event;
  assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  assert.match(userAgent, /Mozilla/);
  assert.match(eventId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, { url: `${shop.url}/`, referrer: "", eventType: 1, projectKey: null });
  assert.deepEqual([first.path, first.status], ["/api/v1/events", 202]);
  await tab.evaluate(() => history.pushState({}, "", "/app"));
  const [, second] = await arrived(2);
  assert.equal(second.event.url, `${shop.url}/app`);
  await tab.goBack();
  await arrived(3);
  // Nobody is recognised: there is nothing to be recognised by.
  assert.deepEqual(await context.cookies(), []);
  assert.deepEqual(await tab.evaluate(() => Object.keys(localStorage)), []);
  await context.close();
});

test("clicks have the documented names", async () => {
  const { context, tab } = await visit("/");
  await arrived(1);
  for (const selector of ["#buy-1", "input", "[role=button]", "button:nth-of-type(2)", "#text"]) {
    await tab.evaluate((selector) => document.querySelector(selector).click(), selector);
  }
  await tab.click("[data-infinity-metadata-plan]");
  await tab.click("#pay");
  await tab.evaluate(() => {
    window.InfinityMetrics.sendCustomEvent("signed_up", { plan: "pro" });
    window.InfinityMetrics.setUser({ userId: "u1" });
    window.InfinityMetrics.registerPurchase(1999);
    window.InfinityMetrics.registerPurchase(500, "GBP", { quantity: 2 });
    window.InfinityMetrics.registerPurchase(-1);
    window.InfinityMetrics.registerPurchase("12");
    window.InfinityMetrics.sendCustomEvent();
    window.InfinityMetrics.sendCustomEvent("named");
  });
  const all = await arrived(11);
  const custom = all.slice(1).map(({ event }) => [event.eventKey, event.eventMetadata]);
  // They are sent at once, and may overtake each other.
  const sorted = (list) => list.map((one) => JSON.stringify(one)).sort();
  assert.deepEqual(sorted(custom), sorted([
    ["click:button:buy_it_now:buy-1", {}],
    ["click:button:go_on:noid", {}],
    ["click:button:hint:noid", {}],
    ["click:button:unnamed_button:noid", {}],
    ["plan:chosen", { plan: "team", seats: "3" }],
    ["revenue:purchased", { price: "2999", currency: "EUR", product: "Book" }],
    ["signed_up", { plan: "pro" }],
    ["revenue:purchased", { quantity: 1, price: 1999, currency: "USD" }],
    ["revenue:purchased", { quantity: 2, price: 500, currency: "GBP" }],
    ["named", undefined],
  ]));
  const user = (key) => all.find(({ event }) => event.eventKey === key).event.userId;
  assert.deepEqual([user("signed_up"), user("named")], [undefined, "u1"]);
  assert.ok(all.every((one) => one.status === 202), JSON.stringify(all.map((one) => one.status)));
  await context.close();
});

test("a link is sent by a beacon and wins over the button in it", async () => {
  const { context, tab } = await visit("/");
  await arrived(1);
  await tab.click("#inner");
  const [, link, second] = await arrived(3);
  assert.equal(link.path, "/api/v1/events/beacon");
  assert.match(link.headers["content-type"], /^text\/plain/);
  assert.equal(link.status, 202);
  assert.equal(link.event.eventKey, "left");
  assert.deepEqual(link.event.eventMetadata, {
    to: "shop",
    href: `${shop.url}/second`,
    text: "Go there",
  });
  assert.deepEqual([second.event.eventType, second.event.referrer], [1, `${shop.url}/`]);
  await context.close();
});

test("settings of the page and of the tag hold", async () => {
  const { context, tab } = await visit("/manual");
  await tab.click("#buy-1");
  await tab.evaluate(() => window.InfinityMetrics.sendPageView());
  await arrived(1);
  await tab.waitForTimeout(400);
  assert.deepEqual(sent().map(({ event }) => event.eventType), [1]);
  await context.close();
  const alias = await visit("/alias");
  await arrived(2);
  await alias.context.close();
});

test("who does not want to be tracked is not", async () => {
  const quiet = () => Object.defineProperty(navigator, "doNotTrack", { value: "1" });
  const { context, tab } = await visit("/", quiet);
  await tab.evaluate(() => window.InfinityMetrics.sendCustomEvent("x"));
  await tab.waitForTimeout(500);
  assert.deepEqual(sent(), []);
  await context.close();
  const told = await visit("/untracked", quiet);
  await arrived(1);
  await told.context.close();
});

test("without a connection events are stored and sent later", async () => {
  const { context, tab } = await visit("/");
  await arrived(1);
  await context.setOffline(true);
  await tab.evaluate(() => {
    for (let n = 0; n < 120; n++) window.InfinityMetrics.sendCustomEvent("kept", { n });
  });
  const count = () => tab.evaluate(() => JSON.parse(localStorage.infinity_events ?? "[]").length);
  await until("a hundred are stored", async () => (await count()) === 100);
  await context.setOffline(false);
  const all = await arrived(101);
  const numbers = all.slice(1).map(({ event }) => event.eventMetadata.n).sort((a, b) => a - b);
  assert.deepEqual([numbers[0], numbers.at(-1)], [20, 119]);
  assert.equal(await count(), 0);
  await context.close();
});

test("a server that is away is asked again", async () => {
  let failures = 0;
  server.answers["/api/v1/events"] = () => ({ status: 503, json: {}, failures: failures++ });
  const { context } = await visit("/");
  await until("two failures", () => failures === 2);
  delete server.answers["/api/v1/events"];
  const [view] = await arrived(1);
  assert.equal(view.event.eventType, 1);
  await context.close();
});

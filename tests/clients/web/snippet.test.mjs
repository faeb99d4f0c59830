// The growth snippet on a site of another origin, in a real browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { chromium } from "playwright-core";
import { MetricsService } from "./gen/apex/metrics/v1/metrics_pb.js";
import { relay, site, until } from "./relay.mjs";

const { SERVER_URL, KEY, PROJECT, PROJECT_KEY, VECTORS, CHROMIUM } = process.env;
let browser, server, pages, shop, careful;

/** Asks the server as the project's owner. */
async function owner(method, path, body) {
  const answer = await fetch(SERVER_URL + path, {
    method,
    headers: { "x-api-key": KEY, "x-apex-project": PROJECT, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${method} ${path}: ${text}`);
  return JSON.parse(text);
}

// A machine that is busy answers later than pages like to wait.
const tag = (more = `data-timeout="8000"`, key = PROJECT_KEY) =>
  `<script src="${server.url}/api/apex-js?key=${key}" ${more}></script>`;
const page = (body, more, key) =>
  `<!doctype html><html><head><title>Shop</title>${tag(more, key)}</head><body>${body}</body></html>`;

const ACTIVE = "/api/experiments/active";
let running = [];

before(async () => {
  server = await relay(SERVER_URL);
  // A project of a name and a key of its own, whose visitors must consent.
  careful = await owner("POST", "/api/projects", { name: "Careful", consentMode: "required" });
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  const goods = `
    <h1 class="title">Plans</h1>
    <p id="text">Nothing happens here</p>
    <button id="plus" onclick="this.textContent += '+'">Add</button>
    <a id="out" href="https://partner.example/offer?x=1" onclick="event.preventDefault()">Our
      partner</a>
    <a id="in" href="/plans" onclick="event.preventDefault()">Plans</a>
    <form id="signup" action="/done" onsubmit="event.preventDefault()">
      <input name="action" value="a name of its own"><input name="mail" type="email">
      <input type="password" name="secret"><button id="join">Join</button>
    </form>
    <script>function fail() { undefinedThing(); }</script>
    <div style="height: 3000px"></div>`;
  pages = {
    "/": page(goods),
    "/real": page(goods),
    "/impatient": page(goods, ""),
    "/plans": page(`<h1 class="title">Plans</h1>`),
    "/thanks": page(`<h1>Thanks</h1>`),
    "/other": page(`<h1>Other</h1>`),
    "/slow": { html: page(`<h1 class="title">Plans</h1>`), more: "<h2>More</h2>" },
    "/consent": page(goods, undefined, careful.key),
    "/twice": page(goods + tag()),
    "/quiet": page(goods, `data-auto="false" data-timeout="8000"`),
    "/patient": page(goods, `data-timeout="1500"`),
    "/nobody": page(goods, "", "pk_live_nobody"),
    "/late": `<!doctype html><body>${goods}<script>
      window.apex = [["track", "early", { n: 1 }], ["identify", "u_7"]];
      const tag = document.createElement("script");
      tag.src = "${server.url}/api/apex-js?key=${PROJECT_KEY}";
      document.body.append(tag);</script>`,
    "/strict": {
      headers: {
        "content-security-policy":
          `default-src 'none'; script-src ${server.url} 'nonce-n1'; connect-src ${server.url}; style-src 'none'`,
      },
      html: page(`<h1 class="title">Plans</h1>`, `nonce="n1" data-timeout="8000"`),
    },
  };
});
after(async () => {
  await browser?.close();
  server?.close();
});
afterEach(() => shop.close());
beforeEach(async () => {
  // An origin of its own: what visitors of the test before send late is not its.
  shop = await site(pages);
  running = [];
  server.answers[ACTIVE] = () => ({ json: running });
});

/** What the site's pages sent to the server. */
const sent = () => server.seen.filter((visit) => visit.headers.origin === shop.url);
/** The events among it, of a type. */
const events = (type) =>
  sent()
    .filter((visit) => visit.path === "/api/events" && visit.method === "POST")
    .map((visit) => ({ ...JSON.parse(visit.body), status: visit.status }))
    .filter((event) => !type || event.type === type);
const arrived = (type, count = 1) =>
  until(
    () => `${count} ${type} in ${JSON.stringify(events().map((event) => event.type))}`,
    () => events(type).length >= count && events(type),
  );

const asOwner = (next) => (request) => {
  request.header.set("authorization", `Bearer ${KEY}`);
  request.header.set("x-project", PROJECT);
  return next(request);
};
const log = createClient(
  MetricsService,
  createGrpcWebTransport({ baseUrl: SERVER_URL, interceptors: [asOwner] }),
);

/** What a visitor's pages sent is stored as it was sent. */
async function stored({ visitorId }) {
  const all = (list) => Object.fromEntries(list.map(({ id, type, data }) => [id, { type, data }]));
  const own = events().filter((event) => event.visitorId === visitorId);
  const kept = [];
  for await (const { events } of log.exportEvents({})) {
    kept.push(...events.filter((event) => event.visitorId === visitorId));
  }
  assert.deepEqual(
    all(kept.map(({ eventId, eventName, metadata }) => {
      return { id: eventId.replace(/^evt_/, ""), type: eventName, data: JSON.parse(metadata) };
    })),
    all(own.map(({ eventId, type, data }) => ({ id: eventId, type, data }))),
  );
}

/** A visitor of their own. */
async function visit(path, { init, ...options } = {}) {
  const context = await browser.newContext(options);
  if (init) await context.addInitScript(init);
  const tab = await context.newPage();
  const faults = [];
  tab.on("pageerror", (error) => faults.push(String(error)));
  const response = await tab.goto(shop.url + path);
  return { context, tab, faults, response };
}
const cookies = async (context) =>
  Object.fromEntries((await context.cookies()).map(({ name, ...cookie }) => [name, cookie]));

test("a page that is loaded reports its view and a heartbeat", async () => {
  const { context, tab } = await visit("/?utm_source=News&utm_term=a+b&gclid=g1", {
    viewport: { width: 900, height: 700 },
  });
  const [view] = await arrived("pageview");
  const { apex_vid: cookie } = await cookies(context);
  assert.match(cookie.value, /^v_[0-9a-f-]{36}$/);
  assert.deepEqual([cookie.path, cookie.sameSite, cookie.secure], ["/", "Lax", false]);
  const days = (cookie.expires - Date.now() / 1000) / 86400;
  assert.ok(days > 364 && days < 366, days);
  const attribution = {
    utm_source: "News",
    utm_term: "a b",
    gclid: "g1",
    landingPage: `${shop.url}/?utm_source=News&utm_term=a+b&gclid=g1`,
  };
  assert.equal(view.projectKey, PROJECT_KEY);
  assert.equal(view.visitorId, cookie.value);
  assert.equal(view.url, attribution.landingPage);
  assert.match(view.eventId, /^[0-9a-f-]{36}$/);
  assert.ok(Math.abs(Date.parse(view.timestamp) - Date.now()) < 60_000);
  assert.ok(Date.parse(view.sentAt) >= Date.parse(view.timestamp));
  assert.deepEqual(view.data, { referrer: "", isLanding: true, assignments: {}, attribution });
  assert.equal(view.status, 200);
  const [beat] = await arrived("heartbeat");
  const { screen, ...rest } = beat.data;
  assert.ok(screen.w > 0 && screen.h > 0);
  assert.deepEqual(rest, {
    snippetVersion: await tab.evaluate(() => window.apex.version),
    experimentStatus: "none",
    formStatus: "found",
    viewport: { w: 900, h: 700 },
    attribution,
  });

  // The next page is no landing; the campaign holds, the visitor is the same.
  await tab.goto(`${shop.url}/plans?utm_source=Other`);
  const [, second] = await arrived("pageview", 2);
  assert.equal(second.visitorId, cookie.value);
  assert.equal(second.data.isLanding, false);
  assert.deepEqual(second.data.attribution, attribution);
  await context.close();
});

test("forms, links, clicks and errors are reported", async () => {
  const { context, tab } = await visit("/");
  await arrived("heartbeat");
  await tab.fill("input[type=email]", "Jo@example.com");
  await tab.fill("input[type=password]", "hunter2");
  await tab.click("#join");
  const [form] = await arrived("form_submit");
  const { attribution, ...own } = form.data;
  assert.equal(attribution.landingPage, `${shop.url}/`);
  assert.deepEqual(own, { formAction: `${shop.url}/done`, email: "Jo@example.com", assignments: {} });
  assert.ok(!JSON.stringify(events()).includes("hunter2"));

  await tab.click("#in");
  await tab.click("#out");
  const [click] = await arrived("click");
  assert.equal(click.data.href, "https://partner.example/offer?x=1");
  assert.equal(click.data.linkText, "Our partner");

  await tab.click("#text", { position: { x: 5, y: 5 } });
  const [dead] = await arrived("dead_click");
  assert.equal(dead.data.selector, "#text");
  assert.equal(dead.data.text, "Nothing happens here");
  assert.ok(dead.data.x > 0 && dead.data.y > 0);

  for (let n = 0; n < 4; n++) await tab.click("#plus", { position: { x: 5, y: 5 } });
  const [rage] = await arrived("rage_click");
  assert.deepEqual([rage.data.selector, rage.data.clicks], ["#plus", 4]);
  assert.ok(rage.data.x > 0 && rage.data.y > 0);

  await tab.evaluate(() => {
    setTimeout(window.fail);
    setTimeout(() => Promise.reject(new Error("later")), 50);
  });
  const [error, rejection] = await arrived("js_error", 2);
  assert.match(error.data.message, /undefinedThing is not defined/);
  assert.equal(error.data.source, `${shop.url}/`);
  assert.ok(error.data.line > 10 && error.data.col > 10, JSON.stringify(error.data));
  assert.equal(rejection.data.message, "later");

  await tab.evaluate(() => window.scrollTo(0, 1200));
  await tab.waitForTimeout(1100);
  await tab.goto("about:blank");
  const [left] = await arrived("engagement");
  assert.ok(left.data.duration >= 1 && left.data.duration < 60, left.data.duration);
  assert.ok(left.data.scrollDepth > 30 && left.data.scrollDepth < 90, left.data.scrollDepth);
  // One of each: a button that reacts is not dead, a link within the site not reported.
  const counts = {};
  for (const { type } of events()) counts[type] = (counts[type] ?? 0) + 1;
  assert.deepEqual(counts, {
    pageview: 1,
    heartbeat: 1,
    form_submit: 1,
    click: 1,
    dead_click: 1,
    rage_click: 1,
    js_error: 2,
    engagement: 1,
  });
  assert.ok(events().every((event) => event.status === 200));
  await stored(form);
  await context.close();
});

test("a page that changes without loading is another view", async () => {
  const { context, tab } = await visit("/");
  await arrived("pageview");
  await tab.evaluate(() => history.pushState({}, "", "/plans?page=2"));
  const [, second] = await arrived("pageview", 2);
  assert.equal(second.url, `${shop.url}/plans?page=2`);
  assert.equal(second.data.isLanding, false);
  await tab.evaluate(() => history.replaceState({}, "", location.href));
  await tab.evaluate(() => (location.hash = "part"));
  await tab.evaluate(() => (location.hash = "#/route"));
  const [, , third] = await arrived("pageview", 3);
  assert.equal(third.url, `${shop.url}/plans?page=2#/route`);
  await tab.goBack();
  await arrived("pageview", 4);
  assert.equal((await arrived("engagement", 3)).length, 3);
  assert.equal(events("heartbeat").length, 1);
  await context.close();
});

test("what a page says itself is sent", async () => {
  const { context, tab, faults } = await visit("/late");
  const [early] = await arrived("early");
  assert.equal(early.data.n, 1);
  const [identify] = await arrived("identify");
  assert.equal(identify.userId, "u_7");
  await tab.evaluate(() => {
    window.apex.init({ environment: "preview" });
    window.apex.track("plan_chosen", { plan: "team", seats: 3 });
    const loop = {};
    loop.loop = loop;
    window.apex.track("loop", loop);
    window.apex.track("big", { text: "é".repeat(70_000) });
    window.apex.track();
    window.apex.identify("jo@example.com", { plan: "team" });
    window.apex.init();
    window.apex.experiment();
  });
  const [chosen] = await arrived("plan_chosen");
  assert.deepEqual([chosen.data.plan, chosen.data.seats], ["team", 3]);
  assert.deepEqual([chosen.userId, chosen.environment], ["u_7", "preview"]);
  // No beacon takes it: it is fetched, and the server refuses it.
  assert.notEqual((await arrived("big"))[0].status, 200);
  const stitch = await until("a stitch", () => sent().find((one) => one.path === "/api/identity/stitch"));
  assert.deepEqual(JSON.parse(stitch.body), {
    projectKey: PROJECT_KEY,
    visitorId: chosen.visitorId,
    email: "jo@example.com",
    traits: { plan: "team" },
  });
  assert.deepEqual(faults, []);
  await context.close();
});

// ---- Experiments ---------------------------------------------------------------------

const half = (id, more, changed) => ({
  id,
  name: id,
  status: "running",
  mode: "ab",
  trafficSplit: 100,
  variants: [
    { id: "control", name: "Control", weight: 0 },
    { id: "variant_b", name: "B", weight: 1, ...changed },
  ],
  ...more,
});
const code = (css, js) => ({ changes: [{ type: "code", css, js }] });
const text = (selector, originalValue, value) => ({
  changes: [{ type: "text", selector, originalValue, value }],
});

test("experiments change the page before it is shown, and are told with its view", async () => {
  running = [
    half("exp_text", { targetUrl: "/" }, text("h1.title", "Plans", "Pick a plan")),
    half("exp_lost", { targetUrl: shop.url + "/" }, text(".gone", "Add", "Put in")),
    half("exp_code", {}, code(
      "#text { color: rgb(1, 2, 3) }",
      "document.body.dataset.ran = (document.body.dataset.ran || 0) + 1",
    )),
    half("exp_elsewhere", { targetUrl: "/elsewhere" }, text("h1", "", "Wrong")),
    half("exp_none", { targetUrl: "/", trafficSplit: 0 }, text("h1", "", "Wrong")),
    half("exp_held", { targetUrl: "/", holdout: { name: "h", percent: 100 } }, text("h1", "", "Wrong")),
    half("exp_named", { targetUrl: "/", namespace: { name: "n", from: 0, to: 0 } }, text("h1", "", "Wrong")),
    half("exp_other", { targetUrl: "/", bucketing: "growthbook" }, text("h1", "", "Wrong")),
    half("exp_attributes", { targetUrl: "/", condition: { plan: "pro" } }, text("h1", "", "Wrong")),
    half("exp_sdk", { delivery: "sdk" }, text("h1", "", "Wrong")),
  ];
  server.answers[ACTIVE] = () => ({ json: running, delay: 150 });
  const shown = () => {
    const seen = (window.shown = []);
    const look = () => {
      const title = document.querySelector("h1");
      if (title) seen.push([getComputedStyle(document.documentElement).opacity, title.textContent]);
      requestAnimationFrame(look);
    };
    look();
  };
  const { context, tab } = await visit("/", { init: shown });
  const [view] = await arrived("pageview");
  const all = { exp_text: "variant_b", exp_lost: "variant_b", exp_code: "variant_b" };
  assert.deepEqual(view.data.assignments, all);
  const state = await tab.evaluate(() => [
    document.querySelector("h1").textContent,
    document.querySelector("#plus").textContent,
    getComputedStyle(document.querySelector("#text")).color,
    document.body.dataset.ran,
    getComputedStyle(document.documentElement).opacity,
  ]);
  assert.deepEqual(state, ["Pick a plan", "Put in", "rgb(1, 2, 3)", "1", "1"]);
  const frames = await tab.evaluate(() => window.shown);
  const early = frames.filter(([opacity, title]) => opacity !== "0" && title === "Plans");
  assert.deepEqual(early, [], "nobody saw the page as it was before");
  const [beat] = await arrived("heartbeat");
  assert.equal(beat.data.experimentStatus, "applied");
  // A framework that renders again finds the change made again.
  await tab.evaluate(() => (document.querySelector("h1").outerHTML = `<h1 class="title">Plans</h1>`));
  await tab.waitForFunction(() => document.querySelector("h1").textContent === "Pick a plan");
  // Of an experiment of an application it is asked.
  assert.equal(await tab.evaluate(() => window.apex.experiment("exp_sdk")), "variant_b");
  assert.equal(await tab.evaluate(() => window.apex.experiment("exp_sdk")), "variant_b");
  assert.equal(await tab.evaluate(() => window.apex.experiment("exp_none")), "control");
  const [viewed] = await arrived("experiment_viewed");
  assert.deepEqual([viewed.data.experimentId, viewed.data.variant], ["exp_sdk", "variant_b"]);
  await tab.evaluate(() => history.pushState({}, "", "/elsewhere"));
  await tab.waitForFunction(() => document.querySelector("h1").textContent === "Wrong");
  const color = await tab.evaluate(() => getComputedStyle(document.querySelector("#text")).color);
  assert.equal(color, "rgb(1, 2, 3)", "it runs on every page");
  assert.equal(events("experiment_viewed").length, 1);
  await context.close();
});

test("a page that comes slowly is changed as it comes", async () => {
  running = [
    half("exp_text", {}, text("h1.title", "", "Now")),
    half("exp_late", {}, text("h2", "", "Later")),
    half("exp_code", {}, code("", "document.body.dataset.said = document.querySelector('h2').textContent")),
  ];
  const { context, tab } = await visit("/slow");
  await tab.waitForFunction(() => getComputedStyle(document.documentElement).opacity === "1");
  const state = () => [
    document.querySelector("h1").textContent,
    document.querySelector("h2").textContent,
    document.body.dataset.said,
  ];
  assert.deepEqual(await tab.evaluate(state), ["Now", "Later", "Later"]);
  await context.close();
});

test("experiments of the server run in the pages of its project", async () => {
  delete server.answers[ACTIVE];
  const made = [];
  for (const [name, changed, goal] of [
    ["Title", { changes: [{ type: "text", selector: "h1.title", value: "Pick a plan" }] }, { type: "click", selector: "#plus" }],
    ["Color", { css: "#text { color: rgb(1, 2, 3) }", js: "document.body.dataset.ran = 1" }, { type: "custom_event", eventName: "chosen" }],
  ]) {
    // Everybody sees the second variant.
    const variants = [{ name: "Control", weight: 0 }, { name: "B", weight: 1, ...changed }];
    const experiment = await owner("POST", "/api/experiments", { name, targetUrl: "/real", variants, goal });
    await owner("PATCH", "/api/experiments", { id: experiment.id, status: "running" });
    made.push(experiment.id);
  }
  const [title, color] = made;
  const { context, tab } = await visit("/real");
  const [view] = await arrived("pageview");
  assert.deepEqual(view.data.assignments, { [title]: "variant_b", [color]: "variant_b" });
  await arrived("heartbeat");
  const state = await tab.evaluate(() => [
    document.querySelector("h1").textContent,
    getComputedStyle(document.querySelector("#text")).color,
    document.body.dataset.ran,
  ]);
  assert.deepEqual(state, ["Pick a plan", "rgb(1, 2, 3)", "1"]);
  await tab.click("#plus");
  await tab.evaluate(() => window.apex.track("chosen"));
  const met = await arrived("goal_conversion", 2);
  // Each is sent at once, so that either may arrive first.
  const goals = met.map(({ data }) => [data.goalType, data.experimentId, data.variant]).sort();
  assert.deepEqual(goals, [["click", title, "variant_b"], ["custom_event", color, "variant_b"]]);
  await stored(view);
  for (const id of made) await owner("DELETE", `/api/experiments?id=${id}`);
  await context.close();
});

test("a redirect is told before the visitor goes", async () => {
  running = [half("exp_go", { targetUrl: "/plans" }, { changes: [{ type: "redirect", url: "/thanks" }] })];
  const { context, tab } = await visit("/plans?utm_source=news");
  const [viewed] = await arrived("experiment_viewed");
  assert.deepEqual([viewed.data.experimentId, viewed.data.variant], ["exp_go", "variant_b"]);
  const [view] = await arrived("pageview");
  assert.equal(view.url, `${shop.url}/thanks?utm_source=news`);
  assert.equal(tab.url(), view.url);
  assert.equal(events("pageview").length, 1);
  await context.close();
});

test("a variant can be forced, and is not counted", async () => {
  running = [
    half("exp_text", { targetUrl: "/plans" }, text("h1", "", "B")),
    half("exp_b", {}, text("h2", "", "B")),
  ];
  const { context, tab } = await visit("/plans?apex_variant=exp_text:control,exp_b:variant_b");
  const [view] = await arrived("pageview");
  assert.deepEqual(view.data.assignments, {});
  assert.equal(await tab.textContent("h1"), "Plans");
  assert.equal(await tab.evaluate(() => window.apex.experiment("exp_text")), "control");
  assert.equal(events("experiment_viewed").length, 0);
  await context.close();
});

test("goals of experiments are conversions", async () => {
  const goal = (id, goal) => half(id, { targetUrl: "/", goal });
  running = [
    goal("exp_form", { type: "form_submit", formSelector: "#signup" }),
    goal("exp_page", { type: "page_visit", urlPattern: "/thanks*" }),
    goal("exp_click", { type: "click", selector: "#plus" }),
    goal("exp_own", { type: "custom_event", eventName: "plan_chosen" }),
    half("exp_unseen", { targetUrl: "/unseen", goal: { type: "click", selector: "#plus" } }),
  ];
  const { context, tab } = await visit("/");
  await arrived("heartbeat");
  await tab.click("#plus");
  await tab.click("#plus");
  await tab.click("#join");
  await tab.evaluate(() => window.apex.track("plan_chosen"));
  await tab.goto(`${shop.url}/thanks`);
  const made = (await arrived("goal_conversion", 4)).map(({ data: { attribution, ...own } }) => own);
  const by = (id) => made.filter((one) => one.experimentId === id);
  const met = (experimentId, goalType, more) => [{ goalType, experimentId, variant: "variant_b", ...more }];
  assert.deepEqual(by("exp_click"), met("exp_click", "click", { selector: "#plus" }));
  assert.deepEqual(
    by("exp_form"),
    met("exp_form", "form_submit", { formAction: `${shop.url}/done`, formSelector: "#signup" }),
  );
  assert.deepEqual(by("exp_own"), met("exp_own", "custom_event", { eventName: "plan_chosen" }));
  assert.deepEqual(by("exp_page"), met("exp_page", "page_visit", { urlPattern: "/thanks*" }));
  assert.equal(made.length, 4);
  await context.close();
});

test("who waits in vain for experiments sees the page all the same", async () => {
  running = [half("exp_slow", {}, text("h1", "", "Too late"))];
  server.answers[ACTIVE] = () => ({ json: running, delay: 3000 });
  const watch = () => {
    window.began = performance.now();
    const look = () => {
      const { opacity } = getComputedStyle(document.documentElement);
      if (document.body && opacity !== "0") window.shownAt ??= performance.now() - window.began;
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  };
  const { context, tab } = await visit("/impatient", { init: watch });
  const [view] = await arrived("pageview");
  assert.deepEqual(view.data.assignments, {});
  await tab.waitForFunction(() => window.shownAt);
  const at = await tab.evaluate(() => window.shownAt);
  assert.ok(at > 300 && at < 2500, `shown after ${at} ms`);
  const [beat] = await arrived("heartbeat");
  assert.equal(beat.data.experimentStatus, "timeout");
  assert.equal(await tab.textContent("h1"), "Plans");
  await context.close();

  // A tag may say how long that is.
  const patient = await visit("/patient", { init: watch });
  await patient.tab.waitForFunction(() => window.shownAt);
  assert.ok((await patient.tab.evaluate(() => window.shownAt)) > 1300);
  await arrived("heartbeat", 2);
  await patient.context.close();

  // Where the question fails nobody waits.
  server.answers[ACTIVE] = () => ({ status: 500, json: { error: "x" } });
  const failed = await visit("/", { init: watch });
  assert.equal((await arrived("heartbeat", 3))[2].data.experimentStatus, "failed");
  await failed.context.close();
});

// ---- Privacy, and pages that are not friendly --------------------------------------------

const leftovers = async ({ context, tab }) => [
  await context.cookies(),
  await tab.evaluate(() => Object.keys(localStorage)),
];

test("nothing is kept or sent before consent where it is needed", async () => {
  running = [half("exp_text", {}, text("h1", "", "B"))];
  const shopper = await visit("/consent?utm_source=ad");
  const { context, tab } = shopper;
  await tab.evaluate(() => window.apex.track("before"));
  await tab.waitForTimeout(700);
  assert.deepEqual(sent(), []);
  assert.deepEqual(await leftovers(shopper), [[], []]);
  assert.equal(await tab.textContent("h1"), "Plans");

  await tab.evaluate(() => window.apex.consent(true));
  const [view] = await arrived("pageview");
  await arrived("before");
  await arrived("heartbeat");
  assert.equal(view.data.attribution.utm_source, "ad");
  const [viewed] = await arrived("experiment_viewed");
  assert.equal(viewed.visitorId, (await cookies(context)).apex_vid.value);
  assert.equal(await tab.textContent("h1"), "B");

  // It is remembered, and taken back.
  await tab.goto(`${shop.url}/consent`);
  await arrived("heartbeat", 2);
  await tab.evaluate(() => window.apex.consent(false));
  const before = events().length;
  await tab.evaluate(() => window.apex.track("after"));
  await tab.goto(`${shop.url}/consent`);
  await tab.waitForTimeout(700);
  assert.deepEqual(events().slice(before).filter((event) => event.type !== "engagement"), []);
  assert.deepEqual(await leftovers(shopper), [[], ["apex_consent"]]);
  await context.close();
});

test("who objects by the browser is left alone until they consent", async () => {
  const init = () => Object.defineProperty(navigator, "globalPrivacyControl", { value: true });
  const shopper = await visit("/", { init });
  await shopper.tab.waitForTimeout(700);
  assert.deepEqual(events(), []);
  assert.deepEqual(await leftovers(shopper), [[], []]);
  await shopper.tab.evaluate(() => window.apex.consent(true));
  await arrived("pageview");
  await shopper.context.close();
});

test("blocked storage blocks nothing else", async () => {
  const init = () => {
    const refuse = () => {
      throw new DOMException("blocked", "SecurityError");
    };
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, name, { get: refuse });
    }
    Object.defineProperty(document, "cookie", { get: refuse, set: refuse });
    Object.defineProperty(crypto, "randomUUID", { value: undefined });
  };
  running = [half("exp_text", {}, text("h1", "", "B"))];
  const { context, tab, faults } = await visit("/?utm_source=ad", { init });
  const [view] = await arrived("pageview");
  await tab.evaluate(() => window.apex.track("more"));
  const [more] = await arrived("more");
  assert.match(view.visitorId, /^v_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(more.visitorId, view.visitorId);
  assert.equal(view.data.isLanding, true);
  assert.equal(more.data.attribution.utm_source, "ad");
  assert.equal(await tab.textContent("h1"), "B");
  // A page of the same site tells that this is none.
  await tab.evaluate(() => (location.href = "/plans"));
  const [, second] = await arrived("pageview", 2);
  assert.equal(second.data.isLanding, false);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a page that lets in little lets in the snippet", async () => {
  running = [
    half("exp_text", {}, text("h1", "", "B")),
    half("exp_code", {}, code("h1 { color: rgb(1, 2, 3) }", "document.body.dataset.ran = 1")),
  ];
  const init = () => {
    window.broken = [];
    document.addEventListener("securitypolicyviolation", (event) => window.broken.push(event.violatedDirective));
  };
  const { context, tab } = await visit("/strict", { init });
  await arrived("pageview");
  await arrived("heartbeat");
  assert.deepEqual(
    await tab.evaluate(() => [
      window.broken,
      document.querySelector("h1").textContent,
      getComputedStyle(document.querySelector("h1")).color,
      document.body.dataset.ran,
    ]),
    [[], "B", "rgb(1, 2, 3)", "1"],
  );
  await context.close();
});

test("a tag that stands twice works once", async () => {
  const { context, tab } = await visit("/twice");
  await arrived("heartbeat");
  await tab.click("#text");
  await arrived("dead_click");
  await tab.evaluate(() => window.apex.track("own"));
  const [own] = await arrived("own");
  const types = events().map((event) => event.type).sort();
  assert.deepEqual(types, ["dead_click", "heartbeat", "own", "pageview"]);
  await context.close();
});

test("a tag may keep to what it is told, and an unknown one does nothing", async () => {
  running = [half("exp_text", {}, text("h1", "", "B"))];
  const quiet = await visit("/quiet");
  const [viewed] = await arrived("experiment_viewed");
  assert.equal(viewed.data.variant, "variant_b");
  assert.equal(await quiet.tab.textContent("h1"), "B");
  await quiet.tab.click("#text");
  await quiet.tab.evaluate(() => window.apex.track("own"));
  await arrived("own");
  assert.equal(events().length, 2);
  await quiet.context.close();

  const before = sent().length;
  const { tab, context, faults } = await visit("/nobody");
  await tab.evaluate(() => {
    window.apex.track("x");
    window.apex.identify("y");
    window.apex.consent(true);
    window.apex.init({});
    return window.apex.experiment("z");
  });
  await tab.waitForTimeout(500);
  assert.deepEqual(sent().slice(before), []);
  assert.deepEqual(await context.cookies(), []);
  assert.deepEqual(faults, []);
  await context.close();
});

test("without a connection events wait", async () => {
  const { context, tab } = await visit("/");
  await arrived("heartbeat");
  await context.setOffline(true);
  await tab.evaluate(() => window.apex.track("waiting"));
  await tab.waitForTimeout(300);
  assert.equal(events("waiting").length, 0);
  await context.setOffline(false);
  await arrived("waiting");
  await context.close();
});

test("visitors are assigned as the server assigns them", async () => {
  const { assignments } = JSON.parse(readFileSync(VECTORS, "utf8"));
  assert.equal(assignments.length, 755);
  const { context, tab } = await visit("/");
  await tab.waitForFunction(() => window.apex);
  const wrong = await tab.evaluate((rows) => {
    const found = [];
    for (const { visitorId, experimentId: id, variant } of rows) {
      for (const split in variant) {
        const variants = [
          { id: "control", weight: +split },
          { id: "variant_b", weight: 100 - split },
        ];
        const own = window.apex.assign(visitorId, { id, variants, trafficSplit: 100 });
        if (own !== variant[split]) found.push([visitorId, id, split, own]);
      }
      // Two variants without weights are halves, as documented.
      const variants = [{ id: "control" }, { id: "variant_b" }];
      const half = window.apex.assign(visitorId, { id, variants });
      if (half !== variant[50]) found.push([visitorId, id, "half", half]);
    }
    return found;
  }, assignments);
  assert.deepEqual(wrong, []);
  await context.close();
});

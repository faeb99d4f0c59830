// The growth snippet: what a page reports by itself, and `window.apex`.

const VERSION = "1.0.0";
const YEAR = 31536000;
const SESSION = 18e5;
const CLICKS = ["gclid", "fbclid", "msclkid", "li_fat_id"];
const CAMPAIGN = ["source", "medium", "campaign", "term", "content"].map((name) => "utm_" + name);

let environment = data.environment;
let user;

// ---- Consent ---------------------------------------------------------------------
// Nothing is kept or sent before it is given, where it is needed. Where the browser
// says that the visitor objects, it is.

let choice = kept("apex_consent");
const needed = config.consent || data.consent === "required" || N.globalPrivacyControl;
const allowed = () => (choice ? choice === "1" : !needed);

// ---- The visitor -----------------------------------------------------------------

let id;
const cookie = (value, age) => {
  const place = data.cookieDomain ? "; Domain=" + data.cookieDomain : "";
  const secure = L.protocol === "https:" ? "; Secure" : "";
  D.cookie = `apex_vid=${value}; Path=/; Max-Age=${age}; SameSite=Lax${place}${secure}`;
};
const known = safe(() => (D.cookie.match(/(?:^|; )apex_vid=([\w.~-]{1,128})(?:;|$)/) || [])[1]);
const visitor = () => {
  if (!id) {
    id = known() || kept("apex_vid") || "v_" + uuid();
    safe(cookie)(id, YEAR);
    if (known() !== id) keep("apex_vid", id);
  }
  return id;
};

// Where the session came from: taken when it begins, held until half an hour passes
// without an event.
let source = safe(() => JSON.parse(kept("apex_attr")))();
const isNew = !source || !(Date.now() - source.at < SESSION);
if (isNew) {
  source = { landingPage: L.href };
  const query = new URLSearchParams(L.search);
  for (const name of [...CAMPAIGN, ...CLICKS]) if (query.get(name)) source[name] = query.get(name);
  if (D.referrer && new URL(D.referrer).host !== L.host) source.referrer = D.referrer;
}
const attribution = () => {
  source.at = Date.now();
  keep("apex_attr", JSON.stringify(source));
  return { ...source, at: undefined };
};

// ---- Sending ---------------------------------------------------------------------

const queue = [];
const send = (path, body, tries) =>
  beacon(path, body) ||
  post(path, body).catch(() => tries && later(() => send(path, body, tries - 1), 4000 / tries));
const flush = () => {
  while (allowed() && N.onLine !== false && queue.length) {
    const [path, make] = queue.shift();
    safe(() => send(path, JSON.stringify(make()), 3))();
  }
};
const enqueue = (path, make) => {
  if (choice === "0" || gone) return;
  // Who never consents fills no memory.
  if (queue.push([path, make]) > 100) queue.shift();
  flush();
};

let gone = false;
const track = (type, fields, at) => {
  const event = {
    projectKey: config.key,
    type: String(type),
    url: L.href,
    referrer: D.referrer || undefined,
    timestamp: (at || new Date()).toISOString(),
    eventId: uuid(),
    userId: user,
  };
  enqueue("/api/events", () => ({
    ...event,
    visitorId: visitor(),
    environment,
    sentAt: new Date().toISOString(),
    data: { ...fields, attribution: attribution() },
  }));
  goals("custom_event", (goal) => goal.eventName === type && { eventName: type });
};

// ---- Experiments -----------------------------------------------------------------

let running = [];
let fetchedAt = 0;
let status = "none";
let assignments = {};
let changes = [];
let sheets = [];
const seen = safe(() => JSON.parse(kept("apex_seen")))() || {};

// For trying out: ?apex_variant=exp_1:variant_b,exp_2:control. It is not counted.
const forced = {};
for (const pair of (new URLSearchParams(L.search).get("apex_variant") || "").split(",")) {
  const at = pair.lastIndexOf(":");
  if (at > 0) forced[pair.slice(0, at)] = pair.slice(at + 1);
}

const plain = (url) => url.replace(/^\w+:\/\//, "").replace(/^www\./i, "").replace(/[?#].*/, "").replace(/\/+$/, "");
const isHere = (pattern) => {
  if (!pattern) return true;
  const page = plain(pattern[0] === "/" ? L.pathname : L.host + L.pathname);
  const literal = plain(pattern).replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replace(/\*/g, ".*")}$`, "i").test(page);
};

// Included by one hash, assigned by another, so that a larger share moves nobody. Who is
// kept out of a namespace is so by GrowthBook's hash, FNV-1a.
const bucketOf = (...parts) => murmur(parts.join("")) % 100;
const fnv = (text) => {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
};
const weight = (variant) => (variant.weight == null ? 1 : variant.weight);
const assign = (experiment, who = visitor()) => {
  const { id, variants, trafficSplit, holdout, namespace, condition, bucketing } = experiment;
  // Attributes are known to servers alone, and GrowthBook's buckets to its SDKs.
  if (condition || bucketing === "growthbook") return;
  if (holdout && bucketOf(who, holdout.name, ":holdout") < holdout.percent) return;
  if (namespace) {
    const place = (fnv(who + "__" + namespace.name) % 1000) / 1000;
    if (place < namespace.from || place >= namespace.to) return;
  }
  if (bucketOf(who, id, ":in") >= (trafficSplit == null ? 100 : trafficSplit)) return;
  const bucket = bucketOf(who, id);
  const owns = ({ from, to }) => from <= bucket && bucket < to;
  const owner = variants.find(({ buckets }) => buckets && buckets.some(owns));
  if (owner) return owner;
  const total = variants.reduce((sum, variant) => sum + weight(variant), 0);
  let upTo = 0;
  return variants.find((variant) => (upTo += weight(variant)) * 100 > bucket * total);
};
// What somebody is to see whatever the hash says, and is not counted for.
const forcedOf = ({ id, forcedVisitors }) =>
  forced[id] || ((forcedVisitors || []).find((own) => own.visitorId === visitor()) || {}).variant;
const variantOf = (experiment) => {
  const name = forcedOf(experiment);
  return name ? experiment.variants.find((variant) => variant.id === name) : assign(experiment);
};
const counts = (experiment, variant) => {
  if (forcedOf(experiment)) return false;
  seen[experiment.id] = variant.id;
  keep("apex_seen", JSON.stringify(seen));
  return true;
};
const viewed = (experimentId, variant) => track("experiment_viewed", { experimentId, variant });

const changeText = ({ selector, originalValue, value }) => {
  let found = safe(() => [...D.querySelectorAll(selector)])() || [];
  if (!found.length && D.readyState !== "loading" && originalValue) {
    found = [...D.querySelectorAll("h1,h2,h3,h4,h5,h6,p,button,a")];
    found = found.filter((element) => words(element, 1e4) === originalValue.trim()).slice(0, 1);
  }
  for (const element of found) if (element.textContent !== value) element.textContent = value;
  return found.length;
};
const runCode = ({ js }) => {
  if (D.readyState === "loading") return 0;
  const script = D.createElement("script");
  // A page's content security policy lets in what carries the tag's own nonce.
  script.nonce = (tag && tag.nonce) || "";
  script.textContent = js;
  D.head.append(script);
  script.remove();
  return 1;
};
const style = (css) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  sheets.push(sheet);
  D.adoptedStyleSheets = [...D.adoptedStyleSheets, sheet];
};
// Answers whether everything is in its place.
const applyChanges = () => {
  for (const change of changes) {
    if (change.type === "text") change.done = safe(changeText)(change);
    else if (!change.done) change.done = safe(runCode)(change);
  }
  return D.readyState !== "loading" || changes.every((change) => change.done);
};
const apply = (variant) => {
  for (const change of variant.changes || []) {
    if (change.type === "redirect" && !isHere(change.url)) {
      // Parameters of a campaign go with the visitor.
      const to = new URL(change.url, L.href);
      for (const [name, value] of new URLSearchParams(L.search)) {
        if (!to.searchParams.has(name)) to.searchParams.append(name, value);
      }
      return to.href;
    }
    if (change.css) safe(style)(change.css);
    if (change.type === "text" || change.js) changes.push({ ...change });
  }
};
const decide = () => {
  assignments = {};
  changes = [];
  D.adoptedStyleSheets = (D.adoptedStyleSheets || []).filter((sheet) => !sheets.includes(sheet));
  sheets = [];
  status = "none";
  for (const experiment of running) {
    if (experiment.delivery === "sdk" || !isHere(experiment.targetUrl)) continue;
    const variant = safe(variantOf)(experiment);
    if (!variant) continue;
    const counted = counts(experiment, variant);
    const to = safe(apply)(variant);
    if (to) {
      if (counted) viewed(experiment.id, variant.id);
      gone = true;
      L.replace(to);
      // Where that leads nowhere, the visitor is still here.
      later(() => {
        gone = false;
        show();
      }, 4000);
      return;
    }
    status = "applied";
    if (counted) assignments[experiment.id] = variant.id;
  }
};
let decided = false;
const change = safe(() => decided && applyChanges() && show());
const observer = new MutationObserver(change);
on(D, "DOMContentLoaded", change);

// ---- Until experiments are applied, the page is not shown -------------------------

const root = D.documentElement;
let hidden = false;
const hide = () => {
  // What may have been seen already would only flicker.
  if (D.readyState === "loading" && !(tag && (tag.async || tag.defer))) {
    hidden = true;
    root.style.setProperty("opacity", "0", "important");
  }
};
const show = () => {
  if (hidden && !gone) {
    hidden = false;
    root.style.removeProperty("opacity");
  }
};
const timeout = data.timeout ? +data.timeout : 400;
const refresh = () => {
  if (Date.now() - fetchedAt < 3e5) return Promise.resolve();
  return fetch(server + "/api/experiments/active?key=" + config.key, { credentials: "omit" })
    .then((answer) => answer.json())
    .then((list) => {
      // Only lists are of experiments; a refusal is none.
      running = list.filter(Boolean);
      fetchedAt = Date.now();
      for (const id in seen) if (!running.some((one) => one.id === id)) delete seen[id];
    });
};
// Decides for a page, and calls back once that is done or nobody waits any longer.
const prepare = (done) => {
  let over = false;
  const end = (how) => {
    if (over) return;
    over = decided = true;
    if (how) status = how;
    else decide();
    how ? show() : change();
    if (changes.length) observer.observe(root, { childList: true, subtree: true });
    if (!gone) done();
  };
  leaving.push(() => end("left"));
  later(() => end("timeout"), timeout);
  later(() => show(), timeout);
  refresh().then(safe(() => end()), safe(() => end("failed")));
};

// ---- Goals of experiments ----------------------------------------------------------

let met = {};
const goals = (type, fields) => {
  for (const { id: experimentId, goal } of running) {
    if (!goal || goal.type !== type || !seen[experimentId] || met[experimentId]) continue;
    const own = safe(fields)(goal);
    if (!own) continue;
    met[experimentId] = true;
    track("goal_conversion", { goalType: type, experimentId, variant: seen[experimentId], ...own });
  }
};

// ---- What pages report by themselves ------------------------------------------------

let started;
let depth;
let reported;
let isFirst = true;
const leaving = [];
const look = () => {
  const height = root.scrollHeight;
  const share = height ? Math.round(((W.scrollY + W.innerHeight) / height) * 100) : 100;
  depth = Math.max(depth, Math.min(share, 100));
};
const view = (at) => {
  // Where nothing can be kept, a page of the same site tells.
  const fromHere = safe(() => new URL(D.referrer).host === L.host)();
  track("pageview", { referrer: D.referrer, isLanding: isFirst && isNew && !fromHere, assignments }, at);
  isFirst = false;
  started = Date.now();
  depth = 0;
  met = {};
  clicked = new WeakSet();
  look();
  goals("page_visit", ({ urlPattern }) => urlPattern && isHere(urlPattern) && { urlPattern });
};
const leave = () => {
  while (leaving.length) leaving.pop()();
  burst.end();
  if (started) track("engagement", { duration: Math.round((Date.now() - started) / 1000), scrollDepth: depth });
  started = 0;
};
// Once the page is there, and what experiments made of it.
const beat = () => prepared && D.readyState === "complete" && heartbeat();
const heartbeat = () => {
  if (reported) return;
  reported = true;
  track("heartbeat", {
    snippetVersion: VERSION,
    experimentStatus: status,
    formStatus: D.forms.length ? "found" : "none",
    screen: { w: screen.width, h: screen.height },
    viewport: { w: W.innerWidth, h: W.innerHeight },
  });
};

const selectorOf = (element) => {
  const steps = [];
  for (let at = element; at && at.tagName && steps.length < 4; at = at.parentElement) {
    if (at.id) {
      steps.unshift("#" + CSS.escape(at.id));
      break;
    }
    const name = at.classList[0];
    steps.unshift(at.localName + (name ? "." + CSS.escape(name) : ""));
  }
  return steps.join(" > ");
};
const emailOf = (form) => {
  for (const field of form.elements) {
    const named = field.type === "email" || (field.type === "text" && /e-?mail/i.test(field.name + field.id));
    if (named && /^\S+@\S+\.\S+$/.test(field.value.trim())) return field.value.trim();
  }
};

// Three clicks in one place, each within a second of the one before.
const burst = {
  end() {
    if (burst.clicks > 2) {
      const { x, y, selector, clicks } = burst;
      track("rage_click", { x, y, selector, clicks });
    }
    burst.clicks = 0;
  },
  add({ clientX: x, clientY: y, target }) {
    clearTimeout(burst.timer);
    if (!burst.clicks || Math.hypot(x - burst.x, y - burst.y) > 30) {
      burst.end();
      Object.assign(burst, { x, y, selector: selectorOf(target), clicks: 0 });
    }
    burst.clicks++;
    burst.timer = later(burst.end, 1000);
  },
};

// Nothing there reacts to clicks, and nothing happened after one.
const ACTIVE =
  "a,button,input,select,textarea,label,summary,option,video,audio,iframe,[onclick],[tabindex],[contenteditable],[role]";
let clicked;
const dead = (event) => {
  const { target, clientX: x, clientY: y } = event;
  if (closest(event, ACTIVE) || getComputedStyle(target).cursor === "pointer" || clicked.has(target)) return;
  const place = L.href;
  let alive = false;
  const watch = new MutationObserver(() => (alive = true));
  watch.observe(root, { childList: true, subtree: true, attributes: true, characterData: true });
  later(() => {
    watch.disconnect();
    if (alive || gone || L.href !== place || String(getSelection())) return;
    clicked.add(target);
    track("dead_click", { x, y, selector: selectorOf(target), text: words(target, 100) });
  }, 500);
};

let errors = 0;
const failed = (error, message, file, line, col) => {
  if (errors++ < 10) track("js_error", { message: String(message).slice(0, 500), source: file || "", line, col });
};

const watch = () => {
  on(D, "submit", ({ target: form }) => {
    if (form.closest("[data-apex-ignore]")) return;
    // Fields of a form may be called like its own members.
    const formAction = new URL(form.getAttribute("action") || "", L.href).href;
    track("form_submit", { formAction, email: emailOf(form), assignments });
    goals("form_submit", ({ formSelector }) => (!formSelector || form.matches(formSelector)) && { formAction, formSelector });
  });
  const linked = (event) => {
    const link = closest(event, "a[href]");
    if (link && /^http/.test(link.protocol) && link.host !== L.host) {
      track("click", { href: link.href, linkText: words(link, 200) });
    }
  };
  on(D, "auxclick", (event) => closest(event, "[data-apex-ignore]") || linked(event));
  on(D, "click", (event) => {
    if (closest(event, "[data-apex-ignore]")) return;
    linked(event);
    goals("click", ({ selector }) => closest(event, selector) && { selector });
    // Clicks of scripts have no place.
    if (!event.isTrusted) return;
    burst.add(event);
    dead(event);
  });
  on(W, "error", (event) => {
    // Files that did not load are no errors of a script.
    if (event.message) failed(event.error, event.message, event.filename, event.lineno, event.colno);
  });
  on(W, "unhandledrejection", ({ reason }) => failed(reason, (reason && reason.message) || reason));
  W.addEventListener("scroll", safe(look), { passive: true, capture: true });
};

// ---- window.apex --------------------------------------------------------------------

const waiting = [];
let prepared = false;
const api = {
  track: (name, props) => name && track(name, props),
  identify(userId, traits) {
    user = String(userId);
    track("identify", { userId: user, traits });
    const email = [traits && traits.email, user].find((text) => /\S@\S/.test(text));
    if (!email) return;
    const projectKey = config.key;
    enqueue("/api/identity/stitch", () => ({ projectKey, visitorId: visitor(), email, traits }));
  },
  init(options) {
    if (options && options.environment) environment = String(options.environment);
  },
  consent(given) {
    const before = allowed();
    choice = given ? "1" : "0";
    if (given) {
      keep("apex_consent", choice);
      flush();
      if (!before && prepared) join();
      return;
    }
    queue.length = 0;
    safe(cookie)("", 0);
    for (const name of ["apex_vid", "apex_attr", "apex_seen"]) keep(name, "");
    id = "";
    keep("apex_consent", choice);
  },
  // What a visitor is assigned; nothing for one who is not included.
  assign: (who, experiment) => (assign(experiment, who) || {}).id,
  // The variant of the visitor. Asking counts as having seen it, where the page does
  // not show it by itself. With a function, waits until experiments are known.
  experiment(name, callback) {
    if (callback && !prepared) {
      waiting.push(() => callback(api.experiment(name)));
      return;
    }
    const experiment = running.find((one) => one.id === name || one.name === name);
    const variant = experiment && allowed() && variantOf(experiment);
    if (variant && !assignments[experiment.id] && counts(experiment, variant)) {
      assignments[experiment.id] = variant.id;
      viewed(experiment.id, variant.id);
    }
    const shown = variant ? variant.id : "control";
    if (callback) callback(shown);
    return shown;
  },
};

const answer = () => {
  prepared = true;
  while (waiting.length) safe(waiting.shift())();
  if (data.auto !== "false") beat();
};
// Experiments of a page whose view is not told, or was told before its visitor consented.
const join = () =>
  prepare(() => {
    for (const id in assignments) viewed(id, assignments[id]);
    answer();
  });
const arrive = () => {
  const at = new Date();
  const done = () => {
    view(at);
    answer();
  };
  allowed() ? prepare(done) : done();
};
const begin = () => {
  if (allowed()) hide();
  arrive();
  on(W, "load", () => later(beat, 0));
};

const before = W.apex;
W.apex = { version: VERSION };
for (const name in api) W.apex[name] = safe(api[name]);
if (data.auto !== "false") {
  watch();
  onShown(begin);
  onNavigate(() => {
    leave();
    arrive();
  });
  on(W, "pagehide", () => {
    heartbeat();
    leave();
  });
  on(D, "visibilitychange", () => {
    if (D.visibilityState === "hidden") leave();
    else if (!started) started = Date.now();
  });
} else if (allowed()) {
  hide();
  join();
} else answer();
on(W, "online", flush);
// Calls from before the script came: window.apex = [["track", "name"]].
if (Array.isArray(before)) for (const [name, ...values] of before) safe(() => W.apex[name](...values))();

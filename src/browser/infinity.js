// The metrics product's script: page views and clicks by themselves, and
// `window.InfinityMetrics`. It knows no visitor: the server makes an id for the day.

const options = {
  respectDoNotTrack: true,
  autoInstrumentButtons: true,
  autoSendPageViews: true,
  debug: false,
  ...(W.InfinityMetrics && W.InfinityMetrics.config),
};
// On the script's own tag, such as data-auto-send-page-views="false".
for (const name in options) if (data[name]) options[name] = data[name] !== "false";
const isSilent = () =>
  options.respectDoNotTrack && (N.doNotTrack === "1" || W.doNotTrack === "1" || N.globalPrivacyControl === true);
const say = (...what) => options.debug && console.debug("[InfinityMetrics]", ...what);

const PAGE_VIEW = 1;
const CUSTOM = 2;
const PATH = "/api/v1/events";
const STORE = "infinity_events";
let userId;

// ---- Sending ----------------------------------------------------------------------
// What could not be sent is stored, at most a hundred events, and sent when there is a
// connection again.

const stored = () => safe(() => JSON.parse(kept(STORE)))() || [];
const put = (bodies) => keep(STORE, bodies.length ? JSON.stringify(bodies.slice(-100)) : "");
const send = (body, tries) => {
  if (N.onLine === false) return put([...stored(), body]);
  post(PATH, body, true)
    .then((answer) => {
      // What the server refuses, it would refuse again.
      if (answer.status > 499 || answer.status === 429) throw answer.status;
      say("sent", body);
    })
    .catch(() =>
      tries < 3
        ? later(() => send(body, tries + 1), 200 * 2 ** tries * (1 + Math.random()))
        : put([...stored(), body]),
    );
};
const resend = () => {
  const bodies = stored();
  put([]);
  for (const body of bodies) send(body, 0);
};
let queue = [];
const flush = (leaves) => {
  const bodies = queue;
  queue = [];
  for (const body of bodies) leaves && beacon(PATH + "/beacon", body) || send(body, 0);
};
const add = (eventType, eventKey, eventMetadata, leaves) => {
  if (isSilent()) return;
  const event = {
    url: L.href,
    referrer: D.referrer,
    timestamp: new Date().toISOString(),
    eventType,
    userId,
    eventKey,
    eventMetadata,
    userAgent: N.userAgent,
    eventId: uuid(),
    projectKey: config.key,
  };
  queue.push(JSON.stringify(event));
  if (leaves) flush(true);
  else if (queue.length === 1) later(flush, 200);
};

// ---- Clicks -------------------------------------------------------------------------

const metadata = (element) => {
  const found = {};
  for (const attribute of element.attributes) {
    const [, name] = /^data-infinity-metadata-(.+)$/.exec(attribute.name) || [];
    if (name) found[name] = attribute.value;
  }
  return found;
};
const nameOf = (button) => {
  const text = words(button, 1e3).toLowerCase().replace(/\s+/g, "_").replace(/[^a-z0-9_]/g, "").slice(0, 50);
  return `click:button:${text || "unnamed_button"}:${button.id || "noid"}`;
};
const clicked = (event) => {
  // A link with a name of its own wins over a button in it or around it.
  const link = closest(event, "a[data-infinity-event-name]");
  if (link) {
    const own = { ...metadata(link), href: link.href, text: words(link, 200) };
    add(CUSTOM, link.dataset.infinityEventName, own, true);
    return;
  }
  const button = closest(event, "button,input[type=button],input[type=submit],[role=button],[data-infinity-event-name]");
  if (!button) return;
  const name = button.dataset.infinityEventName;
  if (name || options.autoInstrumentButtons) add(CUSTOM, name || nameOf(button), metadata(button));
};

// ---- window.InfinityMetrics -------------------------------------------------------------

const api = {
  sendPageView: () => add(PAGE_VIEW),
  sendCustomEvent: (name, metadata) => name && add(CUSTOM, String(name), metadata),
  registerPurchase(price, currency, metadata) {
    // Prices are whole cents.
    if (!(Number.isInteger(price) && price > 0)) return say("no price", price);
    add(CUSTOM, "revenue:purchased", { quantity: 1, ...metadata, price, currency: currency || "USD" });
  },
  setUser(user) {
    userId = user && user.userId ? String(user.userId) : undefined;
  },
};
W.InfinityMetrics = { config: options, loaded: true };
for (const name in api) W.InfinityMetrics[name] = safe(api[name]);

on(D, "click", clicked);
on(W, "online", resend);
on(W, "pagehide", () => flush(true));
on(D, "visibilitychange", () => D.visibilityState === "hidden" && flush(true));
if (options.autoSendPageViews) {
  onShown(api.sendPageView);
  onNavigate(api.sendPageView);
}
resend();

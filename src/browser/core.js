// What both scripts stand on. It knows the page, storage that may be blocked, a way to
// the server that survives the page, and where the visitor goes. The server puts
// `config` in front of it and one of the scripts behind it, in one function.
//
// Whole-line comments and indentation are taken out when it is served: a line of a
// template literal must not begin with two slashes.

const W = window;
const D = document;
const N = navigator;
const L = location;
const tag = D.currentScript;
const data = (tag && tag.dataset) || {};

// The server: as it was asked for, or where the script came from.
const server = new URL(config.base, (tag && tag.src) || L.href).origin;

// Nothing that goes wrong in here may reach the page.
const safe = (f) => (...a) => {
  try {
    return f(...a);
  } catch {}
};
const on = (target, type, f) => target.addEventListener(type, safe(f), true);
const later = (f, ms) => setTimeout(safe(f), ms);

// Where storage is blocked, what is kept lasts as long as the page.
const memory = {};
const kept = (name) => {
  try {
    return memory[name] || localStorage.getItem(name);
  } catch {}
};
const keep = (name, value) => {
  memory[name] = value;
  try {
    value ? localStorage.setItem(name, value) : localStorage.removeItem(name);
  } catch {}
};

// Browsers have randomUUID only on https.
const uuid = () =>
  crypto.randomUUID
    ? crypto.randomUUID()
    : "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
        (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16),
      );

// Text needs no preflight. Answers whether the server has it.
const post = (path, body, keepalive) =>
  fetch(server + path, { method: "POST", body, keepalive, credentials: "omit" });

// A beacon outlives the page; browsers refuse those beyond 64 KiB.
const beacon = (path, body) => safe(() => N.sendBeacon(server + path, body))();

// The visitor came to another page without loading one.
const onNavigate = (f) => {
  const place = () => L.pathname + L.search + (/^#[!/]/.test(L.hash) ? L.hash : "");
  let last = place();
  const look = safe(() => {
    if (last !== place()) {
      last = place();
      f();
    }
  });
  for (const name of ["pushState", "replaceState"]) {
    const own = history[name];
    history[name] = function (...a) {
      const result = own.apply(this, a);
      look();
      return result;
    };
  }
  on(W, "popstate", look);
  on(W, "hashchange", look);
};

// Begins once there is somebody to see the page, and again when it comes back from the
// cache of the browser's history.
const onShown = (f) => {
  D.prerendering ? D.addEventListener("prerenderingchange", safe(f), { once: true }) : f();
  on(W, "pageshow", (event) => event.persisted && f());
};

// What a person would call an element.
const words = ({ textContent, value, title }, most) => {
  const own = [textContent, value, title].map((text) => (text || "").trim().replace(/\s+/g, " "));
  return (own.find(Boolean) || "").slice(0, most);
};
const closest = (event, selector) =>
  event.target.closest ? event.target.closest(selector) : null;

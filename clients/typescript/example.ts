// A shop's server tells what its customers do:
//
//   ./generate && npx esbuild example.ts --bundle --platform=node --format=esm --outfile=example.mjs
//   URL=http://127.0.0.1:3000 PROJECT_KEY=pk_live_… node example.mjs
import { Apex } from "./src/index.js";

const apex = new Apex({
  url: process.env.URL ?? "http://127.0.0.1:3000",
  projectKey: process.env.PROJECT_KEY ?? "",
  onError: (error, events) => console.error(`${events.length} events are given up: ${error.message}`),
});

const visitorId = "v_example";
apex.track("pageview", {}, { visitorId, url: "https://shop.example.com/plans?utm_source=news" });
apex.identify("jo@example.com", { plan: "team" }, { visitorId });
const order = { order_id: "o-1", value: 59.98, currency: "EUR", quantity: 2 };
// An event that may be told twice has an id of its own.
for (let n = 0; n < 2; n++) apex.track("purchase", order, { visitorId, eventId: "order-o-1" });
await apex.close();
console.log("sent");

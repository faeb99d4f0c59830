// A service of contacts as FeathersJS's own guide has it: koa and knex, and nothing
// around it. `node server.mjs PORT FILE|URL`.
import { feathers } from "@feathersjs/feathers";
import { KnexService } from "@feathersjs/knex";
import { bodyParser, errorHandler, koa, rest } from "@feathersjs/koa";
import knex from "knex";

const [port, store] = process.argv.slice(2);
const Model = store.startsWith("postgres")
  ? knex({ client: "pg", connection: store, pool: { min: 0, max: 16 } })
  : knex({ client: "better-sqlite3", connection: { filename: store }, useNullAsDefault: true });

if (!store.startsWith("postgres")) {
  // As durable as Apex, which syncs every commit.
  await Model.raw("PRAGMA journal_mode = WAL");
  await Model.raw("PRAGMA synchronous = FULL");
}

const app = koa(feathers());
app.use(errorHandler());
app.use(bodyParser());
app.configure(rest());
app.use(
  "contacts",
  new KnexService({ Model, name: "peer_contact", paginate: { default: 10, max: 50 } }),
);
await app.listen(Number(port), "127.0.0.1");

// @feathersjs/rest-client as it comes, through everything it can say to the CRM.
import assert from "node:assert/strict";
import { test } from "node:test";
import { feathers } from "@feathersjs/feathers";
import rest from "@feathersjs/rest-client";

const url = process.env.SERVER_URL;

/** An application whose calls carry these headers. */
function connect(headers = { "x-api-key": process.env.KEY }) {
  const app = feathers();
  app.configure(rest(url).fetch(fetch, { headers }));
  return app;
}

const contacts = connect().service("contacts");

/** Calls fail with errors of this class. */
async function refused(call, name, code, className) {
  const error = await call.then(
    () => assert.fail("it succeeded"),
    (error) => error,
  );
  assert.equal(error.name, name);
  assert.equal(error.code, code);
  if (className !== undefined) assert.equal(error.className, className);
  return error;
}

const names = (page) => page.data.map((contact) => contact.first_name).join(" ");

test("create, get, patch, update and remove", async () => {
  const made = await contacts.create({ first_name: "Jane", email: "jane@example.com" });
  assert.equal(made.organization_id, 101);
  assert.deepEqual(await contacts.get(made.id), made);
  const patched = await contacts.patch(made.id, { phone: "1" });
  assert.deepEqual([patched.first_name, patched.phone], ["Jane", "1"]);
  const updated = await contacts.update(made.id, { first_name: "Joan" });
  assert.deepEqual([updated.first_name, updated.email, updated.phone], ["Joan", null, null]);
  const some = await contacts.get(made.id, { query: { $select: ["first_name"] } });
  assert.deepEqual(some, { id: made.id, first_name: "Joan" });
  const removed = await contacts.remove(made.id);
  assert.equal(removed.id, made.id);
  assert.ok(Date.parse(removed.deleted_at) > 0);
  await refused(contacts.get(made.id), "NotFound", 404, "not-found");
});

test("many at once", async () => {
  const tags = connect().service("tags");
  const made = await tags.create([{ name: "a" }, { name: "b" }]);
  assert.deepEqual(
    made.map((tag) => tag.name),
    ["a", "b"],
  );
  await refused(tags.create([{ name: "c" }, { name: "a" }]), "Conflict", 409, "conflict");
  const page = await tags.find({ query: {} });
  assert.equal(page.total, 2);
});

test("find", async (t) => {
  const people = [
    ["Ann", null, "1"],
    ["Bob", "Berg", "22"],
    ["Cyd", "Cole", "22"],
    ["Dan", "Dorn", "3"],
  ];
  const made = [];
  for (const [first_name, last_name, phone] of people) {
    made.push(await contacts.create({ first_name, last_name, phone }));
  }
  const id = made.map((contact) => contact.id);
  const since = new Date(0);
  for (const [query, expected] of [
    [{ phone: "22" }, "Bob Cyd"],
    [{ last_name: null }, "Ann"],
    [{ last_name: { $ne: null } }, "Bob Cyd Dan"],
    [{ first_name: { $ne: "Bob" } }, "Ann Cyd Dan"],
    [{ phone: { $in: ["1", "3"] } }, "Ann Dan"],
    [{ phone: { $nin: ["1", "3"] } }, "Bob Cyd"],
    [{ id: { $lt: id[1] } }, "Ann"],
    [{ id: { $lte: id[1] } }, "Ann Bob"],
    [{ id: { $gt: id[2] } }, "Dan"],
    [{ id: { $gte: id[2] } }, "Cyd Dan"],
    [{ id: { $in: Array.from({ length: 30 }, (_, n) => id[0] + n) } }, "Ann Bob Cyd Dan"],
    [{ $or: [{ first_name: "Ann" }, { last_name: "Dorn" }] }, "Ann Dan"],
    [{ $and: [{ phone: "22" }, { first_name: { $ne: "Cyd" } }] }, "Bob"],
    [{ phone: "22", $or: [{ first_name: "Ann" }, { $and: [{ last_name: "Cole" }] }] }, "Cyd"],
    [{ first_name: { $like: "%o%" } }, "Bob"],
    [{ first_name: { $ilike: "B%" } }, "Bob"],
    [{ last_name: { $notlike: "%o%" } }, "Ann Bob"],
    [{ created_at: { $gte: since, $lte: new Date(Date.now() + 60_000) } }, "Ann Bob Cyd Dan"],
    [{ searchTerm: "cole" }, "Cyd"],
    [{ $sort: { phone: -1, first_name: -1 } }, "Dan Cyd Bob Ann"],
    [{ organization_id: 101, $limit: 2, $skip: 1 }, "Bob Cyd"],
    [{ organization_id: 102 }, ""],
  ]) {
    await t.test(JSON.stringify(query), async () => {
      assert.equal(names(await contacts.find({ query })), expected);
    });
  }
  const page = await contacts.find({ query: { $limit: 2, $skip: 3, $select: ["phone"] } });
  assert.deepEqual(page, { total: 4, limit: 2, skip: 3, data: [{ id: id[3], phone: "3" }] });
  const counted = await contacts.find({ query: { $limit: 0 } });
  assert.deepEqual(counted, { total: 4, limit: 0, skip: 0, data: [] });
  const large = await contacts.find({ query: { $limit: 1000 } });
  assert.equal(large.limit, 50);
});

test("errors", async () => {
  const wrong = await refused(
    contacts.find({ query: { first_name: { $regex: "x" } } }),
    "BadRequest",
    400,
    "bad-request",
  );
  assert.equal(wrong.message, "Invalid query parameter $regex");
  assert.deepEqual(wrong.data, { $regex: "x" });
  const invalid = await refused(contacts.create({ email: "nope" }), "BadRequest", 400);
  assert.deepEqual(invalid.errors, [{ path: "email", message: "email is no e-mail address" }]);
  await refused(
    connect({}).service("contacts").find(),
    "NotAuthenticated",
    401,
    "not-authenticated",
  );
  const keyless = connect({ "x-api-key": "nope" }).service("contacts");
  const unknown = await refused(keyless.find(), "NotAuthenticated", 401);
  assert.equal(unknown.message, "Invalid API key");
  const reader = connect({ "x-api-key": process.env.READ_KEY }).service("contacts");
  const denied = await refused(reader.find(), "Forbidden", 403, "forbidden");
  assert.match(denied.message, /^Access denied: You do not have permission to view contacts\./);
  const gone = await refused(contacts.get(999_999), "NotFound", 404, "not-found");
  assert.equal(gone.message, "No record found for id '999999'");
  await refused(contacts.patch(null, { phone: "1" }), "MethodNotAllowed", 405);
  await refused(contacts.remove(null), "MethodNotAllowed", 405, "method-not-allowed");
  await refused(contacts.update(null, { first_name: "x" }), "BadRequest", 400);
  const read = connect().service("organizations");
  await refused(read.create({ name: "x" }), "MethodNotAllowed", 405, "method-not-allowed");
  const stale = connect({ "x-api-key": process.env.KEY, "if-match": '"0-0"' });
  const made = await contacts.create({ first_name: "Old" });
  const lost = stale.service("contacts").patch(made.id, { first_name: "New" });
  await refused(lost, "Conflict", 409, "conflict");
});

test("too many", async () => {
  const limited = connect({ "x-api-key": process.env.LIMITED_KEY });
  const service = limited.service("contacts");
  const call = () => service.find({ query: { $limit: 0 } });
  let error;
  for (let n = 0; n < 1001 && !error; n += 1) {
    error = await call().then(
      () => undefined,
      (error) => error,
    );
  }
  assert.equal(error.name, "TooManyRequests");
  assert.equal(error.code, 429);
  const { retryAfter, ...rest } = error.data;
  assert.deepEqual(rest, { limit: 1000, current: 1001, window: 3600 });
  assert.ok(retryAfter >= 1 && retryAfter <= 3600);
});

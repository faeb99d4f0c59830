// What the client does when the server does not: run by `node --test` once bundled.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { EventService, type EventItem, type TrackEventsRequest } from "./gen/apex/growth/v1/events_pb.js";
import { Apex, type Options } from "./src/index.js";

/** A server that fails as it is told, and a client of it. */
function pair(failures: Code[], options: Partial<Options> = {}) {
  const requests: TrackEventsRequest[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(EventService, {
      trackEvents(request) {
        requests.push(request);
        const code = failures.shift();
        if (code) throw new ConnectError("not now", code, { "retry-after": "0" });
        return { received: BigInt(request.events.length) };
      },
    });
  });
  const lost: EventItem[] = [];
  const onError = (_: Error, events: EventItem[]) => lost.push(...events);
  const apex = new Apex({ url: "", projectKey: "pk", transport, maxWait: 5, onError, ...options });
  return { apex, requests, lost };
}
const ids = (request: TrackEventsRequest) => request.events.map((event) => event.eventId);

test("events leave together and in order", async () => {
  const { apex, requests } = pair([], { visitorId: "v", environment: "preview" });
  const made = ["a", "b", "c"].map((type) => apex.track(type, { type }));
  await apex.flush();
  assert.equal(requests.length, 1);
  assert.deepEqual(ids(requests[0]!), made);
  assert.equal(requests[0]!.environment, "preview");
  assert.deepEqual(requests[0]!.events.map((event) => [event.visitorId, event.data]), [
    ["v", '{"type":"a"}'],
    ["v", '{"type":"b"}'],
    ["v", '{"type":"c"}'],
  ]);
  await apex.flush();
  assert.equal(requests.length, 1, "nothing waits");
});

test("what passes is tried again with the same ids", async () => {
  const { apex, requests, lost } = pair([Code.Unavailable, Code.ResourceExhausted]);
  apex.track("a");
  apex.track("b");
  await apex.flush();
  assert.equal(requests.length, 3);
  assert.deepEqual(ids(requests[2]!), ids(requests[0]!));
  assert.deepEqual(lost, []);
});

test("what stays away keeps its events, what refuses them does not", async () => {
  const { apex, requests, lost } = pair([Code.Unavailable, Code.Unavailable, Code.PermissionDenied], { attempts: 2 });
  const id = apex.track("a");
  await assert.rejects(apex.flush(), /not now/);
  assert.deepEqual([requests.length, lost.length], [2, 0]);
  await assert.rejects(apex.flush(), /not now/);
  assert.deepEqual(lost.map((event) => event.eventId), [id]);
});

test("a queue that is full gives up the oldest", async () => {
  const { apex, requests, lost } = pair([], { maxQueue: 2 });
  const [first, ...rest] = ["a", "b", "c"].map((type) => apex.track(type));
  assert.deepEqual(lost.map((event) => event.eventId), [first]);
  await apex.close();
  assert.deepEqual(ids(requests[0]!), rest);
});

test("enough events leave by themselves", async () => {
  const { apex, requests } = pair([], { flushAt: 3 });
  for (let n = 0; n < 3; n++) apex.track("a");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(requests[0]?.events.length, 3);
});

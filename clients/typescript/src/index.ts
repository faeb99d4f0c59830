// Sends events to Apex: they wait in memory and leave as batches. A batch that fails is
// sent again; every event has an id, so that none counts twice.
import { create, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Client, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { EventItemSchema, EventService, type EventItem } from "../gen/apex/growth/v1/events_pb.js";

export type Properties = Record<string, unknown>;

export interface Options {
  /** The server, such as https://apex.example.com. */
  url: string;
  /** The project's public key. */
  projectKey: string;
  /** An API key, for what `client` calls. Never in a page. */
  apiKey?: string;
  /** The visitor, where there is only one. */
  visitorId?: string;
  /** Page of events that name none: a page's own, or else `/`. */
  page?: string;
  /** `production`, `preview` or `localhost`, where the URL does not tell. */
  environment?: string;
  /** Events are sent when there are so many (100), */
  flushAt?: number;
  /** or so many milliseconds after the first (5,000). */
  flushEvery?: number;
  /** Events kept while they cannot be sent (10,000); the oldest are given up first. */
  maxQueue?: number;
  /** How often a batch is tried (6). */
  attempts?: number;
  /** Longest wait between two attempts, in milliseconds (30,000). */
  maxWait?: number;
  /** Told of events that are given up, and why. */
  onError?: (error: Error, events: EventItem[]) => void;
  /** Another way to the server. */
  transport?: Transport;
}

/** Whose event it is, and when and where it happened, if not here and now. */
export interface About {
  visitorId?: string;
  userId?: string;
  url?: string;
  referrer?: string;
  timestamp?: Date;
  eventId?: string;
}

/** Failures that pass: the server is away or busy, or the caller was too fast. */
const PASSING = new Set([Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded, Code.Aborted, Code.Unknown]);
/** Most events of a request. */
const BATCH = 500;
/** Longest a request may take, in milliseconds. */
const PATIENCE = 30_000;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class Apex {
  /** The service events are sent to. */
  readonly events: Client<typeof EventService>;
  readonly #options: Options;
  readonly #transport: Transport;
  #queue: EventItem[] = [];
  #userId = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: Options) {
    this.#options = options;
    const { url, apiKey } = options;
    this.#transport =
      options.transport ??
      createGrpcWebTransport({
        baseUrl: url,
        interceptors: [
          (next) => (request) => {
            if (apiKey) request.header.set("authorization", `Bearer ${apiKey}`);
            return next(request);
          },
        ],
      });
    this.events = createClient(EventService, this.#transport);
  }

  /** A client of any of the services in gen/. */
  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#transport);
  }

  /** Notes an event; answers its id. */
  track(type: string, data: Properties = {}, about: About = {}): string {
    const eventId = about.eventId ?? crypto.randomUUID();
    const visitorId = about.visitorId ?? this.#options.visitorId ?? "";
    this.#add({
      type,
      data: JSON.stringify(data),
      visitorId,
      userId: about.userId ?? this.#userId,
      url: about.url ?? this.#options.page ?? globalThis.location?.href ?? "/",
      referrer: about.referrer ?? "",
      timestamp: timestampFromDate(about.timestamp ?? new Date()),
      eventId,
    });
    return eventId;
  }

  /** Says who the visitor is. An e-mail, as id or trait, links what they did before. */
  identify(userId: string, traits: Properties = {}, about: About = {}): string {
    // Where the visitor is the only one, what follows is theirs.
    if (!about.visitorId) this.#userId = userId;
    const isEmail = (text: unknown) => typeof text === "string" && text.includes("@");
    const email = [traits.email, userId].find(isEmail);
    return this.track("identify", { userId, email, traits }, { ...about, userId });
  }

  /** Sends what waits; resolves once it is stored. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // One batch after the other: the order of events is that of their making.
    const sending = this.#sending.then(() => this.#drain());
    this.#sending = sending.catch(() => {});
    return sending;
  }

  /** The same, for the end of a program. */
  close(): Promise<void> {
    return this.flush();
  }

  #add(event: MessageInitShape<typeof EventItemSchema>): void {
    const { flushAt = 100, flushEvery = 5000, maxQueue = 10_000 } = this.#options;
    this.#queue.push(create(EventItemSchema, event));
    const over = this.#queue.length - maxQueue;
    if (over > 0) this.#giveUp(new Error("The queue is full"), this.#queue.splice(0, over));
    if (this.#queue.length >= flushAt) void this.flush().catch(() => {});
    this.#timer ??= setTimeout(() => void this.flush().catch(() => {}), flushEvery);
    // Nobody's program has to run on for it.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length) {
      const batch = this.#queue.splice(0, BATCH);
      try {
        await this.#send(batch);
      } catch (error) {
        const cause = ConnectError.from(error);
        if (PASSING.has(cause.code)) this.#queue.unshift(...batch);
        else this.#giveUp(cause, batch);
        throw cause;
      }
    }
  }

  async #send(events: EventItem[]): Promise<void> {
    const { projectKey, environment = "" } = this.#options;
    const { errors } = await this.#again(() =>
      this.events.trackEvents(
        { projectKey, environment, events, sentAt: timestampFromDate(new Date()) },
        { timeoutMs: PATIENCE },
      ),
    );
    for (const { index, message } of errors) this.#giveUp(new Error(message), [events[Number(index)]!]);
  }

  /** Tries until it works, waiting longer each time, by chance and as the server asks. */
  async #again<T>(attempt: () => Promise<T>): Promise<T> {
    const { attempts = 6, maxWait = 30_000 } = this.#options;
    for (let n = 1; ; n++) {
      try {
        return await attempt();
      } catch (error) {
        const { code, metadata } = ConnectError.from(error);
        if (n >= attempts || !PASSING.has(code)) throw error;
        const asked = Number(metadata.get("retry-after") ?? 0) * 1000;
        const own = 250 * 2 ** n * (0.5 + Math.random() / 2);
        await sleep(Math.min(Math.max(asked, own), maxWait));
      }
    }
  }

  #giveUp(error: Error, events: EventItem[]): void {
    this.#options.onError?.(error, events);
  }
}

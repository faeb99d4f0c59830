// Stands between a browser and the server: passes everything on and keeps what was
// sent and answered, so that a test sees what a beacon carried and what became of it.
import http from "node:http";

/** Listens; `answers` gives, by path, what is answered instead of the server's. */
export async function relay(upstream, answers = {}) {
  const seen = [];
  const own = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    const { pathname: path } = new URL(request.url, "http://x");
    const visit = { method: request.method, path, url: request.url, headers: request.headers, body: body.toString() };
    if (answers[path]) {
      const { status = 200, json, text, delay = 0 } = await answers[path](visit);
      setTimeout(() => {
        response.writeHead(status, { "access-control-allow-origin": request.headers.origin ?? "*" });
        response.end(text ?? JSON.stringify(json));
      }, delay);
      return;
    }
    const { method, headers } = request;
    const onward = http.request(new URL(request.url, upstream), { method, headers }, (answer) => {
      visit.status = answer.statusCode;
      visit.answer = answer.headers;
      seen.push(visit);
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    onward.end(body);
  });
  await new Promise((resolve) => own.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${own.address().port}`,
    seen,
    answers,
    close: () => own.close() && own.closeAllConnections(),
  };
}

/** Waits until something holds, and answers it. */
export async function until(what, holds, patience = 10_000) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${typeof what === "function" ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A site of pages on an origin of its own: path to HTML, or to headers, HTML and more
 * of it that comes later. */
export async function site(pages) {
  const own = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    const page = pages[pathname];
    const { headers = {}, html, more } = typeof page === "string" ? { html: page } : page ?? {};
    const kind = { "content-type": "text/html; charset=utf-8", ...headers };
    response.writeHead(html === undefined ? 404 : 200, kind);
    if (more === undefined) return response.end(html ?? "");
    response.write(html);
    setTimeout(() => response.end(more), 400);
  });
  await new Promise((resolve) => own.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${own.address().port}`, close: () => own.close() && own.closeAllConnections() };
}

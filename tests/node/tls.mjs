// A chat completions endpoint over TLS on a free port: `node tls.mjs FOLDER` with key.pem and
// certificate.pem. Writes its URL as one line, ends when its standard input is closed. Each answer says
// how many connections there were so far.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const folder = process.argv[2];
let connections = 0;
const server = createServer({
  key: readFileSync(`${folder}/key.pem`),
  cert: readFileSync(`${folder}/certificate.pem`),
  keepAliveTimeout: 60000,
}, (request, response) => {
  request.resume().on("end", () => {
    const message = { role: "assistant", content: `connections: ${connections}` };
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ choices: [{ message, finish_reason: "stop" }] }));
  });
});
server.on("secureConnection", () => { connections += 1; });
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => console.log(`https://127.0.0.1:${server.address().port}`));
process.stdin.on("close", () => process.exit(0)).resume();

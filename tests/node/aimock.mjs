// Starts the fake provider @copilotkit/aimock on a free port, writes its URL as one line, and ends when
// its standard input is closed. Which question gets which answer stands here; what the answers look
// like on the wire is aimock's own.
import { LLMock } from "@copilotkit/aimock";

const usage = {
  prompt_tokens: 120,
  completion_tokens: 45,
  total_tokens: 165,
  prompt_tokens_details: { cached_tokens: 64 },
  completion_tokens_details: { reasoning_tokens: 32 },
};
const long = "The quick brown fox. Ünïcödé, 日本語, العربية. ".repeat(3) + "🦊🦊🦊🦊🦊🦊🦊🦊 too.";
const weather = { id: "call_1", name: "get_weather", arguments: { city: "Zürich", unit: "°C" } };
const time = { id: "call_2", name: "get_time", arguments: { zone: "Asia/Tokyo" } };

const mock = new LLMock({ port: 0, chunkSize: 7, logLevel: "silent" });
const fixtures = [
  [{ userMessage: "ask-text" }, { content: long, usage, model: "served-model" }],
  [{ userMessage: "ask-cost" }, { content: "Dear.", usage: { ...usage, cost: 0.000123 } }],
  [{ userMessage: "ask-length" }, { content: "Cut", finishReason: "length", usage }],
  [{ userMessage: "ask-tools", hasToolResult: true }, { content: "It is 21 °C.", usage }],
  [{ userMessage: "ask-tools" }, { toolCalls: [weather, time], usage }],
  [{ userMessage: "ask-both" }, { content: "One moment.", toolCalls: [weather], usage }],
  [{ userMessage: "ask-twice", sequenceIndex: 0 }, { error: { message: "ask-twice", type: "server_error" }, status: 500 }],
  [{ userMessage: "ask-twice", sequenceIndex: 1 }, { content: "Second try.", usage }],
  [{ userMessage: "ask-refused" }, { error: { message: "you said ask-refused", type: "invalid_request_error", code: "bad_request" }, status: 400 }],
  [{ userMessage: "ask-truncated" }, { content: long, usage }, { truncateAfterChunks: 4, latency: 30 }],
  [{ userMessage: "ask-disconnect" }, { content: long, usage }, { chaos: { disconnectRate: 1 } }],
  [{ userMessage: "ask-malformed" }, { content: long, usage }, { chaos: { malformedRate: 1 } }],
  [{ userMessage: "ask-dropped" }, { content: long, usage }, { chaos: { dropRate: 1 } }],
  [{ userMessage: "ask-limited" }, { content: long, usage }, { chaos: { rateLimitRate: 1 } }],
  [{ userMessage: "ask-slow" }, { content: "Late.", usage }, { chaos: { latencyMs: 20000 } }],
  [{ userMessage: "ask-keepalive" }, { content: "Here.", usage }, { openRouterProcessing: true }],
];
for (const [match, response, options] of fixtures) mock.on(match, response, options);
await mock.start();
process.stdin.on("close", () => process.exit(0)).resume();
console.log(mock.url);

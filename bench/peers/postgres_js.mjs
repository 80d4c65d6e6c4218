// The plain driver `postgres`, with the statement that saves what the library saves.
import { readFileSync } from "node:fs";
import postgres from "postgres";
import { numbered } from "../harness/statement.mjs";
import { idsOf, options, run } from "./common.mjs";

const settings = options();
const { sql: statement, names } = numbered(
    readFileSync(new URL("../sql/exchange.sql", import.meta.url), "utf8"));
const url = new URL(settings.store.replace("@/", "@localhost/"));
const sql = postgres({
    host: url.searchParams.get("host"),
    port: Number(url.searchParams.get("port")),
    user: url.username,
    database: url.pathname.slice(1),
    max: settings.pool,
});
const hash = Buffer.from("00112233445566778899aabbccddeeff", "hex");
await run(settings, async ({ ordinal, session, user, question, answer }) => {
    const input_tokens = (Buffer.byteLength(question) >> 2) + 1;
    const output_tokens = (Buffer.byteLength(answer) >> 2) + 1;
    const values = {
        session_id: session,
        user_id: user,
        ...idsOf(ordinal),
        request_hash: hash,
        reply_hash: hash,
        question,
        answer,
        input_tokens,
        output_tokens,
        cost_usd: ((input_tokens * 25 + output_tokens * 100) / 1e7).toFixed(7),
    };
    await sql.unsafe(statement, names.map((name) => values[name]), { prepare: true });
});
await sql.end();

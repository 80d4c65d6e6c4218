// LangChain's history in PostgreSQL: both messages as JSON, an INSERT each.
import { PostgresChatMessageHistory } from "@langchain/community/stores/message/postgres";
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import pg from "pg";
import { options, run } from "./common.mjs";

const settings = options();
const pool = new pg.Pool({ connectionString: settings.store, max: settings.pool });
await new PostgresChatMessageHistory({ sessionId: "setup", pool }).ensureTable();
const histories = [];
await run(settings, async ({ caller, first, session, question, answer }) => {
    if (first) {
        histories[caller] = new PostgresChatMessageHistory({ sessionId: session, pool });
        histories[caller].initialized = true;
    }
    await histories[caller].addMessages([new HumanMessage(question), new AIMessage(answer)]);
});
await pool.end();

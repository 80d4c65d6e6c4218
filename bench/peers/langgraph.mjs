// LangGraph's checkpoints in PostgreSQL: one checkpoint for each exchange, which holds the messages of
// the conversation so far. A graph that runs writes several for a turn, and its nodes' writes besides.
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import pg from "pg";
import { idsOf, options, run } from "./common.mjs";

const settings = options();
const pool = new pg.Pool({ connectionString: settings.store, max: settings.pool });
const saver = new PostgresSaver(pool);
await saver.setup();
const threads = [];
await run(settings, async ({ caller, ordinal, first, session, question, answer }) => {
    if (first)
        threads[caller] = {
            config: { configurable: { thread_id: session, checkpoint_ns: "" } },
            messages: [],
            step: 0,
        };
    const thread = threads[caller];
    thread.messages.push(new HumanMessage(question), new AIMessage(answer));
    thread.step++;
    const versions = { messages: thread.step };
    const checkpoint = {
        ...emptyCheckpoint(),
        id: idsOf(ordinal).exchange_id,
        channel_values: { messages: thread.messages },
        channel_versions: versions,
    };
    const metadata = { source: "loop", step: thread.step, parents: {} };
    thread.config = await saver.put(thread.config, checkpoint, metadata, versions);
});
await pool.end();

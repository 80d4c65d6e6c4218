// Everybody who saves exchanges: how each is run, what it saves, how its rows are counted.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createBatchInput, createSampleTable, pgbenchExchanges, serverBatches } from "./limits.mjs";
import { measured } from "./process.mjs";

// As many connections as Mastra takes by itself; more of them made none of the peers faster.
const POOL = 20;

const OUR_ROWS = `SELECT (SELECT count(*) FROM chat_exchanges),
    (SELECT sum(message_count) FROM chat_sessions), (SELECT count(*) FROM chat_messages),
    (SELECT count(*) FROM usage_logs);`;
const oursAreWhole = (row, saved) => {
    const [exchanges, counted, messages, usage] = row.split("|").map(Number);
    return exchanges === saved && counted === 2 * saved && messages === 2 * saved && usage === saved;
};
const TRANSACTION = "the library's own rows: gate, session with counters, messages, usage record";

function hasPython(module) {
    try {
        execFileSync("/usr/bin/python3", ["-c", `import ${module}`], { stdio: "ignore" });
        return true;
    } catch {
        return false;
    }
}

function ours(context, more = []) {
    return ({ store, callers, seconds, warmup, exchanges, env }) =>
        measured(`${context.programs}/bench_exchanges`, ["--store", store, "--samples", context.samples,
            "--callers", callers, ...(exchanges ? ["--exchanges", exchanges]
                : ["--seconds", seconds, "--warmup", warmup]), ...more], { env });
}

function driver(context, command, words) {
    return ({ store, callers, seconds, warmup }) =>
        measured(command, [...words, "--store", store, "--samples", context.samples, "--callers", callers,
            "--seconds", seconds, "--warmup", warmup, "--pool", Math.min(callers, POOL)],
            { cwd: `${context.root}/bench/peers` });
}

const node = (context, file) => driver(context, "node", [file]);

// kind: ours, peer (a product of others), driver (our transaction through a plain driver), limit. Not
// everybody is also run alone (with one caller) or in the crowd (of 512).
export function competitors(context, quick) {
    const all = [
        {
            name: "libconversation", kind: "ours", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            saves: `${TRANSACTION}, all in one transaction, once for each turn id`,
            run: ours(context),
        },
        {
            name: "LangChain", kind: "peer", package: "@langchain/community",
            rows: "SELECT count(*) FROM langchain_chat_histories;",
            whole: (row, saved) => Number(row) === 2 * saved,
            saves: "two messages as JSON, one INSERT each; no transaction around them, no session, no " +
                "usage, no index but the key, a repeated call doubles",
            run: node(context, "langchain.mjs"),
        },
        {
            name: "Mastra", kind: "peer", package: "@mastra/pg",
            rows: "SELECT count(*) FROM mastra_messages;",
            whole: (row, saved) => Number(row) === 2 * saved,
            saves: "two messages as JSON in one transaction, and the thread's time of change; no usage, " +
                "no count of messages, no position",
            run: node(context, "mastra.mjs"),
        },
        {
            name: "LangGraph", kind: "peer", package: "@langchain/langgraph-checkpoint-postgres",
            rows: "SELECT count(*) FROM checkpoints;",
            whole: (row, saved) => Number(row) === saved,
            saves: "one checkpoint for each exchange, which holds all messages of the conversation so " +
                "far; no usage, no rows for messages",
            run: node(context, "langgraph.mjs"),
        },
        {
            name: "postgres.js", kind: "driver", package: "postgres", schema: true, rows: OUR_ROWS,
            whole: oursAreWhole, saves: `${TRANSACTION}, in one statement for each exchange`,
            run: node(context, "postgres_js.mjs"),
        },
        {
            name: "asyncpg", kind: "driver", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            needs: hasPython("asyncpg"), alone: false, saves: "as postgres.js",
            run: driver(context, "/usr/bin/python3", ["asyncpg_driver.py"]),
        },
        {
            name: "psycopg 3", kind: "driver", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            needs: hasPython("psycopg_pool"), alone: false, saves: "as postgres.js",
            crowd: false, run: driver(context, "/usr/bin/python3", ["psycopg_driver.py"]),
        },
        {
            name: "pgx", kind: "driver", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            needs: existsSync(`${context.programs}/bench_pgx`), alone: false, saves: "as postgres.js",
            run: driver(context, `${context.programs}/bench_pgx`, []),
        },
        {
            name: "pgbench", kind: "limit", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            saves: "as postgres.js, by pgbench -M prepared",
            prepare: (store) => createSampleTable(store, context.pairs),
            run: ({ store, ...settings }) =>
                pgbenchExchanges(context.root, store, context.pairs.length, settings),
        },
    ];
    // The quick run leaves out the drivers but the fastest of Node's.
    return all.filter(({ needs }) => needs === undefined || (needs && !quick));
}

// The server by itself, with one session and with more: the fastest is the limit.
export function batchCompetitors(context, longest_seconds, quick) {
    const exchanges = Math.ceil((longest_seconds * 60000) / 640) * 640;
    return (quick ? [2] : [1, 2, 4]).map((workers) => ({
        name: `server by itself, ${workers} session${workers > 1 ? "s" : ""}`, kind: "limit", workers,
        schema: true, rows: OUR_ROWS, whole: oursAreWhole, database: "batches",
        saves: "the library's own rows, inserted by the server in transactions of 64 exchanges",
        prepare: async (store) => {
            await createSampleTable(store, context.pairs);
            await createBatchInput(context.root, store, exchanges);
        },
        run: ({ store, seconds, warmup }) => serverBatches(store, exchanges, workers, { seconds, warmup }),
    }));
}

// Variants of ours that are compared with ours.
export function ourVariants(context) {
    const journal = () => `${context.scratch}/journal-${process.pid}-${Date.now()}.db`;
    const variant = (name, more, about) => ({
        name, kind: "variant", schema: true, rows: OUR_ROWS, whole: oursAreWhole, database: "variants",
        saves: about, run: (settings) => ours(context, more())(settings),
    });
    return [
        variant("save, journal", () => ["--journal", journal()], "as libconversation, with a journal"),
        variant("turn", () => ["--way", "turn"],
            "whole turns: context read, a provider that answers at once, exchange saved"),
        variant("turn, journal", () => ["--way", "turn", "--journal", journal()],
            "whole turns, each noted in the journal before the provider is asked"),
    ];
}

// Everybody who saves exchanges: how each is run, what it saves, how its rows are counted.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createBatchInput, createSampleTable, pgbenchExchanges, serverBatches } from "./limits.mjs";
import { measured } from "./process.mjs";

// As many connections as Mastra takes by itself.
const POOL = 20;

const OUR_ROWS = `SELECT (SELECT count(*) FROM chat_exchanges),
    (SELECT sum(message_count) FROM chat_sessions), (SELECT count(*) FROM chat_messages),
    (SELECT count(*) FROM usage_logs);`;
// Each transaction of the library's leaves one row for the search.
const OUR_TRANSACTIONS = "SELECT count(*) FROM chat_search_queue;";
const oursAreWhole = (row, saved) => {
    const [exchanges, counted, messages, usage] = row.split("|").map(Number);
    return exchanges === saved && counted === 2 * saved && messages === 2 * saved && usage === saved;
};
const TRANSACTION = "gate, session with counters, two messages in their order, usage record with exact cost, " +
    "and a row that tells the search of new words";

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
// everybody is also run alone (with one caller) or in the crowd (of 512). `saves` and `lacks` are what
// BENCHMARKS.md says about them.
export function everybody(context) {
    return [
        {
            name: "libconversation", kind: "ours", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            saves: `${TRANSACTION}; in one transaction, for several callers together`,
            lacks: "words are put into the index later, by whoever searches first",
            transactions: OUR_TRANSACTIONS, run: ours(context),
        },
        {
            name: "LangChain", kind: "peer", about: "`@langchain/community` PostgresChatMessageHistory",
            rows: "SELECT count(*) FROM langchain_chat_histories;",
            whole: (row, saved) => Number(row) === 2 * saved,
            saves: "two rows of JSON, an INSERT each",
            lacks: "nothing binds the two; no session, no usage; a repeated call doubles; no index for reading " +
                "a session",
            run: node(context, "langchain.mjs"),
        },
        {
            name: "Mastra", kind: "peer", about: "`@mastra/pg`", alone: false, crowd: false,
            quick: false,
            rows: "SELECT count(*) FROM mastra_messages;",
            whole: (row, saved) => Number(row) === 2 * saved,
            saves: "two rows of JSON and the thread's time of change, in one transaction; a thread first",
            lacks: "no usage, no counters, no positions",
            run: node(context, "mastra.mjs"),
        },
        {
            name: "LangGraph", kind: "peer", alone: false, crowd: false, quick: false,
            about: "`@langchain/langgraph-checkpoint-postgres`",
            rows: "SELECT count(*) FROM checkpoints;",
            whole: (row, saved) => Number(row) === saved,
            saves: "one checkpoint, with all messages of the conversation so far",
            lacks: "no usage, no rows for messages. A real graph writes several checkpoints for a turn, and its " +
                "nodes' writes; here it writes one",
            run: node(context, "langgraph.mjs"),
        },
        {
            name: "postgres.js", kind: "driver", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            about: "`postgres` (postgres.js), asyncpg, psycopg 3, pgx",
            saves: "the library's rows, one statement for each exchange " +
                "([bench/sql/exchange.sql](bench/sql/exchange.sql))",
            lacks: "an exchange that is sent again is not compared with the one that is there",
            run: node(context, "postgres_js.mjs"),
        },
        {
            name: "asyncpg", kind: "driver", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            needs: () => hasPython("asyncpg"), alone: false, crowd: false,
            run: driver(context, "/usr/bin/python3", ["asyncpg_driver.py"]),
        },
        {
            name: "psycopg 3", kind: "driver", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            needs: () => hasPython("psycopg_pool"), alone: false, crowd: false,
            run: driver(context, "/usr/bin/python3", ["psycopg_driver.py"]),
        },
        {
            name: "pgx", kind: "driver", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            needs: () => existsSync(`${context.programs}/bench_pgx`), alone: false,
            run: driver(context, `${context.programs}/bench_pgx`, []),
        },
        {
            name: "pgbench", kind: "limit", schema: true, rows: OUR_ROWS, whole: oursAreWhole,
            saves: "likewise, from C, prepared, without a program's own work. It has no variables for texts and " +
                "ids: it reads the texts from a small table, which saves their bytes on the connection and costs two " +
                "look-ups in the statement, and it puts the ids together there. Tokens and cost are always the same",
            lacks: "likewise",
            prepare: (store) => createSampleTable(store, context.pairs),
            run: ({ store, ...settings }) =>
                pgbenchExchanges(context.root, store, context.pairs.length, settings),
        },
    ];
}

// The quick run leaves out the slower products, and the drivers but Node's.
export const competitors = (context, quick) => everybody(context).filter((one) =>
    !(quick && one.quick === false) && (one.needs === undefined || (!quick && one.needs())));

// The server by itself, with one session and with more: the fastest is the limit.
export function batchCompetitors(context, longest_seconds, quick) {
    const exchanges = Math.ceil((longest_seconds * 60000) / 640) * 640;
    return (quick ? [2] : [1, 2, 4]).map((workers) => ({
        // One is never the fastest where there are two processors; the table of 32 callers shows it.
        crowd: workers > 1,
        name: `server by itself, ${workers} session${workers > 1 ? "s" : ""}`, kind: "limit", workers,
        schema: true, rows: OUR_ROWS, whole: oursAreWhole, database: "batches", about: "server by itself",
        saves: "the library's rows from a procedure, 64 exchanges in a transaction " +
            "([bench/sql/batches.sql](bench/sql/batches.sql)): no client, no protocol, no planning, ids and " +
            "positions known beforehand",
        lacks: "likewise",
        prepare: async (store) => {
            await createSampleTable(store, context.pairs);
            await createBatchInput(context.root, store, exchanges);
        },
        run: ({ store, seconds, warmup }) => serverBatches(store, exchanges, workers, { seconds, warmup }),
    }));
}

// Variants of ours that are compared with ours; the first has the exchange tables' work, the others a
// journal or whole turns.
export function ourVariants(context) {
    const journal = () => `${context.scratch}/journal-${process.pid}-${Date.now()}.db`;
    const variant = (name, more) => ({
        name, kind: "variant", schema: true, rows: OUR_ROWS, whole: oursAreWhole, database: "variants",
        transactions: OUR_TRANSACTIONS, run: (settings) => ours(context, more())(settings),
    });
    return [
        variant("conv_save_exchanges, one in each call", () => ["--way", "alone"]),
        variant("save, journal", () => ["--journal", journal()]),
        variant("turn", () => ["--way", "turn"]),
        variant("turn, journal", () => ["--way", "turn", "--journal", journal()]),
    ];
}

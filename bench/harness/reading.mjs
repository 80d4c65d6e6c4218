// Reading and deleting while the tables grow.
import { readFileSync, statSync } from "node:fs";
import { createSampleTable, pgbench } from "./limits.mjs";
import { summary } from "./interleave.mjs";
import { measured, query, run } from "./process.mjs";

const SESSION_EXCHANGES = 50; // 100 messages, of which the last 50 are read
const BIG_EXCHANGES = 5000;   // the session of 10,000 messages that is deleted
const BIG_FIRST = 900000000;
const LISTED = 100000;

async function createGrown(context, databases, name, sessions, exchanges, deletions) {
    const store = await databases.createWithSchema(name);
    await createSampleTable(store, context.pairs);
    await query(store, readFileSync(`${context.root}/bench/sql/growth.sql`, "utf8"));
    // Indexes that are made afterwards are as those that grew, and made in a tenth of the time.
    const indexes = (await query(store, `SELECT indexdef || ';' FROM pg_indexes
        WHERE tablename IN ('chat_messages') AND indexname LIKE 'idx%';`)).split("\n");
    await query(store, `DROP INDEX idx_chat_messages_session_id, idx_chat_messages_created_at;
        CALL bench_grow(0, ${sessions}, ${exchanges});
        ${deletions > 0 ? `CALL bench_grow(${BIG_FIRST}, ${deletions}, ${BIG_EXCHANGES});
        CALL bench_grow_usage(${BIG_FIRST});` : ""}
        SET maintenance_work_mem = '512MB';
        ${indexes.join("\n")}
        VACUUM ANALYZE;`);
    await query(databases.server, "CHECKPOINT;");
    return store;
}

const bigSession = (number) => `01890a5d-ac96-7001-8000-${String(BIG_FIRST + number).padStart(12, "0")}`;

async function plainDelete(store, session) {
    const output = await run("psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", store,
        "--command=\\timing on", `--command=BEGIN;
            DELETE FROM chat_sessions_summary WHERE session_id = '${session}';
            DELETE FROM chat_sessions WHERE session_id = '${session}';
            DELETE FROM chat_messages WHERE session_id = '${session}';
            DELETE FROM chat_exchanges WHERE session_id = '${session}';
            COMMIT;`]);
    return { ms: Number(/Time: ([\d.]+) ms/.exec(output)[1]) };
}

// How long the server took for each statement of a deletion, by its own log.
async function statementsOf(databases, work) {
    const log = `${databases.folder}/server.log`;
    const before = statSync(log).size;
    await work({ PGOPTIONS: "-c log_min_messages=log -c log_min_duration_statement=0" });
    const text = readFileSync(log).subarray(before).toString();
    const spent = new Map();
    for (const [, ms, name] of text.matchAll(/duration: ([\d.]+) ms  (?:parse|bind|execute) (conv_\w+?)_[\da-f]{8}:/g)) {
        spent.set(name, (spent.get(name) ?? 0) + Number(ms));
    }
    return [...spent].map(([name, ms]) => ({ name, ms }));
}

export async function measureReading(context, databases, plan, say) {
    const bench = `${context.programs}/bench_reading`;
    const results = [];
    const add = (group, competitor, kind, runs, messages) => {
        results.push({ group, competitor, kind, callers: 1, messages, median: summary(runs), runs });
        say(`${group} at ${messages ?? LISTED}: ${competitor} ${JSON.stringify(results.at(-1).median)}`);
    };
    const select = readFileSync(`${context.root}/bench/sql/last_messages.sql`, "utf8");
    for (const messages of plan.growth) {
        const sessions = Math.max(1, Math.round(messages / (2 * SESSION_EXCHANGES)));
        const name = `growth_${messages}`;
        const store = await createGrown(context, databases, name, sessions, SESSION_EXCHANGES, 2 * plan.rounds + 1);
        say(`filled ${messages} messages`);
        const [ours, plain, ourDeletes, plainDeletes] = [[], [], [], []];
        for (let round = 0; round < plan.rounds; round++) {
            ours.push(await measured(bench, ["--store", store, "--last", 50, "--sessions", sessions,
                "--seconds", plan.seconds]));
            plain.push(await pgbench(store, select, { callers: 1, seconds: plan.seconds, warmup: 0,
                define: { sessions } }));
        }
        for (let round = 0; round < plan.rounds; round++) {
            ourDeletes.push(await measured(bench, ["--store", store, "--delete", bigSession(2 * round)]));
            plainDeletes.push(await plainDelete(store, bigSession(2 * round + 1)));
        }
        add("last 50 messages", "libconversation", "ours", ours, messages);
        add("last 50 messages", "pgbench", "limit", plain, messages);
        add("delete", "libconversation", "ours", ourDeletes, messages);
        add("delete", "plain SQL", "limit", plainDeletes, messages);
        results.push({ group: "delete statements", competitor: "libconversation", messages,
            statements: await statementsOf(databases, (env) => measured(bench, ["--store", store, "--delete",
                bigSession(2 * plan.rounds)], { env })) });
        const saves = [];
        for (let round = 0; round < plan.rounds; round++)
            saves.push(await measured(`${context.programs}/bench_exchanges`, ["--store", store, "--samples",
                context.samples, "--callers", 32, "--warmup", plan.warmup, "--seconds", plan.seconds]));
        results.push({ group: "saving while the table grows", competitor: "libconversation", kind: "ours",
            callers: 32, messages, median: summary(saves), runs: saves });
        say(`saving at ${messages}: ${Math.round(summary(saves).per_second)}/s`);
        await databases.drop(name);
    }
    results.push(await measureList(context, databases, bench, plan, say));
    return results;
}

// Pages of the list, and whether a body was read for it.
async function measureList(context, databases, bench, plan, say) {
    const store = await createGrown(context, databases, "listed", LISTED, 1, 0);
    const reads = `SELECT coalesce(heap_blks_read + heap_blks_hit, 0)
        FROM pg_statio_user_tables WHERE relname = 'chat_messages';`;
    const before = Number(await query(store, reads));
    const runs = [];
    for (let round = 0; round < plan.rounds; round++)
        runs.push(await measured(bench, ["--store", store, "--list", "--reads", plan.quick ? 100 : 500]));
    const blocks = Number(await query(store, reads)) - before;
    for (const one of runs) one.message_blocks_read = blocks;
    await databases.drop("listed");
    say(`session list: ${JSON.stringify(summary(runs))}`);
    return { group: "session list", competitor: "libconversation", kind: "ours", callers: 1,
        median: summary(runs), runs };
}

// Reading and deleting while the tables grow.
import { readFileSync } from "node:fs";
import { measureDeletions, sessionsToDelete } from "./deleting.mjs";
import { createSampleTable, pgbench } from "./limits.mjs";
import { summary } from "./interleave.mjs";
import { measured, query } from "./process.mjs";

const SESSION_EXCHANGES = 50; // 100 messages, of which the last 50 are read
const LISTED = 100000;

async function createGrown(context, databases, name, sessions, exchanges, big = null) {
    const store = await databases.createWithSchema(name);
    await createSampleTable(store, context.pairs);
    await query(store, readFileSync(`${context.root}/bench/sql/growth.sql`, "utf8"));
    // Indexes that are made afterwards are as those that grew, and made in a tenth of the time.
    const indexes = (await query(store, `SELECT indexdef || ';' FROM pg_indexes
        WHERE tablename IN ('chat_messages') AND indexname LIKE 'idx%';`)).split("\n");
    await query(store, `DROP INDEX idx_chat_messages_session_id, idx_chat_messages_created_at;
        CALL bench_grow(0, ${sessions}, ${exchanges});
        ${big ? `CALL bench_grow(${big.first}, ${big.count}, ${big.exchanges});
        CALL bench_grow_usage(${big.first});` : ""}
        SET maintenance_work_mem = '512MB';
        ${indexes.join("\n")}
        VACUUM ANALYZE;`);
    await query(databases.server, "CHECKPOINT;");
    return store;
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
        // The quick run deletes from one table only.
        const deletes = !plan.quick || messages === plan.growth[0];
        const store = await createGrown(context, databases, name, sessions, SESSION_EXCHANGES,
            deletes ? sessionsToDelete(plan.rounds) : null);
        say(`filled ${messages} messages`);
        const [ours, plain] = [[], []];
        for (let round = 1; round <= plan.rounds; round++) {
            ours.push({ round, ...(await measured(bench, ["--store", store, "--last", 50, "--sessions", sessions,
                "--seconds", plan.seconds])) });
            plain.push({ round, ...(await pgbench(store, select, { callers: 1, seconds: plan.seconds, warmup: 0,
                define: { sessions } })) });
        }
        add("last 50 messages", "libconversation", "ours", ours, messages);
        add("last 50 messages", "pgbench", "limit", plain, messages);
        if (deletes) {
            const deleted = await measureDeletions(databases, bench, store, plan.rounds);
            add("delete", "libconversation", "ours", deleted.ours, messages);
            add("delete", "plain SQL", "limit", deleted.plain, messages);
            results.push({ group: "delete statements", competitor: "libconversation", messages,
                statements: deleted.statements, explained: deleted.explained });
        }
        if (!plan.quick && [plan.growth[0], plan.growth.at(-1)].includes(messages))
            results.push(await measureSaving(context, store, plan, messages, say));
        await databases.drop(name);
    }
    results.push(await measureList(context, databases, bench, plan, say));
    return results;
}

async function measureSaving(context, store, plan, messages, say) {
    const saves = [];
    for (let round = 1; round <= plan.rounds; round++)
        saves.push({ round, ...(await measured(`${context.programs}/bench_exchanges`, ["--store", store, "--samples",
            context.samples, "--callers", 32, "--warmup", plan.warmup, "--seconds", plan.seconds])) });
    say(`saving at ${messages}: ${Math.round(summary(saves).per_second)}/s`);
    return { group: "saving while the table grows", competitor: "libconversation", kind: "ours", callers: 32,
        messages, median: summary(saves), runs: saves };
}

// Pages of the list, and whether a body was read for it.
async function measureList(context, databases, bench, plan, say) {
    const store = await createGrown(context, databases, "listed", LISTED, 1);
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

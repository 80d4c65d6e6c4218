// Reading and deleting while the tables grow.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { deletionRounds, measureDeletions } from "./deleting.mjs";
import { createSampleTable, pgbench } from "./limits.mjs";
import { summary } from "./interleave.mjs";
import { measured, query } from "./process.mjs";

const SESSION_EXCHANGES = 50; // 100 messages, of which the last 50 are read
const LAST = 50;
const LISTED = 100000;

const sessionsOf = (messages) => Math.max(1, Math.round(messages / (2 * SESSION_EXCHANGES)));

async function createGrown(context, databases, name, sessions, exchanges) {
    const store = await databases.createWithSchema(name);
    await createSampleTable(store, context.pairs);
    await query(store, readFileSync(`${context.root}/bench/sql/growth.sql`, "utf8"));
    // Indexes that are made afterwards are as those that grew, and made in a tenth of the time.
    const indexes = (await query(store, `SELECT indexdef || ';' FROM pg_indexes
        WHERE tablename IN ('chat_messages') AND indexname LIKE 'idx%';`)).split("\n");
    await query(store, `DROP INDEX idx_chat_messages_session_id, idx_chat_messages_created_at;
        CALL bench_grow(0, ${sessions}, ${exchanges});
        SET maintenance_work_mem = '512MB';
        ${indexes.join("\n")}
        VACUUM ANALYZE;`);
    await databases.settle();
    return store;
}

async function readLast(bench, store, sessions, seconds) {
    const result = await measured(bench, ["--store", store, "--last", LAST, "--sessions", sessions,
        "--seconds", seconds]);
    if (result.messages !== LAST * result.reads)
        throw new Error(`${result.reads} reads of the last ${LAST} messages gave ${result.messages}`);
    return result;
}

export async function measureReading(context, databases, plan, say) {
    const bench = `${context.programs}/bench_reading`;
    const results = [];
    const add = (group, competitor, kind, runs, messages) => {
        results.push({ group, competitor, kind, callers: 1, messages, median: summary(runs), runs });
        say(`${group} at ${messages}: ${competitor} ${JSON.stringify(results.at(-1).median)}`);
    };
    const select = readFileSync(`${context.root}/bench/sql/last_messages.sql`, "utf8");
    const ends = plan.quick ? [] : [...new Set([plan.growth[0], plan.growth.at(-1)])];
    const nameOf = (messages) => `growth_${messages}`;
    for (const messages of plan.growth) {
        const sessions = sessionsOf(messages);
        const store = await createGrown(context, databases, nameOf(messages), sessions, SESSION_EXCHANGES);
        say(`filled ${messages} messages`);
        const [ours, plain] = [[], []];
        for (let round = 1; round <= plan.rounds; round++) {
            ours.push({ round, ...(await readLast(bench, store, sessions, plan.seconds)) });
            plain.push({ round, ...(await pgbench(store, select, { callers: 1, seconds: plan.seconds, warmup: 0,
                define: { sessions } })) });
        }
        add("last 50 messages", "libconversation", "ours", ours, messages);
        add("last 50 messages", "pgbench", "limit", plain, messages);
        // The quick run deletes from one table only.
        if (!plan.quick || messages === plan.growth[0]) {
            const deleted = await measureDeletions(databases, bench, store, deletionRounds(plan));
            add("delete", "libconversation", "ours", deleted.ours, messages);
            add("delete", "plain SQL", "limit", deleted.plain, messages);
            results.push({ group: "delete statements", competitor: "libconversation", messages,
                statements: deleted.statements, explained: deleted.explained });
        }
        if (!ends.includes(messages)) await databases.drop(nameOf(messages));
    }
    results.push(...(await measureSaving(context, databases, plan,
        ends.map((messages) => ({ messages, name: nameOf(messages), runs: [] })), say)));
    for (const messages of ends) await databases.drop(nameOf(messages));
    results.push(await measureList(context, databases, bench, plan, say));
    return results;
}

// What each save leaves in tables that are small, or have a row for a session: to count ten million
// messages after each run would take longer than the run.
const savedIn = async (store) => (await query(store, `SELECT (SELECT count(*) FROM usage_logs),
    (SELECT sum(message_count) / 2 FROM chat_sessions);`)).split("|").map(Number);

async function saveOnce(context, databases, plan, store) {
    const before = await savedIn(store);
    await databases.settle();
    const result = await measured(`${context.programs}/bench_exchanges`, ["--store", store, "--samples",
        context.samples, "--callers", 32, "--warmup", plan.warmup, "--seconds", plan.seconds]);
    const after = await savedIn(store);
    if (result.failed > 0 || after.some((number, i) => number - before[i] !== result.saved))
        throw new Error(`while the table grows: ${result.saved} acknowledged, ${result.failed} failed, ` +
            `but the rows went from ${before} to ${after}`);
    return result;
}

// Saving into the smallest and the largest table, in turns. A run adds several times what is in the
// smallest, so that it is filled anew for each; in the largest that is little, and filling takes minutes.
async function measureSaving(context, databases, plan, ends, say) {
    for (let round = 1; round <= plan.rounds; round++)
        for (const one of round % 2 ? ends : [...ends].reverse()) {
            if (one !== ends.at(-1))
                await createGrown(context, databases, one.name, sessionsOf(one.messages), SESSION_EXCHANGES);
            one.runs.push({ round, ...(await saveOnce(context, databases, plan, databases.url(one.name))) });
        }
    return ends.map(({ messages, runs }) => {
        say(`saving at ${messages}: ${Math.round(summary(runs).per_second)}/s`);
        return { group: "saving while the table grows", competitor: "libconversation", kind: "ours", callers: 32,
            messages, median: summary(runs), runs };
    });
}

// Pages of the list, and whether a body was read for it.
async function measureList(context, databases, bench, plan, say) {
    const store = await createGrown(context, databases, "listed", LISTED, 1);
    // Of the table, its indexes and what is stored apart. A session's counts are there when it has ended.
    const reads = async () => {
        await sleep(150);
        return Number(await query(store, `SELECT heap_blks_read + heap_blks_hit + coalesce(idx_blks_read, 0) +
            coalesce(idx_blks_hit, 0) + coalesce(toast_blks_read, 0) + coalesce(toast_blks_hit, 0) +
            coalesce(tidx_blks_read, 0) + coalesce(tidx_blks_hit, 0)
            FROM pg_statio_user_tables WHERE relname = 'chat_messages';`));
    };
    const before = await reads();
    const each = plan.quick ? 100 : 500;
    const runs = [];
    for (let round = 0; round < plan.rounds; round++)
        runs.push(await measured(bench, ["--store", store, "--list", "--reads", each]));
    const blocks = (await reads()) - before;
    // Each run went through the whole list, and read each end of it so many times more.
    const pages = runs.reduce((sum, one) => sum + one.pages + 2 * each, 0);
    for (const one of runs) Object.assign(one, { message_blocks_read: blocks, all_pages: pages });
    await databases.drop("listed");
    say(`session list: ${JSON.stringify(summary(runs))}`);
    return { group: "session list", competitor: "libconversation", kind: "ours", callers: 1,
        median: summary(runs), runs };
}

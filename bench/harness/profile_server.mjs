// Where the server's time goes: what a transaction costs by the exchanges in it, and the share of each
// part of the server in that (perf, by the call stacks).
import { setTimeout as sleep } from "node:timers/promises";
import { createBatchInput, createSampleTable, pgbenchExchanges, serverBatches } from "./limits.mjs";
import { measured, query, run } from "./process.mjs";
import { serverMicroseconds } from "./server_time.mjs";

const SIZES = [1, 2, 4, 8, 16, 32, 64, 128];
const PERF_SECONDS = 4;
// More than the server inserts in a second.
const LIMIT_RATE = 60000;

// Functions of PostgreSQL that other programs may call have names in every build. Each sample counts for
// one part: the first here that has a function in the sample's call stack. So the parts are apart from
// each other, and their sum is all.
const PARTS = [
    ["log", "the log brought to the disk", ["XLogFlush"]],
    ["trigger", "the trigger of the daily sums", ["AfterTriggerEndQuery"]],
    ["indexes", "entries of indexes", ["ExecInsertIndexTuples"]],
    ["checks", "CHECK constraints", ["ExecConstraints"]],
    ["rows", "rows of tables", ["heap_insert", "heap_multi_insert", "heap_update", "heap_lock_tuple"]],
    ["ending", "ending the transaction, without the log", ["CommitTransactionCommand"]],
    ["ready", "making the plan ready to run", ["standard_ExecutorStart"]],
    ["running", "running the plan, without the above", ["standard_ExecutorRun", "standard_ExecutorFinish"]],
    ["down", "taking the plan down", ["standard_ExecutorEnd"]],
    ["parameters", "reading parameters", ["OidReceiveFunctionCall", "OidInputFunctionCall"]],
    ["choosing", "choosing the prepared plan", ["GetCachedPlan"]],
    ["rest", "the rest: protocol, waiting for the next message, what has no name", []],
];

async function transactionSizes(context, databases, name, store, say) {
    const made = [];
    for (const together of SIZES) {
        await databases.empty(name);
        const before = serverMicroseconds(databases.folder);
        const result = await measured(`${context.programs}/bench_together`, ["--store", store, "--samples",
            context.samples, "--together", together, "--exchanges", together < 8 ? 3072 : 12288]);
        await sleep(150);
        const used = serverMicroseconds(databases.folder) - before;
        made.push({ together, server_us: used / result.transactions, p50_us: result.p50_us });
        say(`profile, ${together} in a transaction: ${Math.round(used / result.transactions)} µs of the server`);
    }
    return made;
}

const sessions = async (store, application) =>
    (await query(store, `SELECT string_agg(pid::text, ',') FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND application_name LIKE '${application}%';`));

// Shares, in percent, of the processor time of a database's sessions while somebody works.
async function sharesOf(context, store, application, work) {
    const file = `${context.scratch}/perf.data`;
    const working = work();
    await sleep(1500);
    const pids = await sessions(store, application);
    await run("perf", ["record", "--quiet", "--event=cpu-clock", "--freq=499", "--call-graph=dwarf,16384",
        `--pid=${pids}`, "--output", file, "--", "sleep", String(PERF_SECONDS)]);
    await working;
    return partsIn(await run("perf", ["script", "--input", file, "--fields", "ip,sym"]));
}

// A sample is a paragraph of perf's, a function a line.
function partsIn(text) {
    const samples = text.trim().split(/\n\s*\n/).map((stack) =>
        new Set([...stack.matchAll(/^\s*[\da-f]+ (\S+)/gm)].map(([, symbol]) => symbol)));
    const counts = PARTS.map(() => 0);
    for (const stack of samples)
        counts[PARTS.findIndex(([, , symbols]) => symbols.length === 0 || symbols.some((one) => stack.has(one)))]++;
    return counts.map((number) => (100 * number) / samples.length);
}

export async function measureServerProfile(context, databases, say, withPerf) {
    const name = "profile_server";
    const store = await databases.createWithSchema(name);
    const result = { sizes: await transactionSizes(context, databases, name, store, say), parts: PARTS, shares: {} };
    const seconds = PERF_SECONDS + 2;
    const share = async (who, application, work) => {
        await databases.empty(name);
        result.shares[who] = await sharesOf(context, store, application, work);
        say(`profile of the server: ${who}`);
    };
    if (withPerf) {
        for (const callers of [1, 32, 512])
            await share(`${callers} ${callers === 1 ? "caller" : "callers"}`, "conversation", () =>
                measured(`${context.programs}/bench_exchanges`, ["--store", store, "--samples", context.samples,
                    "--callers", callers, "--warmup", 1, "--seconds", seconds]));
        await createSampleTable(store, context.pairs);
        await share("pgbench, 1 client", "pgbench", () => pgbenchExchanges(context.root, store,
            context.pairs.length, { callers: 1, warmup: 1, seconds }));
        const exchanges = seconds * LIMIT_RATE;
        await createBatchInput(context.root, store, exchanges);
        await share("server by itself, 2 sessions", "psql", () =>
            serverBatches(store, exchanges, 2, { warmup: 0, seconds }));
    }
    await databases.drop(name);
    return result;
}

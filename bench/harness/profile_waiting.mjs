// What a caller's waiting is made of: how long the transactions of 32 callers take, by the server's own
// log, beside what the callers wait in the same run.
import { readFileSync, statSync } from "node:fs";
import { measured, query } from "./process.mjs";

const SHARES = [10, 50, 90, 99];
const LOGGED = ["log_min_messages=log", "log_min_duration_statement=0", "log_parameter_max_length=0"];
const LINE = /\[(\d+)\] LOG: {2}duration: ([\d.]+) ms {2}(parse|bind|execute) (conv_\w+?)_[\da-f]{8}:/g;

// A line of the log for each step of a statement; a session's transaction ends with its COMMIT.
function transactionsIn(text) {
    const open = new Map();
    const ended = [];
    for (const [, pid, ms, step, name] of text.matchAll(LINE)) {
        const us = 1000 * Number(ms);
        const all = (open.get(pid) ?? 0) + us;
        const ends = step === "execute" && name === "conv_commit";
        if (ends) ended.push({ all, commit: us });
        open.set(pid, ends ? 0 : all);
    }
    return ended;
}

function percentiles(values) {
    const sorted = [...values].sort((a, b) => a - b);
    return SHARES.map((share) => sorted[Math.floor((sorted.length * share) / 100)] ?? 0);
}

export async function measureWaiting(context, databases, name, store, say) {
    const log = `${databases.folder}/server.log`;
    await databases.empty(name);
    const before = statSync(log).size;
    const callers = await measured(`${context.programs}/bench_exchanges`, ["--store", store, "--samples",
        context.samples, "--callers", 32, "--warmup", 1, "--seconds", 3],
    { env: { PGOPTIONS: LOGGED.map((one) => `-c ${one}`).join(" ") } });
    const transactions = transactionsIn(readFileSync(log).subarray(before).toString());
    const batches = Number(await query(store, "SELECT count(*) FROM chat_search_queue;"));
    say(`profile, waiting: ${transactions.length} transactions`);
    return {
        shares: SHARES, together: callers.saved / batches, per_second: callers.per_second,
        caller_us: SHARES.map((share) => callers[`p${share}_us`]),
        transaction_us: percentiles(transactions.map(({ all }) => all)),
        commit_us: percentiles(transactions.map(({ commit }) => commit)),
    };
}

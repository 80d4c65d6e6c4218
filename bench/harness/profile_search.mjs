// What saving leaves for later: the words of what was saved are put into their index by whoever searches
// first. What that takes, for each exchange that waits for it.
import { setTimeout as sleep } from "node:timers/promises";
import { measured, query } from "./process.mjs";
import { serverMicroseconds } from "./server_time.mjs";

const CALLERS = 32;
const EXCHANGES = 3200;

export async function measureIndexing(context, databases, name, store, say) {
    await databases.empty(name);
    const { saved } = await measured(`${context.programs}/bench_exchanges`, ["--store", store, "--samples",
        context.samples, "--callers", CALLERS, "--exchanges", EXCHANGES]);
    await sleep(150);
    const before = serverMicroseconds(databases.folder);
    const { ms, client_us } = await measured(`${context.programs}/bench_reading`,
        ["--store", store, "--index"]);
    // The index first keeps new words in a list; that too is somebody's work, which is not left out.
    await query(store, "SELECT gin_clean_pending_list('idx_chat_search_words');");
    await sleep(150);
    const server_us = serverMicroseconds(databases.folder) - before;
    const left = Number(await query(store, "SELECT count(*) FROM chat_search_queue;"));
    if (left > 0) throw new Error(`${left} batches still wait for the index of words`);
    say(`profile, words: ${Math.round(server_us / saved)} µs of the server for each of ${saved} exchanges`);
    return { exchanges: saved, ms, server_us: server_us / saved, client_us: client_us / saved };
}

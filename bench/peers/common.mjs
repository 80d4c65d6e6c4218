// What every driver of a peer shares: words, samples, callers, the line of JSON. Knows no database.
import { readFileSync } from "node:fs";

export function options() {
    const words = process.argv.slice(2);
    const given = {};
    for (let i = 0; i < words.length; i += 2) given[words[i].replace(/^--/, "")] = words[i + 1];
    return {
        store: given.store,
        callers: Number(given.callers ?? 1),
        seconds: Number(given.seconds ?? 5),
        warmup: Number(given.warmup ?? 1),
        pool: Number(given.pool ?? 10),
        samples: readFileSync(given.samples, "utf8").trim().split("\n").map((line) => {
            const [question, answer] = JSON.parse(line).messages;
            return { question: question.content, answer: answer.content };
        }),
    };
}

const SESSION_EXCHANGES = 10;

// A UUID of version 7's form, as bench/programs/common.c makes them.
export function uuidOf(group, caller, number) {
    const hex = (value, width) => value.toString(16).padStart(width, "0");
    return `01890a5d-ac96-7${hex(group, 3)}-8${hex(caller, 3)}-${hex(number, 12)}`;
}

// What an application calls an exchange and its rows: ids that grow with time over all callers, as
// those do that the library makes. `ordinal` numbers the exchanges of all callers.
export const idsOf = (ordinal) => ({
    exchange_id: uuidOf(3, 0, ordinal),
    question_id: uuidOf(4, 0, 2 * ordinal),
    answer_id: uuidOf(4, 0, 2 * ordinal + 1),
    log_id: uuidOf(6, 0, ordinal),
});

// Runs `callers` loops of save({caller, ordinal, session, first, user, question, answer}) and prints
// what they saw. A session has ten exchanges; `first` says that one begins.
export async function run({ callers, seconds, warmup, samples }, save) {
    const latencies = [];
    let saved = 0;
    const before = process.cpuUsage();
    const begin = performance.now() + warmup * 1000;
    const end = begin + seconds * 1000;
    const call = async (caller) => {
        for (let number = 0; performance.now() < end; number++) {
            const began = performance.now();
            await save({
                caller,
                ordinal: number * callers + caller,
                session: uuidOf(1, caller, Math.floor(number / SESSION_EXCHANGES)),
                first: number % SESSION_EXCHANGES === 0,
                user: uuidOf(2, 0, caller),
                ...samples[(caller * 7 + number) % samples.length],
            });
            const ended = performance.now();
            saved++;
            if (ended >= begin && ended < end) latencies.push(ended - began);
        }
    };
    await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
    const used = process.cpuUsage(before);
    latencies.sort((a, b) => a - b);
    const at = (share) => Math.round(1e4 * (latencies[Math.floor(latencies.length * share)] ?? 0)) / 10;
    console.log(JSON.stringify({
        callers,
        exchanges: latencies.length,
        seconds,
        per_second: Math.round((10 * latencies.length) / seconds) / 10,
        p50_us: at(0.5),
        p99_us: at(0.99),
        saved,
        failed: 0,
        client_cpu_us: Math.round((100 * (used.user + used.system)) / Math.max(saved, 1)) / 100,
        rss_kib: Math.round(process.memoryUsage.rss() / 1024),
    }));
}

// Numbers that bench/reasons.json names in braces, made of the results: what is written by hand never
// repeats a figure that the next run changes.
import { finder, format, serverLimit } from "./figures.mjs";
import { middleRun } from "./page_profile.mjs";

const { count, micros, nanos, mib, percent, times } = format;

function exchanges({ machine, results }) {
    const find = finder(results);
    const at = (callers, competitor) => find.one({ group: "exchanges", callers, competitor }).median;
    const best = (callers, kind) => find.all({ group: "exchanges", callers, kind })
        .reduce((winner, one) => (one.median.per_second > winner.median.per_second ? one : winner));
    const all = ({ server_cpu_us, client_cpu_us = 0 }) => server_cpu_us + client_cpu_us;
    const busy = (one) => (one.per_second * all(one)) / (machine.processors * 1e6);
    const made = {
        server_1_alone: () => micros(at(1, "conv_save_exchanges, one in each call").server_cpu_us),
        p50_1_alone: () => micros(at(1, "conv_save_exchanges, one in each call").p50_us),
        limit_server_512: () => micros(serverLimit(find, 512).median.server_cpu_us),
        limit_name_512: () => serverLimit(find, 512).competitor,
        limit_product_512: () => times(serverLimit(find, 512).median.per_second / best(512, "peer").median.per_second),
        limit_driver_512: () => times(serverLimit(find, 512).median.per_second / best(512, "driver").median.per_second),
    };
    // With one caller the time of an exchange is that of its parts, in the mean.
    for (const [end, competitor] of [["", "libconversation"], ["_pgbench", "pgbench"]]) {
        const one = () => at(1, competitor);
        Object.assign(made, {
            [`mean_1${end}`]: () => micros(1e6 / one().per_second),
            [`server_1${end}`]: () => micros(one().server_cpu_us),
            [`client_1${end}`]: () => micros(one().client_cpu_us),
            [`neither_1${end}`]: () => micros(1e6 / one().per_second - all(one())),
        });
    }
    for (const callers of [1, 32, 512]) {
        const ours = () => at(callers, "libconversation");
        Object.assign(made, {
            [`server_${callers}`]: () => micros(ours().server_cpu_us),
            [`client_${callers}`]: () => micros(ours().client_cpu_us),
            [`both_${callers}`]: () => micros(all(ours())),
            [`busy_${callers}`]: () => percent(busy(ours())),
            [`together_${callers}`]: () => ours().together.toFixed(1),
            [`p50_${callers}`]: () => micros(ours().p50_us),
        });
        for (const kind of ["peer", "driver"])
            Object.assign(made, {
                [`${kind}_${callers}`]: () => best(callers, kind).competitor,
                [`${kind}_server_${callers}`]: () => micros(best(callers, kind).median.server_cpu_us),
                [`${kind}_client_${callers}`]: () => micros(best(callers, kind).median.client_cpu_us),
                [`${kind}_both_${callers}`]: () => micros(all(best(callers, kind).median)),
            });
    }
    return made;
}

function profiled({ profile, results }) {
    const sizeOf = (size) => profile.server.sizes.find(({ together }) => together === size).server_us;
    const made = {
        ...Object.fromEntries([8, 16].map((size) => [`size_${size}`, () => times(sizeOf(size) / sizeOf(1))])),
        track_instructions: () => count(profile.tracking.instructions),
        heap: () => mib(profile.heap.bytes / 1024),
        waiting_together: () => profile.waiting.together.toFixed(1),
        words: () => micros(profile.words.server_us),
        track_counters: () => (profile.tracking.counters
            ? `The program takes ${count(profile.tracking.counters.cycles)} cycles and ` +
                `${profile.tracking.counters.cache_misses.toFixed(1)} cache misses for each call at this pace.`
            : "Cycles and cache misses can't be counted on this machine."),
    };
    for (const i of [0, 1, 2])
        made[`track_top_${i + 1}`] = () => {
            const { share, name } = profile.tracking.top[i];
            return `${share.toFixed(0)} % \`${name}\``;
        };
    for (const what of ["caller", "transaction", "commit"])
        for (const share of [50, 99])
            made[`${what}_p${share}`] = () =>
                micros(profile.waiting[`${what}_us`][profile.waiting.shares.indexOf(share)]);
    const find = finder(results);
    for (const [who, name, callers, competitor] of [
        ["1", "1 caller", 1, "libconversation"], ["32", "32 callers", 32, "libconversation"],
        ["512", "512 callers", 512, "libconversation"], ["pgbench", "pgbench, 1 client", 1, "pgbench"],
        ["limit", "server by itself, 2 sessions", 512, "server by itself, 2 sessions"],
    ])
        for (const [i, [id]] of (profile?.server?.parts ?? []).entries()) {
            const share = () => profile.server.shares[name][i];
            made[`${id}_share_${who}`] = () => `${share().toFixed(0)} %`;
            // The same part of what an exchange costs the server in the tables.
            made[`${id}_us_${who}`] = () => micros((share() / 100) *
                find.one({ group: "exchanges", callers, competitor }).median.server_cpu_us);
        }
    return made;
}

function others({ results }) {
    const find = finder(results);
    const atWork = ({ median }) => percent((median.per_second * median.client_cpu_us) / 1e6);
    const [SIXTY, RARE] = ["track, 60 calls in a millisecond", "track, a flush for 1 000 records"];
    const tracked = (competitor = "track, journal off") => find.one({ group: "tracking calls", competitor }).median;
    const made = {
        copies: () => percent(find.one({ group: "tracking rate", kind: "ours" }).median.per_second /
            find.one({ group: "tracking rate", competitor: "raw COPY, 2 sessions" }).median.per_second),
        sqlite_busy: () => atWork(find.one({ group: "sqlite", kind: "ours" })),
        sqlite_raw_busy: () => atWork(find.all({ group: "sqlite", kind: "limit" })
            .reduce((one, other) => (other.median.per_second > one.median.per_second ? other : one))),
        clock: () => nanos(tracked().clock_ns),
        others_p99: () => nanos(tracked().others_p99_ns),
        others_p50: () => nanos(tracked().others_p50_ns),
        first_p50: () => nanos(tracked().first_p50_ns),
        first_p90: () => nanos(tracked().first_p90_ns),
        p50_60: () => nanos(tracked(SIXTY).p50_ns),
        p99_60: () => nanos(tracked(SIXTY).p99_ns),
        first_p90_1000: () => nanos(tracked(RARE).first_p90_ns),
        p99_1000: () => nanos(tracked(RARE).p99_ns),
    };
    for (const [id, group, competitor] of [["saving", "memory", "libconversation"],
        ["saving_bare", "memory", "the same, glibc keeps nothing for a thread"], ["turns", "journal", "turn"],
        ["turns_journal", "journal", "turn, journal"], ["long_turns", "memory", "turn, journal"],
        ["long_turns_bare", "memory", "turn, journal, glibc keeps nothing for a thread"]]) {
        const one = () => middleRun(find.one({ group, callers: 512, competitor }));
        Object.assign(made, {
            [`${id}_calls`]: () => count(one().saved),
            [`${id}_rss`]: () => mib(one().rss_kib),
            [`${id}_held`]: () => mib(one().heap_used_kib),
            [`${id}_free`]: () => mib(one().heap_free_kib),
            [`${id}_rest`]: () => mib(one().rss_kib - one().heap_used_kib - one().heap_free_kib),
            [`${id}_line`]: () => mib(Math.max(0, one().rss_kib - one().rss_early_kib)),
            [`${id}_grown`]: () => grown(one()),
            [`${id}_says`]: () => mostGrown(one()),
        });
    }
    for (const all of results.filter(({ group }) => group === "delete statements")) Object.assign(made, deletion(all));
    const reads = results.filter(({ group, competitor }) => group === "last 50 messages" && competitor === "pgbench")
        .sort((a, b) => a.messages - b.messages);
    made.last_50_growth_pgbench = () => times(reads.at(-1).median.p50_us / reads[0].median.p50_us);
    return made;
}

// How each part of the resident memory changed. A single look meets callers in the midst of something,
// so three at each end are taken together.
function growthOf({ rss_steps_kib: rss, heap_used_steps_kib: held, heap_free_steps_kib: free }) {
    const mean = (steps) => steps.reduce((sum, step) => sum + step, 0) / steps.length;
    const change = (steps) => mean(steps.slice(-3)) - mean(steps.slice(0, 3));
    return [["blocks in use", change(held)], ["free blocks of the heap", change(free)],
        ["what is no heap", change(rss.map((kib, i) => kib - held[i] - free[i]))]];
}

const grown = (run) => growthOf(run)
    .map(([name, kib]) => `${name} ${kib < 0 ? "−" : "+"}${mib(Math.abs(kib))}`).join(", ");

// What its numbers say about a run in which glibc keeps nothing for a thread. Blocks that are in use at one
// look and free at another are the same heap.
function mostGrown(run) {
    const [held, free, rest] = growthOf(run).map(([, kib]) => kib);
    if (held + free + rest <= 0) return "So without that cache nothing grows.";
    return held + free > rest ? "So most of what grows without that cache is heap; whose is not measured."
        : "So most of what grows without that cache is no heap: code, files and the stacks of 512 threads.";
}

// Of a deletion that the server explained, by the library and by plain SQL.
function deletion({ messages, explained, statements }) {
    const sum = (all, key) => all.reduce((total, one) => total + one[key], 0);
    const millis = (ms) => `${ms.toFixed(1)} ms`;
    const made = { [`statements_${messages}`]: () => millis(sum(statements, "ms")) };
    for (const kind of ["ours", "plain"])
        Object.assign(made, {
            [`ran_${kind}_${messages}`]: () => millis(sum(explained[kind], "ms")),
            [`pages_${kind}_${messages}`]: () => count(sum(explained[kind], "pages")),
            [`log_${kind}_${messages}`]: () => mib(sum(explained[kind], "wal_bytes") / 1024),
        });
    // One statement of the library's may do what several of plain SQL do.
    made[`differs_${messages}`] = () => {
        const pairs = explained.ours.map((one) => {
            const same = explained.plain.filter(({ changes }) => changes.some((name) => one.changes.includes(name)));
            return { name: same.flatMap(({ changes }) => changes).join(", ") || one.changes[0], ours: one.ms,
                plain: sum(same, "ms") };
        });
        const { name, ours, plain } = pairs.reduce((most, pair) =>
            (Math.abs(pair.ours - pair.plain) > Math.abs(most.ours - most.plain) ? pair : most));
        return `\`${name}\` (${millis(ours)} and ${millis(plain)})`;
    };
    return made;
}

const makersOf = (measured) => ({ ...exchanges(measured), ...profiled(measured), ...others(measured) });

// The names that a text asks for and nothing here makes.
export function unknownNames(measured, text) {
    const makers = makersOf(measured);
    return [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).filter((name) => !(name in makers));
}

// Gives filled(text): each {name} replaced, and what the results lack told on standard error.
export function filler(measured) {
    const makers = makersOf(measured);
    return (text) => text.replaceAll(/\{(\w+)\}/g, (_, name) => {
        try {
            const value = makers[name]();
            if (!/NaN|undefined/.test(value)) return value;
        } catch {
            // Told below.
        }
        console.error(`bench: the results lack {${name}}, which bench/reasons.json asks for`);
        return "(not measured)";
    });
}

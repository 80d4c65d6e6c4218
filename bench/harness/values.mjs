// Numbers that bench/reasons.json names in braces, made of the results: what is written by hand never
// repeats a figure that the next run changes.
import { finder, format, serverLimit } from "./figures.mjs";
import { fit } from "./page_profile.mjs";

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
    for (const callers of [1, 32, 512]) {
        const ours = () => at(callers, "libconversation");
        Object.assign(made, {
            [`server_${callers}`]: () => micros(ours().server_cpu_us),
            [`client_${callers}`]: () => micros(ours().client_cpu_us),
            [`both_${callers}`]: () => micros(all(ours())),
            [`busy_${callers}`]: () => percent(busy(ours())),
            [`together_${callers}`]: () => ours().together.toFixed(1),
            [`p50_${callers}`]: () => micros(ours().p50_us),
            [`server_${callers}_pgbench`]: () => micros(at(callers, "pgbench").server_cpu_us),
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
    const made = {
        transaction: () => micros(fit(profile.server.sizes).fixed),
        further: () => micros(fit(profile.server.sizes).each),
        track_instructions: () => count(profile.tracking.instructions),
        heap: () => mib(profile.heap.bytes / 1024),
        waiting_together: () => profile.waiting.together.toFixed(1),
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
    const tracked = () => find.one({ group: "tracking calls", competitor: "track, journal off" }).median;
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
    };
    for (const [id, group, competitor] of [["saving", "memory", "libconversation"],
        ["saving_bare", "memory", "the same, glibc keeps nothing for a thread"], ["turns", "journal", "turn"],
        ["turns_journal", "journal", "turn, journal"], ["long_turns", "memory", "turn, journal"],
        ["long_turns_bare", "memory", "turn, journal, glibc keeps nothing for a thread"]]) {
        const one = () => find.one({ group, callers: 512, competitor }).median;
        Object.assign(made, {
            [`${id}_rss`]: () => mib(one().rss_kib),
            [`${id}_growth`]: () => mib(one().rss_kib - one().rss_early_kib),
            [`${id}_held`]: () => mib(one().heap_used_kib),
            [`${id}_free`]: () => mib(one().heap_free_kib),
            [`${id}_rest`]: () => mib(one().rss_kib - one().heap_used_kib - one().heap_free_kib),
        });
    }
    for (const { messages, explained } of results.filter(({ group }) => group === "delete statements")) {
        const sum = (kind, key) => explained[kind].reduce((total, one) => total + one[key], 0);
        for (const kind of ["ours", "plain"])
            Object.assign(made, {
                [`pages_${kind}_${messages}`]: () => count(sum(kind, "pages")),
                [`log_${kind}_${messages}`]: () => mib(sum(kind, "wal_bytes") / 1024),
            });
    }
    return made;
}

// Gives filled(text): each {name} replaced, and what the results lack told on standard error.
export function filler(measured) {
    const makers = { ...exchanges(measured), ...profiled(measured), ...others(measured) };
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

// The figures to reach, each with what was measured in the same run. A line that was not measured is
// left out by its `null`.
import { median } from "./interleave.mjs";

const percent = (share) => `${Math.round(share * 100)} %`;
const times = (ratio) => `${ratio.toFixed(2)} ×`;
const count = (number) => Math.round(number).toLocaleString("en").replaceAll(",", " ");
const micros = (us) => (us >= 10000 ? `${(us / 1000).toFixed(1)} ms` : us >= 1000 ? `${(us / 1000).toFixed(2)} ms`
    : `${Math.round(us)} µs`);
const nanos = (ns) => (ns >= 10000 ? `${(ns / 1000).toFixed(1)} µs` : `${Math.round(ns)} ns`);
const mib = (kib) => `${(kib / 1024).toFixed(1)} MiB`;

export const format = { percent, times, count, micros, nanos, mib };

// Asks the results: find({group, callers, competitor, kind, messages}).
export function finder(results) {
    const matches = (wanted) => (one) => Object.entries(wanted).every(([key, value]) => one[key] === value);
    return {
        all: (wanted) => results.filter(matches(wanted)),
        one: (wanted) => results.find(matches(wanted)),
    };
}

const best = (list, key, lowest = false) => list.reduce((winner, one) => {
    if (winner === null) return one;
    const better = lowest ? one.median[key] < winner.median[key] : one.median[key] > winner.median[key];
    return better ? one : winner;
}, null);

export const serverLimit = (find, callers) =>
    best(find.all({ group: "exchanges", callers, kind: "limit" }).filter(({ competitor }) =>
        competitor.startsWith("server")), "per_second");

// The limit has no callers, so that what it did beside another width is the same thing measured once more.
function otherLimit(find, one, callers) {
    const limit = serverLimit(find, callers);
    return limit ? ` (beside the ${callers} callers ${count(limit.median.per_second)}/s: ` +
        `${percent(one.median.per_second / limit.median.per_second)})` : "";
}

const ONE_RUN = "one run";

// Every ratio of the page is made here and in one way: the median of the one, divided by the median of
// the other. Beside it stand the ratios of the single rounds, where both took turns in them, or why not.
function ratio(one, other, key, otherKey = key) {
    const inTurns = one.runs.length > 1 && one.messages === other.messages && one.callers === other.callers;
    const alone = one.runs.length === 1 ? ONE_RUN : inTurns ? "" : "not in turns";
    const rounds = inTurns ? one.runs.flatMap((run, i) => {
        const beside = run.round === undefined ? other.runs[i] : other.runs.find(({ round }) => round === run.round);
        return beside ? [run[key] / beside[otherKey]] : [];
    }) : [];
    return { value: one.median[key] / other.median[otherKey], rounds, alone };
}

const absolute = (one, key) => (one.runs.length > 1
    ? { value: one.median[key], rounds: one.runs.map((run) => run[key]) } : constant(one.median[key], ONE_RUN));

const constant = (value, alone = "") => ({ value, rounds: [], alone });

// How much memory grew after the first tenth of a run.
function growth({ runs }) {
    const rounds = runs.map(({ rss_kib, rss_early_kib }) => Math.max(0, rss_kib - rss_early_kib));
    return runs.length > 1 ? { value: median(rounds), rounds } : constant(rounds[0], ONE_RUN);
}

const spread = ({ rounds, alone }, text) =>
    (rounds.length > 1 ? `${text(Math.min(...rounds))} – ${text(Math.max(...rounds))}` : alone);

function atLeast(id, what, found, bound, text, measured) {
    const { value } = found;
    return { id, what, target: `≥ ${text(bound)}`, value: text(value), spread: spread(found, text), measured,
        reached: value >= bound, missed: value >= bound ? 0 : 1 - value / bound };
}

function atMost(id, what, found, bound, text, measured) {
    const { value } = found;
    return { id, what, target: `≤ ${text(bound)}`, value: text(value), spread: spread(found, text), measured,
        reached: value <= bound, missed: value <= bound ? 0 : value / bound - 1 };
}

// A competitor's name, with how many of his runs there are where some failed.
export const named = ({ competitor, rounds, runs }) =>
    (rounds > runs.length ? `${competitor} (${runs.length} of ${rounds} runs)` : competitor);

const rate = (one) => `${named(one)} ${count(one.median.per_second)}/s`;
const ownRate = ({ median }) => `${count(median.per_second)}/s`;

function againstPeers(find, callers, bound) {
    const ours = find.one({ group: "exchanges", callers, competitor: "libconversation" });
    if (!ours) return [];
    const made = [];
    for (const [kind, name, about] of [
        ["peer", "product", "the best product, which saves less"],
        ["driver", "driver", "the best plain driver, which saves the same"],
    ]) {
        const other = best(find.all({ group: "exchanges", callers, kind }), "per_second");
        if (other)
            made.push(atLeast(`exchanges_${callers}_${name}`,
                `committed exchanges/s, ${callers} callers, against ${about}`,
                ratio(ours, other, "per_second"), bound, times, `${ownRate(ours)}; ${rate(other)}`));
    }
    return made;
}

function journal(find) {
    const made = [];
    for (const callers of [32, 512])
        for (const [name, without, withJournal] of [
            ["saving", "libconversation", "save, journal"], ["turns", "turn", "turn, journal"],
        ]) {
            const [a, b] = [without, withJournal].map((competitor) =>
                find.one({ group: "journal", callers, competitor }));
            if (a && b)
                made.push(atLeast(`journal_${callers}_${name}`, `${name} with the journal on, ${callers} callers`,
                    ratio(b, a, "per_second"), 0.6, percent, `${ownRate(b)}; without ${ownRate(a)}`));
        }
    return made;
}

function exchanges(find) {
    const at = (callers, competitor) => find.one({ group: "exchanges", callers, competitor });
    const made = [...againstPeers(find, 32, 4)];
    const [ours1, bench1] = [at(1, "libconversation"), at(1, "pgbench")];
    const [ours32, bench32] = [at(32, "libconversation"), at(32, "pgbench")];
    const [ours512, limit512] = [at(512, "libconversation"), serverLimit(find, 512)];
    if (ours32 && bench32)
        made.push(atLeast("exchanges_32_pgbench",
            "committed exchanges/s, 32 callers, against pgbench with 32 clients and one statement each",
            ratio(ours32, bench32, "per_second"), 1.5, times, `${ownRate(ours32)}; ${rate(bench32)}`));
    made.push(...againstPeers(find, 512, 6));
    if (ours512 && limit512)
        made.push(atLeast("exchanges_512_limit",
            "committed exchanges/s, 512 callers, of the server's own batched limit",
            ratio(ours512, limit512, "per_second"), 0.75, percent,
            `${ownRate(ours512)}; ${rate(limit512)}${otherLimit(find, ours512, 32)}`));
    made.push(...journal(find));
    const waits = (one, key) => `${named(one)} ${micros(one.median[key])}`;
    if (ours1 && bench1)
        made.push(atMost("one_caller", "one caller, p50, against pgbench's one statement",
            ratio(ours1, bench1, "p50_us"), 1.2, times, `${micros(ours1.median.p50_us)}; ${waits(bench1, "p50_us")}`));
    const quickest = best([...find.all({ group: "exchanges", callers: 32, kind: "peer" }),
        ...find.all({ group: "exchanges", callers: 32, kind: "driver" })], "p99_us", true);
    if (ours32 && quickest)
        made.push(atMost("p99_32", "32 callers, p99, against the best peer's or driver's",
            ratio(ours32, quickest, "p99_us"), 0.5, times,
            `${micros(ours32.median.p99_us)}; ${waits(quickest, "p99_us")}`));
    return made;
}

function tracking(find) {
    const made = [];
    const off = find.one({ group: "tracking calls", competitor: "track, journal off" });
    const on = find.one({ group: "tracking calls", competitor: "track, journal on" });
    const store = find.one({ group: "tracking rate", kind: "ours" });
    const copy = find.one({ group: "tracking rate", competitor: "raw COPY" });
    const clock = off ? `of which the clock ${nanos(off.median.clock_ns)}` : "";
    if (off) made.push(
        atMost("track_p50", "conv_track_usage, p50 at the caller", absolute(off, "p50_ns"), 300, nanos, clock),
        atMost("track_p99", "conv_track_usage, p99 at the caller", absolute(off, "p99_ns"), 5000, nanos, clock));
    if (on)
        made.push(atMost("track_journal", "conv_track_usage with the journal, p50", absolute(on, "p50_ns"), 5000,
            nanos, clock));
    if (store && copy)
        made.push(atLeast("track_rate", "usage records/s to the store, of raw COPY",
            ratio(store, copy, "per_second"), 0.75, percent, `${ownRate(store)}; ${rate(copy)}`));
    return made;
}

function list(find) {
    const list = find.one({ group: "session list" });
    if (!list) return [];
    const { sessions, all_pages, first_p50_us, last_p50_us, message_blocks_read } = list.median;
    return [
        atMost("list", `session list, 50 of ${count(sessions)}: last page against first`,
            ratio(list, list, "last_p50_us", "first_p50_us"), 1.3, times,
            `${micros(last_p50_us)}; first ${micros(first_p50_us)}`),
        atMost("list_bodies", "blocks of messages read for the list",
            constant(message_blocks_read, "all rounds together"), 0, (blocks) => String(blocks), all_pages ? `in ${count(all_pages)} pages of the list` : ""),
    ];
}

function reading(find, results) {
    const made = [];
    const sizes = [...new Set(results.filter(({ group }) => group === "last 50 messages")
        .map(({ messages }) => messages))].sort((a, b) => a - b);
    const of = (group, messages, competitor = "libconversation") => find.one({ group, messages, competitor });
    for (const messages of sizes) {
        const [own, plain] = [of("last 50 messages", messages), of("last 50 messages", messages, "pgbench")];
        made.push(atMost(`last_50_${messages}`, `last 50 messages, p50, of ${count(messages)}, against pgbench`,
            ratio(own, plain, "p50_us"), 1.5, times,
            `${micros(own.median.p50_us)}; pgbench ${micros(plain.median.p50_us)}`));
    }
    if (sizes.length > 1) {
        const [small, large] = [of("last 50 messages", sizes[0]), of("last 50 messages", sizes.at(-1))];
        made.push(atMost("last_50_growth",
            `last 50 messages, p50, of ${count(sizes.at(-1))} against ${count(sizes[0])}`,
            ratio(large, small, "p50_us"), 1.3, times,
            `${micros(large.median.p50_us)}; ${micros(small.median.p50_us)}`));
    }
    made.push(...list(find));
    for (const messages of sizes) {
        const [own, plain] = [of("delete", messages), of("delete", messages, "plain SQL")];
        if (own && plain)
            made.push(atMost(`delete_${messages}`,
                `delete of a session of 10 000 messages, of ${count(messages)}, against plain SQL`,
                ratio(own, plain, "ms"), 1.5, times,
                `${own.median.ms.toFixed(1)} ms; SQL ${plain.median.ms.toFixed(1)} ms`));
    }
    return made;
}

// A short run ends before every connection and caller has been busy once: how memory develops is not its.
const LONG = 500000;

function memory(find) {
    const made = [];
    for (const [id, group, competitor, about, noun] of [
        ["memory", "memory", "libconversation", "", "exchanges"],
        ["memory_turns", "journal", "turn", ", whole turns", "turns"],
        ["memory_turns_journal", "journal", "turn, journal", ", whole turns and the journal", "turns"],
        ["memory_long_turns", "memory", "turn, journal", ", whole turns and the journal", "turns"],
    ]) {
        const one = find.one({ group, callers: 512, competitor });
        if (!one) continue;
        const { saved, rss_early_kib } = one.median;
        made.push(atMost(id, `resident memory with 512 callers${about}`, absolute(one, "rss_kib"), 48 * 1024, mib,
            `after ${count(saved)} ${noun}`));
        if (saved >= LONG)
            made.push(atMost(`${id}_flat`, "the same, its growth after the first tenth",
                growth(one), 2048, mib, `from ${mib(rss_early_kib)}`));
    }
    return made;
}

function rest(find) {
    const made = [];
    const own = find.one({ group: "sqlite", kind: "ours" });
    const raw = best(find.all({ group: "sqlite", kind: "limit" }), "per_second");
    if (own && raw)
        made.push(atLeast("sqlite", "SQLite store, 32 callers, of raw batched SQLite",
            ratio(own, raw, "per_second"), 0.7, percent, `${ownRate(own)}; ${rate(raw)}`));
    made.push(...memory(find));
    const imported = find.one({ group: "import" });
    const limit = serverLimit(find, 32);
    if (imported && limit)
        made.push(atLeast("import", `import of ${count(imported.median.messages)} messages, of the batched limit`,
            ratio(imported, limit, "per_second"), 0.6, percent,
            `${count(imported.median.per_second)} exchanges/s; ${rate(limit)}${otherLimit(find, imported, 512)}`));
    if (imported) {
        const { rss_early_kib, rss_highest_kib } = imported.median;
        made.push(atMost("import_memory", "import, growth of memory after the first tenth",
            growth(imported), 8192, mib,
            `from ${mib(rss_early_kib)}, at most ${mib(rss_highest_kib)}`));
    }
    return made;
}

export function figuresOf({ results }) {
    const find = finder(results);
    return [...exchanges(find), ...tracking(find), ...reading(find, results), ...rest(find)];
}

// The figures to reach, each with what was measured in the same run. A line that was not measured is
// left out by its `null`.

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
        one: (wanted) => results.find(matches(wanted))?.median,
    };
}

const best = (list, key, lowest = false) => list.reduce((winner, one) => {
    if (winner === null) return one;
    const better = lowest ? one.median[key] < winner.median[key] : one.median[key] > winner.median[key];
    return better ? one : winner;
}, null);

// The run in the middle by what `by` says of each.
const middle = (runs, by) => [...runs].sort((a, b) => by(a) - by(b))[Math.floor(runs.length / 2)];

export const serverLimit = (find, callers) =>
    best(find.all({ group: "exchanges", callers, kind: "limit" }).filter(({ competitor }) =>
        competitor.startsWith("server")), "per_second");

function atLeast(id, what, value, bound, text, measured) {
    return { id, what, target: `≥ ${text(bound)}`, measured, ratio: value, reached: value >= bound,
        missed: value >= bound ? 0 : 1 - value / bound, value: text(value) };
}

function atMost(id, what, value, bound, text, measured) {
    return { id, what, target: `≤ ${text(bound)}`, measured, ratio: value, reached: value <= bound,
        missed: value <= bound ? 0 : value / bound - 1, value: text(value) };
}

const rate = ({ competitor, median }) => `${competitor} ${count(median.per_second)}/s`;

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
                ours.per_second / other.median.per_second, bound, times,
                `${count(ours.per_second)}/s; ${rate(other)}`));
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
            ours32.per_second / bench32.per_second, 1.5, times,
            `${count(ours32.per_second)}/s; pgbench ${count(bench32.per_second)}/s`));
    made.push(...againstPeers(find, 512, 6));
    if (ours512 && limit512)
        made.push(atLeast("exchanges_512_limit",
            "committed exchanges/s, 512 callers, of the server's own batched limit",
            ours512.per_second / limit512.median.per_second, 0.75, percent,
            `${count(ours512.per_second)}/s; ${rate(limit512)}`));
    for (const callers of [32, 512])
        for (const [name, without, withJournal] of [
            ["saving", "libconversation", "save, journal"], ["turns", "turn", "turn, journal"],
        ]) {
            const [a, b] = [without, withJournal].map((competitor) =>
                find.one({ group: "journal", callers, competitor }));
            if (a && b)
                made.push(atLeast(`journal_${callers}_${name}`, `${name} with the journal on, ${callers} callers`,
                    b.per_second / a.per_second, 0.6, percent,
                    `${count(b.per_second)}/s; without ${count(a.per_second)}/s`));
        }
    if (ours1 && bench1)
        made.push(atMost("one_caller", "one caller, p50, against pgbench's one statement",
            ours1.p50_us / bench1.p50_us, 1.2, times, `${micros(ours1.p50_us)}; pgbench ${micros(bench1.p50_us)}`));
    const quickest = best([...find.all({ group: "exchanges", callers: 32, kind: "peer" }),
        ...find.all({ group: "exchanges", callers: 32, kind: "driver" })], "p99_us", true);
    if (ours32 && quickest)
        made.push(atMost("p99_32", "32 callers, p99, against the best peer's or driver's",
            ours32.p99_us / quickest.median.p99_us, 0.5, times,
            `${micros(ours32.p99_us)}; ${quickest.competitor} ${micros(quickest.median.p99_us)}`));
    return made;
}

function tracking(find) {
    const made = [];
    const off = find.one({ group: "tracking calls", competitor: "track, journal off" });
    const on = find.one({ group: "tracking calls", competitor: "track, journal on" });
    const store = find.one({ group: "tracking rate", competitor: "track to the store" });
    const copy = find.one({ group: "tracking rate", competitor: "raw COPY" });
    const clock = off ? `of which the clock ${nanos(off.clock_ns)}` : "";
    if (off) made.push(
        atMost("track_p50", "conv_track_usage, p50 at the caller", off.p50_ns, 300, nanos, clock),
        atMost("track_p99", "conv_track_usage, p99 at the caller", off.p99_ns, 5000, nanos, clock));
    if (on) made.push(atMost("track_journal", "conv_track_usage with the journal, p50", on.p50_ns, 5000, nanos, clock));
    if (store && copy)
        made.push(atLeast("track_rate", "usage records/s to the store, of raw COPY",
            store.per_second / copy.per_second, 0.75, percent,
            `${count(store.per_second)}/s; COPY ${count(copy.per_second)}/s`));
    return made;
}

function reading(find, results) {
    const made = [];
    const sizes = [...new Set(results.filter(({ group }) => group === "last 50 messages")
        .map(({ messages }) => messages))].sort((a, b) => a - b);
    const ours = (group, messages) => find.one({ group, messages, competitor: "libconversation" });
    for (const messages of sizes) {
        const [own, plain] = [ours("last 50 messages", messages),
            find.one({ group: "last 50 messages", messages, competitor: "pgbench" })];
        made.push(atMost(`last_50_${messages}`, `last 50 messages, p50, of ${count(messages)}, against pgbench`,
            own.p50_us / plain.p50_us, 1.5, times, `${micros(own.p50_us)}; pgbench ${micros(plain.p50_us)}`));
    }
    if (sizes.length > 1) {
        const [small, large] = [ours("last 50 messages", sizes[0]), ours("last 50 messages", sizes.at(-1))];
        made.push(atMost("last_50_growth",
            `last 50 messages, p50, of ${count(sizes.at(-1))} against ${count(sizes[0])}`,
            large.p50_us / small.p50_us, 1.3, times, `${micros(large.p50_us)}; ${micros(small.p50_us)}`));
    }
    const list = find.one({ group: "session list" });
    if (list) {
        // Both ends of one walk: the medians of each would be of different runs.
        const walk = middle(find.all({ group: "session list" })[0].runs,
            (run) => run.last_p50_us / run.first_p50_us);
        made.push(atMost("list", `session list, 50 of ${count(list.sessions)}: last page against first`,
            walk.last_p50_us / walk.first_p50_us, 1.3, times,
            `${micros(walk.last_p50_us)}; first ${micros(walk.first_p50_us)}`));
        made.push(atMost("list_bodies", "blocks of messages read for the list", list.message_blocks_read, 0,
            (blocks) => String(blocks), `in ${count(list.pages)} pages`));
    }
    for (const messages of sizes) {
        const [own, plain] = [ours("delete", messages), find.one({ group: "delete", messages, competitor: "plain SQL" })];
        made.push(atMost(`delete_${messages}`,
            `delete of a session of 10 000 messages, of ${count(messages)}, against plain SQL`,
            own.ms / plain.ms, 1.5, times, `${own.ms.toFixed(1)} ms; SQL ${plain.ms.toFixed(1)} ms`));
    }
    return made;
}

function rest(find) {
    const made = [];
    const own = find.one({ group: "sqlite", kind: "ours" });
    const raw = find.one({ group: "sqlite", kind: "limit" });
    if (own && raw)
        made.push(atLeast("sqlite", "SQLite store, 32 callers, of raw batched SQLite",
            own.per_second / raw.per_second, 0.7, percent,
            `${count(own.per_second)}/s; raw ${count(raw.per_second)}/s`));
    const memory = find.one({ group: "memory" });
    if (memory) {
        made.push(atMost("memory", "resident memory with 512 callers", memory.rss_kib, 48 * 1024, mib,
            `after ${count(memory.exchanges)} exchanges`));
        // A short run ends before every connection and caller has been busy once.
        if (memory.exchanges >= 500000) made.push(atMost("memory_flat", "the same, its growth after the first tenth",
            Math.max(0, memory.rss_kib - memory.rss_early_kib), 2048, mib, `from ${mib(memory.rss_early_kib)}`));
    }
    for (const [id, competitor, about] of [["memory_turns", "turn", "whole turns"],
        ["memory_turns_journal", "turn, journal", "whole turns and the journal"]]) {
        const turns = find.one({ group: "journal", callers: 512, competitor });
        if (turns) made.push(atMost(id, `resident memory with 512 callers, ${about}`, turns.rss_kib, 48 * 1024, mib,
            `after ${count(turns.saved)} turns`));
    }
    const imported = find.one({ group: "import" });
    const limit = serverLimit(find, 32);
    if (imported && limit)
        made.push(atLeast("import", `import of ${count(imported.messages)} messages, of the batched limit`,
            imported.per_second / limit.median.per_second, 0.6, percent,
            `${count(imported.per_second)} exchanges/s; ${rate(limit)}`));
    if (imported)
        made.push(atMost("import_memory", "import, growth of memory after the first tenth",
            Math.max(0, imported.rss_kib - imported.rss_early_kib), 8192, mib,
            `from ${mib(imported.rss_early_kib)}, at most ${mib(imported.rss_highest_kib)}`));
    return made;
}

export function figuresOf({ results }) {
    const find = finder(results);
    return [...exchanges(find), ...tracking(find), ...reading(find, results), ...rest(find)];
}

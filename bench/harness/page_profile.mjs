// The part of BENCHMARKS.md that shows what the time goes into.
import { format } from "./figures.mjs";
import { table } from "./table.mjs";

const { count, micros, mib, nanos } = format;
const shared = (share) => `${share.toFixed(1)} %`;

function counts({ callers, tracking }) {
    const made = [];
    const measured = Object.entries(callers);
    if (measured.length === 0) return made;
    made.push("Counts of the whole program, libpq and the other libraries included (what of the allocations is the " +
        "library's own is held by tests/integration/test_counts.c):");
    made.push(table(["callers", "instructions for each exchange", "allocations for each exchange"],
        measured.map(([number, { instructions, allocations }]) => [number, count(instructions), String(allocations)])));
    const about = measured.map(([number]) => `${number} ${number === "1" ? "caller" : "callers"}`);
    made.push(`Where these instructions go with ${about.join(" and with ")} (callgrind, inside the callers' loop)` +
        (tracking ? `, and the ${count(tracking.instructions)} instructions of a call of \`conv_track_usage\` at the pace of its figures:` : ":"));
    const columns = [...measured.map(([, { top }]) => top), ...(tracking ? [tracking.top] : [])];
    made.push(table([...about, ...(tracking ? ["tracking"] : [])],
        Array.from({ length: Math.max(...columns.map(({ length }) => length)) }, (_, i) => columns.map((top) =>
            (top[i] ? `${shared(top[i].share)} \`${top[i].name}\`` : "")))));
    return made;
}

function client({ perf, perf_missing }) {
    if (!perf) return [`perf could not count on this machine: ${perf_missing}.`];
    const measured = Object.entries(perf);
    const rows = Math.max(...measured.map(([, top]) => top.length));
    return [`Where the program's processor time goes with ${measured.map(([number]) => number).join(" and with ")} ` +
        "callers (perf, its own process only):",
        table(measured.map(([number]) => `${number} callers`), Array.from({ length: rows }, (_, i) =>
            measured.map(([, top]) => (top[i] ? `${shared(top[i].share)} \`${top[i].name}\` in ${top[i].where}` : ""))))];
}

function server({ server: measured }) {
    if (!measured) return [];
    const made = [
        "What a transaction costs the server by the exchanges in it (one caller of `conv_save_exchanges`; each size " +
            "measured once):",
        table(["exchanges in a transaction", "the server's time for it", "for each exchange", "the caller waits, p50"],
            measured.sizes.map(({ together, server_us, p50_us }) => [together, micros(server_us),
                micros(server_us / together), micros(p50_us)])),
    ];
    const who = Object.keys(measured.shares);
    if (who.length === 0) return made;
    if (!Array.isArray(measured.shares[who[0]]))
        return [...made, "What the time of the server's sessions goes into is not in these results in a form that " +
            "this page shows: bench/run measures it anew."];
    made.push("What the processor time of the server's sessions goes into (perf). Each sample is counted once, in the " +
        "first line that has a function in its call stack, so that the lines are apart from each other:");
    made.push(table(["", "function", ...who], measured.parts.map(([, about, symbols], i) => [about,
        symbols.map((symbol) => `\`${symbol}\``).join(", "), ...who.map((name) => shared(measured.shares[name][i]))])));
    return made;
}

function waiting({ waiting: measured }) {
    if (!measured) return [];
    const row = (about, values) => [about, ...values.map(micros)];
    return [`What 32 callers wait, and what the transactions take that they wait for (one run at ` +
        `${count(measured.per_second)} exchanges/s, ${measured.together.toFixed(1)} exchanges in a transaction; the ` +
        "server's own log is on, and it is another time than that of the tables above; planning and execution):",
    table(["", ...measured.shares.map((share) => `p${share}`)], [
        row("a caller, from its call to the answer", measured.caller_us),
        row("a transaction on the server, from BEGIN to COMMIT", measured.transaction_us),
        row("of it COMMIT", measured.commit_us)])];
}

// What saving leaves for whoever searches first.
function words({ words: measured }) {
    if (!measured) return [];
    return ["Words are put into their index by whoever searches first, which no rate of saving contains. After " +
        `${count(measured.exchanges)} exchanges of 32 callers that took ${count(measured.ms)} ms: for each exchange ` +
        `${micros(measured.server_us)} of the server's processor time and ${micros(measured.client_us)} of ` +
        "the client's."];
}

// The run whose memory is the median: what it consists of is to be of one run.
export const middleRun = ({ median, runs }) => runs.reduce((closest, run) =>
    (Math.abs(run.rss_kib - median.rss_kib) < Math.abs(closest.rss_kib - median.rss_kib) ? run : closest));

// What the processes had resident during the long runs, and what of it was heap.
function memory(results, { heap }) {
    const made = [];
    const runs = results.filter(({ runs: all }) => all?.[0].rss_steps_kib)
        .filter(({ group, callers }) => group === "memory" || (group === "journal" && callers === 512))
        .map((one) => [one.competitor, middleRun(one)]);
    if (runs.length > 0) {
        const looks = runs[0][1].rss_steps_kib.map((_, i) => `look ${i + 1}`);
        const mibs = (kibs) => kibs.map((kib) => (Number.isFinite(kib) ? (kib / 1024).toFixed(1) : ""));
        const ends = (steps, last) => [steps?.[0], last];
        made.push("Resident memory of the program with 512 callers in the course of a run, in MiB (of several runs " +
            "the one with the median), and what of it the heap holds and has free at the first look and at the last " +
            "(mallinfo2; the rest is code, stacks and files; what glibc keeps for a thread counts as held). The long " +
            "runs are looked at after 9.5 % of their calls, 19 % and so on to 95.2 %, the others in equal steps from " +
            "the beginning of the time that counts to shortly before its end:");
        made.push(table(["", "calls", ...looks, "held, look 1", `held, ${looks.at(-1)}`, "free, look 1",
            `free, ${looks.at(-1)}`], runs.map(([competitor, one]) => [competitor, count(one.saved),
            ...mibs(one.rss_steps_kib), ...mibs(ends(one.heap_used_steps_kib, one.heap_used_kib)),
            ...mibs(ends(one.heap_free_steps_kib, one.heap_free_kib))])));
    }
    if (heap) {
        made.push(`What the heap holds at its highest while ${heap.callers} turns with the journal are under way ` +
            `(massif): ${mib(heap.bytes / 1024)}, of which`);
        made.push(table(["asked for by", "MiB", "KiB for each caller"], heap.top.map(({ name, bytes }) => [`\`${name}\``,
            (bytes / 2 ** 20).toFixed(2), (bytes / 1024 / heap.callers).toFixed(1)])));
    }
    return made;
}

// A call of conv_track_usage right after a pause, and the others.
function tail(results) {
    const calls = results.filter(({ group, median }) => group === "tracking calls" && median.first_p50_ns);
    if (calls.length === 0) return [];
    return ["Calls of `conv_track_usage` come ten at a time, once in each millisecond. The first of the ten comes " +
        "right after a sleep; it is every tenth call, so that it decides the p99 of all. Ten records start a flush, so " +
        "that it is also the first that meets an empty buffer; with 1 000 records for a flush that is so after one pause " +
        "in a hundred. With 60 calls in a millisecond the first is one of 60:",
    table(["", "first after a pause, p50", "p90", "the others, p50", "p99", "all, p99"], calls.map(({ competitor, median }) =>
        [competitor, ...["first_p50_ns", "first_p90_ns", "others_p50_ns", "others_p99_ns", "p99_ns"]
            .map((key) => nanos(median[key]))]))];
}

const KINDS = [["ours", "libconversation"], ["plain", "plain SQL"]];

// What both deletions did, statement by statement, on the largest table.
function explained(all) {
    const { messages, explained: by } = all.at(-1);
    if (!by) return [];
    const rows = KINDS.flatMap(([kind, name]) => by[kind].map((one) => [name, one.changes.join(", "),
        one.ms.toFixed(1), count(one.pages), count(one.wal_records), count(one.wal_bytes / 1024)]));
    return [`What one deletion of each kind did at ${count(messages)} messages (auto_explain; pages are those that it ` +
        "touched in memory or on the disk, as often as it did; the log is PostgreSQL's):",
    table(["who", "one statement's changes", "ms", "pages", "records of the log", "KiB of the log"], rows)];
}

function deletions(results) {
    const all = results.filter(({ group }) => group === "delete statements");
    if (all.length === 0) return [];
    const names = [...new Set(all.flatMap(({ statements }) => statements.map(({ name }) => name)))];
    return ["The statements of a session's deletion, 10 000 messages, in milliseconds (the server's own log; planning " +
        "and execution; the median of the rounds):",
    table(["statement", ...all.map(({ messages }) => `${count(messages)} messages in the table`)],
        names.map((name) => [`\`${name}\``, ...all.map(({ statements }) =>
            statements.find((one) => one.name === name)?.ms.toFixed(1) ?? "")])),
    ...explained(all)];
}

export function profileText({ profile, results }) {
    if (!profile) return "Not measured in this run.";
    return [...counts(profile), ...tail(results), ...client(profile), ...server(profile),
        ...waiting(profile), ...words(profile), ...memory(results, profile), ...deletions(results)].join("\n\n");
}

// Makes the generated parts of BENCHMARKS.md, and its charts, from the results. What is written by hand
// there stands between them and is never touched.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { bars, lines } from "./chart.mjs";
import { batchCompetitors, everybody } from "./competitors.mjs";
import { figuresOf, finder, format, named } from "./figures.mjs";
import { profileText } from "./page_profile.mjs";
import { restTables } from "./page_rest.mjs";
import { table } from "./table.mjs";
import { filler } from "./values.mjs";

const { count, micros, mib, times } = format;
const KINDS = [["ours", "libconversation"], ["peer", "product, saves less"],
    ["driver", "plain driver, our transaction"], ["limit", "limit of the database"]];

// What limits a line that is missed stands in bench/reasons.json, by the line's id, written by hand, with
// names of numbers in braces; equal texts become one note. "always" has what is said of a line in any case.
const reasons = (root) => JSON.parse(readFileSync(`${root}/bench/reasons.json`, "utf8"));

function figuresTable(measured, root) {
    const { always, missed } = reasons(root);
    const filled = filler(measured);
    const notes = [];
    const noteOf = (text) => {
        if (!notes.includes(text)) notes.push(text);
        return notes.indexOf(text) + 1;
    };
    const rows = figuresOf(measured).map((one) => {
        const texts = [one.reached ? undefined : missed[one.id], always[one.id]].filter(Boolean);
        return [one.what, one.target, `**${one.value}**`, one.spread, one.measured,
            [one.reached ? "reached" : `missed by ${Math.round(one.missed * 100)} %` +
                (missed[one.id] ? "" : ", not explained"), ...texts.map((text) => `[${noteOf(text)}]`)].join(" ")];
    });
    return `${table(["what", "to reach", "reached", "single rounds", "measured", ""], rows)}\n\n` +
        notes.map((text, i) => `${i + 1}. ${filled(text)}`).join("\n");
}

const missing = (results) => results.filter(({ group }) => group === "missing");

// What is wrong with the page: a line that is missed without a reason, a competitor without a run.
export function complaints(measured, root) {
    const { missed } = reasons(root);
    return [
        ...figuresOf(measured).filter(({ id, reached }) => !reached && !missed[id]).map(({ id, what }) =>
            `"${what}" is missed, and bench/reasons.json says nothing of ${id}`),
        ...missing(measured.results).map(({ competitor, of, callers, error }) =>
            `${competitor} failed in each round of ${of} with ${callers} callers: ${error}`),
    ];
}

const spread = (runs, key) => {
    const values = runs.map((run) => run[key]).filter((value) => value !== undefined);
    return values.length ? `${count(Math.min(...values))} – ${count(Math.max(...values))}` : "";
};

const ordered = (list) => [...list].sort((a, b) => b.median.per_second - a.median.per_second);

// Who should be in a group, and failed in each round.
function failed(results, callers) {
    const names = missing(results).filter((one) => one.of === "exchanges" && one.callers === callers)
        .map(({ competitor }) => competitor);
    return names.length > 0 ? ` Failed in each round and not here: ${names.join(", ")}.` : "";
}

// Who saves more than the library, and by how much.
function faster(all) {
    const ours = all.find(({ kind }) => kind === "ours");
    const others = all.filter(({ kind, median }) =>
        ["peer", "driver"].includes(kind) && ours && median.per_second > ours.median.per_second);
    if (others.length === 0) return "";
    const told = others.map(({ competitor, median }) =>
        `${competitor} saves ${times(median.per_second / ours.median.per_second)}`);
    return ` ${told.join(", ")} as many as the library, which has nobody here to share a transaction.`;
}

function exchangesTables({ results }) {
    const find = finder(results);
    return [1, 32, 512].map((callers) => {
        const all = ordered(find.all({ group: "exchanges", callers }));
        if (all.length === 0) return "";
        return `${callers === 1 ? "One caller" : `${callers} callers`}:${faster(all)}${failed(results, callers)}\n\n${table(
            ["", "exchanges/s", "lowest – highest run", "p50", "p99", "CPU of the server", "CPU of the client",
                "memory of the client"],
            all.map((one) => [one, one.median]).map(([one, median]) => [named(one), count(median.per_second),
                spread(one.runs, "per_second"), median.p50_us ? micros(median.p50_us) : "",
                median.p99_us ? micros(median.p99_us) : "", `${Math.round(median.server_cpu_us)} µs`,
                median.client_cpu_us ? `${Math.round(median.client_cpu_us)} µs` : "",
                median.rss_kib ? mib(median.rss_kib) : ""]))}`;
    }).filter(Boolean).join("\n\n");
}

function savesTable(root) {
    const all = [...everybody({ root }), ...batchCompetitors({ root }, 0, true)].filter(({ saves }) => saves);
    return table(["who", "what is saved for an exchange", "what is not"],
        all.map(({ name, about, saves, lacks }) => [about ?? name, saves, lacks]));
}

// Products and drivers that are measured with 32 callers, but not with so many.
function elsewhere(results, all, width) {
    const here = all.map(({ competitor }) => competitor);
    const names = finder(results).all({ group: "exchanges", callers: 32 })
        .filter(({ kind, competitor }) => ["peer", "driver"].includes(kind) && !here.includes(competitor))
        .map(({ competitor }) => competitor);
    return names.length > 0 ? `Not measured with ${width}: ${names.join(", ")}.` : "";
}

function rateChart(results, callers) {
    const all = ordered(finder(results).all({ group: "exchanges", callers }))
        .filter(({ kind }) => kind !== "variant");
    if (all.length === 0) return null;
    const width = callers === 1 ? "one caller" : `${callers} callers`;
    return bars({
        title: `Exchanges committed in a second, ${width}`,
        about: "Median of the runs; the thin line goes from the lowest run to the highest. More is better.",
        note: elsewhere(results, all, width),
        unit: "exchanges/s", kinds: KINDS,
        bars: all.map((one) => {
            const { kind, median, runs } = one;
            const rates = runs.map((run) => run.per_second);
            return { label: named(one), parts: [{ kind, value: median.per_second }], low: Math.min(...rates),
                high: Math.max(...rates), text: count(median.per_second) };
        }),
    });
}

function costChart(results) {
    const all = finder(results).all({ group: "exchanges", callers: 32 });
    if (all.length === 0) return null;
    const total = ({ median }) => median.server_cpu_us + (median.client_cpu_us ?? 0);
    return bars({
        title: "Processor time for each exchange, 32 callers",
        about: "Of all processes of the server, and of the program that saves (the server by itself has none). " +
            "Less is better.",
        unit: "µs of one processor for each exchange",
        kinds: [["server", "PostgreSQL"], ["client", "the program"]],
        bars: all.sort((a, b) => total(a) - total(b)).map((one) => ({
            label: named(one), text: `${Math.round(total(one))} µs`,
            parts: [{ kind: "server", value: one.median.server_cpu_us },
                ...(one.median.client_cpu_us ? [{ kind: "client", value: one.median.client_cpu_us }] : [])],
        })),
    });
}

function growthChart(results) {
    const all = results.filter(({ group }) => group === "last 50 messages");
    if (all.length < 2) return null;
    const points = (competitor) => all.filter((one) => one.competitor === competitor)
        .map(({ messages, median }) => [messages, median.p50_us]).sort((a, b) => a[0] - b[0]);
    return lines({
        title: "Reading the last 50 messages of a session while the table grows",
        about: "Median time of one caller; pgbench asks the same SELECT with a prepared statement.",
        unit: "µs, p50", across: "messages in the table (logarithmic)", text: (value) => `${Math.round(value)}`,
        lines: [{ label: "libconversation", kind: "ours", points: points("libconversation") },
            { label: "pgbench", kind: "limit", points: points("pgbench") }],
    });
}

const CHARTS = [
    ["exchanges-1", ({ results }) => rateChart(results, 1)],
    ["exchanges-32", ({ results }) => rateChart(results, 32)],
    ["exchanges-512", ({ results }) => rateChart(results, 512)],
    ["processor-time", ({ results }) => costChart(results)],
    ["growth", ({ results }) => growthChart(results)],
];

function machineText({ machine }) {
    const rows = [
        ["date, commit", `${machine.date}, ${machine.commit}`],
        ["machine", `${machine.processors} × ${machine.processor}, ${machine.memory_gib} GiB, ` +
            `${machine.file_system}; database and clients on it together`],
        ["system", `${machine.system}, Linux ${machine.kernel}`],
        ["database", `PostgreSQL ${machine.postgresql}, over a Unix socket; SQLite ${machine.sqlite}`],
        ["settings", Object.entries(machine.settings).map(([name, value]) => `${name} ${value}`).join(", ")],
        ["library", `release build (-O2), ${machine.compiler ? `GCC ${machine.compiler}, ` : ""}` +
            `libpq ${machine.libpq}`],
        ["npm", `Node ${machine.node}; ${Object.entries(machine.peers).map(([name, version]) =>
            `${name} ${version}`).join(", ")}`],
        ["others", [["asyncpg", machine.asyncpg], ["psycopg", machine.psycopg], ["pgx", machine.pgx],
            ["Go", machine.go]].map(([name, version]) => `${name} ${version ?? "not installed"}`).join(", ")],
        ["texts", `${machine.samples.count} pairs, ${machine.samples.source}; question ` +
            `${machine.samples.question_bytes} bytes and answer ${machine.samples.answer_bytes} bytes in the mean`],
        ["runs", `${machine.plan.rounds} of each, in turns; of exchanges, but in the long runs, ` +
            `${machine.plan.warmup} s not counted, then ${machine.plan.seconds} s; ` +
            `${machine.minutes} minutes in all` + (machine.quick_minutes
            ? `, ${machine.quick_minutes} with --quick` : "") + ", building included and installing not"],
    ];
    return table(["", ""], rows);
}

function put(page, name, text) {
    const [from, to] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
    const [begin, end] = [page.indexOf(from), page.indexOf(to)];
    if (begin < 0 || end < begin) throw new Error(`BENCHMARKS.md lacks the markers of ${name}`);
    return `${page.slice(0, begin + from.length)}\n${text}\n${page.slice(end)}`;
}

export function writePage(root, measured) {
    const file = `${root}/BENCHMARKS.md`;
    mkdirSync(`${root}/bench/charts`, { recursive: true });
    const shown = [];
    for (const [name, draw] of CHARTS) {
        const chart = draw(measured);
        if (!chart) continue;
        writeFileSync(`${root}/bench/charts/${name}.svg`, chart);
        shown.push(name);
    }
    const image = (name) => (shown.includes(name) ? `![${/aria-label="([^"]*)"/.exec(
        readFileSync(`${root}/bench/charts/${name}.svg`, "utf8"))[1]}](bench/charts/${name}.svg)` : "");
    let page = readFileSync(file, "utf8");
    page = put(page, "figures", figuresTable(measured, root));
    page = put(page, "saves", savesTable(root));
    page = put(page, "exchanges", ["exchanges-1", "exchanges-32", "exchanges-512", "processor-time"].map(image)
        .filter(Boolean).join("\n\n") + `\n\n${exchangesTables(measured)}`);
    page = put(page, "rest", `${image("growth")}\n\n${restTables(measured)}`);
    page = put(page, "machine", machineText(measured));
    page = put(page, "profile", profileText(measured));
    writeFileSync(file, page);
}

export function printTable(measured) {
    for (const { id, what, target, value, measured: found, reached, missed } of figuresOf(measured)) {
        const answer = reached ? "reached" : `missed ${String(Math.round(missed * 100)).padStart(3)} %`;
        console.log(`${answer.padEnd(14)}${value.padStart(10)}  (${target})  ${what}: ${found}` +
            (reached ? "" : ` [${id}]`));
    }
}

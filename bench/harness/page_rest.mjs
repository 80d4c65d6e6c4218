// The tables of BENCHMARKS.md for all groups but the exchanges: medians, and the lowest and highest run.
import { format, named } from "./figures.mjs";
import { table } from "./table.mjs";

const { count, micros, mib, nanos } = format;
const millis = (ms) => `${ms.toFixed(1)} ms`;

const GROUPS = [
    ["journal", "Saving and whole turns, without and with the journal"],
    ["memory", "The long runs that show how memory develops"],
    ["tracking calls", "Calls of `conv_track_usage`"],
    ["tracking rate", "Usage records until they are in the store"],
    ["sqlite", "The SQLite store, and raw SQLite"],
    ["import", "Import of a file"],
    ["last 50 messages", "The last 50 messages of a session"],
    ["delete", "Deletion of a session of 10 000 messages"],
    ["saving while the table grows", "Saving while the table grows"],
    ["session list", "The session list, pages of 50"],
];

const COLUMNS = [
    ["per_second", "in a second", count], ["p50_us", "p50", micros], ["p99_us", "p99", micros],
    ["p50_ns", "p50", nanos], ["p99_ns", "p99", nanos], ["ms", "time", millis],
    ["first_p50_us", "first page, p50", micros], ["last_p50_us", "last page, p50", micros],
    ["together", "exchanges in a transaction", (number) => number.toFixed(1)], ["rss_kib", "memory", mib],
    ["server_cpu_us", "CPU of the server", micros], ["client_cpu_us", "CPU of the client", micros],
];

function shown({ median, runs }, key, text) {
    if (!Number.isFinite(median[key])) return "";
    const values = runs.map((run) => run[key]).filter(Number.isFinite);
    return values.length < 2 ? text(median[key])
        : `${text(median[key])} (${text(Math.min(...values))} – ${text(Math.max(...values))})`;
}

export function restTables({ results }) {
    return GROUPS.map(([group, title]) => {
        const all = results.filter((one) => one.group === group);
        if (all.length === 0) return "";
        const columns = COLUMNS.filter(([key]) => all.some(({ median }) => Number.isFinite(median[key])));
        const sizes = all.some(({ messages }) => messages);
        return `${title}:\n\n${table(["", "callers", ...(sizes ? ["messages in the table"] : []),
            ...columns.map(([, name]) => name)], all.map((one) => [named(one), String(one.callers),
            ...(sizes ? [count(one.messages)] : []), ...columns.map(([key, , text]) => shown(one, key, text))]))}`;
    }).filter(Boolean).join("\n\n");
}

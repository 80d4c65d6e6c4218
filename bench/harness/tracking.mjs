// Usage records: what a call costs, and how fast they reach the store beside COPY.
import { readFileSync } from "node:fs";
import { interleave, median, prepareDatabases, summary } from "./interleave.mjs";
import { measured, query, run } from "./process.mjs";

const ROWS = "SELECT count(*) FROM usage_logs;";
const whole = (row, saved) => Number(row) === saved;

function track(context, words, more = []) {
    return ({ store }) => measured(`${context.programs}/bench_track`,
        ["--store", store, ...words, ...more]);
}

const journal = (context) => ["--journal", `${context.scratch}/track-${Date.now()}.db`];

// The same program with more calls between two pauses, and where a pause hardly ever meets a flush: what
// the first call after a pause costs, and what the others.
function otherPauses(context, common, seconds) {
    return [["track, 60 calls in a millisecond", ["--calls-per-ms", 60]],
        ["track, a flush for 1 000 records", ["--tracker-records", 1000]]].map(([name, words]) => ({ ...common, name,
        kind: "variant", database: "track", run: track(context, ["--seconds", seconds, ...words]) }));
}

// Each file by a session of its own, all at once.
async function copy(store, files) {
    const times = await Promise.all(files.map(async (file) => {
        const output = await run("psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", store],
            { input: `\\timing on\n\\copy usage_logs from '${file}' with (format binary)\n` });
        return Number(/Time: ([\d.]+) ms/.exec(output)[1]) / 1000;
    }));
    const seconds = Math.max(...times);
    const saved = Number(await query(store, ROWS));
    return { saved, seconds, per_second: saved / seconds, failed: 0 };
}

async function writeFiles(context, store, records, files) {
    const sql = readFileSync(`${context.root}/bench/sql/usage_rows.sql`, "utf8");
    await query(store, sql.replace(":records", records));
    const numbered = "SELECT *, row_number() OVER (ORDER BY log_id) AS number FROM bench_usage";
    await query(store, `CREATE VIEW bench_numbered AS ${numbered};`);
    const columns = await query(store, `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = 'usage_logs'::regclass AND attnum > 0 AND NOT attisdropped;`);
    for (const { file, from, to } of files)
        await query(store, `\\copy (SELECT ${columns} FROM bench_numbered WHERE number > ${from * records} ` +
            `AND number <= ${to * records} ORDER BY number) to '${file}' with (format binary)`);
}

export async function measureTracking(context, databases, plan, say) {
    const records = plan.quick ? 50000 : 200000;
    const file = (name) => `${context.scratch}/usage-${name}.copy`;
    const files = [{ file: file("all"), from: 0, to: 1 }, { file: file("first"), from: 0, to: 0.5 },
        { file: file("second"), from: 0.5, to: 1 }];
    const common = { kind: "ours", schema: true, rows: ROWS, whole };
    const calls = [
        { ...common, name: "track, journal off", database: "track",
            run: track(context, ["--seconds", plan.seconds]) },
        { ...common, name: "track, journal on", database: "track",
            run: (settings) => track(context, ["--seconds", plan.seconds], journal(context))(settings) },
    ];
    if (!plan.quick) calls.push(...otherPauses(context, common, plan.seconds));
    const rates = [
        { ...common, name: "track to the store", database: "track",
            run: track(context, ["--records", records]) },
        { ...common, name: "raw COPY", kind: "limit", database: "copy",
            prepare: (store) => writeFiles(context, store, records, files),
            run: ({ store }) => copy(store, [file("all")]) },
        { ...common, name: "raw COPY, 2 sessions", kind: "limit", database: "copy",
            run: ({ store }) => copy(store, [file("first"), file("second")]) },
    ];
    if (plan.quick) rates.pop();
    await prepareDatabases(databases, [...calls, ...rates], say);
    const settings = { callers: 1, rounds: plan.rounds };
    return [
        ...(await interleave(databases, calls, "tracking calls", settings, say)),
        ...(await interleave(databases, rates, "tracking rate", settings, say)),
    ];
}

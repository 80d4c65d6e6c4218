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

async function copy(store, file) {
    const output = await run("psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", store],
        { input: `\\timing on\n\\copy usage_logs from '${file}' with (format binary)\n` });
    const ms = Number(/Time: ([\d.]+) ms/.exec(output)[1]);
    const saved = Number(await query(store, ROWS));
    return { saved, seconds: ms / 1000, per_second: saved / (ms / 1000), failed: 0 };
}

export async function measureTracking(context, databases, plan, say) {
    const records = plan.quick ? 50000 : 200000;
    const file = `${context.scratch}/usage.copy`;
    const common = { kind: "ours", schema: true, rows: ROWS, whole };
    const calls = [
        { ...common, name: "track, journal off", database: "track",
            run: track(context, ["--seconds", plan.seconds]) },
        { ...common, name: "track, journal on", database: "track",
            run: (settings) => track(context, ["--seconds", plan.seconds], journal(context))(settings) },
    ];
    const rates = [
        { ...common, name: "track to the store", database: "track",
            run: track(context, ["--records", records]) },
        { ...common, name: "raw COPY", kind: "limit", database: "copy",
            prepare: async (store) => {
                const sql = readFileSync(`${context.root}/bench/sql/usage_rows.sql`, "utf8");
                await query(store, sql.replace(":records", records));
                await query(store, `\\copy bench_usage to '${file}' with (format binary)`);
            },
            run: ({ store }) => copy(store, file) },
    ];
    await prepareDatabases(databases, [...calls, ...rates], say);
    const settings = { callers: 1, rounds: plan.rounds };
    return [
        ...(await interleave(databases, calls, "tracking calls", settings, say)),
        ...(await interleave(databases, rates, "tracking rate", settings, say)),
    ];
}

// The SQLite store beside raw batched SQLite.
import { rmSync } from "node:fs";
import { summary } from "./interleave.mjs";
import { measured, run } from "./process.mjs";

const CALLERS = 32;

export async function measureSqlite(context, plan, say) {
    const words = ["--samples", context.samples, "--seconds", plan.seconds, "--warmup", plan.warmup];
    const file = `${context.scratch}/embedded.db`;
    const remove = () => ["", "-wal", "-shm", "-lock"].forEach((end) => rmSync(file + end, { force: true }));
    const migrate = () => run(`${context.programs}/conversation`, ["migrate", "--store", `sqlite:${file}`]);
    const runs = { "libconversation, SQLite": [], "raw SQLite, 32 in a transaction": [] };
    for (let round = 1; round <= plan.rounds; round++)
        for (const name of Object.keys(runs)) {
            remove();
            await migrate();
            const result = name.startsWith("raw")
                ? await measured(`${context.programs}/bench_sqlite_batches`,
                    ["--file", file, "--batch", CALLERS, ...words])
                : await measured(`${context.programs}/bench_exchanges`,
                    ["--store", `sqlite:${file}`, "--callers", CALLERS, ...words]);
            runs[name].push(result);
            say(`sqlite round ${round}: ${name} ${Math.round(result.per_second)}/s`);
        }
    remove();
    return Object.entries(runs).map(([competitor, all]) => ({
        group: "sqlite", callers: CALLERS, competitor, kind: competitor.startsWith("raw") ? "limit" : "ours",
        median: summary(all), runs: all,
    }));
}

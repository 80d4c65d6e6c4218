// The SQLite store beside raw batched SQLite.
import { rmSync } from "node:fs";
import { summary } from "./interleave.mjs";
import { measured, run } from "./process.mjs";

const CALLERS = 32;
// As many as there are callers, and as many as a long transaction: the faster is the limit.
const BATCHES = [CALLERS, 256];

export async function measureSqlite(context, plan, say) {
    const words = ["--samples", context.samples, "--seconds", plan.seconds, "--warmup", plan.warmup];
    const file = `${context.scratch}/embedded.db`;
    const remove = () => ["", "-wal", "-shm", "-lock"].forEach((end) => rmSync(file + end, { force: true }));
    const migrate = () => run(`${context.programs}/conversation`, ["migrate", "--store", `sqlite:${file}`]);
    const raw = (batch) => () => measured(`${context.programs}/bench_sqlite_batches`,
        ["--file", file, "--batch", batch, ...words]);
    const all = [
        { competitor: "libconversation, SQLite", kind: "ours", run: () =>
            measured(`${context.programs}/bench_exchanges`,
                ["--store", `sqlite:${file}`, "--callers", CALLERS, ...words]) },
        ...BATCHES.map((batch) => ({ competitor: `raw SQLite, ${batch} in a transaction`, kind: "limit",
            run: raw(batch) })),
    ];
    const runs = new Map(all.map(({ competitor }) => [competitor, []]));
    for (let round = 1; round <= plan.rounds; round++)
        for (const { competitor, run: once } of all) {
            remove();
            await migrate();
            const result = { round, ...(await once()) };
            runs.get(competitor).push(result);
            say(`sqlite round ${round}: ${competitor} ${Math.round(result.per_second)}/s`);
        }
    remove();
    return all.map(({ competitor, kind }) => ({ group: "sqlite", callers: CALLERS, competitor, kind,
        median: summary(runs.get(competitor)), runs: runs.get(competitor) }));
}

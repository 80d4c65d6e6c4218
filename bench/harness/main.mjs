// The bench: measures what it was asked to, and writes results.json and the page. Called by bench/run.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { batchCompetitors, competitors, ourVariants } from "./competitors.mjs";
import { Databases } from "./databases.mjs";
import { interleave, prepareDatabases } from "./interleave.mjs";
import { writeSamples } from "./samples.mjs";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const began = Date.now();
const say = (text) => console.error(`[${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s] ${text}`);
const quick = process.argv.includes("--quick");
const scratch = mkdtempSync(`${process.env.BENCH_DISK ?? "/var/tmp"}/conversation-bench-`);
const context = { python: { asyncpg: false, psycopg: false }, root, scratch, programs: `${root}/build/bench/bin`, samples: `${scratch}/samples.jsonl` };
context.pairs = writeSamples(context.samples, root).pairs;
const databases = new Databases(process.env.CONVERSATION_TEST_STORE, context.programs);
const settings = quick ? { rounds: 3, seconds: 2, warmup: 1 } : { rounds: 5, seconds: 5, warmup: 1 };
const all = competitors(context);
const batches = batchCompetitors(context, settings.seconds + settings.warmup);
const variants = ourVariants(context);
await prepareDatabases(databases, [...all, ...batches, ...variants], say);
const results = [];
for (const [callers, who] of [
    [1, all.filter(({ kind, name }) => kind === "ours" || name === "pgbench")],
    [32, [...all, ...batches, ...variants]],
    [512, [...all, ...batches, ...variants]],
])
    results.push(...(await interleave(databases, who, "exchanges", { callers, ...settings }, say)));
for (const { callers, competitor, median } of results)
    console.log(`${callers} ${competitor}: ${Math.round(median.per_second)}/s p50 ${Math.round(median.p50_us)} p99 ${Math.round(median.p99_us)} rss ${median.rss_kib}`);
rmSync(scratch, { recursive: true });

// Counts that do not depend on the machine's mood: instructions and allocations for each exchange; and
// where the time goes, by perf. Each count is the difference of a long and a short run.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { measured, run } from "./process.mjs";
import { measureHeap } from "./profile_memory.mjs";
import { measureIndexing } from "./profile_search.mjs";
import { measureServerProfile } from "./profile_server.mjs";
import { measureWaiting } from "./profile_waiting.mjs";

// What results hold has this form; tests/bench/page.sh compares the page with results of no other.
export const FORM = 4;

const SHORT = 256;
const LONG = 1280;

const has = (command) => {
    try {
        execFileSync("sh", ["-c", `command -v ${command}`], { stdio: "ignore" });
        return true;
    } catch {
        return false;
    }
};

function exchanges(context, store, callers, count) {
    return [`${context.programs}/bench_exchanges`, "--store", store, "--samples", context.samples,
        "--callers", String(callers), "--exchanges", String(count)];
}

async function difference(databases, name, measure) {
    await databases.empty(name);
    const short = await measure(SHORT);
    await databases.empty(name);
    const long = await measure(LONG);
    return (long - short) / (LONG - SHORT);
}

async function annotated(file) {
    const text = await run("callgrind_annotate", ["--threshold=90", file]);
    return { all: Number(/([\d,]+) \(100\.0%\)\s+PROGRAM TOTALS/.exec(text)[1].replaceAll(",", "")), text };
}

async function instructions(context, store, callers, count, file) {
    // Only what the callers do: not the start of the program, nor of the libraries it loads.
    await run("valgrind", ["--tool=callgrind", `--callgrind-out-file=${file}`, "--toggle-collect=call",
        ...exchanges(context, store, callers, count)]);
    return annotated(file);
}

async function allocations(context, store, callers, count) {
    const log = `${context.scratch}/memcheck.log`;
    await run("valgrind", ["--tool=memcheck", "--leak-check=no", `--log-file=${log}`,
        ...exchanges(context, store, callers, count)]);
    const text = await run("cat", [log]);
    return Number(/total heap usage: ([\d,]+) allocs/.exec(text)[1].replaceAll(",", ""));
}

// Lines of callgrind_annotate: share, file:function and, in brackets, the object it is in.
function topOfCallgrind(text) {
    return [...text.matchAll(/^\s*[\d,]+ \(\s*([\d.]+)%\)\s+(\S+?)(?:'\d+)?(?: \[(.*)\])?$/gm)]
        .map(([, share, name, object]) => {
            const symbol = name.slice(name.lastIndexOf(":") + 1);
            return { share: Number(share), name: symbol.startsWith("0x")
                ? `a function of ${object?.split("/").pop() ?? "unknown"} without a name` : symbol };
        })
        .filter(({ name }) => !["PROGRAM", "TOTALS"].includes(name)).slice(0, 14);
}

async function perf(context, store, callers) {
    const file = `${context.scratch}/perf.data`;
    await run("perf", ["record", "--event=cpu-clock", "--freq=997", "--output", file, "--",
        `${context.programs}/bench_exchanges`, "--store", store, "--samples", context.samples,
        "--callers", String(callers), "--seconds", "4"]);
    const text = await run("perf", ["report", "--stdio", "--no-children", "--percent-limit=1",
        "--sort=dso,symbol", "--input", file]);
    return [...text.matchAll(/^\s+([\d.]+)%\s+(\S+)\s+\[[.k]\]\s+(\S+)/gm)].slice(0, 14)
        .map(([, share, where, name]) => ({ share: Number(share), where, name }));
}

// Cycles and cache misses of the program for each call at the same pace; null where the processor's
// counters can't be read, as in many virtual machines.
async function counters(context, store) {
    if (!has("perf")) return null;
    const file = `${context.scratch}/perf.stat`;
    const { calls } = await measured("perf", ["stat", "--field-separator=;", `--output=${file}`,
        "--event=cycles,cache-misses", "--", `${context.programs}/bench_track`, "--store", store, "--seconds", "2"]);
    const [cycles, cache_misses] = ["cycles", "cache-misses"].map((event) =>
        Number(new RegExp(`^(\\d+);[^;]*;${event}`, "m").exec(readFileSync(file, "utf8"))?.[1]) / calls);
    return Number.isFinite(cycles) && Number.isFinite(cache_misses) ? { cycles, cache_misses } : null;
}

// What one call of conv_track_usage is made of, at the pace of the figures, without what carries the
// records to the store.
async function tracking(context, store) {
    const file = `${context.scratch}/callgrind.out`;
    const { calls } = await measured("valgrind", ["--tool=callgrind", `--callgrind-out-file=${file}`,
        "--toggle-collect=conv_track_usage", `${context.programs}/bench_track`, "--store", store,
        "--seconds", "3"]);
    const { all, text } = await annotated(file);
    return { instructions: Math.round(all / calls), top: topOfCallgrind(text),
        counters: await counters(context, store).catch(() => null) };
}

export async function measureProfile(context, databases, say) {
    const name = "profile";
    const store = await databases.createWithSchema(name);
    const result = { form: FORM, callers: {} };
    if (has("valgrind"))
        for (const callers of [1, 32]) {
            const file = `${context.scratch}/callgrind.out`;
            let top = [];
            const count = await difference(databases, name, async (exchangeCount) => {
                const { all, text } = await instructions(context, store, callers, exchangeCount, file);
                top = topOfCallgrind(text);
                return all;
            });
            const allocated = await difference(databases, name, (exchangeCount) =>
                allocations(context, store, callers, exchangeCount));
            result.callers[callers] = { instructions: Math.round(count),
                allocations: Math.round(allocated * 10) / 10, top };
            say(`profile, ${callers} callers: ${Math.round(count)} instructions, ` +
                `${allocated.toFixed(1)} allocations for each exchange`);
        }
    if (has("valgrind")) {
        await databases.empty(name);
        result.tracking = await tracking(context, store);
        say(`profile, tracking: ${result.tracking.instructions} instructions for each call`);
        result.heap = await measureHeap(context, databases, name, store, say);
    }
    result.words = await measureIndexing(context, databases, name, store, say);
    result.waiting = await measureWaiting(context, databases, name, store, say);
    try {
        if (!has("perf")) throw new Error("perf is not installed");
        result.perf = {};
        for (const callers of [32, 512]) {
            await databases.empty(name);
            result.perf[callers] = await perf(context, store, callers);
        }
    } catch (error) {
        result.perf = null;
        result.perf_missing = String(error.message).slice(0, 200);
    }
    await databases.drop(name);
    result.server = await measureServerProfile(context, databases, say, result.perf !== null);
    return result;
}

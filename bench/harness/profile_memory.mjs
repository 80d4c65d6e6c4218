// What the heap holds while 512 turns are under way, with the journal: massif's peak, by who asked.
import { readFileSync, rmSync } from "node:fs";
import { run } from "./process.mjs";

const CALLERS = 512;
// As many as a session has here: the last of them have the longest context.
const TURNS = 10;
// Whoever only hands memory on is not who asked for it.
const PASSED_ON = new RegExp("^(malloc|calloc|realloc|allocate_raw|conv__(re)?(allocate|resize)\\w*|" +
    "conv__(copy|join)_text|conv__arena_\\w+|arena_take|chunk_create|conv__buffer_\\w+|reserve|append_\\w+)$");

// Massif writes the tree of the peak as lines "n2: BYTES ADDRESS: FUNCTION (PLACE)", indented by depth,
// each with so many below it.
function treeOf(text) {
    const snapshot = text.split("snapshot=").find((one) => one.includes("heap_tree=peak")) ?? "";
    const lines = [...snapshot.matchAll(/^ *n(\d+): (\d+) (.*)$/gm)];
    const next = () => {
        const [, children, bytes, about] = lines.shift();
        const name = /0x[\dA-F]+: (\S+)/.exec(about)?.[1] ?? "many small ones";
        return { name: name === "???" ? "libraries without names" : name, bytes: Number(bytes), below: Array.from({ length: Number(children) }, next) };
    };
    return lines.length > 0 ? next() : { name: "", bytes: 0, below: [] };
}

// The bytes of each nearest caller that is no allocator.
function askers({ below }) {
    const sums = new Map();
    const look = (node) => {
        if (PASSED_ON.test(node.name) && node.below.length > 0) node.below.forEach(look);
        else sums.set(node.name, (sums.get(node.name) ?? 0) + node.bytes);
    };
    below.forEach(look);
    return [...sums].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}

export async function measureHeap(context, databases, name, store, say) {
    const file = `${context.scratch}/massif.out`;
    const journal = `${context.scratch}/massif.journal`;
    await databases.empty(name);
    await run("valgrind", ["--tool=massif", "--max-threads=700", `--massif-out-file=${file}`, "--depth=12",
        "--threshold=0.5", `${context.programs}/bench_exchanges`, "--store", store, "--samples", context.samples,
        "--callers", String(CALLERS), "--exchanges", String(TURNS * CALLERS), "--way", "turn", "--journal", journal]);
    const tree = treeOf(readFileSync(file, "utf8"));
    rmSync(file);
    const result = { callers: CALLERS, bytes: tree.bytes, top: askers(tree).slice(0, 12) };
    say(`profile, heap: ${Math.round(result.bytes / 1024)} KiB with ${CALLERS} turns under way`);
    return result;
}

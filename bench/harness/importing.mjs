// `conversation import` of a large file: how fast, and with how much memory.
import { createWriteStream, readFileSync } from "node:fs";
import { once } from "node:events";
import { summary } from "./interleave.mjs";
import { query, run } from "./process.mjs";

const CONVERSATION_EXCHANGES = 10;
const JOBS = 256;

async function writeConversations(context, file, messages) {
    const out = createWriteStream(file);
    const count = messages / (2 * CONVERSATION_EXCHANGES);
    for (let i = 0; i < count; i++) {
        const all = [];
        for (let k = 0; k < CONVERSATION_EXCHANGES; k++) {
            const { question, answer } = context.pairs[(i * 7 + k) % context.pairs.length];
            all.push({ role: "user", content: question }, { role: "assistant", content: answer });
        }
        const line = JSON.stringify({ id: `conversation-${i}`, user: `customer-${i % 900}`,
            model: "gpt-4o", messages: all });
        if (!out.write(`${line}\n`)) await once(out, "drain");
    }
    out.end();
    await once(out, "finish");
}

// Resident memory, looked at four times a second.
function watchMemory(child) {
    const seen = [];
    const timer = setInterval(() => {
        try {
            const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
            seen.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0));
        } catch {
            clearInterval(timer);
        }
    }, 250);
    child.on("close", () => clearInterval(timer));
    return seen;
}

async function importOnce(context, databases, file, messages) {
    const store = await databases.createWithSchema("imported");
    await query(databases.server, "CHECKPOINT;");
    let memory = [];
    const began = performance.now();
    await run(`${context.programs}/conversation`, ["import", file, "--store", store, "--jobs", String(JOBS),
        "--json"], { onSpawn: (child) => (memory = watchMemory(child)) });
    const seconds = (performance.now() - began) / 1000;
    const saved = Number(await query(store, "SELECT count(*) FROM chat_messages;"));
    if (saved !== messages) throw new Error(`import: ${saved} of ${messages} messages are there`);
    await databases.drop("imported");
    return { messages, seconds, per_second: messages / 2 / seconds, jobs: JOBS,
        rss_early_kib: memory[Math.floor(memory.length / 10)] ?? 0,
        rss_kib: memory[Math.floor(memory.length * 0.95)] ?? 0, rss_highest_kib: Math.max(0, ...memory) };
}

export async function measureImport(context, databases, plan, say) {
    const messages = plan.quick ? 100000 : 1000000;
    const file = `${context.scratch}/import.jsonl`;
    const runs = [];
    await writeConversations(context, file, messages);
    for (let round = 1; round <= plan.rounds; round++) {
        runs.push({ round, ...(await importOnce(context, databases, file, messages)) });
        say(`import, round ${round}: ${JSON.stringify(runs.at(-1))}`);
    }
    return [{ group: "import", competitor: "libconversation", kind: "ours", callers: JOBS,
        median: summary(runs), runs }];
}

// What the database itself can do: pgbench with one statement for each exchange, and the server
// inserting the same rows in batches without any client.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { query, timed } from "./process.mjs";
import { replaced } from "./statement.mjs";

const HASH = "'\\x00112233445566778899aabbccddeeff'";
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

// The texts as rows, as they are: a client of pgbench has no variables that hold texts of its choice.
export async function createSampleTable(store, pairs) {
    const rows = pairs.map(({ question, answer }, i) => `(${i + 1}, ${quoted(question)}, ${quoted(answer)})`);
    await query(store, `SET standard_conforming_strings = on;
        CREATE TABLE bench_sample (n integer PRIMARY KEY, question text, answer text);
        ALTER TABLE bench_sample ALTER question SET STORAGE PLAIN, ALTER answer SET STORAGE PLAIN;
        INSERT INTO bench_sample VALUES ${rows.join(",\n")};
        VACUUM ANALYZE bench_sample;`);
}

// Ids made of numbers, because pgbench has no others: `n` grows over all clients, and ten exchanges in
// a row of a client share a session. The texts are chosen as every caller chooses them.
function exchangeScript(root, samples) {
    const sample = (column) => `(SELECT ${column} FROM bench_sample WHERE n = :k)`;
    const id = (group, number) => `('01890a5d-ac96-7${group}-8000-' || :${number})`;
    const statement = replaced(readFileSync(`${root}/bench/sql/exchange.sql`, "utf8"), {
        session_id: "('01890a5d-ac96-7001-8000-0' || :session)",
        exchange_id: id("002", "n"),
        question_id: id("003", "asked"),
        answer_id: id("003", "answered"),
        log_id: id("005", "n"),
        user_id: "('01890a5d-ac96-7006-8000-000000000' || :customer)",
        request_hash: HASH,
        reply_hash: HASH,
        question: sample("question"),
        answer: sample("answer"),
        input_tokens: "44",
        output_tokens: "188",
        cost_usd: "0.00199",
    });
    return `\\set n 100000000000 + :count * :clients + :client_id
\\set asked 2 * :n
\\set answered 2 * :n + 1
\\set session 10000000000 + :client_id * 10000000 + :count / 10
\\set customer 100 + :client_id
\\set k (:client_id * 7 + :count) % ${samples} + 1
\\set count :count + 1
${statement};
`;
}

const at = (sorted, share) => sorted[Math.floor(sorted.length * share)] ?? 0;

// Runs a script with one transaction for each line, and reads the log of all of them.
export async function pgbench(store, script, { callers, seconds, warmup, define = {}, env = {} }) {
    const folder = mkdtempSync(`${tmpdir()}/conversation-pgbench-`);
    try {
        writeFileSync(`${folder}/script.sql`, script);
        const words = ["--no-vacuum", "--protocol=prepared", `--client=${callers}`,
            `--jobs=${Math.min(callers, 2)}`, `--time=${warmup + seconds}`, "--log",
            "--log-prefix=times", "--file=script.sql", "--random-seed=7",
            ...Object.entries(define).map(([name, value]) => `--define=${name}=${value}`), store];
        const { output, processor_us } = await timed("pgbench", words, { cwd: folder, env });
        const failed = Number(/number of failed transactions: (\d+)/.exec(output)?.[1] ?? 0);
        const rows = readdirSync(folder).filter((name) => name.startsWith("times."))
            .flatMap((name) => readFileSync(`${folder}/${name}`, "utf8").trim().split("\n"))
            .filter((line) => line !== "")
            .map((line) => {
                const [, , us, , second, micros] = line.split(" ");
                return { us: Number(us), ended: Number(second) + Number(micros) / 1e6 };
            });
        let last = 0;
        for (const { ended } of rows) if (ended > last) last = ended;
        const counted = rows.filter(({ ended }) => ended > last - seconds);
        const times = counted.map(({ us }) => us).sort((a, b) => a - b);
        return {
            callers, exchanges: counted.length, seconds, per_second: counted.length / seconds,
            p50_us: at(times, 0.5), p99_us: at(times, 0.99), saved: rows.length, failed,
            client_cpu_us: processor_us / rows.length,
        };
    } finally {
        rmSync(folder, { recursive: true });
    }
}

// Hundreds of clients need longer until each of them has its plan.
export function pgbenchExchanges(root, store, samples, settings) {
    return pgbench(store, exchangeScript(root, samples), {
        ...settings, warmup: settings.warmup + Math.floor(settings.callers / 128), define: { count: 0, clients: settings.callers },
        env: { PGOPTIONS: "-c plan_cache_mode=force_generic_plan" },
    });
}

// Prepares the input of the batches; `exchanges` bounds how long one run can be.
export async function createBatchInput(root, store, exchanges) {
    await query(store, readFileSync(`${root}/bench/sql/batches.sql`, "utf8"));
    await query(store, `CALL bench_fill_input(${exchanges}); VACUUM ANALYZE bench_input;`);
}

// `workers` sessions at once, each with its own part of the input.
export async function serverBatches(store, exchanges, workers, { seconds, warmup }) {
    const each = Math.floor(exchanges / workers / 640) * 640;
    const calls = Array.from({ length: workers }, (_, i) => query(store,
        `CALL bench_batches(${i * each}, ${(i + 1) * each - 1}, ${warmup}, ${seconds}, NULL, NULL);`));
    let counted = 0;
    let saved = 0;
    for (const line of await Promise.all(calls)) {
        const [some, all] = line.split("|").map(Number);
        counted += some;
        saved += all;
    }
    return { callers: workers, exchanges: counted, seconds, per_second: counted / seconds, saved, failed: 0 };
}

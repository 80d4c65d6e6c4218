// Deleting a session of 10,000 messages, by the library and by plain SQL in turns; and what each of their
// statements did, by the server's own log.
import { readFileSync, statSync } from "node:fs";
import { median } from "./interleave.mjs";
import { measured, query, run } from "./process.mjs";

const FIRST = 900000000;
const EXCHANGES = 5000;

// A deletion takes a twentieth of a second and moves by as much again: many rounds cost little.
export const deletionRounds = ({ rounds }) => 3 * rounds;

// Of each kind one that is not counted, one for every round, and one that is explained. They come after
// what is read from the table, whose size they would change.
async function fill(store, rounds) {
    const count = 2 * (rounds + 2);
    await query(store, `CALL bench_grow(${FIRST}, ${count}, ${EXCHANGES}); CALL bench_grow_usage(${FIRST});`);
    await query(store, "VACUUM ANALYZE;");
    await checkRows(store, count);
}

// That there is all of so many sessions: at first of all, and at the end of none.
async function checkRows(store, sessions) {
    const counts = ["sessions", "exchanges", "messages"].map((name) =>
        `(SELECT count(*) FROM chat_${name} WHERE session_id >= bench_id('001', ${FIRST}))`);
    const found = await query(store, `SELECT ${counts.join(", ")};`);
    if (found !== [sessions, sessions * EXCHANGES, sessions * 2 * EXCHANGES].join("|"))
        throw new Error(`${sessions} sessions to delete should be there, but the rows say ${found}`);
}

const session = (number) => `01890a5d-ac96-7001-8000-${String(FIRST + number).padStart(12, "0")}`;

async function plainDelete(store, id, env) {
    const output = await run("psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", store,
        "--command=\\timing on", `--command=BEGIN;
            DELETE FROM chat_sessions_summary WHERE session_id = '${id}';
            DELETE FROM chat_sessions WHERE session_id = '${id}';
            DELETE FROM chat_messages WHERE session_id = '${id}';
            DELETE FROM chat_exchanges WHERE session_id = '${id}';
            COMMIT;`], { env });
    return { ms: Number(/Time: ([\d.]+) ms/.exec(output)[1]) };
}

// What the server's log says while something is done with such settings of the connection.
async function logged(databases, settings, work) {
    const log = `${databases.folder}/server.log`;
    const before = statSync(log).size;
    const result = await work({ PGOPTIONS: ["log_min_messages=log", ...settings].map((one) => `-c ${one}`).join(" ") });
    return { result, text: readFileSync(log).subarray(before).toString() };
}

// How long the server took for each statement of the library's.
function statementsIn(text) {
    const spent = {};
    for (const [, ms, name] of text.matchAll(/duration: ([\d.]+) ms  (?:parse|bind|execute) (conv_\w+?)_[\da-f]{8}:/g))
        spent[name] = (spent[name] ?? 0) + Number(ms);
    return spent;
}

const EXPLAIN = ["session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0",
    "auto_explain.log_analyze=on", "auto_explain.log_buffers=on", "auto_explain.log_wal=on",
    "auto_explain.log_timing=off", "auto_explain.log_format=json"];

const changesOf = (plan) => [
    ...(plan["Node Type"] === "ModifyTable" ? [`${plan.Operation.toLowerCase()} ${plan["Relation Name"]}`] : []),
    ...(plan.Plans ?? []).flatMap(changesOf)];

// Each statement that changes something: what it changes, how long it ran, the pages it touched, and what
// it wrote to the log. The server indents a message's further lines by a tab.
function explainedIn(text) {
    return [...text.matchAll(/duration: ([\d.]+) ms  plan:\n((?:\t.*\n?)+)/g)].map(([, ms, json]) => {
        const { Plan: plan } = JSON.parse(json.replaceAll(/^\t/gm, ""));
        return { ms: Number(ms), changes: changesOf(plan),
            pages: plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
            wal_records: plan["WAL Records"] ?? 0, wal_bytes: plan["WAL Bytes"] ?? 0 };
    }).filter(({ changes }) => changes.length > 0);
}

// The first deletion of each kind warms up; then each kind goes first in every other round.
export async function measureDeletions(databases, bench, store, rounds) {
    await fill(store, rounds);
    await databases.settle();
    let next = 0;
    const ways = {
        ours: (id, env) => measured(bench, ["--store", store, "--delete", id], { env }),
        plain: (id, env) => plainDelete(store, id, env),
    };
    const kinds = Object.fromEntries(Object.entries(ways).map(([kind, way]) => [kind, async (env) => {
        const result = await way(session(next++), env);
        if (kind === "ours" && result.messages !== 2 * EXCHANGES)
            throw new Error(`the receipt of a deletion says ${result.messages} messages`);
        return result;
    }]));
    const made = { ours: [], plain: [], statements: [], explained: {} };
    const logs = [];
    for (const work of Object.values(kinds)) await work({});
    for (let round = 1; round <= rounds; round++)
        for (const kind of round % 2 ? ["ours", "plain"] : ["plain", "ours"]) {
            const { result, text } = await logged(databases, ["log_min_duration_statement=0"], kinds[kind]);
            made[kind].push({ round, ...result });
            if (kind === "ours") logs.push(statementsIn(text));
        }
    made.statements = [...new Set(logs.flatMap(Object.keys))].map((name) =>
        ({ name, ms: median(logs.map((spent) => spent[name] ?? 0)) }));
    for (const [kind, work] of Object.entries(kinds))
        made.explained[kind] = explainedIn((await logged(databases, EXPLAIN, work)).text);
    await checkRows(store, 0);
    return made;
}

// The bench: measures what it was asked to, and writes the results and the page. Called by bench/run.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arguments_ } from "./arguments.mjs";
import { batchCompetitors, competitors, ourVariants } from "./competitors.mjs";
import { Databases } from "./databases.mjs";
import { measureSqlite } from "./embedded.mjs";
import { measureImport } from "./importing.mjs";
import { interleave, prepareDatabases } from "./interleave.mjs";
import { describeMachine } from "./machine.mjs";
import { complaints, printTable, writePage } from "./page.mjs";
import { measureProfile } from "./profile.mjs";
import { measureReading } from "./reading.mjs";
import { writeSamples } from "./samples.mjs";
import { measureTracking } from "./tracking.mjs";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const plan = arguments_(process.argv.slice(2));
const began = Date.now();
const say = (text) =>
    console.error(`[${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s] ${text}`);

// How memory develops. What glibc keeps for each thread is no memory of the library; without it the rest
// shows.
function longRuns(context, saving, turns, quick) {
    const bare = { GLIBC_TUNABLES: "glibc.malloc.tcache_count=0" };
    const all = [
        ["libconversation", saving, 1024000, {}],
        ["the same, glibc keeps nothing for a thread", saving, 1024000, bare],
        ["turn, journal", turns, 512000, {}],
        ["turn, journal, glibc keeps nothing for a thread", turns, 512000, bare],
    ].map(([name, one, exchanges, env]) => ({ ...one, name, kind: "ours", database: "memory",
        run: ({ store, callers }) => one.run({ store, callers, exchanges: quick ? 51200 : exchanges, env }) }));
    return quick ? all.slice(0, 1) : all;
}

async function exchangeGroups(context, databases, results) {
    const settings = { rounds: plan.rounds, seconds: plan.seconds, warmup: plan.warmup };
    const all = competitors(context, plan.quick);
    const batches = batchCompetitors(context, plan.seconds + plan.warmup, plan.quick);
    const add = async (group, callers, who) =>
        results.push(...(await interleave(databases, who, group, { callers, ...settings }, say)));
    const ours = all.filter(({ kind }) => kind === "ours");
    const [alone, ...others] = ourVariants(context);
    if (plan.wants("exchanges")) {
        await prepareDatabases(databases, [...all, ...batches, alone], say);
        await add("exchanges", 1, [...all.filter(({ name, kind, alone: one }) =>
            one !== false && (!plan.quick || kind === "ours" || name === "pgbench")), ...(plan.quick ? [] : [alone])]);
        await add("exchanges", 32, [...all, ...batches]);
        await add("exchanges", 512, [...all, ...batches].filter(({ crowd, name }) =>
            crowd !== false && !(plan.quick && name === "pgbench")));
    }
    if (plan.wants("journal")) {
        await prepareDatabases(databases, [...ours, ...others], say);
        const compared = [...ours, ...(plan.quick ? others.slice(0, 1) : others)];
        for (const callers of plan.quick ? [32] : [32, 512]) await add("journal", callers, compared);
    }
    if (plan.wants("memory")) {
        const long = longRuns(context, ours[0], others.at(-1), plan.quick);
        await prepareDatabases(databases, long, say);
        // The line that is to be reached has as many runs as the others; what explains it, one each.
        for (const [rounds, who] of [[plan.quick ? 1 : plan.rounds, long.slice(0, 1)], [1, long.slice(1)]])
            results.push(...(await interleave(databases, who, "memory", { callers: 512, rounds }, say)));
    }
}

function write(file, measured) {
    mkdirSync(`${root}/build/bench`, { recursive: true });
    writeFileSync(file, `${JSON.stringify(measured, null, 1)}\n`);
}

const quickFile = `${root}/build/bench/quick.json`;
const latest = plan.quick ? quickFile : `${root}/build/bench/results.json`;

// With what bench/run did before: building.
const minutes = () => Math.round((Date.now() - (Number(process.env.BENCH_BEGAN) || began)) / 6000) / 10;

// How long the latest quick run of the same commit took here, for the page.
function quickMinutes(commit) {
    if (!existsSync(quickFile)) return null;
    const { machine } = JSON.parse(readFileSync(quickFile, "utf8"));
    return machine.plan.partial || machine.commit !== commit ? null : machine.minutes;
}

// Each group in its order. What there is so far is written also when a later one fails.
async function measureGroups(context, databases, samples) {
    const measured = { machine: await describeMachine(context, databases, samples, plan), results: [] };
    const groups = [
        [["exchanges", "journal", "memory"], () => exchangeGroups(context, databases, measured.results)],
        [["tracking"], () => measureTracking(context, databases, plan, say)],
        [["sqlite"], () => measureSqlite(context, plan, say)],
        [["import"], () => measureImport(context, databases, plan, say)],
        [["reading"], () => measureReading(context, databases, plan, say)],
    ];
    try {
        for (const [names, work] of groups)
            if (names.some((name) => plan.wants(name))) measured.results.push(...((await work()) ?? []));
        if (plan.wants("profile")) measured.profile = await measureProfile(context, databases, say);
    } finally {
        measured.machine.minutes = minutes();
        measured.machine.quick_minutes = quickMinutes(measured.machine.commit);
        write(latest, measured);
    }
    return measured;
}

async function measure() {
    const scratch = mkdtempSync(`${process.env.BENCH_DISK ?? "/var/tmp"}/conversation-bench-`);
    for (const signal of ["SIGINT", "SIGTERM"])
        process.once(signal, () => {
            rmSync(scratch, { recursive: true });
            process.exit(1);
        });
    try {
        const samples = writeSamples(`${scratch}/samples.jsonl`, root);
        const context = { root, scratch, programs: `${root}/build/bench/bin`,
            samples: `${scratch}/samples.jsonl`, pairs: samples.pairs };
        const databases = new Databases(process.env.CONVERSATION_TEST_STORE, context.programs);
        return await measureGroups(context, databases, samples);
    } finally {
        rmSync(scratch, { recursive: true });
    }
}

const published = `${root}/bench/results.json`;

// Said last, so that it is read. A page that lacks something is written, and no success.
function judge(measured) {
    for (const text of complaints(measured, root)) {
        console.error(`bench: ${text}`);
        if (plan.whole) process.exitCode = 1;
    }
}

if (plan.page) {
    if (!existsSync(published)) throw new Error("there is no bench/results.json yet: bench/run makes it");
    const measured = JSON.parse(readFileSync(published, "utf8"));
    writePage(root, measured);
    judge(measured);
} else {
    const measured = await measure();
    if (plan.whole) {
        write(published, measured);
        writePage(root, measured);
    }
    printTable(measured);
    say(`written: ${plan.whole ? published : latest}`);
    judge(measured);
}

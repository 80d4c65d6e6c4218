// Where and with what was measured: enough to judge the figures, and to measure them again.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import { query } from "./process.mjs";

const SETTINGS = ["fsync", "synchronous_commit", "full_page_writes", "wal_level", "wal_sync_method",
    "shared_buffers", "max_wal_size", "checkpoint_timeout", "max_connections", "jit", "autovacuum"];

const said = (command, words) => {
    try {
        return execFileSync(command, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
        return null;
    }
};

const python = (name) => said("/usr/bin/python3", ["-c",
    `from importlib.metadata import version; import ${name}; print(version("${name}"))`]);

function peers(root) {
    const lock = JSON.parse(readFileSync(`${root}/bench/peers/package-lock.json`, "utf8"));
    const wanted = ["@langchain/community", "@langchain/core", "@mastra/pg", "@mastra/core",
        "@langchain/langgraph-checkpoint-postgres", "pg", "postgres"];
    return Object.fromEntries(wanted.map((name) => [name, lock.packages[`node_modules/${name}`].version]));
}

export async function describeMachine(context, databases, samples, plan) {
    const settings = {};
    for (const name of SETTINGS) settings[name] = await query(databases.server, `SHOW ${name};`);
    const cpu = os.cpus();
    return {
        date: new Date().toISOString().slice(0, 10),
        commit: said("git", ["-C", context.root, "describe", "--always", "--dirty", "--exclude=*"]),
        processor: cpu[0]?.model ?? "unknown",
        processors: cpu.length,
        memory_gib: Math.round(os.totalmem() / 2 ** 30),
        kernel: os.release(),
        system: /PRETTY_NAME="(.*)"/.exec(readFileSync("/etc/os-release", "utf8"))?.[1],
        file_system: said("stat", ["--file-system", "--format=%T", context.scratch]),
        postgresql: await query(databases.server, "SHOW server_version;"),
        libpq: said("pkg-config", ["--modversion", "libpq"]),
        sqlite: said("pkg-config", ["--modversion", "sqlite3"]),
        compiler: said("cc", ["-dumpfullversion"]),
        node: process.version,
        asyncpg: python("asyncpg"),
        psycopg: python("psycopg"),
        pgx: said("dpkg-query", ["--show", "--showformat=${Version}", "golang-github-jackc-pgx-v4-dev"]),
        go: said("go", ["version"])?.split(" ")[2] ?? null,
        peers: peers(context.root),
        settings,
        samples: { source: samples.source, question_bytes: samples.question_bytes,
            answer_bytes: samples.answer_bytes, count: samples.pairs.length },
        plan: { rounds: plan.rounds, seconds: plan.seconds, warmup: plan.warmup, growth: plan.growth,
            partial: plan.partial },
    };
}

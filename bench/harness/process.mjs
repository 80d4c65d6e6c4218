// Programs and SQL: runs them to their end and gives back what they printed. Knows no figures.
import { spawn } from "node:child_process";

// Resolves to the standard output; a program that fails is an error that says what it said.
export function run(command, words, { env = {}, input, cwd, onSpawn } = {}) {
    return new Promise((resolve, reject) => {
        const child = spawn(command, words, {
            cwd,
            env: { ...process.env, ...env },
            stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
        });
        let output = "";
        let errors = "";
        child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
        child.stderr.setEncoding("utf8").on("data", (text) => (errors = (errors + text).slice(-4000)));
        child.on("error", reject);
        child.on("close", (code, signal) => {
            if (code === 0) resolve(output);
            else reject(new Error(`${command} ${words.slice(0, 4).join(" ")} … ended with ` +
                `${code ?? signal}: ${errors.trim() || output.slice(-500).trim()}`));
        });
        if (input !== undefined) child.stdin.end(input);
        onSpawn?.(child);
    });
}

// As run, for a program that does not say how much processor time it took: gives it in microseconds.
export async function timed(command, words, settings) {
    const output = await run("bash", ["-c", `TIMEFORMAT="%U %S"; { time "$@" 2>&3; } 3>&2 2>&1`, "timed", command,
        ...words], settings);
    const [, user, system] = /([\d.]+) ([\d.]+)\n$/.exec(output);
    return { output, processor_us: (Number(user) + Number(system)) * 1e6 };
}

// The last line of JSON that a measuring program printed.
export async function measured(command, words, settings) {
    const lines = (await run(command, words, settings)).trim().split("\n");
    return JSON.parse(lines[lines.length - 1]);
}

// What a statement gives, one line a row, columns parted by "|".
export async function query(store, sql) {
    const output = await run("psql", ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
        "--set=ON_ERROR_STOP=1", "--dbname", store], { input: sql });
    return output.trim();
}

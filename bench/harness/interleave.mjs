// Runs competitors in turns, A B C, A C B, C A B …, so that whatever the machine does meanwhile, or somebody
// before left behind, meets all of them; checks after each run that what was acknowledged is there.
import { setTimeout as sleep } from "node:timers/promises";
import { query } from "./process.mjs";
import { serverMicroseconds } from "./server_time.mjs";

export const median = (numbers) => {
    const sorted = numbers.filter((number) => Number.isFinite(number)).sort((a, b) => a - b);
    if (sorted.length === 0) return null;
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

// The median of every number in the runs.
export function summary(runs) {
    const made = {};
    for (const key of Object.keys(runs[0]))
        if (key !== "round" && typeof runs[0][key] === "number") made[key] = median(runs.map((run) => run[key]));
    return made;
}

const TOLD = { per_second: "/s", p50_us: " µs p50", p99_us: " µs p99", p50_ns: " ns p50", p99_ns: " ns p99" };
const told = (result) => Object.entries(TOLD).filter(([key]) => result[key] > 0)
    .map(([key, unit]) => `${Math.round(result[key])}${unit}`).join(", ");

const databaseOf = (one) => one.database ?? one.name.toLowerCase().replaceAll(/[^a-z0-9]/g, "_");

export async function prepareDatabases(databases, all, say) {
    const done = new Set();
    for (const one of all) {
        const name = databaseOf(one);
        if (done.has(name)) continue;
        done.add(name);
        say(`preparing ${name}`);
        const store = one.schema ? await databases.createWithSchema(name) : await databases.create(name);
        if (one.prepare) await one.prepare(store);
    }
}

async function runOnce(databases, one, settings) {
    const name = databaseOf(one);
    const store = databases.url(name);
    await databases.settle();
    const before = serverMicroseconds(databases.folder);
    const result = await one.run({ store, ...settings });
    // The backends of a client that is gone end a moment later, and are in nobody's sum meanwhile.
    await sleep(150);
    result.server_cpu_us = (serverMicroseconds(databases.folder) - before) / result.saved;
    if (one.transactions) result.together = result.saved / Number(await query(store, one.transactions));
    const row = await query(store, one.rows);
    if (result.failed > 0 || !one.whole(row, result.saved))
        throw new Error(`${one.name}: ${result.saved} acknowledged, ${result.failed} failed, ` +
            `but the rows say ${row}`);
    return result;
}

// Nothing stays behind that the server would tidy up in somebody else's time.
async function runAndClear(databases, one, settings) {
    try {
        return await runOnce(databases, one, settings);
    } finally {
        await databases.clear(databaseOf(one));
    }
}

// Each round begins with the next competitor, and every other one goes backwards: so nobody always follows
// the same one.
function orderOf(all, round) {
    const first = (round - 1) % all.length;
    const order = [...all.slice(first), ...all.slice(0, first)];
    return round % 2 ? order : order.reverse();
}

// Gives {group, callers, competitor, kind, rounds, median, runs} for each competitor; for one that failed
// in each round {group: "missing", of, callers, competitor, kind, error}.
export async function interleave(databases, all, group, { rounds, ...settings }, say) {
    const runs = new Map(all.map((one) => [one.name, []]));
    const errors = new Map();
    for (let round = 1; round <= rounds; round++)
        for (const one of orderOf(all, round)) {
            const about = `${group}, ${settings.callers} callers, round ${round}: ${one.name}`;
            try {
                const result = { round, ...(await runAndClear(databases, one, settings)) };
                runs.get(one.name).push(result);
                say(`${about} ${told(result)}`);
            } catch (error) {
                // Ours must not fail; somebody else's failure is told, and costs him that run.
                if (["ours", "variant"].includes(one.kind)) throw error;
                say(`${about} failed and is left out: ${error.message}`);
                errors.set(one.name, error.message);
            }
        }
    return all.map(({ name: competitor, kind }) => {
        const about = { callers: settings.callers, competitor, kind };
        const made = runs.get(competitor);
        return made.length > 0 ? { group, ...about, rounds, median: summary(made), runs: made }
            : { group: "missing", of: group, ...about, error: errors.get(competitor) };
    });
}

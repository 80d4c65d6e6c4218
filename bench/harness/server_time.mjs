// Processor time of the disposable server: what an exchange costs it, whoever sends it.
import { readFileSync, readdirSync } from "node:fs";

const TICK_US = 10000;

function stat(pid) {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(fields[1]), own: Number(fields[11]) + Number(fields[12]),
        ended: Number(fields[13]) + Number(fields[14]) };
}

// Of the postmaster in the socket's folder, its processes, and those that have ended.
export function serverMicroseconds(folder) {
    const master = Number(readFileSync(`${folder}/data/postmaster.pid`, "utf8").split("\n")[0]);
    let ticks = 0;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        try {
            const { parent, own, ended } = stat(pid);
            if (Number(pid) === master) ticks += own + ended;
            else if (parent === master) ticks += own;
        } catch {
            // A process that ended meanwhile is in its parent's sum.
        }
    }
    return ticks * TICK_US;
}

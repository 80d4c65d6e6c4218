// The words of bench/run.
const GROUPS = ["exchanges", "journal", "memory", "tracking", "sqlite", "import", "reading", "profile"];

function stop(text) {
    console.error(`bench: ${text}; see bench/run --help`);
    process.exit(2);
}

export function arguments_(words) {
    const plan = { quick: false, page: false, only: null, growth: null, rounds: null, seconds: null };
    for (let i = 0; i < words.length; i++) {
        if (words[i] === "--quick") plan.quick = true;
        else if (words[i] === "--page") plan.page = true;
        else if (words[i] === "--only" && words[i + 1]) plan.only = new RegExp(words[++i]);
        else if (words[i] === "--growth" && words[i + 1]) plan.growth = words[++i].split(",").map(Number);
        else if (["--rounds", "--seconds"].includes(words[i]) && Number(words[i + 1]) > 0)
            plan[words[i].slice(2)] = Number(words[++i]);
        else stop(`${words[i]} is no option, or lacks its value`);
    }
    // The page shows whole runs only: a shorter one would leave lines without figures, or with poorer ones.
    plan.partial = ![plan.only, plan.growth, plan.rounds, plan.seconds].every((one) => one === null);
    plan.whole = !plan.quick && !plan.partial;
    plan.growth ??= plan.quick ? [10000, 100000] : [10000, 1000000, 10000000];
    if (plan.growth.some((number) => !(number >= 100))) stop("--growth takes numbers from 100, with commas");
    plan.wants = (group) => (plan.only === null ? !(plan.quick && group === "profile") : plan.only.test(group));
    if (!GROUPS.some((group) => plan.wants(group))) stop(`--only matches none of ${GROUPS.join(" ")}`);
    plan.rounds ??= plan.quick ? 3 : 5;
    plan.seconds ??= plan.quick ? 1 : 2;
    plan.warmup = 1;
    return plan;
}

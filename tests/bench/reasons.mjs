// Looks at bench/reasons.json beside bench/results.json: a name in braces that nothing makes, and a line
// that is missed without a reason. With --form it says whether the results are of the current form.
// usage: node reasons.mjs ROOT [--form]
import { readFileSync } from "node:fs";

const [root, question] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(`${root}/bench/${name}`, "utf8"));
const { figuresOf } = await import(`${root}/bench/harness/figures.mjs`);
const { FORM } = await import(`${root}/bench/harness/profile.mjs`);
const { unknownNames } = await import(`${root}/bench/harness/values.mjs`);

const measured = read("results.json");
const { always, missed } = read("reasons.json");
const current = measured.profile?.form === FORM;
if (question === "--form") {
    console.log(current ? "current" : "older");
    process.exit(0);
}

const wrong = [];
for (const text of [...Object.values(always), ...Object.values(missed)])
    for (const name of unknownNames(measured, text)) wrong.push(`nothing makes {${name}} of bench/reasons.json`);
// Only results of the current form were made by the code that is here.
if (current)
    for (const { id, what, reached } of figuresOf(measured))
        if (!reached && !missed[id]) wrong.push(`"${what}" is missed, and bench/reasons.json has no reason for ${id}`);
for (const text of wrong) console.log(text);
process.exit(wrong.length > 0 ? 1 : 0);

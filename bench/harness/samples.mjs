// The texts that everybody saves: from the shared conversations where they are, else made to the sizes
// that were found in them. Written once as transcripts of one exchange each.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const SAMPLES = 64;
const FILES = ["airline.jsonl", "mt_bench_de.jsonl", "mt_bench_ja.jsonl"];

function pairsOf(file) {
    const pairs = [];
    for (const line of readFileSync(file, "utf8").trim().split("\n")) {
        const { messages } = JSON.parse(line);
        for (let i = 0; i + 1 < messages.length; i++) {
            const [question, answer] = [messages[i], messages[i + 1]];
            if (question.role === "user" && answer.role === "assistant" && answer.content)
                pairs.push({ question: question.content, answer: answer.content });
        }
    }
    return pairs;
}

const bytes = (text) => Buffer.byteLength(text);
const sizeOf = ({ question, answer }) => bytes(question) + bytes(answer);

// Evenly spaced over the sizes: the mean and the long tail stay what they are.
function chosen(pairs) {
    const sorted = [...pairs].sort((a, b) => sizeOf(a) - sizeOf(b));
    const step = sorted.length / SAMPLES;
    const even = Array.from({ length: SAMPLES }, (_, i) => sorted[Math.floor((i + 0.5) * step)]);
    return even.map((_, i) => even[(i * 29) % SAMPLES]);
}

const WORDS = ("the a of to and in that is was for on you it with as be at by this have from or one had " +
    "not but what all were when we there can your which their said if do will each about how up out " +
    "them then she many some so these would other into has more her two like him time see no could " +
    "make than first been its who now people my made over did down only way find use may water long " +
    "reservation flight payment passenger baggage order delivery invoice address account").split(" ");

// Text of exactly so many bytes, the same for the same seed.
function text(size, seed) {
    let state = seed * 2654435761 + 1;
    let made = "";
    while (made.length < size) {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        made += `${WORDS[(state >>> 8) % WORDS.length]} `;
    }
    return `${made.slice(0, size - 1)}.`;
}

function fromSizes(file) {
    return readFileSync(file, "utf8").trim().split("\n").filter((line) => !line.startsWith("#"))
        .map((line, i) => {
            const [question, answer] = line.split(" ").map(Number);
            return { question: text(question, 2 * i + 1), answer: text(answer, 2 * i + 2) };
        });
}

// Writes `path` and says where the texts came from.
export function writeSamples(path, root) {
    const shared = `${root}/../shared/data`;
    const real = FILES.every((file) => existsSync(`${shared}/${file}`));
    const pairs = real
        ? chosen(FILES.flatMap((file) => pairsOf(`${shared}/${file}`)))
        : fromSizes(`${root}/bench/data/sizes.txt`);
    writeFileSync(path, pairs.map(({ question, answer }, i) => `${JSON.stringify({
        id: `sample-${i + 1}`,
        messages: [{ role: "user", content: question }, { role: "assistant", content: answer }],
    })}\n`).join(""));
    const mean = (part) => Math.round(pairs.reduce((sum, pair) => sum + bytes(pair[part]), 0) / pairs.length);
    return {
        pairs,
        source: real ? "recorded conversations (../shared/data)" : "made to recorded sizes (bench/data/sizes.txt)",
        question_bytes: mean("question"),
        answer_bytes: mean("answer"),
    };
}

"""What the drivers in Python share: words, samples, callers, the line of JSON. Knows no database."""
import asyncio
import json
import re
import resource
import sys
import time
from pathlib import Path
from types import SimpleNamespace

SESSION_EXCHANGES = 10


def options():
    words = sys.argv[1:]
    given = {name.lstrip("-"): value for name, value in zip(words[::2], words[1::2])}
    samples = []
    for line in Path(given["samples"]).read_text(encoding="utf-8").splitlines():
        question, answer = json.loads(line)["messages"]
        samples.append((question["content"], answer["content"]))
    return SimpleNamespace(store=given["store"], callers=int(given["callers"]),
                           seconds=float(given["seconds"]), warmup=float(given["warmup"]),
                           pool=int(given["pool"]), samples=samples)


def statement(parameter):
    """sql/exchange.sql with `parameter(name)` for each of its parameters."""
    text = (Path(__file__).parent.parent / "sql/exchange.sql").read_text(encoding="utf-8")
    text = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip()
    return re.sub(r"(?<!:):([a-z_]+)", lambda found: parameter(found[1]), text)


def uuid_of(group, caller, number):
    return f"01890a5d-ac96-7{group:03x}-8{caller:03x}-{number:012x}"


def values_of(caller, callers, number, sample):
    question, answer = sample
    input_tokens = len(question.encode()) // 4 + 1
    output_tokens = len(answer.encode()) // 4 + 1
    # Ids that grow with time over all callers, as those do that the library makes.
    ordinal = number * callers + caller
    digest = bytes.fromhex("00112233445566778899aabbccddeeff")
    return {
        "session_id": uuid_of(1, caller, number // SESSION_EXCHANGES),
        "user_id": uuid_of(2, 0, caller),
        "exchange_id": uuid_of(3, 0, ordinal),
        "question_id": uuid_of(4, 0, 2 * ordinal),
        "answer_id": uuid_of(4, 0, 2 * ordinal + 1),
        "log_id": uuid_of(6, 0, ordinal),
        "request_hash": digest,
        "reply_hash": digest,
        "question": question,
        "answer": answer,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cost_usd": (input_tokens * 25 + output_tokens * 100, 7),
    }


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_kib():
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[1])


async def run(settings, save):
    """Loops of save(values), one for each caller; prints what they saw."""
    latencies = []
    saved = 0
    before = processor_seconds()
    begin = time.perf_counter() + settings.warmup
    end = begin + settings.seconds

    async def call(caller):
        nonlocal saved
        number = 0
        while time.perf_counter() < end:
            sample = settings.samples[(caller * 7 + number) % len(settings.samples)]
            began = time.perf_counter()
            await save(values_of(caller, settings.callers, number, sample))
            ended = time.perf_counter()
            number += 1
            saved += 1
            if begin <= ended < end:
                latencies.append(ended - began)

    await asyncio.gather(*(call(caller) for caller in range(settings.callers)))
    used = processor_seconds() - before
    latencies.sort()

    def at(share):
        return round(1e6 * latencies[int(len(latencies) * share)], 1) if latencies else 0

    print(json.dumps({
        "callers": settings.callers, "exchanges": len(latencies), "seconds": settings.seconds,
        "per_second": round(len(latencies) / settings.seconds, 1), "p50_us": at(0.5),
        "p99_us": at(0.99), "saved": saved, "failed": 0, "rss_kib": resident_kib(),
        "client_cpu_us": round(1e6 * used / max(saved, 1), 2),
    }))

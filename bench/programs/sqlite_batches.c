/* The limit of SQLite: the library's own rows inserted by one thread through SQLite's interface, so
 * many exchanges in each transaction, as durably as the library does. Uses the library for nothing
 * but the samples. Prints one line of JSON.
 *
 *   bench_sqlite_batches --file FILE --samples FILE [--batch N] [--seconds N] [--warmup N] */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "measure.h"

#define NOW  "'2026-01-02T03:04:05.000000Z'"
#define HASH "x'00112233445566778899aabbccddeeff'"

enum { GATE, SESSION, QUESTION, ANSWER, QUEUE, USAGE, BEGIN, COMMIT, STATEMENTS };

static const char *const texts[] = {
    [GATE] =
        "INSERT INTO chat_exchanges (session_id, exchange_id, request_hash, reply_hash, status,"
        " message_count, first_message_id, log_id, created_at)"
        " VALUES (?1, ?2, " HASH ", " HASH ", 'complete', 2, ?3, ?4, " NOW ")"
        " ON CONFLICT DO NOTHING",
    [SESSION] = "INSERT INTO chat_sessions (session_id, user_id, message_count, last_position,"
                " created_at, updated_at) VALUES (?1, ?2, 2, 2, " NOW ", " NOW ")"
                " ON CONFLICT (session_id) DO UPDATE SET message_count = message_count + 2,"
                " last_position = last_position + 2,"
                " updated_at = max(updated_at, excluded.updated_at)",
    [QUESTION] =
        "INSERT INTO chat_messages (message_id, session_id, user_id, role, content, status,"
        " position, place, created_at)"
        " VALUES (?1, ?2, ?3, 'user', ?4, 'complete', ?5, 0, " NOW ")",
    [ANSWER] = "INSERT INTO chat_messages (message_id, session_id, user_id, role, content, model,"
               " status, position, place, created_at)"
               " VALUES (?1, ?2, ?3, 'assistant', ?4, 'gpt-4o', 'complete', ?5, 1, " NOW ")",
    [QUEUE] = "INSERT INTO chat_search_queue (session_id, first_position, message_count)"
              " VALUES (?1, ?2, 2)",
    [USAGE] = "INSERT INTO usage_logs (log_id, session_id, created_at, user_id, service, operation,"
              " model, provider, input_tokens, output_tokens, total_tokens, latency_ms, cost_usd,"
              " price, status) VALUES (?1, ?2, " NOW ", ?3, 'chat', 'chat', 'gpt-4o', 'openai', ?4,"
              " ?5, ?6, 850, '0.0019925', 'gpt-4o', 'complete')",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
};

static sqlite3 *database;
static sqlite3_stmt *statements[STATEMENTS];

static void check(int code)
{
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
    give_up(sqlite3_errmsg(database), NULL);
}

static void bind_id(sqlite3_stmt *statement, int place, const uuid_text *id)
{
    check(sqlite3_bind_text(statement, place, id->text, 36, SQLITE_STATIC));
}

static void step(int which)
{
    check(sqlite3_step(statements[which]));
    check(sqlite3_reset(statements[which]));
}

static void insert_message(int which, const uuid_text *id, const uuid_text *session,
                           const uuid_text *user, conv_bytes text, int64_t position)
{
    bind_id(statements[which], 1, id);
    bind_id(statements[which], 2, session);
    bind_id(statements[which], 3, user);
    check(sqlite3_bind_text(statements[which], 4, text.data, (int)text.size, SQLITE_STATIC));
    check(sqlite3_bind_int64(statements[which], 5, position));
    step(which);
}

/* `lane` is one of as many sessions as a batch has exchanges. Ids grow with time, which is best for
 * SQLite's trees. */
static void insert_exchange(unsigned lanes, unsigned lane, uint64_t number, conv_bytes question,
                            conv_bytes answer)
{
    uint64_t place = number * lanes + lane;
    uuid_text session = uuid_of(1, lane, number / SESSION_EXCHANGES);
    uuid_text user = uuid_of(2, 0, lane);
    uuid_text exchange = uuid_of(3, 0, place);
    uuid_text asked = uuid_of(4, 0, 2 * place);
    uuid_text answered = uuid_of(4, 0, 2 * place + 1);
    uuid_text log = uuid_of(5, 0, place);
    int64_t position = (int64_t)(number % SESSION_EXCHANGES) * 2 + 1;
    int64_t input = (int64_t)question.size / 4 + 1;
    int64_t output = (int64_t)answer.size / 4 + 1;
    bind_id(statements[GATE], 1, &session);
    bind_id(statements[GATE], 2, &exchange);
    bind_id(statements[GATE], 3, &asked);
    bind_id(statements[GATE], 4, &log);
    step(GATE);
    bind_id(statements[SESSION], 1, &session);
    bind_id(statements[SESSION], 2, &user);
    step(SESSION);
    insert_message(QUESTION, &asked, &session, &user, question, position);
    insert_message(ANSWER, &answered, &session, &user, answer, position + 1);
    bind_id(statements[QUEUE], 1, &session);
    check(sqlite3_bind_int64(statements[QUEUE], 2, position));
    step(QUEUE);
    bind_id(statements[USAGE], 1, &log);
    bind_id(statements[USAGE], 2, &session);
    bind_id(statements[USAGE], 3, &user);
    check(sqlite3_bind_int64(statements[USAGE], 4, input));
    check(sqlite3_bind_int64(statements[USAGE], 5, output));
    check(sqlite3_bind_int64(statements[USAGE], 6, input + output));
    step(USAGE);
}

static void open_file(const char *path)
{
    check(sqlite3_open(path, &database));
    check(sqlite3_exec(database,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                       " PRAGMA cache_size=-16384",
                       NULL, NULL, NULL));
    for (int i = 0; i < STATEMENTS; i++)
        check(sqlite3_prepare_v2(database, texts[i], -1, &statements[i], NULL));
}

int main(int count, char **words)
{
    sample_set samples;
    unsigned batch = (unsigned)option_number(count, words, "batch", 32);
    int64_t seconds = option_number(count, words, "seconds", 5);
    samples_read(option_text(count, words, "samples", ""), &samples);
    open_file(option_text(count, words, "file", ""));
    double used_us = processor_us();
    int64_t begin_ns = clock_ns() + option_number(count, words, "warmup", 1) * 1000000000;
    int64_t end_ns = begin_ns + seconds * 1000000000;
    uint64_t counted = 0;
    uint64_t saved = 0;
    for (uint64_t number = 0; clock_ns() < end_ns; number++) {
        step(BEGIN);
        for (unsigned lane = 0; lane < batch; lane++) {
            size_t sample = (size_t)(lane * 7 + number) % samples.count;
            insert_exchange(batch, lane, number, samples.questions[sample],
                            samples.answers[sample]);
        }
        step(COMMIT);
        int64_t ended = clock_ns();
        saved += batch;
        if (ended >= begin_ns && ended < end_ns) counted += batch;
    }
    used_us = processor_us() - used_us;
    printf("{\"exchanges\": %" PRIu64 ", \"per_second\": %.1f, \"saved\": %" PRIu64
           ", \"failed\": 0, \"client_cpu_us\": %.2f}\n",
           counted, (double)counted / (double)seconds, saved, used_us / (double)saved);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(statements[i]);
    sqlite3_close(database);
    samples_free(&samples);
    return 0;
}

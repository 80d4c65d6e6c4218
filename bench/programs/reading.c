/* What reading and deleting cost one caller: the last messages of a session, the first and the last
 * page of the list of sessions, the deletion of a session. Prints one line of JSON.
 *
 *   bench_reading --store STORE --last N --sessions N --seconds N   last N messages, of any session
 *   bench_reading --store STORE --list --reads N                    pages of 50 sessions
 *   bench_reading --store STORE --delete SESSION
 *   bench_reading --store STORE --index                             what the next search does first
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "measure.h"

enum { PAGE = 50, INDEX_TIMEOUT_MS = 120000 };

/* As bench/sql/growth.sql names them: decimal digits, because pgbench can write no others. */
static uuid_text session_of(uint64_t number)
{
    uuid_text made;
    snprintf(made.text, sizeof made.text, "01890a5d-ac96-7001-8000-%012" PRIu64,
             number % UINT64_C(1000000000000));
    return made;
}

static void read_last(conv_client *client, size_t limit, uint64_t sessions, int64_t seconds)
{
    static histogram latency;
    uint64_t state = 88172645463325252;
    int64_t end_ns = clock_ns() + seconds * 1000000000;
    uint64_t messages = 0;
    while (clock_ns() < end_ns) {
        conv_error error = CONV_ERROR_INIT;
        conv_history *history = NULL;
        conv_history_params params = CONV_HISTORY_PARAMS_INIT;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        uuid_text session = session_of(state % sessions);
        params.session_id = session.text;
        params.before = INT64_MAX;
        params.limit = limit;
        int64_t began = clock_ns();
        if (conv_history_read(client, &params, &history, &error) != CONV_OK)
            give_up("read", &error);
        histogram_add(&latency, clock_ns() - began);
        messages += conv_history_count(history);
        conv_history_free(history);
    }
    printf("{\"reads\": %" PRIu64 ", \"messages\": %" PRIu64 ", \"per_second\": %.1f, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"failed\": 0}\n",
           latency.count, messages, (double)latency.count / (double)seconds,
           (double)histogram_at(&latency, 0.5) / 1e3, (double)histogram_at(&latency, 0.99) / 1e3);
}

static conv_session_page *list(conv_client *client, const conv_session_filter *filter)
{
    conv_error error = CONV_ERROR_INIT;
    conv_session_page *page = NULL;
    if (conv_session_list(client, filter, &page, &error) != CONV_OK) give_up("list", &error);
    return page;
}

static void move_behind(conv_session_filter *filter, const conv_session_page *page)
{
    const conv_session *last = conv_session_page_session(page, conv_session_page_count(page) - 1);
    filter->after_us = last->updated_us;
    filter->after_id = last->session_id;
}

static void read_page(conv_client *client, const conv_session_filter *filter, histogram *latency)
{
    int64_t began = clock_ns();
    conv_session_page *page = list(client, filter);
    histogram_add(latency, clock_ns() - began);
    conv_session_page_free(page);
}

/* In turns, so that whatever the machine does meanwhile meets both ends of the list. */
static void read_both_ends(conv_client *client, const conv_session_filter ends[2], int64_t reads,
                           histogram latency[2])
{
    for (int64_t i = 0; i < reads; i++)
        for (int end = 0; end < 2; end++)
            read_page(client, &ends[end], &latency[end]);
}

static void list_sessions(conv_client *client, int64_t reads)
{
    static histogram latency[2];
    conv_session_filter at = CONV_SESSION_FILTER_INIT;
    at.limit = PAGE;
    conv_session_filter ends[2] = {at, at};
    uint64_t sessions = 0;
    uint64_t pages = 0;
    for (;; pages++) {
        conv_session_page *page = list(client, &at);
        bool more = conv_session_page_has_more(page);
        sessions += conv_session_page_count(page);
        if (more) {
            move_behind(&at, page);
            ends[1] = at;
        }
        conv_session_page_free(page);
        if (!more) break;
    }
    read_both_ends(client, ends, reads, latency);
    printf("{\"sessions\": %" PRIu64 ", \"pages\": %" PRIu64 ", \"first_p50_us\": %.1f, "
           "\"last_p50_us\": %.1f, \"failed\": 0}\n",
           sessions, pages + 1, (double)histogram_at(&latency[0], 0.5) / 1e3,
           (double)histogram_at(&latency[1], 0.5) / 1e3);
}

static void delete_session(conv_client *client, const char *session)
{
    conv_error error = CONV_ERROR_INIT;
    conv_delete_receipt receipt;
    int64_t began = clock_ns();
    if (conv_session_delete(client, session, &receipt, &error) != CONV_OK)
        give_up("delete", &error);
    int64_t taken_ns = clock_ns() - began;
    printf("{\"messages\": %" PRId64 ", \"ms\": %.3f, \"failed\": 0}\n", receipt.messages,
           (double)taken_ns / 1e6);
}

/* Puts into the index of words what was saved and nobody has searched since. */
static void index_words(conv_client *client)
{
    conv_error error = CONV_ERROR_INIT;
    bool complete = false;
    double used_us = processor_us();
    int64_t began = clock_ns();
    if (conv_search_index(client, INDEX_TIMEOUT_MS, &complete, &error) != CONV_OK)
        give_up("index", &error);
    if (!complete) give_up("the words were not all indexed in time", NULL);
    printf("{\"ms\": %.3f, \"client_us\": %.0f, \"failed\": 0}\n",
           (double)(clock_ns() - began) / 1e6, processor_us() - used_us);
}

int main(int count, char **words)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client *client = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = option_text(count, words, "store", NULL);
    if (conv_client_open(&params, &client, &error) != CONV_OK) give_up("open", &error);
    if (option_given(count, words, "delete"))
        delete_session(client, option_text(count, words, "delete", NULL));
    else if (option_given(count, words, "index"))
        index_words(client);
    else if (option_given(count, words, "list"))
        list_sessions(client, option_number(count, words, "reads", 500));
    else
        read_last(client, (size_t)option_number(count, words, "last", PAGE),
                  (uint64_t)option_number(count, words, "sessions", 1),
                  option_number(count, words, "seconds", 3));
    if (conv_client_close(client, 10000, &error) != CONV_OK) give_up("close", &error);
    return 0;
}

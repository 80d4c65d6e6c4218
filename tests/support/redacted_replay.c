#include "support/redacted_replay.h"

#include <dirent.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/program.h"
#include "support/replay_totals.h"
#include "support/secrets.h"
#include "support/store.h"
#include "support/store_rows.h"
#include "support/test.h"

/* The ledger goes as by an operator's mistake, and comes back: what is saved meanwhile goes through
 * the journal. */
#define TAKE_AWAY  "ALTER TABLE usage_logs RENAME TO usage_away"
#define BRING_BACK "ALTER TABLE usage_away RENAME TO usage_logs"

enum { THREADS = 4, MOST_CONVERSATIONS = 512, MOST_EVENTS = 8192, CLOSE_MS = 120000 };

static conv_transcript *conversations[MOST_CONVERSATIONS];
static size_t conversation_count;
static size_t message_count; /* as jansson counts them */
static size_t turn_count;
static conv_client *client;
static char folder[64];

/* What came about on other threads. */
static atomic_size_t next_conversation;
static size_t end_conversation;
static bool away; /* a turn that needs its context can't go on then */
static atomic_int failures;
static atomic_int leaks;
static atomic_size_t journaled;
static atomic_llong input_tokens;
static atomic_llong output_tokens;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char first_failure[2048];
static char saved[MOST_EVENTS][2 * CONV_UUID_TEXT_SIZE]; /* "session turn" of each exchange.saved */
static size_t saved_count;

static void fail_with(atomic_int *counter, const char *what, const char *detail)
{
    pthread_mutex_lock(&lock);
    if (first_failure[0] == '\0')
        snprintf(first_failure, sizeof first_failure, "%s: %s", what, detail);
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(counter, 1);
}

static void look_into(const char *where, const char *text, size_t size)
{
    const char *found = text == NULL ? NULL : secrets_find(text, size);
    if (found != NULL) fail_with(&leaks, where, found);
}

static void look_into_bytes(const char *where, const char *bytes, size_t size)
{
    const char *found = secrets_find_in_bytes(bytes, size);
    if (found != NULL) fail_with(&leaks, where, found);
}

/* The texts of a line, as jansson reads them. */
static void collect_line(const char *line)
{
    json_error_t why;
    json_t *conversation = json_loads(line, JSON_ALLOW_NUL, &why);
    json_t *messages = json_object_get(conversation, "messages");
    if (messages == NULL) fail_msg("jansson: %s in %.80s", why.text, line);
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const json_t *calls = json_object_get(message, "tool_calls");
        const char *content = json_string_value(json_object_get(message, "content"));
        if (content != NULL) secrets_collect(content);
        for (size_t k = 0; k < json_array_size(calls); k++) {
            const json_t *function = json_object_get(json_array_get(calls, k), "function");
            secrets_collect(json_string_value(json_object_get(function, "arguments")));
        }
        turn_count += strcmp(json_string_value(json_object_get(message, "role")), "user") == 0;
    }
    message_count += json_array_size(messages);
    json_decref(conversation);
}

static void load(const char *path)
{
    conv_error error;
    char *line = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("%s can't be opened", path);
    secrets_forget(); /* of a test that failed */
    conversation_count = message_count = turn_count = 0;
    for (ssize_t size; (size = getline(&line, &capacity, file)) > 0;) {
        assert_true(conversation_count < MOST_CONVERSATIONS);
        assert_ok(conv_transcript_parse(conv_view(line, (size_t)size),
                                        &conversations[conversation_count++], &error),
                  error);
        collect_line(line);
    }
    free(line);
    fclose(file);
    secrets_seal();
    assert_true(turn_count < MOST_EVENTS);
    for (int kind = 0; kind < SECRET_KINDS; kind++) {
        print_message("%zu %s, %zu different ones\n", secrets_occurred((secret_kind)kind),
                      secrets_kind_name((secret_kind)kind), secrets_count((secret_kind)kind));
        assert_true(secrets_count((secret_kind)kind) > 0);
    }
}

static size_t text_size(const conv_message *message)
{
    return message->content.size + message->tool_calls.size;
}

/* Answers with what the recording has, not redacted, and counts bytes as tokens. */
static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    const conv_transcript_turn *turn = *(conv_transcript_turn *const *)context;
    conv_usage usage = CONV_USAGE_INIT;
    (void)error;
    usage.input_tokens = usage.output_tokens = 0;
    for (size_t i = 0; i < request->message_count; i++) {
        const conv_message *message = &request->messages[i];
        look_into("the request", message->content.data, message->content.size);
        look_into("a call in the request", message->tool_calls.data, message->tool_calls.size);
        usage.input_tokens += (int64_t)text_size(message);
    }
    conv_status status = conv_provider_response_model(response, conv_text(NULL), conv_text("stop"));
    for (size_t i = 0; i < turn->reply_count && status == CONV_OK; i++) {
        const conv_message *message = &turn->messages[turn->request_count + i];
        status = conv_provider_response_message(response, message);
        usage.output_tokens += (int64_t)text_size(message);
    }
    atomic_fetch_add(&input_tokens, usage.input_tokens);
    atomic_fetch_add(&output_tokens, usage.output_tokens);
    return status == CONV_OK ? conv_provider_response_usage(response, &usage) : status;
}

/* What the summarizer says, or fails with. */
static char summary[16384];
static char complaint[CONV_MESSAGE_SIZE];

/* Summaries are asked for when no turn is under way. */
static conv_status summarize(void *context, const conv_provider_request *request,
                             conv_provider_response *response, conv_error *error)
{
    const bool *fails = context;
    const conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(summary)};
    look_into("the request for a summary", request->messages[1].content.data,
              request->messages[1].content.size);
    if (!*fails) return conv_provider_response_message(response, &message);
    snprintf(error->message, sizeof error->message, "%s", complaint);
    return CONV_PROVIDER;
}

static void say(const conv_transcript *transcript, size_t index, const conv_transcript_turn *said,
                conv_provider *provider)
{
    conv_error error = CONV_ERROR_INIT;
    conv_reply *reply = NULL;
    char turn_id[CONV_TURN_ID_SIZE];
    conv_turn turn = CONV_TURN_INIT;
    conv_transcript_turn_id(conv_transcript_id(transcript), index + 1, turn_id);
    turn.session_id = conv_transcript_id(transcript);
    turn.user_id = conv_transcript_user(transcript);
    turn.turn_id = turn_id;
    turn.model = conv_transcript_model(transcript);
    turn.messages = said->messages;
    turn.message_count = said->request_count;
    turn.provider = provider;
    turn.context_messages = away ? -1 : 0;
    if (conv_process_message(client, &turn, &reply, &error) != CONV_OK)
        fail_with(&failures, error.action, error.message);
    else
        atomic_fetch_add(&journaled, conv_reply_saved(reply) == CONV_SAVED_JOURNALED);
    conv_reply_free(reply);
}

static void *replay_some(void *context)
{
    const conv_transcript_turn *current = NULL;
    conv_provider *provider = NULL;
    (void)context;
    if (conv_provider_callback("recording", answer, &current, &provider, NULL) != CONV_OK) {
        fail_with(&failures, "provider", "none was made");
        return NULL;
    }
    for (;;) {
        size_t at = atomic_fetch_add(&next_conversation, 1);
        if (at >= end_conversation) break;
        conv_transcript_turn turn;
        current = &turn;
        for (size_t i = 0; conv_transcript_turn_get(conversations[at], i, &turn); i++)
            say(conversations[at], i, &turn, provider);
    }
    conv_provider_free(provider);
    return NULL;
}

/* Conversations from where the last call ended up to `end`. */
static void replay_to(size_t begin, size_t end)
{
    pthread_t threads[THREADS];
    atomic_store(&next_conversation, begin);
    end_conversation = end;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, replay_some, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (atomic_load(&failures) > 0) fail_msg("%s", first_failure);
}

/* On the subscription's own thread. */
static conv_status hear(void *context, const conv_event *event)
{
    char text[CONV_EVENT_TEXT_SIZE];
    (void)context;
    look_into_bytes("an event", (const char *)event, sizeof *event);
    look_into("an event's text", text, conv_event_format(event, text, sizeof text));
    if (event->kind != CONV_EVENT_EXCHANGE_SAVED) return CONV_OK;
    pthread_mutex_lock(&lock);
    if (saved_count < MOST_EVENTS) {
        char session[CONV_UUID_TEXT_SIZE];
        char turn[CONV_UUID_TEXT_SIZE];
        conv_uuid_format(event->session_id, session);
        conv_uuid_format(event->turn_id, turn);
        snprintf(saved[saved_count], sizeof saved[0], "%s %s", session, turn);
    }
    saved_count++;
    pthread_mutex_unlock(&lock);
    return CONV_OK;
}

/* \b(Ann|Bob)\b */
static char *pattern_of_names(void)
{
    char *pattern = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&pattern, &size);
    fputs("\\b(", out);
    for (size_t i = 0; i < secrets_count(SECRET_NAME); i++)
        fprintf(out, "%s%s", i == 0 ? "" : "|", secrets_text(SECRET_NAME, i));
    fputs(")\\b", out);
    fclose(out);
    return pattern;
}

static conv_middleware *make_redact(void)
{
    conv_error error;
    conv_middleware *redact = NULL;
    char *names = pattern_of_names();
    const conv_redact_pattern patterns[] = {
        {"payment", "(credit_card|gift_card|certificate)_[0-9]+"},
        {"user", "[a-z]+_[a-z]+_[0-9]{4}"},
        {"booking", "\\b[A-Z0-9]{6}\\b"},
        {"birth", "19[0-9]{2}-[0-9]{2}-[0-9]{2}"},
        {"person", names}};
    conv_redact_params params = CONV_REDACT_PARAMS_INIT;
    params.patterns = patterns;
    params.pattern_count = sizeof patterns / sizeof patterns[0];
    assert_ok(conv_middleware_redact(&params, &redact, &error), error);
    free(names);
    return redact;
}

static void open_client(const char *url, conv_middleware *redact, conv_provider *summarizer,
                        FILE *log_file)
{
    conv_error error;
    uint64_t number = 0;
    char journal[96];
    static const conv_price price = {
        .model = "*", .input = REPLAY_INPUT_PRICE, .output = REPLAY_OUTPUT_PRICE};
    conv_middleware *const chain[] = {
        conv_middleware_validate_ids(), redact,
        conv_middleware_provider(),     conv_middleware_save_to_database(),
        conv_middleware_track_usage(),  conv_middleware_publish()};
    snprintf(journal, sizeof journal, "%s/journal.db", folder);
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = url;
    params.schema = CONV_SCHEMA_MIGRATE;
    params.journal = journal;
    params.context_messages = 20;
    params.provider = summarizer;
    params.prices = &price;
    params.price_count = 1;
    params.chain = chain;
    params.chain_count = sizeof chain / sizeof chain[0];
    assert_ok(conv_client_open(&params, &client, &error), error);
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    subscription.delivery = CONV_DELIVERY_WAIT;
    subscription.wait_ms = CLOSE_MS;
    subscription.handler = hear;
    assert_ok(conv_event_subscribe(client, &subscription, &number, &error), error);
    conv_event_log log = CONV_EVENT_LOG_INIT;
    log.file = log_file;
    assert_ok(conv_event_subscribe_log(client, &log, &number, &error), error);
}

static void look_into_folder(const char *path)
{
    DIR *directory = opendir(path);
    int files = 0;
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char name[512];
        size_t size = 0;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_type != DT_REG) continue;
        char *bytes = test_read_file(name, &size);
        look_into_bytes(name, bytes, size);
        free(bytes);
        files++;
    }
    closedir(directory);
    assert_true(files > 0);
}

/* The journal and the log are in the folder; an SQLite store's files in its own. */
static void look_at_everything(const char *kind, const char *url)
{
    size_t size = 0;
    char *everything = store_everything(kind, url, &size);
    look_into("the store", everything, size);
    /* That it was looked at where the texts are. */
    assert_non_null(memmem(everything, size, "[redacted:booking]", 18));
    assert_non_null(memmem(everything, size, "[redacted:person]", 17));
    free(everything);
    everything = store_binaries(kind, url, &size);
    look_into_bytes("a binary column", everything, size);
    free(everything);
    look_into_folder(folder);
    if (strcmp(kind, "sqlite") == 0) {
        char path[256];
        snprintf(path, sizeof path, "%s", url + strlen("sqlite:"));
        *strrchr(path, '/') = '\0';
        look_into_folder(path);
    }
    if (atomic_load(&leaks) > 0) fail_msg("%d leaks; %s", atomic_load(&leaks), first_failure);
}

static void wait_until_drained(void)
{
    conv_error error;
    conv_journal_counts counts = {0};
    for (int i = 0; i < 12000; i++) {
        assert_ok(conv_client_journal_count(client, &counts, &error), error);
        if (counts.exchanges == 0) return;
        usleep(10000);
    }
    fail_msg("%lld exchanges still wait", (long long)counts.exchanges);
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(left, right);
}

/* Each exchange in the store was told exactly once. */
static void assert_events(const char *kind, const char *url)
{
    char *rest = NULL;
    size_t at = 0;
    char *rows = store_rows(
        kind, url, "SELECT session_id, exchange_id FROM chat_exchanges ORDER BY 1, 2", NULL);
    if (saved_count != turn_count)
        fail_msg("%zu events for %zu exchanges", saved_count, turn_count);
    qsort(saved, saved_count, sizeof saved[0], compare_lines);
    for (char *row = strtok_r(rows, "\n", &rest); row != NULL; row = strtok_r(NULL, "\n", &rest)) {
        *strchr(row, '\t') = ' ';
        assert_true(at < saved_count);
        assert_string_equal(saved[at++], row);
    }
    assert_int_equal(at, turn_count);
    free(rows);
}

static replay_totals totals(void)
{
    return (replay_totals){.conversations = conversation_count,
                           .exchanges = turn_count,
                           .messages = message_count,
                           .input_tokens = atomic_load(&input_tokens),
                           .output_tokens = atomic_load(&output_tokens)};
}

/* The first text with a secret in it that fits. */
static const char *text_with_a_secret(const conv_transcript *transcript, char *text, size_t size)
{
    conv_transcript_turn turn;
    for (size_t i = 0; conv_transcript_turn_get(transcript, i, &turn); i++) {
        const conv_bytes content = turn.messages[0].content;
        if (content.size == 0 || content.size >= size) continue;
        snprintf(text, size, "%.*s", (int)content.size, content.data);
        if (secrets_find(text, content.size) != NULL) return text;
    }
    return NULL;
}

/* A summary of each conversation whose words hold a secret, and one that fails. */
static void summarize_all(bool *fails)
{
    conv_error error;
    conv_summary_page *page = NULL;
    char text[2048];
    size_t made = 0;
    for (size_t i = 0; i < conversation_count; i++) {
        const char *id = conv_transcript_id(conversations[i]);
        if (text_with_a_secret(conversations[i], text, sizeof text) == NULL) continue;
        json_t *answer = json_pack("{s:s, s:[s]}", "summary", text, "key_points", text);
        char *line = json_dumps(answer, JSON_ENSURE_ASCII);
        assert_true((size_t)snprintf(summary, sizeof summary, "%s", line) < sizeof summary);
        snprintf(complaint, sizeof complaint, "bad input near: %.200s", text);
        free(line);
        json_decref(answer);
        *fails = true;
        assert_status(conv_summary_make(client, id, &page, &error), CONV_PROVIDER, error);
        look_into("a summary's error", error.message, strlen(error.message));
        *fails = false;
        assert_ok(conv_summary_make(client, id, &page, &error), error);
        made += conv_summary_page_count(page);
        conv_summary_page_free(page);
    }
    assert_true(made > 0);
    print_message("%zu summaries\n", made);
}

static void replay_with_an_outage(const char *kind)
{
    conv_error error;
    size_t third = conversation_count / 3;
    replay_to(0, third);
    assert_int_equal(atomic_load(&journaled), 0);
    test_store_execute(kind, TAKE_AWAY);
    away = true;
    replay_to(third, 2 * third);
    assert_true(atomic_load(&journaled) > 0);
    look_into_folder(folder); /* while the journal is full */
    test_store_execute(kind, BRING_BACK);
    wait_until_drained();
    away = false;
    replay_to(2 * third, conversation_count);
    wait_until_drained();
    assert_ok(conv_usage_refresh(client, NULL, NULL, &error), error);
}

void redacted_replay(const char *kind, const char *path)
{
    conv_error error;
    char name[128];
    first_failure[0] = '\0';
    saved_count = 0;
    atomic_store(&failures, 0);
    atomic_store(&leaks, 0);
    atomic_store(&journaled, 0);
    atomic_store(&input_tokens, 0);
    atomic_store(&output_tokens, 0);
    load(path);
    const char *url = test_store_create(kind);
    snprintf(folder, sizeof folder, "/tmp/conversation-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(name, sizeof name, "%s/events.jsonl", folder);
    FILE *log_file = fopen(name, "w");
    assert_non_null(log_file);
    conv_middleware *redact = make_redact();
    conv_provider *summarizer = NULL;
    bool fails = false;
    assert_ok(conv_provider_callback("summarizer", summarize, &fails, &summarizer, &error), error);
    open_client(url, redact, summarizer, log_file);

    replay_with_an_outage(kind);
    look_at_everything(kind, url);
    const replay_totals counted = totals();
    replay_totals_summed(client, &counted);
    replay_totals_stored(kind, url, &counted);
    summarize_all(&fails);
    assert_ok(conv_client_close(client, CLOSE_MS, &error), error);
    look_at_everything(kind, url);
    assert_events(kind, url);
    print_message("%s: %zu conversations, %zu exchanges (%zu of them through the journal), %zu "
                  "messages, %zu events: nothing unredacted\n",
                  kind, conversation_count, turn_count, atomic_load(&journaled), message_count,
                  saved_count);

    conv_provider_free(summarizer);
    conv_middleware_free(redact);
    fclose(log_file);
    for (size_t i = 0; i < conversation_count; i++)
        conv_transcript_free(conversations[i]);
    secrets_forget();
    test_store_drop(kind);
    snprintf(name, sizeof name, "rm -rf '%s'", folder);
    assert_int_equal(system(name), 0);
}

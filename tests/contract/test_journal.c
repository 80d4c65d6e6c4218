/* A journal seen from outside, on either store: what waits in it, what was interrupted, what the
 * store refused, and what becomes of each when somebody decides. */
#include "support/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

/* As an operator's mistake would have it: what is needed for saving goes, and comes back. */
#define TAKE_AWAY                                                                                  \
    "ALTER TABLE chat_exchanges RENAME TO away; ALTER TABLE usage_logs RENAME TO usage_away"
#define BRING_BACK                                                                                 \
    "ALTER TABLE away RENAME TO chat_exchanges; ALTER TABLE usage_away RENAME TO usage_logs"

static conv_provider *echo;

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_echo(&echo, &error), error);
    conv_client_params params = contract_client_params();
    conv_client *client = contract_client_open(&params);
    contract_client_close(&client);
    return 0;
}

static int teardown(void **state)
{
    conv_provider_free(echo);
    return contract_client_teardown(state);
}

static conv_status try_open(conv_provider *provider, conv_client **client, conv_error *error)
{
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = contract_client_url();
    params.provider = provider;
    params.journal = contract_client_journal();
    params.context_messages = -1;
    params.tracker_records = 1000;
    return conv_client_open(&params, client, error);
}

static conv_client *open_client(void)
{
    conv_client *client = NULL;
    conv_error error;
    assert_ok(try_open(echo, &client, &error), error);
    return client;
}

static conv_journal *open_journal(void)
{
    conv_journal *journal = NULL;
    conv_error error;
    assert_ok(conv_journal_open(contract_client_journal(), &journal, &error), error);
    return journal;
}

static conv_journal_counts count_of(conv_journal *journal)
{
    conv_journal_counts counts;
    conv_error error;
    assert_ok(conv_journal_count(journal, &counts, &error), error);
    return counts;
}

static long rows(const char *table)
{
    return contract_count("SELECT count(*) FROM %s", table);
}

static void save(conv_client *client, const char *session, const char *turn, const char *title,
                 conv_saved wanted)
{
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = {"a\0b", 3}},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("answer")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    exchange.session_id = session;
    exchange.user_id = "user-1";
    exchange.turn_id = turn;
    exchange.title = title;
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage.input_tokens = 7;
    exchange.usage.raw = conv_text("{\"prompt_tokens\": 7}");
    assert_ok(conv_save_exchange(client, &exchange, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), wanted);
    conv_reply_free(reply);
}

static void drain(void)
{
    conv_error error;
    assert_ok(conv_client_close(open_client(), 30000, &error), error);
}

static void close_with_rest(conv_client *client)
{
    conv_error error;
    assert_status(conv_client_close(client, 0, &error), CONV_TIMEOUT, error);
    assert_non_null(strstr(error.message, contract_client_journal()));
}

/* An operation that was not ended is a call under way. */
static void close_beside_an_operation(conv_client *client, const char *unsaved)
{
    char said[CONV_MESSAGE_SIZE];
    conv_error error;
    conv_operation *operation = NULL;
    conv_usage known = CONV_USAGE_INIT;
    known.operation = conv_text("parse");
    assert_ok(conv_operation_begin(client, &known, &operation, &error), error);
    assert_status(conv_client_close(client, 100, &error), CONV_TIMEOUT, error);
    snprintf(said, sizeof said, "1 call was still under way after 100 ms; %s", unsaved);
    assert_string_equal(error.message, said);
    (void)!conv_operation_free(operation, NULL);
}

/* The client goes on a thread of its own when its last call has left. */
static void await_journal(void)
{
    conv_error error;
    conv_journal *journal = NULL;
    while (conv_journal_open(contract_client_journal(), &journal, &error) == CONV_STATE)
        usleep(1000);
    assert_non_null(journal);
    conv_journal_close(journal);
}

static void closing_says_what_is_unsaved_and_where(void **state)
{
    (void)state;
    char unsaved[CONV_MESSAGE_SIZE];
    conv_error error;
    conv_client *client = open_client();
    contract_execute(TAKE_AWAY);
    save(client, "s", "turn-1", NULL, CONV_SAVED_JOURNALED);
    snprintf(unsaved, sizeof unsaved,
             "1 entry waits in the journal %s: the next client that opens it saves it",
             contract_client_journal());
    close_beside_an_operation(client, unsaved);
    conv_client_params params = contract_client_params();
    client = contract_client_open(&params);
    conv_usage usage = CONV_USAGE_INIT;
    assert_ok(conv_track_usage(client, &usage, &error), error);
    close_beside_an_operation(client, "usage records that are in memory alone and go with the "
                                      "process: 1; set a journal to keep them");
    contract_execute(BRING_BACK);
    await_journal();
    drain();
    assert_int_equal(rows("chat_exchanges"), 1);
}

static conv_journal_page *page_of(conv_journal *journal, conv_journal_kind which, size_t count)
{
    conv_journal_filter filter = CONV_JOURNAL_FILTER_INIT;
    conv_journal_page *page = NULL;
    conv_error error;
    filter.kind = which;
    assert_ok(conv_journal_list(journal, &filter, &page, &error), error);
    assert_int_equal(conv_journal_page_count(page), count);
    assert_false(conv_journal_page_has_more(page));
    assert_null(conv_journal_page_entry(page, count));
    return page;
}

static void what_waits_is_shown_as_it_was_said(void **state)
{
    (void)state;
    conv_error error;
    conv_journal_counts counts;
    conv_client *client = open_client();
    contract_execute(TAKE_AWAY);
    save(client, "caf\xc3\xa9", "turn-1", "title", CONV_SAVED_JOURNALED);
    save(client, NULL, "turn-2", NULL, CONV_SAVED_JOURNALED);
    conv_usage usage = CONV_USAGE_INIT;
    usage.service = conv_text("search");
    usage.user_id = conv_text("user-2");
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_client_journal_count(client, &counts, &error), error);
    assert_int_equal(counts.exchanges, 2);
    assert_int_equal(counts.buffered, 1);
    assert_true(counts.oldest_us > 0);
    assert_true(counts.bytes > 0);
    conv_journal *journal = NULL;
    assert_status(conv_journal_open(contract_client_journal(), &journal, &error), CONV_STATE,
                  error);
    assert_null(journal);
    close_with_rest(client);

    journal = open_journal();
    assert_null(conv_journal_set_aside(journal));
    assert_int_equal(count_of(journal).exchanges, 2);
    conv_journal_page *page = page_of(journal, CONV_JOURNAL_EXCHANGE, 2);
    const conv_journal_entry *entry = conv_journal_page_entry(page, 0);
    assert_true(entry->readable);
    assert_bytes(entry->session_id, "caf\xc3\xa9");
    assert_bytes(entry->user_id, "user-1");
    assert_bytes(entry->title, "title");
    char turn[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(conv_uuid_ensure(conv_text("turn-1")), turn);
    assert_bytes(entry->turn_id, turn);
    assert_int_equal(entry->message_count, 2);
    assert_int_equal(entry->messages[0].content.size, 3);
    assert_memory_equal(entry->messages[0].content.data, "a\0b", 4);
    assert_int_equal(entry->messages[1].role, CONV_ROLE_ASSISTANT);
    assert_string_equal(entry->messages[1].content.data, "answer");
    assert_int_equal(entry->usage->input_tokens, 7);
    assert_bytes(entry->usage->raw, "{\"prompt_tokens\": 7}");
    assert_bytes(entry->usage->user_id, "user-1");
    int64_t first = entry->entry_id;
    assert_true(conv_journal_page_entry(page, 1)->entry_id > first);
    conv_journal_page_free(page);
    page = page_of(journal, CONV_JOURNAL_USAGE, 1);
    entry = conv_journal_page_entry(page, 0);
    assert_bytes(entry->usage->service, "search");
    assert_bytes(entry->user_id, "user-2");
    assert_null(entry->session_id.data);
    assert_null(entry->turn_id.data);
    conv_journal_page_free(page);

    /* One is given up, the others find their way when the store is back. */
    assert_ok(conv_journal_retry(journal, first, &error), error);
    assert_ok(conv_journal_drop(journal, first, &error), error);
    assert_status(conv_journal_drop(journal, first, &error), CONV_NOT_FOUND, error);
    assert_status(conv_journal_retry(journal, first, &error), CONV_NOT_FOUND, error);
    assert_status(conv_journal_get(journal, first, &page, &error), CONV_NOT_FOUND, error);
    assert_null(page);
    conv_journal_close(journal);
    contract_execute(BRING_BACK);
    drain();
    assert_int_equal(rows("chat_exchanges"), 1);
    assert_int_equal(rows("usage_logs"), 2);
    journal = open_journal();
    counts = count_of(journal);
    assert_int_equal(counts.exchanges + counts.usage + counts.turns + counts.dead, 0);
    assert_int_equal(counts.oldest_us, 0);
    conv_journal_close(journal);
}

static conv_status die(void *context, const conv_provider_request *request,
                       conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)request;
    (void)response;
    (void)error;
    kill(getpid(), SIGKILL);
    return CONV_PROVIDER;
}

static conv_turn the_turn(void)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "cut short";
    turn.user_id = "user-1";
    turn.turn_id = "turn-1";
    turn.message = conv_text("will this be answered?");
    return turn;
}

/* Runs a turn in a process of its own that is killed while it asks. */
static void what_waits_may_be_told_to_stay(void **state)
{
    (void)state;
    conv_error error;
    conv_journal_counts counts;
    conv_client *client = open_client();
    contract_execute(TAKE_AWAY);
    save(client, "s", "turn-1", NULL, CONV_SAVED_JOURNALED);
    close_with_rest(client);
    contract_execute(BRING_BACK);
    conv_client_params params = contract_client_params();
    params.journal = contract_client_journal();
    params.journal_stays = true;
    client = contract_client_open(&params);
    /* What comes behind it in its session waits there, too; others are saved. */
    save(client, "s", "turn-2", NULL, CONV_SAVED_JOURNALED);
    save(client, "t", "turn-3", NULL, CONV_SAVED_COMMITTED);
    assert_ok(conv_client_journal_count(client, &counts, &error), error);
    assert_int_equal(counts.exchanges, 2);
    assert_ok(conv_client_close(client, 30000, &error), error);
    assert_int_equal(rows("chat_exchanges"), 1);
    drain();
    assert_int_equal(rows("chat_exchanges"), 3);
}

static void interrupt_a_turn(void)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        conv_provider *provider = NULL;
        conv_client *client = NULL;
        conv_reply *reply = NULL;
        conv_turn turn = the_turn();
        if (conv_provider_callback("dying", die, NULL, &provider, NULL) != CONV_OK) _exit(2);
        if (try_open(provider, &client, NULL) != CONV_OK) _exit(3);
        _exit(conv_process_message(client, &turn, &reply, NULL) == CONV_OK ? 4 : 5);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void an_interrupted_turn_can_be_completed_later(void **state)
{
    (void)state;
    conv_error error;
    interrupt_a_turn();
    conv_journal *journal = open_journal();
    conv_journal_page *page = page_of(journal, CONV_JOURNAL_ANY, 1);
    const conv_journal_entry *entry = conv_journal_page_entry(page, 0);
    assert_int_equal(entry->kind, CONV_JOURNAL_TURN);
    assert_string_equal(conv_journal_kind_name(entry->kind), "turn");
    assert_bytes(entry->session_id, "cut short");
    assert_int_equal(entry->message_count, 1);
    assert_bytes(entry->messages[0].content, "will this be answered?");
    assert_null(entry->usage);
    assert_ok(conv_journal_retry(journal, entry->entry_id, &error), error);
    conv_journal_page_free(page);
    page = page_of(journal, CONV_JOURNAL_EXCHANGE, 1);
    assert_int_equal(conv_journal_page_entry(page, 0)->status, CONV_OUTCOME_FAILED);
    assert_int_equal(conv_journal_page_entry(page, 0)->messages[0].status, CONV_OUTCOME_FAILED);
    conv_journal_page_free(page);
    conv_journal_close(journal);
    drain();
    assert_int_equal(rows("chat_exchanges WHERE status = 'failed'"), 1);
    assert_int_equal(rows("chat_messages"), 1);
    assert_int_equal(rows("usage_logs WHERE status = 'failed' AND error IS NOT NULL"), 1);

    conv_turn turn = the_turn();
    conv_reply *reply = NULL;
    conv_client *client = open_client();
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_COMPLETE);
    conv_reply_free(reply);
    assert_ok(conv_client_close(client, 30000, &error), error);
    assert_int_equal(rows("chat_exchanges"), 1);
    assert_int_equal(rows("chat_messages"), 2);
    assert_int_equal(rows("usage_logs"), 1);
}

static void assert_interrupted_question_is_there(void)
{
    conv_journal *journal = open_journal();
    conv_journal_page *page = page_of(journal, CONV_JOURNAL_TURN, 1);
    assert_bytes(conv_journal_page_entry(page, 0)->messages[0].content, "will this be answered?");
    conv_journal_page_free(page);
    conv_journal_close(journal);
}

/* Its text is safe from whatever else is said under its id, with the store there and away. */
static void an_interrupted_question_does_not_go_for_another(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    conv_turn turn = the_turn();
    conv_message message = {.role = CONV_ROLE_USER, .content = conv_text("another question")};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = turn.session_id;
    exchange.turn_id = turn.turn_id;
    exchange.messages = &message;
    exchange.message_count = 1;
    interrupt_a_turn();
    conv_client *client = open_client();
    turn.message = message.content;
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_CONFLICT, error);
    assert_null(reply);
    contract_execute(TAKE_AWAY);
    assert_status(conv_save_exchange(client, &exchange, NULL, &error), CONV_CONFLICT, error);
    contract_execute(BRING_BACK);
    assert_ok(conv_client_close(client, 30000, &error), error);
    assert_interrupted_question_is_there();
    client = open_client();
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    assert_ok(conv_client_close(client, 30000, &error), error);
    drain();
    assert_interrupted_question_is_there();
    assert_int_equal(rows("chat_messages"), 1);
}

/* What is said after the deletion is not deleted, though the same turn was noted before. */
static void a_turn_of_a_deleted_session_may_be_said_again(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    conv_client *client = NULL;
    conv_turn turn = the_turn();
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = contract_client_url();
    params.provider = echo;
    assert_ok(conv_client_open(&params, &client, &error), error);
    save(client, "cut short", "turn-0", NULL, CONV_SAVED_COMMITTED);
    assert_ok(conv_client_close(client, 30000, &error), error);
    interrupt_a_turn(); /* forks, so no client is open meanwhile */
    assert_ok(conv_client_open(&params, &client, &error), error);
    assert_ok(conv_session_delete(client, "cut short", NULL, &error), error);
    assert_ok(conv_client_close(client, 0, &error), error);
    client = open_client();
    test_store_execute(test_store_kind(), "ALTER TABLE usage_logs RENAME TO usage_away");
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_JOURNALED);
    conv_reply_free(reply);
    close_with_rest(client);
    test_store_execute(test_store_kind(), "ALTER TABLE usage_away RENAME TO usage_logs");
    drain();
    assert_int_equal(rows("chat_messages"), 2);
}

/* The ids of turns and of usage records are the application's to choose. */
static void a_usage_record_may_have_the_id_of_a_turn(void **state)
{
    (void)state;
    conv_error error;
    size_t pending = 1;
    conv_client *client = open_client();
    test_store_execute(test_store_kind(), TAKE_AWAY);
    save(client, "both", "turn-1", NULL, CONV_SAVED_JOURNALED);
    conv_usage usage = CONV_USAGE_INIT;
    usage.service = conv_text("search");
    usage.session_id = conv_text("both");
    usage.log_id = conv_uuid_ensure(conv_text("turn-1"));
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_track_flush(client, 5000, &pending, &error), error);
    assert_int_equal(pending, 0);
    close_with_rest(client);
    test_store_execute(test_store_kind(), BRING_BACK);
    drain();
    assert_int_equal(rows("chat_exchanges"), 1);
    assert_int_equal(rows("usage_logs"), 2);
    assert_int_equal(rows("usage_logs WHERE service = 'search'"), 1);
}

static void a_turn_that_was_saved_after_all_stays_as_it_is(void **state)
{
    (void)state;
    conv_error error;
    interrupt_a_turn();
    /* Meanwhile answered without this journal. */
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_client *client = NULL;
    conv_reply *reply = NULL;
    conv_turn turn = the_turn();
    params.store = contract_client_url();
    params.provider = echo;
    assert_ok(conv_client_open(&params, &client, &error), error);
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
    assert_ok(conv_client_close(client, 0, &error), error);
    conv_journal *journal = open_journal();
    conv_journal_page *page = page_of(journal, CONV_JOURNAL_TURN, 1);
    assert_ok(conv_journal_retry(journal, conv_journal_page_entry(page, 0)->entry_id, &error),
              error);
    conv_journal_page_free(page);
    conv_journal_close(journal);
    drain();
    assert_int_equal(rows("chat_exchanges WHERE status = 'complete'"), 1);
    assert_int_equal(rows("chat_exchanges"), 1);
    assert_int_equal(rows("chat_messages"), 2);
}

static void refuse_poison(bool refuse)
{
    if (strcmp(test_store_kind(), "sqlite") == 0)
        contract_execute(
            refuse ? "CREATE TRIGGER refuse BEFORE INSERT ON chat_sessions WHEN NEW.title = "
                     "'poison' BEGIN SELECT RAISE(ABORT, 'poison'); END"
                   : "DROP TRIGGER refuse");
    else
        contract_execute(refuse ? "ALTER TABLE chat_sessions ADD CONSTRAINT refuse CHECK "
                                  "(title <> 'poison')"
                                : "ALTER TABLE chat_sessions DROP CONSTRAINT refuse");
}

static void a_dead_letter_says_why_and_can_be_sent_again(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client();
    contract_execute(TAKE_AWAY);
    save(client, "good", "turn-1", "fine", CONV_SAVED_JOURNALED);
    save(client, "bad", "turn-2", "poison", CONV_SAVED_JOURNALED);
    close_with_rest(client);
    contract_execute(BRING_BACK);
    refuse_poison(true);
    drain();
    assert_int_equal(rows("chat_exchanges"), 1);

    conv_journal *journal = open_journal();
    assert_int_equal(count_of(journal).dead, 1);
    conv_journal_page *page = page_of(journal, CONV_JOURNAL_DEAD, 1);
    const conv_journal_entry *entry = conv_journal_page_entry(page, 0);
    assert_bytes(entry->session_id, "bad");
    assert_true(entry->reason.size > 0);
    if (strcmp(test_store_kind(), "postgresql") == 0) assert_string_equal(entry->sqlstate, "23514");
    refuse_poison(false);
    assert_ok(conv_journal_retry(journal, entry->entry_id, &error), error);
    conv_journal_page_free(page);
    assert_int_equal(count_of(journal).dead, 0);
    assert_int_equal(count_of(journal).exchanges, 1);
    page = page_of(journal, CONV_JOURNAL_EXCHANGE, 1);
    assert_null(conv_journal_page_entry(page, 0)->reason.data);
    conv_journal_page_free(page);
    conv_journal_close(journal);
    drain();
    assert_int_equal(rows("chat_exchanges"), 2);
}

/* Those behind it were not refused: sent again once it is settled, they are saved. */
static void of_several_only_the_refused_one_is_a_dead_letter(void **state)
{
    (void)state;
    enum { TOGETHER = 3 };
    static const char *const turns[TOGETHER] = {"1", "2", "3"};
    conv_error error;
    conv_message messages[] = {{.role = CONV_ROLE_USER, .content = conv_text("question")}};
    conv_exchange exchanges[TOGETHER];
    conv_exchange_result results[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        exchanges[i] = (conv_exchange)CONV_EXCHANGE_INIT;
        exchanges[i].session_id = "together";
        exchanges[i].turn_id = turns[i];
        exchanges[i].messages = messages;
        exchanges[i].message_count = 1;
    }
    exchanges[0].title = "poison";
    conv_client *client = open_client();
    refuse_poison(true);
    (void)!conv_save_exchanges(client, exchanges, TOGETHER, results, &error);
    assert_int_equal(results[0].error.recovery, CONV_RECOVERY_REJECT);
    for (int i = 1; i < TOGETHER; i++) {
        assert_int_equal(results[i].status, results[0].status);
        assert_non_null(strstr(results[i].error.message, "not tried"));
        assert_null(strstr(results[i].error.message, "not tried, because one before it in the "
                                                     "session was not saved: not tried"));
    }
    conv_journal_counts counts;
    assert_ok(conv_client_journal_count(client, &counts, &error), error);
    assert_int_equal(counts.dead, 1);
    assert_int_equal(counts.exchanges, 0);
    assert_ok(conv_save_exchanges(client, exchanges + 1, TOGETHER - 1, results, &error), error);
    assert_int_equal(rows("chat_exchanges"), TOGETHER - 1);
    refuse_poison(false);
    assert_ok(conv_client_close(client, 1000, &error), error);
}

static void pages_follow_each_other(void **state)
{
    (void)state;
    enum { ENTRIES = 21 };
    conv_error error;
    conv_client *client = open_client();
    contract_execute(TAKE_AWAY);
    for (int i = 0; i < ENTRIES; i++)
        save(client, "pages", NULL, NULL, CONV_SAVED_JOURNALED);
    close_with_rest(client);
    contract_execute(BRING_BACK);
    conv_journal *journal = open_journal();
    conv_journal_filter filter = CONV_JOURNAL_FILTER_INIT;
    filter.limit = 10;
    size_t seen = 0;
    for (bool more = true; more;) {
        conv_journal_page *page = NULL;
        assert_ok(conv_journal_list(journal, &filter, &page, &error), error);
        assert_true(conv_journal_page_count(page) <= 10);
        for (size_t i = 0; i < conv_journal_page_count(page); i++) {
            const conv_journal_entry *entry = conv_journal_page_entry(page, i);
            assert_true(entry->entry_id > filter.after_id);
            filter.after_id = entry->entry_id;
            seen++;
        }
        more = conv_journal_page_has_more(page);
        conv_journal_page_free(page);
    }
    assert_int_equal(seen, ENTRIES);
    conv_journal_page *page = NULL;
    filter.limit = 1001;
    assert_status(conv_journal_list(journal, &filter, &page, &error), CONV_INVALID_ARGUMENT, error);
    filter = (conv_journal_filter)CONV_JOURNAL_FILTER_INIT;
    filter.kind = (conv_journal_kind)99;
    assert_status(conv_journal_list(journal, &filter, &page, &error), CONV_INVALID_ARGUMENT, error);
    conv_journal_close(journal);
}

static void what_is_no_journal_is_said(void **state)
{
    (void)state;
    conv_error error;
    conv_journal *journal = NULL;
    assert_status(conv_journal_open(contract_client_journal(), &journal, &error), CONV_NOT_FOUND,
                  error);
    assert_status(conv_journal_open("", &journal, &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_journal_open(NULL, &journal, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(journal);
    assert_int_not_equal(access(contract_client_journal(), F_OK), 0);
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_client *client = NULL;
    conv_journal_counts counts = {.dead = 7};
    params.store = contract_client_url();
    assert_ok(conv_client_open(&params, &client, &error), error);
    assert_ok(conv_client_journal_count(client, &counts, &error), error);
    assert_int_equal(counts.dead, 0);
    assert_ok(conv_client_close(client, 0, &error), error);
    conv_journal_close(NULL);
    conv_journal_page_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(what_waits_is_shown_as_it_was_said),
        TEST(closing_says_what_is_unsaved_and_where),
        TEST(what_waits_may_be_told_to_stay),
        TEST(an_interrupted_turn_can_be_completed_later),
        TEST(an_interrupted_question_does_not_go_for_another),
        TEST(a_turn_of_a_deleted_session_may_be_said_again),
        TEST(a_usage_record_may_have_the_id_of_a_turn),
        TEST(a_turn_that_was_saved_after_all_stays_as_it_is),
        TEST(a_dead_letter_says_why_and_can_be_sent_again),
        TEST(of_several_only_the_refused_one_is_a_dead_letter),
        TEST(pages_follow_each_other),
        TEST(what_is_no_journal_is_said),
#undef TEST
    };
    return RUN_TESTS("journal", tests);
}

/* Several writers and readers at once, in threads and processes (promises P1, P3, P6). */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"
#include "support/test.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, EACH = 25 };

static conv__arena arena;
static conv_error error;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

/* What one thread saves, one exchange for each transaction, and how it went. */
typedef struct writer {
    pthread_t thread;
    conv__store *store;
    const conv__exchange *exchanges[EACH];
    int inserted;
    int failed;
    conv_error error;
} writer;

static void *write_all(void *argument)
{
    writer *self = argument;
    for (int i = 0; i < EACH; i++) {
        conv__save_result result = {0};
        if (contract_save(self->store, &self->exchanges[i], 1, &result, &self->error) != CONV_OK) {
            self->failed++;
            return NULL;
        }
        if (result.inserted) self->inserted++;
    }
    return NULL;
}

static void start(writer *self)
{
    assert_int_equal(pthread_create(&self->thread, NULL, write_all, self), 0);
}

static int join_all(writer *writers, int count)
{
    int inserted = 0;
    for (int i = 0; i < count; i++)
        pthread_join(writers[i].thread, NULL);
    for (int i = 0; i < count; i++) {
        if (writers[i].failed > 0)
            fail_msg("%s: %s", writers[i].error.action, writers[i].error.message);
        inserted += writers[i].inserted;
    }
    return inserted;
}

/* Positions of a session are 1 to n without gap, and its count is n. */
static void assert_session_is_exact(const char *session, long messages)
{
    const char *id = contract_uuid(conv_uuid_ensure(conv_text(session)));
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE session_id = '%s'", id),
        messages);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_messages WHERE session_id = '%s'", id), messages);
    assert_int_equal(contract_count("SELECT count(DISTINCT position) FROM chat_messages"
                                    " WHERE session_id = '%s' AND position >= 1"
                                    " AND position <= %ld",
                                    id, messages),
                     messages);
    /* Each exchange stands in one piece: a question at its place 0, the answer right after it. */
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages a JOIN chat_messages b"
                                    " ON b.session_id = a.session_id"
                                    " AND b.position = a.position + 1 AND b.content = a.content"
                                    " WHERE a.session_id = '%s' AND a.place = 0 AND b.place = 1",
                                    id),
                     messages / 2);
}

static void test_threads_share_sessions(void **state)
{
    (void)state;
    static writer writers[THREADS];
    static const char *sessions[] = {"shared 0", "shared 1", "shared 2"};
    memset(writers, 0, sizeof writers);
    for (int i = 0; i < THREADS; i++) {
        writers[i].store = contract_store();
        for (int j = 0; j < EACH; j++) {
            char *text = conv__arena_allocate(&arena, 32);
            snprintf(text, 32, "%d of %d", j, i);
            writers[i].exchanges[j] = sample_exchange(&arena, sessions[j % 3], text, text);
        }
    }
    for (int i = 0; i < THREADS; i++)
        start(&writers[i]);
    assert_int_equal(join_all(writers, THREADS), THREADS * EACH);
    assert_session_is_exact(sessions[0], 9 * THREADS * 2);
    assert_session_is_exact(sessions[1], 8 * THREADS * 2);
    assert_session_is_exact(sessions[2], 8 * THREADS * 2);
}

static void test_one_of_many_saves_an_exchange(void **state)
{
    (void)state;
    static writer writers[THREADS];
    memset(writers, 0, sizeof writers);
    for (int j = 0; j < EACH; j++) {
        const conv__exchange *exchange = sample_exchange(&arena, "same ids", "same", "same");
        for (int i = 0; i < THREADS; i++)
            writers[i].exchanges[j] = exchange;
    }
    for (int i = 0; i < THREADS; i++) {
        writers[i].store = contract_store();
        start(&writers[i]);
    }
    assert_int_equal(join_all(writers, THREADS), EACH);
    assert_session_is_exact("same ids", EACH * 2);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE session_id = '%s'",
                                    contract_uuid(conv_uuid_ensure(conv_text("same ids")))),
                     EACH);
}

/* Batches that touch the same sessions in opposite order: the keys must be locked in one order. */
static void *write_batch(void *argument)
{
    writer *self = argument;
    conv__save_result results[EACH];
    if (contract_save(self->store, self->exchanges, EACH, results, &self->error) != CONV_OK)
        self->failed++;
    else
        for (int i = 0; i < EACH; i++)
            self->inserted += results[i].inserted;
    return NULL;
}

static void test_batches_do_not_deadlock(void **state)
{
    (void)state;
    static writer writers[2];
    for (int round = 0; round < 5; round++) {
        memset(writers, 0, sizeof writers);
        for (int i = 0; i < 2; i++) {
            writers[i].store = contract_store();
            for (int j = 0; j < EACH; j++) {
                char session[32];
                snprintf(session, sizeof session, "crossed %d", i == 0 ? j : EACH - 1 - j);
                writers[i].exchanges[j] = sample_exchange(&arena, session, "x", "x");
            }
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&writers[i].thread, NULL, write_batch, &writers[i]), 0);
        assert_int_equal(join_all(writers, 2), 2 * EACH);
    }
    assert_session_is_exact("crossed 0", 5 * 2 * 2);
    assert_session_is_exact("crossed 24", 5 * 2 * 2);
}

static void test_a_reader_sees_whole_exchanges(void **state)
{
    (void)state;
    static writer one;
    static const char question[] = "a question";
    memset(&one, 0, sizeof one);
    one.store = contract_store();
    for (int j = 0; j < EACH; j++)
        one.exchanges[j] = sample_exchange(&arena, "watched", question, question);
    conv__store *other = NULL;
    assert_ok(contract_open(&other, &error), error);
    conv_uuid session_id = conv_uuid_ensure(conv_text("watched"));
    start(&one);
    size_t seen = 0;
    for (int looks = 0; seen < EACH * 2 && looks < 100000; looks++) {
        conv__arena page = {0};
        conv__message_list list;
        const conv__history_query query = {.session_id = session_id, .limit = 1000};
        conv__transaction *transaction = contract_begin(other, CONV__TRANSACTION_READ);
        assert_ok(other->chat->functions->read_history(other->chat, transaction, &query, &page,
                                                       &list, &error),
                  error);
        other->functions->rollback(transaction);
        assert_true(list.count >= seen);
        assert_int_equal(list.count % 2, 0);
        seen = list.count;
        conv__arena_reset(&page);
        /* One statement of our own sees all tables at one moment. */
        const char *id = contract_uuid(session_id);
        assert_int_equal(
            contract_count("SELECT coalesce((SELECT message_count FROM chat_sessions"
                           " WHERE session_id = '%s'), 0)"
                           " - (SELECT count(*) FROM chat_messages WHERE session_id = '%s')"
                           " + 2 * (SELECT count(*) FROM usage_logs WHERE session_id = '%s')"
                           " - 2 * (SELECT count(*) FROM chat_exchanges WHERE session_id = '%s')",
                           id, id, id, id),
            0);
    }
    join_all(&one, 1);
    assert_int_equal(seen, EACH * 2);
    other->functions->close(other);
}

/* The child has a store of its own, as a second program would. */
static void run_child(const conv__exchange *const *exchanges, int count)
{
    conv_error details = CONV_ERROR_INIT;
    conv__store *store = NULL;
    if (contract_open(&store, &details) != CONV_OK) _exit(2);
    for (int i = 0; i < count; i++)
        if (contract_save(store, &exchanges[i], 1, NULL, &details) != CONV_OK) _exit(3);
    store->functions->close(store);
    _exit(0);
}

static void test_processes_share_a_session(void **state)
{
    (void)state;
    enum { PROCESSES = 3 };
    const conv__exchange *exchanges[PROCESSES][EACH];
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        for (int j = 0; j < EACH; j++) {
            char *text = conv__arena_allocate(&arena, 32);
            snprintf(text, 32, "%d of %d", j, i);
            exchanges[i][j] = sample_exchange(&arena, "between processes", text, text);
        }
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) run_child(exchanges[i], EACH);
        assert_true(children[i] > 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_session_is_exact("between processes", PROCESSES * EACH * 2);
}

static void test_a_forked_child_leaves_the_store_alone(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    pid_t child = fork();
    if (child == 0) {
        conv_error details = CONV_ERROR_INIT;
        conv__transaction *transaction = NULL;
        conv_status status = store->functions->begin(store, CONV__TRANSACTION_READ,
                                                     contract_deadline(), &transaction, &details);
        if (status != CONV_STATE) _exit(2);
        store->functions->close(store);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    /* The parent's connections still work. */
    const conv__exchange *exchange = sample_exchange(&arena, "after the fork", "a", "b");
    assert_ok(contract_save(store, &exchange, 1, NULL, &error), error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_threads_share_sessions, reset),
        cmocka_unit_test_setup(test_one_of_many_saves_an_exchange, reset),
        cmocka_unit_test_setup(test_batches_do_not_deadlock, reset),
        cmocka_unit_test_setup(test_a_reader_sees_whole_exchanges, reset),
        cmocka_unit_test_setup(test_processes_share_a_session, reset),
        cmocka_unit_test_setup(test_a_forked_child_leaves_the_store_alone, reset),
    };
    int failures = RUN_TESTS_WITH("chat concurrency", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}

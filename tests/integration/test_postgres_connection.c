/* Connecting, and each way in which it fails. */
#include "support/loopback.h"
#include "support/postgres.h"
#include "support/store.h"
#include "support/test.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/time.h"
#include "db/postgres/libpq.h"
#include "db/postgres/pipeline.h"

static conv_error error;

static conv_status open_within(const char *connection, int64_t timeout_ms)
{
    conv__store *store = NULL;
    conv__postgres_params params = {.connection = connection, .connect_timeout_ms = timeout_ms};
    error = (conv_error)CONV_ERROR_INIT;
    conv_status status = conv__postgres_store_open(&params, &store, &error);
    if (store != NULL) store->functions->close(store);
    return status;
}

static conv_status open_store(const char *connection)
{
    return open_within(connection, 500);
}

static void assert_says(const char *words)
{
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" not in \"%s\"", words, error.message);
    assert_null(strchr(error.message, '\n'));
    assert_null(strstr(error.message, "LOCATION"));
}

static void no_such_database(void **state)
{
    (void)state;
    assert_status(open_store(postgres_url_with("dbname", "not_there")), CONV_NOT_FOUND, error);
    assert_string_equal(error.sqlstate, "3D000");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    assert_says("database \"not_there\" does not exist; create the database");
}

static void no_such_user(void **state)
{
    (void)state;
    assert_status(open_store(postgres_url_with("user", "nobody_of_this_name")), CONV_PERMISSION,
                  error);
    assert_string_equal(error.sqlstate, "28000");
    assert_says("nobody_of_this_name");
}

static void nobody_listens(void **state)
{
    (void)state;
    assert_status(open_store("host=/not/there dbname=x"), CONV_UNAVAILABLE, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_RETRY);
    assert_says("/not/there/.s.PGSQL.");
    assert_says("No such file or directory; start the server, or correct host and port");
    char port[LOOPBACK_PORT_SIZE];
    char connection[128];
    close(loopback_listen(port));
    snprintf(connection, sizeof connection, "postgresql://me:secret@127.0.0.1:%s/x", port);
    assert_status(open_store(connection), CONV_UNAVAILABLE, error);
    assert_says("127.0.0.1");
    assert_says(port);
    assert_says("Connection refused; start the server, or correct host and port");
    assert_null(strstr(error.message, "secret"));
}

static void nobody_answers(void **state)
{
    (void)state;
    char port[LOOPBACK_PORT_SIZE];
    char connection[128];
    int listener = loopback_listen(port);
    snprintf(connection, sizeof connection, "postgresql://me:secret@127.0.0.1:%s/x", port);
    assert_status(open_store(connection), CONV_TIMEOUT, error);
    assert_says("no answer from host \"127.0.0.1\"");
    assert_says(port);
    /* The user's own limit goes before ours. */
    strcat(connection, "?connect_timeout=1");
    int64_t begun = conv__monotonic_ns();
    assert_status(open_store(connection), CONV_TIMEOUT, error);
    assert_true(conv__monotonic_ns() - begun >= INT64_C(990000000));
    close(listener);
}

/* Nothing is wrong with the host then. */
static void a_client_that_is_being_closed_connects_no_more(void **state)
{
    (void)state;
    char port[LOOPBACK_PORT_SIZE];
    char conninfo[128];
    int listener = loopback_listen(port);
    conv__latest latest = {conv__monotonic_ns()};
    atomic_bool unnamed = false;
    conv__connection *connection = NULL;
    snprintf(conninfo, sizeof conninfo, "postgresql://me@127.0.0.1:%s/x", port);
    conv__connection_params params = {.conninfo = conninfo,
                                      .application = "test",
                                      .timeout_ms = 20000,
                                      .unnamed = &unnamed,
                                      .latest = &latest};
    error = (conv_error)CONV_ERROR_INIT;
    assert_status(conv__connection_open(&params, CONV__NO_DEADLINE, &connection, &error),
                  CONV_TIMEOUT, error);
    assert_says("the client is being closed");
    assert_null(connection);
    close(listener);
}

/* A host that is silent costs its own time and no more. */
static void the_next_host_answers(void **state)
{
    (void)state;
    char port[LOOPBACK_PORT_SIZE];
    char connection[512];
    int listener = loopback_listen(port);
    PGconn *link = postgres_link();
    snprintf(connection, sizeof connection,
             "host=127.0.0.1,%s port=%s,%s user=%s dbname=%s sslmode=disable gssencmode=disable",
             PQhost(link), port, PQport(link), PQuser(link), PQdb(link));
    PQfinish(link);
    assert_ok(open_store(connection), error);
    snprintf(connection, sizeof connection, "host=127.0.0.1,127.0.0.1 port=%s", port);
    assert_status(open_store(connection), CONV_TIMEOUT, error);
    close(listener);
}

/* Answers one connection once, after its first message, in a process of its own. */
static pid_t answer_once(int listener, const char *answer, size_t size, unsigned pause_ms)
{
    pid_t child = fork();
    if (child != 0) return child;
    char request[1024];
    int peer = accept(listener, NULL, NULL);
    if (read(peer, request, sizeof request) < 0) _exit(1);
    usleep(pause_ms * 1000);
    if (write(peer, answer, size) != (ssize_t)size) _exit(1);
    /* What the client still says must not become a reset that overtakes the answer. */
    while (read(peer, request, sizeof request) > 0)
        continue;
    _exit(0);
}

static conv_status open_answered(const char *answer, size_t size, const char *more)
{
    char port[LOOPBACK_PORT_SIZE];
    char connection[256];
    int listener = loopback_listen(port);
    pid_t child = answer_once(listener, answer, size, 0);
    snprintf(connection, sizeof connection,
             "host=127.0.0.1 port=%s gssencmode=disable user=me dbname=x %s", port, more);
    conv_status status = open_store(connection);
    close(listener);
    int ended = 0;
    waitpid(child, &ended, 0);
    return status;
}

static void another_server(void **state)
{
    (void)state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    assert_status(open_answered(http, sizeof http - 1, ""), CONV_UNAVAILABLE, error);
    assert_says("that is no PostgreSQL server");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    assert_status(open_answered(http, sizeof http - 1, "sslmode=disable"), CONV_UNAVAILABLE, error);
    assert_says("that is no PostgreSQL server");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
}

static void a_server_that_closes_at_once(void **state)
{
    (void)state;
    char port[LOOPBACK_PORT_SIZE];
    char connection[128];
    int listener = loopback_listen(port);
    pid_t child = fork();
    if (child == 0) {
        char request[1024];
        int peer = accept(listener, NULL, NULL);
        _exit(peer >= 0 && read(peer, request, sizeof request) > 0 ? 0 : 1);
    }
    snprintf(connection, sizeof connection,
             "host=127.0.0.1 port=%s gssencmode=disable sslmode=disable dbname=x", port);
    assert_status(open_store(connection), CONV_UNAVAILABLE, error);
    close(listener);
    waitpid(child, NULL, 0);
    assert_says("closed the connection unexpectedly; it may not be a PostgreSQL server");
    assert_int_equal(error.recovery, CONV_RECOVERY_RETRY);
}

/* Greeting and what is settled behind it share the time for opening a connection. */
static void a_server_that_greets_late_and_falls_silent(void **state)
{
    (void)state;
    static const char greeting[] = "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    char port[LOOPBACK_PORT_SIZE];
    char connection[128];
    int listener = loopback_listen(port);
    pid_t child = answer_once(listener, greeting, sizeof greeting - 1, 1500);
    snprintf(connection, sizeof connection,
             "host=127.0.0.1 port=%s gssencmode=disable sslmode=disable user=me dbname=x", port);
    int64_t begun = conv__monotonic_ns();
    assert_status(open_within(connection, 2000), CONV_TIMEOUT, error);
    int64_t took_ms = (conv__monotonic_ns() - begun) / 1000000;
    close(listener);
    waitpid(child, NULL, 0);
    assert_in_range(took_ms, 1990, 3000);
}

/* Trying again changes nothing about these. */
static void what_the_server_does_not_offer(void **state)
{
    (void)state;
    static const char unknown_method[] = "R\0\0\0\x08\0\0\0\x63";
    assert_status(open_answered("N", 1, "sslmode=require"), CONV_UNAVAILABLE, error);
    assert_says("server does not support SSL, but SSL was required; ");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    assert_false(conv_error_is_retryable(&error));
    assert_status(open_answered(unknown_method, sizeof unknown_method - 1, "sslmode=disable"),
                  CONV_UNAVAILABLE, error);
    assert_says("authentication method 99 not supported; ");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
}

static void a_wrong_password(void **state)
{
    (void)state;
    static const char refusal[] = "E\0\0\0\x50"
                                  "SSCHWERWIEGEND\0VFATAL\0C28P01\0"
                                  "MPasswort falsch f\xc3\xbcr \"me\"\0Fauth.c\0L331\0Rauth\0";
    assert_int_equal(sizeof refusal, 1 + 0x50);
    assert_status(open_answered(refusal, sizeof refusal, "sslmode=disable password=secret"),
                  CONV_PERMISSION, error);
    assert_string_equal(error.sqlstate, "28P01");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    assert_says("Passwort falsch f\xc3\xbcr \"me\"; check the user and the password");
    assert_null(strstr(error.message, "secret"));
}

static void a_missing_password(void **state)
{
    (void)state;
    static const char demand[] = "R\0\0\0\x08\0\0\0\x03";
    setenv("PGPASSFILE", "/not/there", 1);
    assert_status(open_answered(demand, sizeof demand - 1, "sslmode=disable"), CONV_PERMISSION,
                  error);
    assert_says("give a password");
    unsetenv("PGPASSFILE");
}

static void malformed_connection_strings(void **state)
{
    (void)state;
    static const char *const strings[] = {
        "host=here my secret words", "secret=1",
        "postgresql://h:secret/x",   "postgresql://me:se/cret@h/x",
        "postgresql://h?secret=1",   "host=/tmp sslmode=secret",
        "host=/tmp port=secret",     "host='secret",
        "postgresql://[secret/x",    "postgresql://h/%secret",
    };
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        if (open_store(strings[i]) != CONV_INVALID_ARGUMENT)
            fail_msg("%s: %s", strings[i], error.message);
        assert_null(strstr(error.message, "secret"));
        assert_null(strstr(error.message, "se/cret"));
        assert_true(strlen(error.message) > 10);
    }
    assert_status(open_store("postgresql://me:se@cret@127.0.0.1/x"), CONV_UNAVAILABLE, error);
    assert_null(strstr(error.message, "cret"));
    assert_says("%40");
}

static void settings_out_of_range(void **state)
{
    (void)state;
    conv__store *store = NULL;
    conv__postgres_params params = {.connection = postgres_url(), .connections = -1};
    assert_status(conv__postgres_store_open(&params, &store, &error), CONV_INVALID_ARGUMENT, error);
    params.connections = 1001;
    assert_status(conv__postgres_store_open(&params, &store, &error), CONV_INVALID_ARGUMENT, error);
    params = (conv__postgres_params){.connection = postgres_url(), .connect_timeout_ms = -1};
    assert_status(conv__postgres_store_open(&params, &store, &error), CONV_INVALID_ARGUMENT, error);
    params = (conv__postgres_params){.connection = NULL};
    assert_status(conv__postgres_store_open(&params, &store, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(store);
}

static void a_database_of_another_encoding(void **state)
{
    (void)state;
    PGconn *link = postgres_link();
    postgres_execute(link, "CREATE DATABASE conversation_test_latin ENCODING 'LATIN1' "
                           "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
    assert_status(open_store(postgres_url_with("dbname", "conversation_test_latin")), CONV_STATE,
                  error);
    assert_says("LATIN1");
    postgres_execute(link, "DROP DATABASE conversation_test_latin");
    PQfinish(link);
}

static void the_name_that_the_server_sees(void **state)
{
    (void)state;
    PGconn *link = postgres_link();
    const char *count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'my app'"
                        " AND datname = current_database()";
    conv__postgres_params params = {.connection = postgres_url(), .application = "my app"};
    conv__store *store = postgres_open(&params);
    assert_int_equal(postgres_number(link, count), 1);
    store->functions->close(store);
    assert_true(postgres_becomes(link, count, 0));
    /* The user's own goes first. */
    params = (conv__postgres_params){.connection = postgres_url_with("application_name", "my app"),
                                     .application = "other"};
    store = postgres_open(&params);
    assert_int_equal(postgres_number(link, count), 1);
    store->functions->close(store);
    PQfinish(link);
}

/* NULL, or the value that libpq really uses. */
static char *setting_of(conv__connection *connection, const char *keyword)
{
    char *value = NULL;
    PQconninfoOption *options = PQconninfo(connection->link);
    for (PQconninfoOption *one = options; one->keyword != NULL; one++)
        if (strcmp(one->keyword, keyword) == 0 && one->val != NULL) value = strdup(one->val);
    PQconninfoFree(options);
    return value;
}

static void assert_setting(const char *conninfo, const char *keyword, const char *wanted)
{
    atomic_bool unnamed = false;
    conv__connection *connection = NULL;
    conv__connection_params params = {conninfo, "conversation", 10000, &unnamed, NULL};
    assert_ok(conv__connection_open(&params, conv__deadline_in_ms(10000), &connection, &error),
              error);
    char *value = setting_of(connection, keyword);
    if (wanted == NULL)
        assert_null(value);
    else
        assert_string_equal(value, wanted);
    free(value);
    conv__connection_close(connection);
}

static void defaults_give_way_to_the_user(void **state)
{
    (void)state;
    assert_setting(postgres_url(), "keepalives_idle", "30");
    assert_setting(postgres_url_with("keepalives_idle", "77"), "keepalives_idle", "77");
    assert_setting(postgres_url_with("tcp_user_timeout", "5"), "tcp_user_timeout", "5");
    /* Texts come back as UTF-8 whatever the environment says. */
    setenv("PGCLIENTENCODING", "LATIN1", 1);
    assert_setting(postgres_url_with("client_encoding", "SJIS"), "client_encoding", "UTF8");
    unsetenv("PGCLIENTENCODING");
}

static void a_service_file_is_not_overruled(void **state)
{
    (void)state;
    char name[] = "/tmp/conversation-service-XXXXXX";
    int file = mkstemp(name);
    assert_true(file >= 0);
    dprintf(file, "[mine]\nkeepalives_idle=99\n");
    close(file);
    setenv("PGSERVICEFILE", name, 1);
    assert_setting(postgres_url_with("service", "mine"), "keepalives_idle", "99");
    setenv("PGSERVICE", "mine", 1);
    assert_setting(postgres_url(), "keepalives_idle", "99");
    unsetenv("PGSERVICE");
    unsetenv("PGSERVICEFILE");
    unlink(name);
}

static const conv__statement one_statement = {"test_one", "test", 0, false, "SELECT 1"};

/* A child that closes its copy must not end the parent's session. */
static void a_forked_child_leaves_the_connection_alone(void **state)
{
    (void)state;
    conv__store *store = postgres_open(NULL);
    conv__connection *connection = postgres_connect();
    pid_t child = fork();
    if (child == 0) {
        conv__transaction *transaction = NULL;
        conv_status status = store->functions->begin(
            store, CONV__TRANSACTION_READ, conv__deadline_in_ms(1000), &transaction, &error);
        conv__connection_close(connection);
        store->functions->close(store);
        _exit(status == CONV_STATE ? 0 : 1);
    }
    int ended = 0;
    waitpid(child, &ended, 0);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
    conv__operation ask = {.statement = &one_statement};
    assert_ok(conv__pipeline_run(connection, &ask, (conv__bracket){CONV__BEGIN_NOT, false}, "test",
                                 conv__deadline_in_ms(5000), &error),
              error);
    conv__connection_close(connection);
    conv_schema_state schema;
    assert_ok(store->functions->read_schema(store, conv__deadline_in_ms(5000), &schema, &error),
              error);
    store->functions->close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_such_database),
        cmocka_unit_test(no_such_user),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(a_client_that_is_being_closed_connects_no_more),
        cmocka_unit_test(the_next_host_answers),
        cmocka_unit_test(another_server),
        cmocka_unit_test(a_server_that_closes_at_once),
        cmocka_unit_test(a_server_that_greets_late_and_falls_silent),
        cmocka_unit_test(what_the_server_does_not_offer),
        cmocka_unit_test(a_wrong_password),
        cmocka_unit_test(a_missing_password),
        cmocka_unit_test(malformed_connection_strings),
        cmocka_unit_test(settings_out_of_range),
        cmocka_unit_test(a_database_of_another_encoding),
        cmocka_unit_test(the_name_that_the_server_sees),
        cmocka_unit_test(defaults_give_way_to_the_user),
        cmocka_unit_test(a_service_file_is_not_overruled),
        cmocka_unit_test(a_forked_child_leaves_the_connection_alone),
    };
    return RUN_TESTS_WITH("postgres connection", tests, postgres_setup_empty, postgres_teardown);
}

/* Opening and closing of one connection, and waiting on it. It sends no statement. */
#include "db/postgres/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/process.h"
#include "core/time.h"
#include "db/postgres/hosts.h"
#include "db/postgres/libpq.h"
#include "db/postgres/message.h"
#include "db/postgres/sqlstate.h"

#define ACTION "connect"

#define SEND_BUFFER_BYTES (8 << 20)

#define SPARE_BYTES ((size_t)1 << 20)

/* libpq's own rule: anything else is the name of a database. */
static bool is_connection_string(const char *conninfo)
{
    return strncmp(conninfo, "postgresql://", strlen("postgresql://")) == 0 ||
           strncmp(conninfo, "postgres://", strlen("postgres://")) == 0 ||
           strchr(conninfo, '=') != NULL;
}

conv_status conv__connection_check(const char *conninfo, conv_error *error)
{
    if (!is_connection_string(conninfo)) return CONV_OK;
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &why);
    conv_status status = CONV_OK;
    /* libpq has words for this, but no code. */
    if (options == NULL && (why == NULL || strstr(why, "out of memory") != NULL)) {
        status = conv__fail_memory(error, ACTION);
    } else if (options == NULL) {
        char text[CONV_MESSAGE_SIZE];
        conv__message_without_quotes(why, text, sizeof text);
        status = conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                            "the connection string is malformed: %s; expected "
                            "postgresql://user@host/database or key=value pairs",
                            text);
    }
    PQconninfoFree(options);
    PQfreemem(why);
    return status;
}

/* A service file stands behind our defaults in libpq's order, though the user wrote it. */
static bool uses_service(const char *conninfo)
{
    if (getenv("PGSERVICE") != NULL) return true;
    if (!is_connection_string(conninfo)) return false;
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    bool uses = false;
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
        if (strcmp(option->keyword, "service") == 0 && option->val != NULL) uses = true;
    PQconninfoFree(options);
    return uses;
}

/* Whether it says that a commit waits no longer for a synchronous standby (canceled, or the time of
 * statement_timeout was up). The text may be in any language, the place in the server's source is
 * not. */
static bool is_wait_cut_off(const PGresult *notice)
{
    const char *function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
    return function != NULL && strcmp(function, "SyncRepWaitForLSN") == 0;
}

/* What libpq hands to nobody else: notices are dropped, a last word is kept. Nothing goes to
 * stderr.
 */
static void receive_notice(void *context, const PGresult *notice)
{
    conv__connection *connection = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (is_wait_cut_off(notice)) connection->wait_cut_off = true;
    if (severity == NULL || (strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0))
        return;
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(connection->last_words_state, sizeof connection->last_words_state, "%s",
             sqlstate == NULL ? "" : sqlstate);
    snprintf(connection->last_words, sizeof connection->last_words, "%s",
             message == NULL ? "" : message);
    connection->broken = true;
}

/* How long to wait before looking again at the latest moment; 0: the time is up. */
static int wait_ms(int64_t deadline_ns, const conv__latest *latest)
{
    int left_ms = conv__deadline_left_ms(conv__deadline_within(deadline_ns, latest));
    return latest == NULL || left_ms < CONV__LATEST_CHECK_MS ? left_ms : CONV__LATEST_CHECK_MS;
}

conv_status conv__connection_wait(conv__connection *connection, bool write, int64_t deadline_ns,
                                  bool *readable)
{
    struct pollfd poller = {PQsocket(connection->link), (short)(write ? POLLIN | POLLOUT : POLLIN),
                            0};
    for (;;) {
        *readable = true;
        /* libpq itself reports what is wrong with a link without a socket. */
        if (poller.fd < 0) return CONV_OK;
        int left_ms = wait_ms(deadline_ns, connection->latest);
        if (left_ms == 0) return CONV_TIMEOUT;
        int ready = poll(&poller, 1, left_ms);
        if (ready > 0) *readable = (poller.revents & ~POLLOUT) != 0;
        if (ready > 0 || (ready < 0 && errno != EINTR)) return CONV_OK;
    }
}

/* `hosts` in the place of the user's own list, where they are set. */
static PGconn *start(const conv__connection_params *params, const conv__hosts *hosts)
{
    const char *keywords[12];
    const char *values[12];
    size_t count = 0;
#define SET(keyword, value) (keywords[count] = (keyword), values[count++] = (value))
    /* What stands before dbname gives way to the user's string, what stands behind it does not. */
    SET("fallback_application_name", params->application);
    if (!uses_service(params->conninfo)) {
        SET("keepalives_idle", "30");
        SET("keepalives_interval", "10");
        SET("keepalives_count", "3");
        SET("tcp_user_timeout", "30000");
    }
    SET("dbname", params->conninfo);
    SET("client_encoding", "UTF8");
    SET("host", hosts->host);
    SET("hostaddr", hosts->hostaddr);
    SET("port", hosts->port);
    SET(NULL, NULL);
#undef SET
    return PQconnectStartParams(keywords, values, 1);
}

/* libpq bounds only its blocking functions by connect_timeout, so it is ours to keep. */
static int64_t connect_timeout_ms(PGconn *link, const conv__connection_params *params)
{
    int64_t timeout_ms = params->timeout_ms;
    PQconninfoOption *options = PQconninfo(link);
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "connect_timeout") != 0 || option->val == NULL) continue;
        long seconds = strtol(option->val, NULL, 10);
        if (seconds > 0 && seconds < 1000000) timeout_ms = seconds * 1000;
    }
    PQconninfoFree(options);
    return timeout_ms;
}

#define START_OR_CORRECT "start the server, or correct host and port"
#define NO_POSTGRESQL    "that is no PostgreSQL server: correct host and port"

/* What libpq itself says where no server gave a SQLSTATE. The first that fits counts: of several
 * hosts one that may come back keeps the hope. */
static const struct {
    const char *words;
    bool permanent; /* nothing but a person's change helps */
    const char *advice;
} refusals[] = {
    {"could not translate host name", false, "correct the host, or look at the name service"},
    {"closed the connection unexpectedly", false, "it may not be a PostgreSQL server"},
    {"Connection refused", false, START_OR_CORRECT},
    {"failed: No such file or directory", false, START_OR_CORRECT},
    {"invalid response to SSL negotiation", true, NO_POSTGRESQL},
    {"expected authentication request", true, NO_POSTGRESQL},
    {"server does not support SSL", true, "switch SSL on in the server, or allow sslmode=prefer"},
    {"but it was required", true, "correct the server or gssencmode"},
    {"root certificate file", true, "give a root certificate, or correct sslrootcert"},
    {"certificate", true, "correct the certificates, sslmode or the host's name"},
    {"hannel binding", true, "correct channel_binding"},
    {"authentication method", true, "let pg_hba.conf of the server ask for scram-sha-256"},
    {"uthentication not supported", true, "let pg_hba.conf of the server ask for scram-sha-256"},
    {"SASL authentication mechanisms are supported", true,
     "let pg_hba.conf of the server ask for scram-sha-256"},
};

/* Without a SQLSTATE; gives the advice, NULL for none. */
static const char *judge_words(const char *text, conv__verdict *verdict)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (strstr(text, refusals[i].words) == NULL) continue;
        if (refusals[i].permanent) verdict->recovery = CONV_RECOVERY_OPERATOR;
        return refusals[i].advice;
    }
    return NULL;
}

static conv_status fail_to_connect(conv__connection *connection, conv_error *error)
{
    char sqlstate[6];
    char text[CONV_MESSAGE_SIZE];
    conv__message_of_connecting(PQerrorMessage(connection->link), text, sizeof text, sqlstate);
    conv__verdict verdict = conv__sqlstate_verdict(&(conv__fault){sqlstate, NULL, false});
    const char *advice = conv__sqlstate_advice(sqlstate);
    if (sqlstate[0] == '\0') {
        if (PQconnectionNeedsPassword(connection->link)) {
            verdict.status = CONV_PERMISSION;
            verdict.recovery = CONV_RECOVERY_OPERATOR;
            advice = "give a password (PGPASSWORD, ~/.pgpass)";
        } else if (strncmp(text, "invalid ", strlen("invalid ")) == 0) {
            /* What was taken for a port may be the end of a password with a slash. */
            conv__message_without_quotes(PQerrorMessage(connection->link), text, sizeof text);
            verdict.status = CONV_INVALID_ARGUMENT;
            verdict.recovery = CONV_RECOVERY_NONE;
        } else {
            advice = judge_words(text, &verdict);
        }
    }
    const char *host = PQhost(connection->link);
    if (host != NULL && strchr(host, '@') != NULL) {
        /* The rest of a password, which nobody should see. */
        snprintf(text, sizeof text, "the host's name has an @: write %%40 for one in the password");
        advice = NULL;
    }
    conv_error made;
    conv__fail(&made, verdict.status, ACTION, "%s%s%s", text, advice == NULL ? "" : "; ",
               advice == NULL ? "" : advice);
    made.recovery = verdict.recovery;
    memcpy(made.sqlstate, sqlstate, sizeof sqlstate);
    conv__failure_without_data(&made);
    if (error != NULL) *error = made;
    return made.status;
}

static conv_status connect_until(conv__connection *connection, int64_t deadline_ns,
                                 conv_error *error)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    if (PQstatus(connection->link) == CONNECTION_BAD) state = PGRES_POLLING_FAILED;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) return fail_to_connect(connection, error);
        struct pollfd poller = {PQsocket(connection->link),
                                state == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
        int left_ms = wait_ms(deadline_ns, connection->latest);
        int ready = left_ms == 0 ? 0 : poll(&poller, 1, left_ms);
        if (ready == 0 && wait_ms(deadline_ns, connection->latest) == 0) {
            const char *host = PQhost(connection->link);
            if (!conv__deadline_passed(deadline_ns))
                return conv__fail(error, CONV_TIMEOUT, ACTION,
                                  "the client is being closed, and the server was not connected "
                                  "by then");
            conv__fail(error, CONV_TIMEOUT, ACTION,
                       "no answer from host \"%s\" port %s before the deadline; is it the right "
                       "one, and does a firewall let us through?",
                       host == NULL || strchr(host, '@') != NULL ? "?" : host,
                       PQport(connection->link));
            return CONV_TIMEOUT;
        }
        if (ready > 0 || (ready < 0 && errno != EINTR)) state = PQconnectPoll(connection->link);
    }
    return CONV_OK;
}

/* After each write libpq moves all that it has still to send, so that a large message costs the
 * square of its size in small steps. TCP's buffer grows by itself, a Unix socket's only by request,
 * as far as the system allows. */
static void widen_socket(PGconn *link)
{
    const char *host = PQhost(link);
    int size = SEND_BUFFER_BYTES;
    if (host != NULL && host[0] == '/')
        (void)setsockopt(PQsocket(link), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static conv_status settle(conv__connection *connection, conv_error *error)
{
    const char *encoding = PQparameterStatus(connection->link, "server_encoding");
    if (encoding != NULL && strcmp(encoding, "UTF8") != 0)
        return conv__fail(error, CONV_STATE, ACTION,
                          "the database's encoding is %s, which can't hold every text; make one "
                          "with ENCODING 'UTF8' TEMPLATE template0",
                          encoding);
    PQsetErrorVerbosity(connection->link, PQERRORS_DEFAULT);
    widen_socket(connection->link);
    if (PQsetnonblocking(connection->link, 1) != 0 || !PQenterPipelineMode(connection->link))
        return conv__fail(error, CONV_INTERNAL, ACTION, "libpq refuses its pipeline mode");
    return CONV_OK;
}

/* Whether hosts are left after the one that did not answer; `hosts` then holds those. libpq itself
 * goes on to the next one only after a refusal. */
static bool find_next_hosts(PGconn *link, conv__hosts *hosts)
{
    conv__hosts list = {NULL, NULL, NULL};
    PQconninfoOption *options = PQconninfo(link);
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "host") == 0) list.host = conv__copy_text(option->val);
        if (strcmp(option->keyword, "hostaddr") == 0) list.hostaddr = conv__copy_text(option->val);
        if (strcmp(option->keyword, "port") == 0) list.port = conv__copy_text(option->val);
    }
    PQconninfoFree(options);
    conv__hosts_free(hosts);
    *hosts = list;
    return conv__hosts_after(hosts, PQhost(link), PQport(link));
}

/* One attempt, of which each host gets the same time. */
static conv_status attempt(const conv__connection_params *params, const conv__hosts *hosts,
                           int64_t deadline_ns, conv__connection *made, conv_error *error)
{
    made->link = start(params, hosts);
    if (made->link == NULL) return conv__fail_memory(error, ACTION);
    /* Only the verbose form tells the SQLSTATE of a refusal, in whatever language the rest is. */
    PQsetErrorVerbosity(made->link, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(made->link, receive_notice, made);
    int64_t own_ns = conv__deadline_in_ms(connect_timeout_ms(made->link, params));
    made->open_by_ns = own_ns < deadline_ns ? own_ns : deadline_ns;
    conv_status status = connect_until(made, made->open_by_ns, error);
    return status == CONV_OK ? settle(made, error) : status;
}

conv_status conv__connection_open(const conv__connection_params *params, int64_t deadline_ns,
                                  conv__connection **connection, conv_error *error)
{
    *connection = NULL;
    conv_status status = conv__connection_check(params->conninfo, error);
    if (status != CONV_OK) return status;
    conv__hosts hosts = {NULL, NULL, NULL};
    conv__connection *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->process = conv__process_id();
    made->unnamed = params->unnamed;
    made->latest = params->latest;
    status = attempt(params, &hosts, deadline_ns, made, error);
    while (status == CONV_TIMEOUT && !conv__deadline_passed(deadline_ns) &&
           find_next_hosts(made->link, &hosts)) {
        PQfinish(made->link);
        status = attempt(params, &hosts, deadline_ns, made, error);
    }
    conv__hosts_free(&hosts);
    if (status != CONV_OK) {
        conv__connection_close(made);
        return status;
    }
    *connection = made;
    return CONV_OK;
}

/* An idle connection has nothing to read, except a notice, a changed setting, the server's last
 * word or the end. */
bool conv__connection_is_alive(conv__connection *connection)
{
    for (;;) {
        if (connection->broken || PQstatus(connection->link) != CONNECTION_OK) return false;
        struct pollfd poller = {PQsocket(connection->link), POLLIN, 0};
        if (poll(&poller, 1, 0) <= 0) return true;
        if (!PQconsumeInput(connection->link)) return false;
        /* Parses what came. A connection that listens is not asked this. */
        for (PGnotify *notify; (notify = PQnotifies(connection->link)) != NULL;)
            PQfreemem(notify);
    }
}

bool conv__connection_is_broken(const conv__connection *connection)
{
    return connection->broken;
}

conv__buffer conv__connection_take_buffer(conv__connection *connection)
{
    conv__buffer taken = connection->spare;
    connection->spare = (conv__buffer){0};
    return taken;
}

void conv__connection_keep_buffer(conv__connection *connection, conv__buffer *buffer)
{
    conv__buffer *spare = &connection->spare;
    if (buffer->capacity > spare->capacity && buffer->capacity <= SPARE_BYTES) {
        conv__buffer_free(spare);
        *spare = *buffer;
        conv__buffer_clear(spare);
        *buffer = (conv__buffer){0};
    }
    conv__buffer_free(buffer);
}

void conv__connection_close(conv__connection *connection)
{
    if (connection == NULL) return;
    if (connection->process == conv__process_id()) PQfinish(connection->link);
    conv__buffer_free(&connection->spare);
    conv__release(connection);
}

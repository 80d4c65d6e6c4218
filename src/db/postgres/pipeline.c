/* The conversation with the server in libpq's pipeline mode: what is sent, and which answer belongs
 * to what. It must acknowledge nothing that the server has not acknowledged. */
#include "db/postgres/pipeline.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "db/postgres/libpq.h"

/* More than this is sent off before COMMIT is added, so that a connection which breaks on the way
 * is known not to have committed. */
#define COMMIT_HOLD_BYTES ((size_t)64 << 10)

#define ROLLBACK_TIMEOUT_MS 1000

typedef enum step_kind { STEP_PREPARE, STEP_EXECUTE, STEP_COMMIT } step_kind;

/* One message that will be answered, in the order of sending. */
typedef struct step {
    step_kind kind;
    const conv__statement *statement;
    const conv__operation *operation; /* NULL: a bracket */
} step;

typedef struct flight {
    conv__connection *connection;
    PGconn *link;
    const char *action;
    int64_t deadline_ns;
    step *steps;
    size_t count;
    size_t answered;
    size_t bytes;
    bool commit_sent;      /* COMMIT may have reached the server */
    bool commit_confirmed; /* its tag came */
    bool synced;
    conv_status status; /* the first failure */
    conv_error error;
} flight;

static const conv__statement begin_write = {"conv_begin", "begin transaction", 0, false,
                                            "BEGIN ISOLATION LEVEL READ COMMITTED"};
static const conv__statement begin_snapshot = {"conv_begin_snapshot", "begin transaction", 0, false,
                                               "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
/* What a transaction found as it should be it has not written. */
static const conv__statement wait_for_standbys = {
    "conv_wait_for_standbys", "commit", 0, false,
    "SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NULL THEN " CONV__WAIT_FOR_STANDBYS
    " END"};
static const conv__statement commit = {"conv_commit", "commit", 0, false, "COMMIT"};
static const conv__statement rollback = {"conv_rollback", "roll back", 0, false, "ROLLBACK"};

/* The text's hash stands in the name: another version of this library may have prepared something
 * else under the same one, on a server connection that a pooler gave to both. */
static void make_name(conv__prepared *prepared)
{
    uint32_t hash = UINT32_C(2166136261); /* FNV-1a */
    for (const char *c = prepared->statement->sql; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * UINT32_C(16777619);
    snprintf(prepared->name, sizeof prepared->name, "%s_%08x", prepared->statement->name,
             (unsigned)hash);
}

/* NULL: it is not known there. */
static conv__prepared *find_prepared(conv__connection *connection, const conv__statement *statement)
{
    for (int i = 0; i < connection->prepared_count; i++)
        if (connection->prepared[i].statement == statement) return &connection->prepared[i];
    return NULL;
}

/* NULL: it is to be sent without a name. */
static conv__prepared *to_prepare(conv__connection *connection, const conv__statement *statement)
{
    if (statement->planned_anew || atomic_load(connection->unnamed)) return NULL;
    conv__prepared *found = find_prepared(connection, statement);
    if (found != NULL || connection->prepared_count == CONV__PREPARED_LIMIT) return found;
    conv__prepared *added = &connection->prepared[connection->prepared_count++];
    *added = (conv__prepared){.statement = statement};
    make_name(added);
    return added;
}

static bool is_in_flight(const flight *self, const conv__statement *statement)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->steps[i].kind == STEP_PREPARE && self->steps[i].statement == statement)
            return true;
    return false;
}

static void fail(flight *self, const conv_error *error)
{
    if (self->status != CONV_OK) return;
    self->status = error->status;
    self->error = *error;
}

/* The action under way: that of the statement whose answer is due. */
static const char *action_of(const flight *self)
{
    if (self->answered < self->count && self->steps[self->answered].operation != NULL)
        return self->steps[self->answered].statement->action;
    return self->action;
}

static void lose(flight *self, const PGresult *result)
{
    conv_error error;
    conv__connection_failure(self->connection, result, action_of(self), &error);
    self->connection->broken = true;
    fail(self, &error);
}

static bool is_usable(const flight *self)
{
    return !self->connection->broken;
}

/* Waits for the link and takes in what came; false when the deadline passed. A failed read is not
 * the end: what the server said before may be there. Nothing is taken in without need, because
 * libpq would then move all that it still has to send. */
static bool wait_on_link(flight *self, bool write)
{
    bool readable = false;
    if (conv__connection_wait(self->connection, write, self->deadline_ns, &readable) != CONV_OK) {
        conv_error error;
        conv__connection_timeout(self->connection, action_of(self), &error);
        fail(self, &error);
        return false;
    }
    if (readable && PQconsumeInput(self->link) == 0 && PQstatus(self->link) == CONNECTION_OK)
        self->connection->broken = true;
    return true;
}

static void add_step(flight *self, step_kind kind, const conv__statement *statement,
                     const conv__operation *operation)
{
    self->steps[self->count++] = (step){kind, statement, operation};
}

/* Parameters as libpq wants them: pointers, lengths, and "all binary". */
typedef struct arguments {
    const char *values[CONV__PARAMETERS_LIMIT];
    int lengths[CONV__PARAMETERS_LIMIT];
    int formats[CONV__PARAMETERS_LIMIT];
} arguments;

static void gather(const conv__parameters *parameters, arguments *gathered)
{
    for (int i = 0; i < parameters->count; i++) {
        const char *field = parameters->data.data + parameters->offsets[i];
        uint32_t length = conv__read_u32(field);
        gathered->values[i] = length == UINT32_MAX ? NULL : field + sizeof length;
        gathered->lengths[i] = length == UINT32_MAX ? 0 : (int)length;
        gathered->formats[i] = 1;
    }
}

static bool send_step(flight *self, step_kind kind, const conv__statement *statement,
                      const conv__operation *operation)
{
    arguments gathered;
    int count = operation == NULL ? 0 : operation->parameters.count;
    if (operation != NULL) {
        gather(&operation->parameters, &gathered);
        self->bytes += operation->parameters.data.size;
    }
    const conv__prepared *prepared = to_prepare(self->connection, statement);
    if (prepared != NULL && !prepared->confirmed && !is_in_flight(self, statement)) {
        if (!PQsendPrepare(self->link, prepared->name, statement->sql, 0, NULL)) return false;
        add_step(self, STEP_PREPARE, statement, operation);
    }
    int sent = prepared != NULL
                   ? PQsendQueryPrepared(self->link, prepared->name, count, gathered.values,
                                         gathered.lengths, gathered.formats, 1)
                   : PQsendQueryParams(self->link, statement->sql, count, NULL, gathered.values,
                                       gathered.lengths, gathered.formats, 1);
    if (!sent) return false;
    add_step(self, kind, statement, operation);
    return true;
}

/* Sends off what libpq holds back, taking in what comes: neither side waits for the other. */
static bool flush(flight *self)
{
    for (;;) {
        int left = PQflush(self->link);
        if (left == 0) return true;
        if (left < 0) return false;
        if (!wait_on_link(self, true) || !is_usable(self)) return false;
    }
}

static bool send_all(flight *self, const conv__operation *first, conv__bracket bracket)
{
    if (bracket.begin == CONV__BEGIN_WRITE && !send_step(self, STEP_EXECUTE, &begin_write, NULL))
        return false;
    if (bracket.begin == CONV__BEGIN_SNAPSHOT &&
        !send_step(self, STEP_EXECUTE, &begin_snapshot, NULL))
        return false;
    for (const conv__operation *one = first; one != NULL; one = one->next)
        if (!send_step(self, STEP_EXECUTE, one->statement, one)) return false;
    if (bracket.commit) {
        if (bracket.begin == CONV__BEGIN_NOT &&
            !send_step(self, STEP_EXECUTE, &wait_for_standbys, NULL))
            return false;
        if (self->bytes > COMMIT_HOLD_BYTES && !flush(self)) return false;
        self->commit_sent = true;
        if (!send_step(self, STEP_COMMIT, &commit, NULL)) return false;
    }
    return PQpipelineSync(self->link) == 1;
}

/* For receivers that give a bare status. */
static void describe(conv_status status, const char *action, conv_error *error)
{
    if (status == CONV_NO_MEMORY)
        conv__fail_memory(error, action);
    else if (status == CONV_LIMIT)
        conv__fail(error, status, action, "a number is too large to be given back");
    else
        conv__fail(error, status, action, "what is stored is damaged, or not from this library");
}

static void take_success(flight *self, const step *at, PGresult *result)
{
    if (at->kind == STEP_PREPARE) {
        find_prepared(self->connection, at->statement)->confirmed = true;
    } else if (at->kind == STEP_COMMIT) {
        /* COMMIT of a transaction that had failed succeeds with the tag ROLLBACK. */
        self->commit_confirmed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    } else if (at->operation != NULL && at->operation->receive != NULL && self->status == CONV_OK) {
        conv_error error = CONV_ERROR_INIT;
        conv_status status = at->operation->receive(
            at->operation->context, (const conv__result *)(const void *)result, &error);
        if (status != CONV_OK && error.status == CONV_OK)
            describe(status, at->statement->action, &error);
        if (status != CONV_OK) fail(self, &error);
    }
}

static void take_result(flight *self, PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);
    if (kind == PGRES_PIPELINE_SYNC) {
        self->synced = true;
    } else if (kind == PGRES_PIPELINE_ABORTED) {
        return; /* because of the failure before it */
    } else if (self->answered >= self->count) {
        lose(self, result);
    } else if (kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK) {
        take_success(self, &self->steps[self->answered], result);
    } else {
        const step *at = &self->steps[self->answered];
        conv_error error;
        conv__connection_failure(self->connection, result, action_of(self), &error);
        if (at->kind == STEP_PREPARE || (at->kind == STEP_EXECUTE && at->operation == NULL))
            conv__failure_without_data(&error);
        fail(self, &error);
    }
}

/* Reads answers until the one to the Sync. After a FATAL that one never comes: libpq then gives
 * NULL for ever with a bad connection. */
static void read_all(flight *self)
{
    while (!self->synced) {
        if (PQisBusy(self->link)) {
            int left = PQflush(self->link);
            if (!wait_on_link(self, left > 0)) return;
            continue;
        }
        PGresult *result = PQgetResult(self->link);
        if (result != NULL) {
            take_result(self, result);
            PQclear(result);
        } else if (PQstatus(self->link) != CONNECTION_OK || self->answered >= self->count) {
            lose(self, NULL);
            return;
        } else {
            self->answered++;
        }
    }
}

/* The server's answer says that it committed, a warning that the standbys may not have it. */
static void check_standbys(flight *self)
{
    conv_error error;
    if (!self->connection->wait_cut_off) return;
    self->connection->wait_cut_off = false;
    conv__fail(&error, CONV_UNAVAILABLE, self->action,
               "the server stopped waiting for its synchronous standby, which may not have it");
    error.recovery = CONV_RECOVERY_BACKOFF;
    fail(self, &error);
}

/* Whether the transaction committed, did not, or whether nobody knows. */
static void judge(flight *self)
{
    if (self->status == CONV_OK && !self->commit_confirmed) {
        conv_error error;
        conv__fail(&error, CONV_UNAVAILABLE, self->action,
                   "the server rolled the transaction back without saying why");
        error.recovery = CONV_RECOVERY_RETRY;
        fail(self, &error);
    }
    if (self->status != CONV_OK && self->commit_sent && (self->commit_confirmed || !self->synced))
        self->error.outcome_unknown = true;
}

static void fly(flight *self, const conv__operation *first, conv__bracket bracket)
{
    if (conv__deadline_passed(self->deadline_ns)) {
        self->status = conv__fail(&self->error, CONV_TIMEOUT, self->action,
                                  "the deadline had passed before anything was sent");
        return;
    }
    if (!send_all(self, first, bracket)) {
        if (self->status == CONV_OK) lose(self, NULL);
    } else {
        read_all(self);
    }
    check_standbys(self);
    if (bracket.commit) judge(self);
}

conv_status conv__pipeline_run(conv__connection *connection, const conv__operation *first,
                               conv__bracket bracket, const char *action, int64_t deadline_ns,
                               conv_error *error)
{
    size_t operations = 0;
    for (const conv__operation *one = first; one != NULL; one = one->next)
        operations++;
    flight self = {.connection = connection,
                   .link = connection->link,
                   .action = action,
                   .deadline_ns = deadline_ns,
                   .status = CONV_OK};
    self.steps = conv__allocate(2 * (operations + 2) * sizeof *self.steps);
    if (self.steps == NULL)
        self.status = conv__fail_memory(&self.error, action);
    else
        fly(&self, first, bracket);
    conv__release(self.steps);
    if (self.status == CONV_OK) return CONV_OK;
    if (is_usable(&self)) conv__pipeline_rollback(connection);
    if (error != NULL) *error = self.error;
    return self.status;
}

void conv__pipeline_rollback(conv__connection *connection)
{
    if (PQtransactionStatus(connection->link) == PQTRANS_IDLE) return;
    step steps[2];
    flight self = {.connection = connection,
                   .link = connection->link,
                   .action = rollback.action,
                   .deadline_ns = conv__deadline_in_ms(ROLLBACK_TIMEOUT_MS),
                   .steps = steps,
                   .status = CONV_OK};
    bool sent = send_step(&self, STEP_EXECUTE, &rollback, NULL) && PQpipelineSync(self.link) == 1;
    if (sent) read_all(&self);
    if (!sent || self.status != CONV_OK || PQtransactionStatus(self.link) != PQTRANS_IDLE)
        connection->broken = true;
}

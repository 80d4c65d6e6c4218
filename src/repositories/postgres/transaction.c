/* Transactions of the PostgreSQL store. It holds no SQL. */
#include "repositories/postgres/transaction.h"

#include "core/error.h"
#include "core/time.h"

typedef struct postgres_transaction {
    conv__transaction base; /* first: it is all that others see */
    conv__pool *pool;
    conv__connection *connection; /* NULL once it was lost for good */
    conv__transaction_mode mode;
    int64_t deadline_ns;
    bool begun;  /* the server has a transaction open */
    bool failed; /* and `failure` says why: nothing can be committed any more */
    conv_error failure;
    conv__operation *first;
    conv__operation **last;
    conv__arena scratch;
} postgres_transaction;

static postgres_transaction *inner(conv__transaction *transaction)
{
    return (postgres_transaction *)transaction;
}

conv_status conv__postgres_begin(conv__store *store, conv__pool *pool, conv__transaction_mode mode,
                                 int64_t deadline_ns, conv__transaction **transaction,
                                 conv_error *error)
{
    *transaction = NULL;
    postgres_transaction *self = conv__allocate(sizeof *self);
    if (self == NULL) return conv__fail_memory(error, "begin transaction");
    conv_status status = conv__pool_lease(pool, deadline_ns, &self->connection, error);
    if (status != CONV_OK) {
        conv__release(self);
        return status;
    }
    self->base.store = store;
    self->pool = pool;
    self->mode = mode;
    self->deadline_ns = deadline_ns;
    self->last = &self->first;
    *transaction = &self->base;
    return CONV_OK;
}

void *conv__postgres_scratch(conv__transaction *transaction, size_t size)
{
    return conv__arena_allocate(&inner(transaction)->scratch, size);
}

conv__parameters conv__postgres_parameters(conv__transaction *transaction)
{
    postgres_transaction *self = inner(transaction);
    conv__parameters empty = {.count = 0};
    if (self->connection != NULL) empty.data = conv__connection_take_buffer(self->connection);
    return empty;
}

static void clear_queue(postgres_transaction *self)
{
    while (self->first != NULL) {
        conv__operation *done = self->first;
        self->first = done->next;
        if (self->connection != NULL)
            conv__connection_keep_buffer(self->connection, &done->parameters.data);
        conv__parameters_free(&done->parameters);
    }
    self->last = &self->first;
}

/* A write of which a part is missing must not commit; a question that failed spoils no other. */
static void spoil(postgres_transaction *self, const conv_error *failure)
{
    if (self->mode == CONV__TRANSACTION_READ || self->failed) return;
    self->failed = true;
    self->failure = *failure;
}

conv_status conv__postgres_queue(conv__transaction *transaction, const conv__statement *statement,
                                 conv__parameters *parameters, conv__receiver receive,
                                 void *context, conv_error *error)
{
    postgres_transaction *self = inner(transaction);
    const char *action = statement->action;
    conv_error failure = CONV_ERROR_INIT;
    conv_status status = CONV_OK;
    conv__operation *made = conv__arena_allocate(&self->scratch, sizeof *made);
    if (parameters->too_large) {
        status = conv__fail(&failure, CONV_LIMIT, action,
                            "the data is too large for one message to the server, which ends at "
                            "1 GiB");
        failure.recovery = CONV_RECOVERY_REJECT;
    } else if (parameters->data.failed || made == NULL) {
        status = conv__fail_memory(&failure, action);
    } else if (parameters->count != statement->parameters) {
        status = conv__fail(&failure, CONV_INTERNAL, action, "statement %s got %d of %d parameters",
                            statement->name, parameters->count, statement->parameters);
    }
    if (status != CONV_OK) {
        conv__parameters_free(parameters);
        clear_queue(self);
        spoil(self, &failure);
        if (error != NULL) *error = failure;
        return status;
    }
    made->statement = statement;
    made->parameters = *parameters;
    made->receive = receive;
    made->context = context;
    *self->last = made;
    self->last = &made->next;
    *parameters = (conv__parameters){.count = 0};
    return CONV_OK;
}

static conv_status fail(postgres_transaction *self, const conv_error *failure, conv_error *error)
{
    self->begun = false;
    spoil(self, failure);
    if (error != NULL) *error = *failure;
    return failure->status;
}

static conv_status run(postgres_transaction *self, conv__bracket bracket, conv_error *error)
{
    conv_error failure = CONV_ERROR_INIT;
    const char *action = self->first == NULL ? "commit" : self->first->statement->action;
    conv_status status = conv__pipeline_run(self->connection, self->first, bracket, action,
                                            self->deadline_ns, &failure);
    if (status != CONV_OK) return fail(self, &failure, error);
    return CONV_OK;
}

static conv_status ask_for_write(postgres_transaction *self, conv_error *error)
{
    conv__bracket bracket = {self->begun ? CONV__BEGIN_NOT : CONV__BEGIN_WRITE, false};
    conv_status status = run(self, bracket, error);
    if (status == CONV_OK) self->begun = true;
    return status;
}

static conv_status ask_for_read(postgres_transaction *self, conv_error *error)
{
    bool several = self->first != NULL && self->first->next != NULL;
    conv__bracket bracket = {several ? CONV__BEGIN_SNAPSHOT : CONV__BEGIN_NOT, several};
    conv_error failure = CONV_ERROR_INIT;
    conv_status status = run(self, bracket, &failure);
    if (status == CONV_OK) return CONV_OK;
    if (failure.recovery == CONV_RECOVERY_RETRY && !conv__deadline_passed(self->deadline_ns)) {
        status = CONV_OK;
        if (conv__connection_is_broken(self->connection))
            status = conv__pool_renew(self->pool, self->deadline_ns, &self->connection, &failure);
        if (status == CONV_OK) status = run(self, bracket, &failure);
    }
    if (status != CONV_OK && error != NULL) *error = failure;
    return status;
}

conv_status conv__postgres_ask(conv__transaction *transaction, conv_error *error)
{
    postgres_transaction *self = inner(transaction);
    conv_status status = CONV_OK;
    if (self->connection == NULL && !self->failed)
        status = conv__pool_lease(self->pool, self->deadline_ns, &self->connection, error);
    if (self->failed) {
        if (error != NULL) *error = self->failure;
        status = self->failure.status;
    } else if (status == CONV_OK && self->mode == CONV__TRANSACTION_READ) {
        status = ask_for_read(self, error);
    } else if (status == CONV_OK) {
        status = ask_for_write(self, error);
    }
    clear_queue(self);
    return status;
}

static void end(postgres_transaction *self)
{
    clear_queue(self);
    conv__arena_reset(&self->scratch);
    if (self->connection != NULL) conv__pool_return(self->pool, self->connection);
    conv__release(self);
}

conv_status conv__postgres_commit(conv__transaction *transaction, conv_error *error)
{
    postgres_transaction *self = inner(transaction);
    conv_status status = CONV_OK;
    if (self->failed) {
        if (error != NULL) *error = self->failure;
        status = self->failure.status;
    } else if (self->mode == CONV__TRANSACTION_WRITE && (self->begun || self->first != NULL)) {
        conv__bracket bracket = {self->begun ? CONV__BEGIN_NOT : CONV__BEGIN_WRITE, true};
        status = run(self, bracket, error);
    }
    end(self);
    return status;
}

void conv__postgres_rollback(conv__transaction *transaction)
{
    if (transaction == NULL) return;
    postgres_transaction *self = inner(transaction);
    if (self->begun) conv__pipeline_rollback(self->connection);
    end(self);
}

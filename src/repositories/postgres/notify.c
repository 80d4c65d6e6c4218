/* One notification. What it says is the caller's. */
#include "repositories/postgres/notify.h"

#include "repositories/postgres/transaction.h"

enum { NOTIFY, STATEMENTS };

const conv__statement conv__postgres_notify_statements[] = {
    [NOTIFY] = {"conv_notify", "notify", 2, false, "SELECT pg_notify($1::text, $2::text)"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

conv_status conv__postgres_notify(conv__store *store, conv__pool *pool, const char *channel,
                                  const char *payload, int64_t deadline_ns, conv_error *error)
{
    conv__transaction *transaction = NULL;
    conv_status status = conv__postgres_begin(store, pool, CONV__TRANSACTION_WRITE, deadline_ns,
                                              &transaction, error);
    if (status != CONV_OK) return status;
    conv__parameters parameters = {.count = 0};
    conv__parameter_bytes(&parameters, conv_text(channel));
    conv__parameter_bytes(&parameters, conv_text(payload));
    status = conv__postgres_queue(transaction, &conv__postgres_notify_statements[NOTIFY],
                                  &parameters, NULL, NULL, error);
    if (status == CONV_OK) return conv__postgres_commit(transaction, error);
    conv__postgres_rollback(transaction);
    return status;
}

#include "support/contract_store.h"

#include "support/store.h"
#include "support/test.h"

#include <stdlib.h>

#include "core/error.h"
#include "core/time.h"
#include "repositories/postgres/store.h"
#include "repositories/sqlite/store.h"
#include "saving/retry.h"

static const char *url;
static conv__store *opened;

conv_status contract_open(conv__store **store, conv_error *error)
{
    if (strcmp(test_store_kind(), "sqlite") == 0) {
        conv__sqlite_params params = {.path = url + strlen("sqlite:"), .create = true};
        return conv__sqlite_store_open(&params, false, store, error);
    }
    conv__postgres_params params = {.connection = url, .connections = 8};
    return conv__postgres_store_open(&params, store, error);
}

const char *contract_url(void)
{
    return url;
}

int64_t contract_deadline(void)
{
    return conv__deadline_in_ms(10000);
}

static int answer(conv_status status, const conv_error *error)
{
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error->action, error->message);
    return status == CONV_OK ? 0 : -1;
}

int contract_setup_empty(conv__store **store)
{
    conv_error error = CONV_ERROR_INIT;
    url = test_store_create(test_store_kind());
    return answer(contract_open(store, &error), &error);
}

int contract_setup(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv_schema_state schema;
    if (contract_setup_empty(&opened) != 0) return -1;
    return answer(opened->functions->migrate(opened, contract_deadline(), &schema, &error), &error);
}

int contract_teardown(void **state)
{
    (void)state;
    if (opened != NULL) opened->functions->close(opened);
    opened = NULL;
    test_store_drop(test_store_kind());
    return 0;
}

conv__store *contract_store(void)
{
    return opened;
}

conv__transaction *contract_begin(conv__store *store, conv__transaction_mode mode)
{
    conv_error error = CONV_ERROR_INIT;
    conv__transaction *transaction = NULL;
    assert_ok(store->functions->begin(store, mode, contract_deadline(), &transaction, &error),
              error);
    return transaction;
}

static conv_status save_once(conv__store *store, const conv__exchange *const *exchanges,
                             size_t count, conv__save_result *results, conv_error *error)
{
    conv__transaction *transaction = NULL;
    conv_status status = store->functions->begin(store, CONV__TRANSACTION_WRITE,
                                                 contract_deadline(), &transaction, error);
    if (status != CONV_OK) return status;
    status =
        store->chat->functions->save(store->chat, transaction, exchanges, count, results, error);
    if (status == CONV_OK) return store->functions->commit(transaction, error);
    store->functions->rollback(transaction);
    return status;
}

conv_status contract_save(conv__store *store, const conv__exchange *const *exchanges, size_t count,
                          conv__save_result *results, conv_error *error)
{
    conv__save_result *own = calloc(count, sizeof *own);
    if (own == NULL) return conv__fail_memory(error, "contract");
    conv_status status = CONV_OK;
    for (int tries = 0; tries < 20; tries++) {
        status = save_once(store, exchanges, count, results != NULL ? results : own, error);
        if (status == CONV_OK || error->recovery != CONV_RECOVERY_RETRY) break;
        conv__retry_sleep(1, contract_deadline(), NULL);
    }
    free(own);
    return status;
}

const char *contract_uuid(conv_uuid uuid)
{
    static char texts[8][CONV_UUID_TEXT_SIZE];
    static int next;
    char *text = texts[next++ % 8];
    conv_uuid_format(uuid, text);
    return text;
}

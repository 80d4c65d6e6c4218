#include "support/contract_client.h"

#include "support/folder.h"
#include "support/store.h"
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "conversation/journal.h"

static const char *url;
static char folder[64];
static char journal[96];

int contract_client_setup(void **state)
{
    (void)state;
    url = test_store_create(test_store_kind());
    if (!folder_make(folder)) return -1;
    snprintf(journal, sizeof journal, "%s/journal.db", folder);
    return 0;
}

int contract_client_teardown(void **state)
{
    char command[128];
    (void)state;
    test_store_drop(test_store_kind());
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

const char *contract_client_url(void)
{
    return url;
}

const char *contract_client_folder(void)
{
    return folder;
}

const char *contract_client_journal(void)
{
    return journal;
}

conv_client_params contract_client_params(void)
{
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = url;
    params.schema = CONV_SCHEMA_MIGRATE;
    params.store_timeout_ms = 120000;
    return params;
}

conv_client *contract_client_open(const conv_client_params *params)
{
    conv_client *client = NULL;
    conv_error error = CONV_ERROR_INIT;
    assert_ok(conv_client_open(params, &client, &error), error);
    return client;
}

void contract_client_await_empty_journal(conv_client *client)
{
    conv_error error = CONV_ERROR_INIT;
    conv_journal_counts counts = {.turns = 1};
    for (int i = 0; i < 4000 && counts.turns > 0; i++) {
        assert_ok(conv_client_journal_count(client, &counts, &error), error);
        if (counts.turns > 0) usleep(5000);
    }
    assert_int_equal(counts.turns + counts.exchanges + counts.usage + counts.dead, 0);
}

void contract_client_close(conv_client **client)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client *closing = *client;
    *client = NULL;
    assert_ok(conv_client_close(closing, 60000, &error), error);
}

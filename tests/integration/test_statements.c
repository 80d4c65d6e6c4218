/* Every SQL statement of the PostgreSQL repositories, prepared against the migrated schema. */
#include "support/store.h"
#include "support/test.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "core/time.h"
#include "repositories/postgres/chat.h"
#include "repositories/postgres/store.h"
#include "repositories/postgres/usage.h"

/* A new statement belongs into one of the tables, and is counted here. */
#define STATEMENTS 29

static const conv__statement *const tables[] = {
    conv__postgres_save_statements,    conv__postgres_turn_statements,
    conv__postgres_history_statements, conv__postgres_session_statements,
    conv__postgres_usage_statements,   conv__postgres_usage_sum_statements,
};

static const char *url;

static int setup(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv__store *store = NULL;
    conv_schema_state schema;
    url = test_store_create("postgresql");
    conv__postgres_params params = {.connection = url};
    conv_status status = conv__postgres_store_open(&params, &store, &error);
    if (status == CONV_OK)
        status = store->functions->migrate(store, conv__deadline_in_ms(10000), &schema, &error);
    if (store != NULL) store->functions->close(store);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    return status == CONV_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    test_store_drop("postgresql");
    return 0;
}

static void check_statement(PGconn *link, const conv__statement *statement)
{
    PGresult *result = PQprepare(link, statement->name, statement->sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", statement->name, PQresultErrorMessage(result));
    PQclear(result);
    result = PQdescribePrepared(link, statement->name);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    if (PQnparams(result) != statement->parameters)
        fail_msg("%s: %d parameters, not %d", statement->name, PQnparams(result),
                 statement->parameters);
    PQclear(result);
}

/* The names differ (the server refuses a second one), and so do the numbers of parameters. */
static void every_statement_fits_the_schema(void **state)
{
    (void)state;
    size_t checked = 0;
    PGconn *link = PQconnectdb(url);
    assert_int_equal(PQstatus(link), CONNECTION_OK);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const conv__statement *one = tables[i]; one->name != NULL; one++, checked++)
            check_statement(link, one);
    PQfinish(link);
    assert_int_equal(checked, STATEMENTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_fits_the_schema),
    };
    return RUN_TESTS_WITH("statements", tests, setup, teardown);
}

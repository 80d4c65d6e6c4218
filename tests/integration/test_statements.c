/* Every SQL statement of the PostgreSQL repositories, prepared against the migrated schema. */
#include "support/store.h"
#include "support/test.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "core/time.h"
#include "repositories/postgres/chat.h"
#include "repositories/postgres/documents.h"
#include "repositories/postgres/notify.h"
#include "repositories/postgres/sessions.h"
#include "repositories/postgres/store.h"
#include "repositories/postgres/usage.h"

/* A new statement belongs into one of the tables, and is counted here. */
#define STATEMENTS       77
#define NAMED_STATEMENTS 54

static const conv__statement *const tables[] = {
    conv__postgres_save_statements,     conv__postgres_turn_statements,
    conv__postgres_history_statements,  conv__postgres_session_statements,
    conv__postgres_usage_statements,    conv__postgres_usage_sum_statements,
    conv__postgres_document_statements, conv__postgres_notify_statements,
    conv__postgres_refresh_statements,  conv__postgres_reconcile_statements,
    conv__postgres_label_statements,    conv__postgres_branch_statements,
    conv__postgres_erase_statements,    conv__postgres_search_statements,
    conv__postgres_summary_statements,
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

static void execute(PGconn *link, const char *sql)
{
    PGresult *result = PQexec(link, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail_msg("%s: %s", sql, PQerrorMessage(link));
    PQclear(result);
}

/* The plan that serves every value of the parameters, as text; to be freed. */
static char *generic_plan(PGconn *link, const conv__statement *statement)
{
    char sql[1024];
    PGresult *result = PQprepare(link, statement->name, statement->sql, 0, NULL);
    PQclear(result);
    int size = snprintf(sql, sizeof sql, "EXPLAIN (COSTS OFF) EXECUTE %s", statement->name);
    for (int i = 0; i < statement->parameters; i++)
        size += snprintf(sql + size, sizeof sql - (size_t)size, "%sNULL", i == 0 ? "(" : ", ");
    if (statement->parameters > 0) snprintf(sql + size, sizeof sql - (size_t)size, ")");
    result = PQexec(link, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) fail_msg("%s: %s", sql, PQerrorMessage(link));
    char *plan = calloc(1, 65536);
    assert_non_null(plan);
    for (int i = 0, used = 0; i < PQntuples(result); i++)
        used += snprintf(plan + used, 65536 - (size_t)used, "%s\n", PQgetvalue(result, i, 0));
    PQclear(result);
    return plan;
}

/* Whether it is a table of ours that is read from end to end, and not a function or a CTE. */
static bool reads_a_whole_table(const char *plan)
{
    return strstr(plan, "Seq Scan on chat_") != NULL || strstr(plan, "Seq Scan on usage_") != NULL;
}

/* What is planned anew each time looks at what its filters say, so that it is left out here. */
static void no_plan_reads_a_whole_table(void **state)
{
    (void)state;
    size_t checked = 0;
    PGconn *link = PQconnectdb(url);
    assert_int_equal(PQstatus(link), CONNECTION_OK);
    /* In an empty table everything else looks dear. */
    execute(link, "SET enable_seqscan = off");
    execute(link, "SET plan_cache_mode = force_generic_plan");
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const conv__statement *one = tables[i]; one->name != NULL; one++) {
            if (one->planned_anew) continue;
            char *plan = generic_plan(link, one);
            if (reads_a_whole_table(plan)) fail_msg("%s:\n%s", one->name, plan);
            free(plan);
            checked++;
        }
    }
    PQfinish(link);
    assert_int_equal(checked, NAMED_STATEMENTS);
}

/* The planner believes that an array has ten elements; a batch has hundreds, and a loop over all
 * pairs of them would cost more than the writing. */
static void saving_loops_over_no_pairs(void **state)
{
    (void)state;
    PGconn *link = PQconnectdb(url);
    assert_int_equal(PQstatus(link), CONNECTION_OK);
    execute(link, "SET plan_cache_mode = force_generic_plan");
    for (const conv__statement *one = conv__postgres_save_statements; one->name != NULL; one++) {
        if (strcmp(one->name, "conv_save") != 0) continue;
        char *plan = generic_plan(link, one);
        if (strstr(plan, "Nested Loop") != NULL) fail_msg("%s", plan);
        assert_non_null(strstr(plan, "Hash Full Join"));
        free(plan);
    }
    PQfinish(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_fits_the_schema),
        cmocka_unit_test(no_plan_reads_a_whole_table),
        cmocka_unit_test(saving_loops_over_no_pairs),
    };
    return RUN_TESTS_WITH("statements", tests, setup, teardown);
}

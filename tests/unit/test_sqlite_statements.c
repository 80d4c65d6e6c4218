/* Every SQL statement of the SQLite repositories fits the migrated schema, and has an index for
 * what it asks. Runs none of them. */
#include "support/test.h"

#include <sqlite3.h>
#include <stdbool.h>

#include "db/migration.h"
#include "db/sqlite/decimal_sum.h"
#include "db/sqlite/search_words.h"
#include "db/sqlite/zone_date.h"
#include "repositories/sqlite/internal.h"
#include "repositories/sqlite/journal.h"
#include "repositories/sqlite/sessions.h"

typedef struct statement_table {
    const char *name;
    const conv__sqlite_statement *statements;
} statement_table;

static const statement_table tables[] = {
    {"save", conv__sqlite_save_statements},
    {"turn", conv__sqlite_turn_statements},
    {"history", conv__sqlite_history_statements},
    {"session", conv__sqlite_session_statements},
    {"usage", conv__sqlite_usage_statements},
    {"usage sum", conv__sqlite_usage_sum_statements},
    {"documents", conv__sqlite_document_statements},
    {"label", conv__sqlite_label_statements},
    {"branch", conv__sqlite_branch_statements},
    {"erase", conv__sqlite_erase_statements},
    {"search", conv__sqlite_search_statements},
    {"summary", conv__sqlite_summary_statements},
};

/* Their work is to look through tables. */
static const statement_table whole_tables[] = {
    {"refresh", conv__sqlite_refresh_statements},
    {"reconcile", conv__sqlite_reconcile_statements},
};

static sqlite3 *open_migrated(const conv__migration *migrations)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(":memory:", &database), SQLITE_OK);
    assert_int_equal(conv__decimal_sum_register(database), SQLITE_OK);
    assert_int_equal(conv__search_words_register(database), SQLITE_OK);
    assert_int_equal(conv__zone_date_register(database), SQLITE_OK);
    for (const conv__migration *next = migrations; next->version != 0; next++)
        assert_int_equal(sqlite3_exec(database, next->sql, NULL, NULL, NULL), SQLITE_OK);
    return database;
}

/* Gives how many there were. */
static int prepare_all(sqlite3 *database, const char *name, const conv__sqlite_statement *next)
{
    int prepared = 0;
    for (; next->sql != NULL; next++, prepared++) {
        sqlite3_stmt *statement = NULL;
        const char *rest = NULL;
        if (sqlite3_prepare_v2(database, next->sql, -1, &statement, &rest) != SQLITE_OK)
            fail_msg("%s: %s: %s", name, next->sql, sqlite3_errmsg(database));
        assert_string_equal(rest, "");
        sqlite3_finalize(statement);
    }
    assert_true(prepared > 0);
    return prepared;
}

static void test_each_statement_can_be_prepared(void **state)
{
    (void)state;
    sqlite3 *database = open_migrated(conv__migrations_sqlite);
    int prepared = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        prepared += prepare_all(database, tables[i].name, tables[i].statements);
    for (size_t i = 0; i < sizeof whole_tables / sizeof whole_tables[0]; i++)
        prepared += prepare_all(database, whole_tables[i].name, whole_tables[i].statements);
    assert_true(prepared >= 59);
    sqlite3_close(database);
    database = open_migrated(conv__migrations_journal);
    prepare_all(database, "journal", conv__sqlite_journal_statements);
    sqlite3_close(database);
}

/* What may be looked through: the groups of a sum (g), what a WITH has put together, a table of
 * words by its index, the parts of one message, and the queue, which is taken from the front. */
static bool is_small(const char *scanned)
{
    static const char *const names[] = {"g",     "ending", "stretch", "way",
                                        "bound", "ends",   "chosen",  "chat_search_queue"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(scanned, names[i]) == 0) return true;
    return strcmp(scanned, "CONSTANT ROW") == 0 || strncmp(scanned, "(subquery", 9) == 0 ||
           strstr(scanned, "VIRTUAL TABLE INDEX 0:M") != NULL ||
           strncmp(scanned, "p VIRTUAL TABLE INDEX", 21) == 0;
}

static sqlite3_stmt *explain(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *plan = NULL;
    char *question = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(database, question, -1, &plan, NULL), SQLITE_OK);
    sqlite3_free(question);
    return plan;
}

/* The next step of a plan in the planner's words; NULL behind the last one. */
static const char *next_step(sqlite3_stmt *plan)
{
    return sqlite3_step(plan) == SQLITE_ROW ? (const char *)sqlite3_column_text(plan, 3) : NULL;
}

/* In the planner's own words SCAN is a whole table or index, SEARCH a part of it. What a WITH has
 * put together, and what a word has found, has no order of its own. */
static void check_plan(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *plan = explain(database, sql);
    bool sorts = strncmp(sql, "WITH ", 5) == 0 || strstr(sql, " MATCH ") != NULL;
    for (const char *step = next_step(plan); step != NULL; step = next_step(plan)) {
        bool scans = strncmp(step, "SCAN ", 5) == 0 && !is_small(step + 5);
        if (scans || (!sorts && strcmp(step, "USE TEMP B-TREE FOR ORDER BY") == 0))
            fail_msg("%s: %s", sql, step);
    }
    sqlite3_finalize(plan);
}

static void test_no_statement_looks_through_a_table(void **state)
{
    (void)state;
    sqlite3 *database = open_migrated(conv__migrations_sqlite);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const conv__sqlite_statement *next = tables[i].statements; next->sql != NULL; next++)
            check_plan(database, next->sql);
    sqlite3_close(database);
}

static bool plan_says(sqlite3 *database, const char *sql, const char *words)
{
    sqlite3_stmt *plan = explain(database, sql);
    bool said = false;
    for (const char *step = next_step(plan); step != NULL; step = next_step(plan))
        if (strstr(step, words) != NULL) said = true;
    sqlite3_finalize(plan);
    return said;
}

/* Asked before each save while anything waits. */
static void test_what_waits_of_a_session_is_found_by_an_index(void **state)
{
    (void)state;
    sqlite3 *database = open_migrated(conv__migrations_journal);
    int asked = 0;
    for (const conv__sqlite_statement *next = conv__sqlite_journal_statements; next->sql != NULL;
         next++) {
        if (strstr(next->sql, "WHERE session_id = ?1 AND kind = 'exchange'") == NULL) continue;
        assert_true(plan_says(database, next->sql, "idx_journal_session"));
        asked++;
    }
    assert_int_equal(asked, 1);
    sqlite3_close(database);
}

/* A page, or a single entry, of a large journal must not cost what all that is behind it does; nor
 * a page of one kind what the others do. */
static void test_no_statement_of_the_journal_sorts(void **state)
{
    (void)state;
    sqlite3 *database = open_migrated(conv__migrations_journal);
    int of_kinds = 0;
    for (const conv__sqlite_statement *next = conv__sqlite_journal_statements; next->sql != NULL;
         next++) {
        if (plan_says(database, next->sql, "TEMP B-TREE")) fail_msg("sorts: %s", next->sql);
        if (strstr(next->sql, "WHERE kind = ?2 AND entry_id > ?1") == NULL) continue;
        assert_true(plan_says(database, next->sql, "idx_journal_kind (kind=? AND entry_id>?)"));
        of_kinds++;
    }
    assert_int_equal(of_kinds, 1);
    sqlite3_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_statement_can_be_prepared),
        cmocka_unit_test(test_no_statement_looks_through_a_table),
        cmocka_unit_test(test_what_waits_of_a_session_is_found_by_an_index),
        cmocka_unit_test(test_no_statement_of_the_journal_sorts),
    };
    return RUN_TESTS("sqlite statements", tests);
}

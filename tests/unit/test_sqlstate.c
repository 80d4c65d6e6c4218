/* What each SQLSTATE means for the caller. */
#include "support/test.h"

#include "db/postgres/sqlstate.h"

/* The actions of the fault table, as recoveries of ours. */
#define R CONV_RECOVERY_RETRY
#define B CONV_RECOVERY_BACKOFF
#define Q CONV_RECOVERY_WAIT
#define A CONV_RECOVERY_OPERATOR
#define X CONV_RECOVERY_REJECT

typedef struct expectation {
    const char *sqlstate;
    conv_recovery recovery;
    conv_status status;
} expectation;

static conv__verdict verdict_of(const char *sqlstate)
{
    return conv__sqlstate_verdict(&(conv__fault){sqlstate, "some_constraint", false});
}

static void check(const expectation *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        conv__verdict verdict = verdict_of(rows[i].sqlstate);
        if (verdict.recovery != rows[i].recovery || verdict.status != rows[i].status)
            fail_msg("%s: recovery %d, status %s", rows[i].sqlstate, (int)verdict.recovery,
                     conv_status_name(verdict.status));
    }
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void every_state_has_its_action(void **state)
{
    (void)state;
    static const expectation rows[] = {
        {"", R, CONV_UNAVAILABLE},      {"08000", R, CONV_UNAVAILABLE},
        {"08001", R, CONV_UNAVAILABLE}, {"08003", R, CONV_UNAVAILABLE},
        {"08004", R, CONV_UNAVAILABLE}, {"08006", R, CONV_UNAVAILABLE},
        {"08007", R, CONV_UNAVAILABLE}, {"40003", R, CONV_UNAVAILABLE},
        {"08P01", B, CONV_UNAVAILABLE}, {"40001", R, CONV_UNAVAILABLE},
        {"40P01", R, CONV_UNAVAILABLE}, {"57P01", R, CONV_UNAVAILABLE},
        {"57P02", R, CONV_UNAVAILABLE}, {"57P03", R, CONV_UNAVAILABLE},
        {"57014", B, CONV_TIMEOUT},     {"55P03", B, CONV_TIMEOUT},
        {"55006", B, CONV_UNAVAILABLE}, {"53000", B, CONV_LIMIT},
        {"53400", B, CONV_LIMIT},       {"53100", A, CONV_LIMIT},
        {"53200", A, CONV_LIMIT},       {"53300", B, CONV_LIMIT},
        {"25006", Q, CONV_UNAVAILABLE}, {"25P02", R, CONV_UNAVAILABLE},
        {"25P03", R, CONV_UNAVAILABLE}, {"25P04", R, CONV_UNAVAILABLE},
        {"57P05", R, CONV_UNAVAILABLE}, {"26000", R, CONV_UNAVAILABLE},
        {"42P05", R, CONV_UNAVAILABLE}, {"22000", X, CONV_BAD_DATA},
        {"22003", X, CONV_BAD_DATA},    {"22021", X, CONV_BAD_DATA},
        {"22P02", X, CONV_BAD_DATA},    {"22P05", X, CONV_BAD_DATA},
        {"21000", X, CONV_BAD_DATA},    {"54000", X, CONV_BAD_DATA},
        {"54001", X, CONV_BAD_DATA},    {"23000", X, CONV_BAD_DATA},
        {"23502", X, CONV_BAD_DATA},    {"23503", X, CONV_BAD_DATA},
        {"23505", X, CONV_BAD_DATA},    {"23514", X, CONV_BAD_DATA},
        {"P0001", X, CONV_BAD_DATA},    {"P0004", X, CONV_BAD_DATA},
        {"28000", A, CONV_PERMISSION},  {"28P01", A, CONV_PERMISSION},
        {"3D000", A, CONV_NOT_FOUND},   {"3F000", A, CONV_STATE},
        {"42P01", A, CONV_STATE},       {"42703", A, CONV_STATE},
        {"42883", A, CONV_STATE},       {"42804", A, CONV_STATE},
        {"42601", A, CONV_STATE},       {"42501", A, CONV_PERMISSION},
        {"55000", A, CONV_STATE},       {"57P04", A, CONV_NOT_FOUND},
        {"58000", A, CONV_UNAVAILABLE}, {"58030", A, CONV_UNAVAILABLE},
        {"XX000", A, CONV_UNAVAILABLE}, {"XX001", A, CONV_BAD_DATA},
        {"XX002", A, CONV_BAD_DATA},
    };
    CHECK(rows);
}

static void what_is_unknown_keeps_the_data(void **state)
{
    (void)state;
    static const expectation rows[] = {
        {"0A000", A, CONV_UNAVAILABLE}, {"25001", A, CONV_UNAVAILABLE},
        {"42P07", A, CONV_UNAVAILABLE}, {"57000", A, CONV_UNAVAILABLE},
        {"ZZZZZ", A, CONV_UNAVAILABLE}, {"99999", A, CONV_UNAVAILABLE},
        {"0", A, CONV_UNAVAILABLE},     {"2", A, CONV_UNAVAILABLE},
    };
    CHECK(rows);
}

static void a_link_that_broke_has_no_state(void **state)
{
    (void)state;
    conv__verdict verdict = conv__sqlstate_verdict(&(conv__fault){NULL, NULL, false});
    assert_int_equal(verdict.status, CONV_UNAVAILABLE);
    assert_int_equal(verdict.recovery, R);
    assert_true(verdict.reconnect);
}

static void details_change_the_action(void **state)
{
    (void)state;
    conv__verdict verdict;
    verdict = conv__sqlstate_verdict(&(conv__fault){"23505", "chat_exchanges_pkey", false});
    assert_int_equal(verdict.status, CONV_UNAVAILABLE);
    assert_int_equal(verdict.recovery, R);
    verdict = conv__sqlstate_verdict(&(conv__fault){"23505", "chat_messages_pkey", false});
    assert_int_equal(verdict.recovery, X);
    verdict = conv__sqlstate_verdict(&(conv__fault){"23514", NULL, false});
    assert_int_equal(verdict.status, CONV_STATE);
    assert_int_equal(verdict.recovery, A);
    verdict = conv__sqlstate_verdict(&(conv__fault){"0A000", NULL, true});
    assert_int_equal(verdict.recovery, R);
    assert_true(verdict.reconnect);
}

static void what_happens_to_the_connection(void **state)
{
    (void)state;
    static const char *const leave[] = {"",      "08006", "08P01", "25006", "25P02", "25P03",
                                        "25P04", "57P01", "57P02", "57P05", "53300"};
    static const char *const stay[] = {"40001", "40P01", "57014", "55P03",
                                       "22021", "23505", "42P01", "XX000"};
    for (size_t i = 0; i < sizeof leave / sizeof leave[0]; i++)
        assert_true(verdict_of(leave[i]).reconnect);
    for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
        assert_false(verdict_of(stay[i]).reconnect);
    assert_true(verdict_of("26000").unnamed);
    assert_true(verdict_of("42P05").unnamed);
    assert_false(verdict_of("42P01").unnamed);
    assert_true(verdict_of("08007").outcome_unknown);
    assert_true(verdict_of("40003").outcome_unknown);
    assert_false(verdict_of("40001").outcome_unknown);
}

static void advice_where_there_is_some(void **state)
{
    (void)state;
    assert_string_equal(conv__sqlstate_advice("3D000"), "create the database, or correct its name");
    assert_non_null(conv__sqlstate_advice("28P01"));
    assert_null(conv__sqlstate_advice("22021"));
    assert_null(conv__sqlstate_advice(""));
    assert_null(conv__sqlstate_advice(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_action),
        cmocka_unit_test(what_is_unknown_keeps_the_data),
        cmocka_unit_test(a_link_that_broke_has_no_state),
        cmocka_unit_test(details_change_the_action),
        cmocka_unit_test(what_happens_to_the_connection),
        cmocka_unit_test(advice_where_there_is_some),
    };
    return RUN_TESTS("sqlstate", tests);
}

/* Names of roles and outcomes, and the version. */
#include "conversation/message.h"

#include "conversation/version.h"
#include "support/test.h"

static void roles_have_the_names_of_the_api(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "system", "developer", "user", "assistant", "tool"};
    for (int role = CONV_ROLE_NONE; role <= CONV_ROLE_TOOL; role++) {
        assert_string_equal(conv_role_name((conv_role)role), names[role]);
        assert_int_equal(conv_role_parse(conv_text(names[role])), role);
    }
    assert_string_equal(conv_role_name((conv_role)6), "none");
    assert_string_equal(conv_role_name((conv_role)-1), "none");
    static const char *const others[] = {"", "User", "user ", "use", "users", "function"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(conv_role_parse(conv_text(others[i])), CONV_ROLE_NONE);
    }
    assert_int_equal(conv_role_parse(conv_text(NULL)), CONV_ROLE_NONE);
    assert_int_equal(conv_role_parse(conv_view("user\0", 5)), CONV_ROLE_NONE);
}

static void outcomes_have_names(void **state)
{
    (void)state;
    assert_string_equal(conv_outcome_name(CONV_OUTCOME_COMPLETE), "complete");
    assert_string_equal(conv_outcome_name(CONV_OUTCOME_INTERRUPTED), "interrupted");
    assert_string_equal(conv_outcome_name(CONV_OUTCOME_FAILED), "failed");
}

static void the_linked_version_is_the_compiled_one(void **state)
{
    (void)state;
    assert_string_equal(conv_version(), CONV_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_have_the_names_of_the_api),
        cmocka_unit_test(outcomes_have_names),
        cmocka_unit_test(the_linked_version_is_the_compiled_one),
    };
    return RUN_TESTS("message", tests);
}

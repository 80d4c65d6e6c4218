/* Lists of hosts, cut behind the one that did not answer. */
#include "support/test.h"

#include "core/memory.h"
#include "db/postgres/hosts.h"

static conv__hosts hosts_of(const char *host, const char *hostaddr, const char *port)
{
    return (conv__hosts){conv__copy_text(host), conv__copy_text(hostaddr), conv__copy_text(port)};
}

static void assert_text(const char *got, const char *wanted)
{
    if (wanted == NULL)
        assert_null(got);
    else
        assert_string_equal(got, wanted);
}

static void check(conv__hosts hosts, const char *host, const char *port, const char *left,
                  const char *left_addresses, const char *left_ports)
{
    assert_true(conv__hosts_after(&hosts, host, port));
    assert_text(hosts.host, left);
    assert_text(hosts.hostaddr, left_addresses);
    assert_text(hosts.port, left_ports);
    conv__hosts_free(&hosts);
}

static void what_is_left(void **state)
{
    (void)state;
    check(hosts_of("a,b,c", NULL, "1,2,3"), "a", "1", "b,c", NULL, "2,3");
    check(hosts_of("a,b,c", NULL, "1,2,3"), "b", "2", "c", NULL, "3");
    /* The same host with another port is another server. */
    check(hosts_of("a,a,a", NULL, "1,2,3"), "a", "2", "a", NULL, "3");
    check(hosts_of("a,b", NULL, "5432"), "a", "5432", "b", NULL, "5432");
    check(hosts_of("a,b", NULL, NULL), "a", "5432", "b", NULL, NULL);
    check(hosts_of("a,b", "1.1.1.1,2.2.2.2", "5,6"), "a", "5", "b", "2.2.2.2", "6");
    check(hosts_of(NULL, "1.1.1.1,2.2.2.2", NULL), "1.1.1.1", "5432", NULL, "2.2.2.2", NULL);
    check(hosts_of("/tmp,b", NULL, "1,2"), "/tmp", "1", "b", NULL, "2");
}

static void nothing_is_left(void **state)
{
    (void)state;
    static const char *const lists[] = {"a", "x,a", "x,y"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        conv__hosts hosts = hosts_of(lists[i], NULL, "1,1");
        assert_false(conv__hosts_after(&hosts, "a", "1"));
        assert_string_equal(hosts.host, lists[i]);
        conv__hosts_free(&hosts);
    }
    conv__hosts none = {NULL, NULL, NULL};
    assert_false(conv__hosts_after(&none, "a", "1"));
    conv__hosts some = hosts_of("a,b", NULL, "1,2");
    assert_false(conv__hosts_after(&some, NULL, NULL));
    assert_false(conv__hosts_after(&some, "a", "2"));
    conv__hosts_free(&some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left),
        cmocka_unit_test(nothing_is_left),
    };
    return RUN_TESTS("postgres hosts", tests);
}

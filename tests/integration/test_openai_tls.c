/* The OpenAI provider over TLS: whom it trusts, and what a forked child may not do. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/ask.h"
#include "support/certificate.h"
#include "support/node_server.h"
#include "support/test.h"

static char base_url[300];
static char ca_file[128];

static int start(void **state)
{
    (void)state;
    const char *folder = certificate_make();
    snprintf(ca_file, sizeof ca_file, "%s/certificate.pem", folder);
    snprintf(base_url, sizeof base_url, "%s/v1", node_server_start("tls.mjs", folder));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    node_server_stop();
    certificate_remove();
    return 0;
}

static conv_provider *make_openai(const char *url, const char *trusted)
{
    conv_error error = CONV_ERROR_INIT;
    conv_provider *openai = NULL;
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    params.base_url = url;
    params.api_key = "";
    params.model = "m";
    params.ca_file = trusted;
    params.max_retries = -1;
    assert_ok(conv_provider_openai(&params, &openai, &error), error);
    return openai;
}

static void assert_fails(const char *url, const char *trusted, conv_status status,
                         conv_recovery recovery, const char *words)
{
    asked made = {0};
    conv_provider *openai = make_openai(url, trusted);
    conv_provider_request request = ask_request(false);
    ask(&made, openai, &request);
    assert_status(made.status, status, made.error);
    assert_int_equal(made.error.recovery, recovery);
    if (strstr(made.error.message, words) == NULL) fail_msg("%s", made.error.message);
    asked_free(&made);
    conv_provider_free(openai);
}

static void stranger_is_not_trusted(void **state)
{
    (void)state;
    char other_name[300];
    assert_fails(base_url, NULL, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR, "is not trusted");
    /* The right certificate under a name that is not its own. */
    snprintf(other_name, sizeof other_name, "https://localhost%s", strrchr(base_url, ':'));
    assert_fails(other_name, ca_file, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR, "is not trusted");
}

static void missing_certificates_are_told(void **state)
{
    (void)state;
    assert_fails(base_url, "/nonexistent/ca.pem", CONV_INVALID_ARGUMENT, CONV_RECOVERY_NONE,
                 "ca_file can't be read");
}

static void plain_text_to_a_tls_port_is_no_answer(void **state)
{
    (void)state;
    char plain[300];
    snprintf(plain, sizeof plain, "http%s", base_url + strlen("https"));
    asked made = {0};
    conv_provider *openai = make_openai(plain, NULL);
    conv_provider_request request = ask_request(false);
    ask(&made, openai, &request);
    assert_int_not_equal(made.status, CONV_OK);
    asked_free(&made);
    conv_provider_free(openai);
}

static void ask_for(conv_provider *openai, const char *wanted)
{
    asked made = {0};
    conv_provider_request request = ask_request(false);
    ask(&made, openai, &request);
    if (made.status != CONV_OK) fail_msg("%s", made.error.message);
    assert_bytes(made.messages[0].content, wanted);
    asked_free(&made);
}

/* Over TLS, closing says goodbye on the wire: a child that did would end its parent's connection.
 */
static void forked_child_leaves_the_connection_alone(void **state)
{
    (void)state;
    conv_provider *openai = make_openai(base_url, ca_file);
    ask_for(openai, "connections: 1");
    pid_t child = fork();
    if (child == 0) {
        conv_provider_free(openai);
        _exit(0);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ask_for(openai, "connections: 1");
    conv_provider_free(openai);
}

int main(void)
{
    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forked_child_leaves_the_connection_alone),
        cmocka_unit_test(stranger_is_not_trusted),
        cmocka_unit_test(missing_certificates_are_told),
        cmocka_unit_test(plain_text_to_a_tls_port_is_no_answer),
    };
    return RUN_TESTS_WITH("openai_tls", tests, start, stop);
}

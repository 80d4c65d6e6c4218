/* The signature of a webhook against an example that its specification gives. */
#include "support/test.h"

#include "core/base64.h"
#include "events/handlers.h"

static void the_example_of_the_specification(void **state)
{
    (void)state;
    conv__buffer secret = {0};
    conv__buffer header = {0};
    assert_true(conv__base64_decode(&secret, conv_text("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")));
    conv__webhook_sign(&header, conv__buffer_bytes(&secret), "msg_p5jXN8AQM9LWM0D4loKWxJek",
                       "1614265330", conv_text("{\"test\": 2432232314}"));
    assert_string_equal(header.data, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    conv__buffer_free(&secret);
    conv__buffer_free(&header);
}

static void one_other_byte_gives_another_signature(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{}", "{ }"};
    conv__buffer headers[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++)
        conv__webhook_sign(&headers[i], conv_text("secret"), "id", "1", conv_text(bodies[i]));
    assert_string_not_equal(headers[0].data, headers[1].data);
    conv__buffer_free(&headers[0]);
    conv__buffer_free(&headers[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_specification),
        cmocka_unit_test(one_other_byte_gives_another_signature),
    };
    return RUN_TESTS("webhook signature", tests);
}

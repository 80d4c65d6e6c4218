/* What an operation's record says: what was known, what was used, and what nobody said. */
#include "support/failing_memory.h"
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "services/operation.h"

static conv_error error;

static conv_usage known_usage(void)
{
    conv_usage known = CONV_USAGE_INIT;
    known.operation = conv_text("embed");
    known.session_id = conv_text("session");
    known.user_id = conv_text("user");
    known.document_id = conv_text("document");
    known.model = conv_text("asked");
    known.metadata = conv_text("{\"a\": 1}");
    known.processed_bytes = 10;
    known.input_tokens = 1;
    return known;
}

static void what_is_known_is_copied_and_completed(void **state)
{
    (void)state;
    char text[] = "embed";
    conv__operation operation;
    conv_usage known = CONV_USAGE_INIT;
    known.operation = conv_text(text);
    assert_ok(conv__operation_begin(&operation, &known, &error), error);
    memset(text, 'x', sizeof text - 1);
    assert_bytes(operation.known.operation, "embed");
    assert_bytes(operation.known.service, "application");
    assert_false(conv_uuid_is_nil(operation.known.log_id));
    assert_true(operation.known.created_us > 0);
    conv__operation_reset(&operation);
    known = known_usage();
    known.created_us = 5;
    known.log_id.bytes[0] = 7;
    assert_ok(conv__operation_begin(&operation, &known, &error), error);
    assert_bytes(operation.known.service, "documents");
    assert_true(operation.known.created_us == 5);
    assert_int_equal(operation.known.log_id.bytes[0], 7);
    conv__operation_reset(&operation);
}

static void what_was_used_completes_what_was_known(void **state)
{
    (void)state;
    conv__operation operation;
    conv_usage known = known_usage();
    conv_usage used = CONV_USAGE_INIT;
    used.model = conv_text("answered");
    used.operation = conv_text("ignored");
    used.session_id = conv_text("ignored");
    used.created_us = 99;
    used.input_tokens = 3;
    used.latency_ms = 1234;
    used.status = CONV_OUTCOME_FAILED;
    used.error = conv_text("quota");
    assert_ok(conv__operation_begin(&operation, &known, &error), error);
    assert_ok(conv__operation_finish(&operation, &used, &error), error);
    const conv_usage *record = &operation.record;
    assert_bytes(record->operation, "embed");
    assert_bytes(record->session_id, "session");
    assert_bytes(record->user_id, "user");
    assert_bytes(record->document_id, "document");
    assert_bytes(record->model, "answered");
    assert_bytes(record->metadata, "{\"a\": 1}");
    assert_bytes(record->error, "quota");
    assert_int_equal(record->status, CONV_OUTCOME_FAILED);
    assert_true(record->created_us == operation.known.created_us);
    assert_true(record->input_tokens == 3);
    assert_true(record->processed_bytes == 10);
    assert_true(record->latency_ms == 1234);
    /* Given up afterwards it stays as it was ended. */
    conv__operation_interrupt(&operation);
    assert_int_equal(record->status, CONV_OUTCOME_FAILED);
    conv__operation_reset(&operation);
}

static void a_wrong_end_is_none(void **state)
{
    (void)state;
    conv__operation operation;
    conv_usage known = known_usage();
    conv_usage used = CONV_USAGE_INIT;
    used.metadata = conv_text("[]");
    assert_ok(conv__operation_begin(&operation, &known, &error), error);
    assert_status(conv__operation_finish(&operation, &used, &error), CONV_INVALID_ARGUMENT, error);
    used = (conv_usage)CONV_USAGE_INIT;
    used.input_tokens = -2;
    assert_status(conv__operation_finish(&operation, &used, &error), CONV_INVALID_ARGUMENT, error);
    conv__operation_interrupt(&operation);
    assert_int_equal(operation.record.status, CONV_OUTCOME_INTERRUPTED);
    assert_non_null(operation.record.error.data);
    assert_true(operation.record.latency_ms >= 0);
    assert_true(operation.record.input_tokens == 1);
    conv__operation_reset(&operation);
}

static void the_latency_is_that_of_the_first_end(void **state)
{
    (void)state;
    conv__operation operation;
    conv_usage known = known_usage();
    assert_ok(conv__operation_begin(&operation, &known, &error), error);
    operation.begun_ns -= 7000000000; /* seven seconds ago */
    assert_ok(conv__operation_finish(&operation, NULL, &error), error);
    int64_t latency = operation.record.latency_ms;
    assert_true(latency >= 7000);
    operation.begun_ns -= 7000000000;
    assert_ok(conv__operation_finish(&operation, NULL, &error), error);
    assert_true(operation.record.latency_ms == latency);
    conv__operation_reset(&operation);
}

static conv_status begin_and_finish(void *context)
{
    conv__operation operation;
    conv_usage known = known_usage();
    conv_usage used = CONV_USAGE_INIT;
    (void)context;
    used.raw = conv_text("{\"a\": \"\\u0000\"}");
    conv_status status = conv__operation_begin(&operation, &known, &error);
    if (status != CONV_OK) return status;
    status = conv__operation_finish(&operation, &used, &error);
    if (status == CONV_OK) status = conv__operation_finish(&operation, NULL, &error);
    conv__operation_interrupt(&operation);
    conv__operation_reset(&operation);
    return status;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    assert_true(failing_memory_run(begin_and_finish, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_copied_and_completed),
        cmocka_unit_test(what_was_used_completes_what_was_known),
        cmocka_unit_test(a_wrong_end_is_none),
        cmocka_unit_test(the_latency_is_that_of_the_first_end),
        cmocka_unit_test(each_allocation_fails),
    };
    return RUN_TESTS("operation", tests);
}

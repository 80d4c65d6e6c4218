/* Journal records: what goes in comes out, and no damage passes for content. */
#include "support/test.h"

#include <stdlib.h>

#include "saving/record.h"
#include "unit/record_form_1.h"

static conv__message_row messages[3] = {
    {.message = {.role = CONV_ROLE_SYSTEM, .content = {"", 0}, .created_us = 1}},
    {.message = {.role = CONV_ROLE_USER,
                 .content = {"a\0b\xff", 4},
                 .name = {"ann", 3},
                 .metadata = {"{}", 2},
                 .created_us = -5},
     .originals = {"orig\0inals", 10}},
    {.message = {.role = CONV_ROLE_ASSISTANT,
                 .tool_calls = {"[1]", 3},
                 .model = {"m", 1},
                 .status = CONV_OUTCOME_INTERRUPTED,
                 .created_us = INT64_MAX}},
};

static conv__exchange make_exchange(void)
{
    conv__exchange exchange = {.status = CONV_OUTCOME_INTERRUPTED,
                               .created_us = 1234567,
                               .messages = messages,
                               .message_count = 3,
                               .replaces_failed = true};
    exchange.session.session_id = conv_uuid_v7();
    exchange.session.external_id = conv_text("support-42");
    exchange.session.user.id = conv_uuid_v4();
    exchange.session.user.external_id = conv_text("user-1");
    exchange.exchange_id = conv_uuid_v7();
    exchange.request_hash[15] = 7;
    exchange.reply_hash[0] = 9;
    exchange.usage.usage = (conv_usage)CONV_USAGE_INIT;
    exchange.usage.usage.input_tokens = INT64_MAX;
    exchange.usage.usage.priced = true;
    exchange.usage.usage.cost_usd = (conv_decimal){.low = 5, .high = 6, .scale = 30};
    exchange.usage.usage.service = conv_text("chat");
    exchange.usage.usage.processed_bytes = 99;
    exchange.usage.document_id = conv_uuid_v4();
    exchange.usage.session_id = exchange.session.session_id;
    return exchange;
}

static void an_exchange_comes_back(void **state)
{
    (void)state;
    conv__buffer buffer = {0};
    conv__arena arena = {0};
    conv_error error;
    conv__exchange in = make_exchange();
    conv__exchange out;
    conv__record_append_exchange(&buffer, &in);
    assert_false(buffer.failed);
    assert_ok(conv__record_read_exchange(&arena, conv__buffer_bytes(&buffer), &out, &error), error);
    assert_int_equal(out.message_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const conv_message *a = &messages[i].message;
        const conv_message *b = &out.messages[i].message;
        assert_int_equal(a->role, b->role);
        assert_int_equal(a->status, b->status);
        assert_int_equal(a->created_us, b->created_us);
        assert_true(conv_bytes_equal(a->content, b->content));
        assert_true(conv_bytes_equal(a->tool_calls, b->tool_calls));
        assert_true(conv_bytes_equal(a->name, b->name));
        assert_true(conv_bytes_equal(a->model, b->model));
        assert_true(conv_bytes_equal(a->metadata, b->metadata));
        assert_true(conv_bytes_equal(messages[i].originals, out.messages[i].originals));
    }
    assert_bytes(out.session.external_id, "support-42");
    assert_bytes(out.session.user.external_id, "user-1");
    assert_null(out.session.title.data);
    assert_int_equal(conv_uuid_compare(in.exchange_id, out.exchange_id), 0);
    assert_int_equal(conv_uuid_compare(in.session.user.id, out.session.user.id), 0);
    assert_memory_equal(in.request_hash, out.request_hash, CONV__CONTENT_HASH_SIZE);
    assert_memory_equal(in.reply_hash, out.reply_hash, CONV__CONTENT_HASH_SIZE);
    assert_int_equal(out.usage.usage.input_tokens, INT64_MAX);
    assert_int_equal(out.usage.usage.output_tokens, CONV_UNKNOWN);
    assert_int_equal(conv_decimal_compare(in.usage.usage.cost_usd, out.usage.usage.cost_usd), 0);
    assert_true(out.usage.usage.priced);
    assert_true(out.replaces_failed);
    /* The second writing of what was read is the same to the byte: nothing was left out. */
    conv__buffer again = {0};
    conv__record_append_exchange(&again, &out);
    assert_int_equal(again.size, buffer.size);
    assert_memory_equal(again.data, buffer.data, buffer.size);
    conv__buffer_free(&again);
    conv__buffer_free(&buffer);
    conv__arena_reset(&arena);
}

/* One that branches off is of a later form; all others can be read by earlier libraries, too. */
static void what_it_goes_on_after_comes_back(void **state)
{
    (void)state;
    conv__buffer buffer = {0};
    conv__arena arena = {0};
    conv_error error;
    conv__exchange in = make_exchange();
    conv__exchange out;
    conv__record_append_exchange(&buffer, &in);
    assert_int_equal(buffer.data[1], 2);
    assert_ok(conv__record_read_exchange(&arena, conv__buffer_bytes(&buffer), &out, &error), error);
    assert_false(out.has_parent);
    in.has_parent = true;
    in.parent_id = conv_uuid_v7();
    for (int i = 0; i < 2; i++) {
        conv__buffer_clear(&buffer);
        conv__record_append_exchange(&buffer, &in);
        assert_int_equal(buffer.data[1], 3);
        assert_ok(conv__record_read_exchange(&arena, conv__buffer_bytes(&buffer), &out, &error),
                  error);
        assert_true(out.has_parent);
        assert_int_equal(conv_uuid_compare(out.parent_id, in.parent_id), 0);
        assert_int_equal(out.message_count, 3);
        assert_int_equal(out.usage.usage.processed_bytes, 99);
        in.parent_id = (conv_uuid){{0}}; /* it begins the session anew */
    }
    conv__buffer_free(&buffer);
    conv__arena_reset(&arena);
}

static void every_damage_is_found(void **state)
{
    (void)state;
    conv__buffer buffer = {0};
    conv_error error;
    conv__exchange exchange = make_exchange();
    conv__exchange out;
    conv__record_append_exchange(&buffer, &exchange);
    for (size_t i = 0; i < buffer.size; i++) {
        conv__arena arena = {0};
        buffer.data[i] = (char)(buffer.data[i] ^ 0x10);
        assert_status(conv__record_read_exchange(&arena, conv__buffer_bytes(&buffer), &out, &error),
                      CONV_BAD_DATA, error);
        buffer.data[i] = (char)(buffer.data[i] ^ 0x10);
        assert_status(conv__record_read_exchange(&arena, conv_view(buffer.data, i), &out, &error),
                      CONV_BAD_DATA, error);
        conv__arena_reset(&arena);
    }
    conv__buffer_free(&buffer);
}

static void a_usage_record_comes_back_and_kinds_differ(void **state)
{
    (void)state;
    conv__buffer buffer = {0};
    conv__arena arena = {0};
    conv_error error;
    conv__usage_row in = make_exchange().usage;
    conv__usage_row out;
    conv__exchange exchange;
    in.usage.error = conv_text("timeout");
    conv__record_append_usage(&buffer, &in);
    assert_ok(conv__record_read_usage(conv__buffer_bytes(&buffer), &out, &error), error);
    assert_bytes(out.usage.error, "timeout");
    assert_bytes(out.usage.service, "chat");
    assert_status(
        conv__record_read_exchange(&arena, conv__buffer_bytes(&buffer), &exchange, &error),
        CONV_BAD_DATA, error);
    conv__buffer_free(&buffer);
}

static conv_bytes form_1(const uint8_t *bytes, size_t size)
{
    return conv_view((const char *)bytes, size);
}

/* What was on disk when the program was updated. */
static void records_of_the_first_form_are_read(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv_error error;
    conv__usage_row row;
    conv__exchange exchange;
    assert_ok(
        conv__record_read_usage(form_1(usage_of_form_1, sizeof usage_of_form_1), &row, &error),
        error);
    assert_bytes(row.usage.operation, "embed");
    assert_int_equal(row.usage.latency_ms, 34);
    assert_int_equal(row.usage.processed_bytes, CONV_UNKNOWN);
    assert_true(conv_uuid_is_nil(row.document_id));
    conv_bytes bytes = form_1(exchange_of_form_1, sizeof exchange_of_form_1);
    assert_ok(conv__record_read_exchange(&arena, bytes, &exchange, &error), error);
    assert_bytes(exchange.messages[0].message.content, "hi");
    assert_int_equal(exchange.usage.usage.processed_bytes, CONV_UNKNOWN);
    conv__arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_comes_back),
        cmocka_unit_test(what_it_goes_on_after_comes_back),
        cmocka_unit_test(every_damage_is_found),
        cmocka_unit_test(a_usage_record_comes_back_and_kinds_differ),
        cmocka_unit_test(records_of_the_first_form_are_read),
    };
    return RUN_TESTS("record", tests);
}

/* Rows: whatever bytes go in, the row is storable and the same bytes come back. */
#include "repositories/rows.h"

#include <stdlib.h>

#include "core/json.h"
#include "core/text.h"
#include "support/failing_memory.h"
#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static conv_error error;

static const struct hostile {
    const char *data;
    size_t size;
} hostile_texts[] = {
    {"", 0},
    {"x", 1},
    {"\0", 1},
    {"a\0b\0", 4},
    {"\xff", 1},
    {"Gr\xc3\xb6\xc3\x9f \xf0\x9f\x98\x80", 11},
    {"\xed\xa0\x80", 3},
    {"\xc3", 1},
    {"\xef\xbf\xbd", 3},
    {"\\u0000'\"; DROP TABLE chat_messages; --", 38},
    {"\r\n\t \x01\x1f\x7f", 7},
};

static conv_bytes hostile(size_t index)
{
    return conv_view(hostile_texts[index].data, hostile_texts[index].size);
}

static void assert_same(conv_bytes a, conv_bytes b)
{
    assert_true(conv_bytes_equal(a, b));
}

static void assert_storable_json(conv_bytes text)
{
    conv__json value;
    conv_bytes projected;
    conv__arena arena = {0};
    if (text.data == NULL) return;
    assert_true(conv__json_parse(text, &value, NULL));
    assert_int_equal(conv__json_project(&arena, value, &projected), CONV_OK);
    assert_ptr_equal(projected.data, text.data);
    conv__arena_reset(&arena);
}

static void messages_come_back_byte_for_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostile_texts); i++) {
        conv__arena arena = {0};
        conv_message message = {.role = CONV_ROLE_TOOL,
                                .content = hostile(i),
                                .tool_call_id = hostile((i + 1) % COUNT(hostile_texts)),
                                .name = hostile((i + 2) % COUNT(hostile_texts)),
                                .model = hostile((i + 3) % COUNT(hostile_texts)),
                                .status = CONV_OUTCOME_INTERRUPTED,
                                .position = 7,
                                .created_us = 8};
        message.message_id = conv_uuid_v7();
        conv__message_row row;
        assert_ok(conv__message_to_row(&arena, &message, &row, &error), error);
        assert_true(conv__text_is_storable(row.message.content));
        assert_true(conv__text_is_storable(row.message.tool_call_id));
        assert_true(conv__text_is_storable(row.message.name));
        assert_true(conv__text_is_storable(row.message.model));
        assert_ok(conv__message_from_row(&row, &error), error);
        assert_same(row.message.content, message.content);
        assert_same(row.message.tool_call_id, message.tool_call_id);
        assert_same(row.message.name, message.name);
        assert_same(row.message.model, message.model);
        assert_int_equal(row.message.role, CONV_ROLE_TOOL);
        assert_int_equal(row.message.status, CONV_OUTCOME_INTERRUPTED);
        assert_int_equal(row.message.position, 7);
        assert_int_equal(row.message.created_us, 8);
        assert_int_equal(conv_uuid_compare(row.message.message_id, message.message_id), 0);
        conv__arena_reset(&arena);
    }
}

static void a_plain_message_is_borrowed_and_has_no_originals(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv_message message = {.role = CONV_ROLE_USER, .content = conv_text("Where is my order?")};
    conv__message_row row;
    assert_ok(conv__message_to_row(&arena, &message, &row, &error), error);
    assert_ptr_equal(row.message.content.data, message.content.data);
    assert_null(row.originals.data);
    assert_null(row.message.name.data);
    assert_null(arena.chunks);
}

/* A store that reorders keys, as jsonb does: the row's columns come back as other text. */
static void json_comes_back_with_its_own_order_of_keys(void **state)
{
    (void)state;
    static const char tool_calls[] =
        " [ {\"type\":\"function\", \"id\": \"\\u00e4\\u0000\\ud800\", \"n\": 1.50e0,\"id\":1} ]\n";
    static const char parts[] = "[{\"type\":\"text\",\"b\":1,\"a\":1e999999,\"text\":\"\xff\"}]";
    conv__arena arena = {0};
    conv_message message = {.role = CONV_ROLE_ASSISTANT,
                            .parts = conv_text(parts),
                            .tool_calls = conv_text(tool_calls),
                            .metadata = conv_text("{\"z\":\"\\u0000\",\"a\":2}")};
    conv__message_row row;
    assert_ok(conv__message_to_row(&arena, &message, &row, &error), error);
    assert_storable_json(row.message.parts);
    assert_storable_json(row.message.tool_calls);
    assert_storable_json(row.message.metadata);
    row.message.parts = conv_text("[{\"reordered\": true}]");
    row.message.tool_calls = conv_text("[{\"reordered\": true}]");
    row.message.metadata = conv_text("{\"reordered\": true}");
    assert_ok(conv__message_from_row(&row, &error), error);
    assert_bytes(row.message.parts, parts);
    assert_bytes(row.message.tool_calls, tool_calls);
    assert_same(row.message.metadata, message.metadata);
    assert_null(row.message.content.data);
    conv__arena_reset(&arena);
}

/* Nothing in it has to be replaced, and yet jsonb would give it back otherwise. */
static void storable_json_is_kept_exactly_too(void **state)
{
    (void)state;
    static const char text[] = "[{\"type\": \"function\",  \"id\": 1.0, \"id\": 2}]";
    conv__arena arena = {0};
    conv_message message = {
        .role = CONV_ROLE_ASSISTANT, .parts = conv_text(text), .tool_calls = conv_text(text)};
    conv__message_row row;
    assert_ok(conv__message_to_row(&arena, &message, &row, &error), error);
    assert_bytes(row.message.parts, text);
    row.message.parts = conv_text("[{\"id\": 2, \"type\": \"function\"}]");
    row.message.tool_calls = row.message.parts;
    assert_ok(conv__message_from_row(&row, &error), error);
    assert_bytes(row.message.parts, text);
    assert_bytes(row.message.tool_calls, text);
    conv__arena_reset(&arena);
}

static void bad_messages_are_refused_with_the_reason(void **state)
{
    (void)state;
    const struct {
        conv_message message;
        const char *reason;
    } table[] = {
        {{.content = conv_text("x")}, "the message has no role"},
        {{.role = (conv_role)6}, "the message has no role"},
        {{.role = (conv_role)-1}, "the message has no role"},
        {{.role = CONV_ROLE_USER, .status = (conv_outcome)3},
         "the message's status is none of conv_outcome"},
        {{.role = CONV_ROLE_USER, .content = conv_text(""), .parts = conv_text("[]")},
         "the message has both content and parts"},
        {{.role = CONV_ROLE_USER, .created_us = INT64_MAX},
         "created_us is not within the years 1 to 9999: it counts microseconds"},
        {{.role = CONV_ROLE_USER, .parts = conv_text("[1,]")}, "parts: not JSON at byte 3"},
        {{.role = CONV_ROLE_USER, .parts = conv_text("{}")}, "parts: not a JSON array"},
        {{.role = CONV_ROLE_USER, .tool_calls = conv_text("")}, "tool calls: not JSON at byte 0"},
        {{.role = CONV_ROLE_USER, .tool_calls = conv_text("null")}, "tool calls: not a JSON array"},
        {{.role = CONV_ROLE_USER, .metadata = conv_text("[]")}, "metadata: not a JSON object"},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        conv__arena arena = {0};
        conv__message_row row;
        assert_status(conv__message_to_row(&arena, &table[i].message, &row, &error),
                      CONV_INVALID_ARGUMENT, error);
        assert_string_equal(error.message, table[i].reason);
        conv__arena_reset(&arena);
    }
}

static void fields_have_a_limit(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv_message message = {.role = CONV_ROLE_USER,
                            .content = conv_view("", CONV__FIELD_LIMIT + 1)};
    conv__message_row row;
    assert_status(conv__message_to_row(&arena, &message, &row, &error), CONV_LIMIT, error);
    assert_string_equal(error.message, "content: 209715201 bytes, the limit is 209715200");
}

static void every_string_names_a_user_and_comes_back(void **state)
{
    (void)state;
    static const char *const uuids[] = {
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
        "{6ba7b8109dad11d180b400c04fd430c8}",   "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "00000000-0000-0000-0000-000000000000",
    };
    for (size_t i = 0; i < COUNT(hostile_texts) + COUNT(uuids); i++) {
        conv_bytes name =
            i < COUNT(hostile_texts) ? hostile(i) : conv_text(uuids[i - COUNT(hostile_texts)]);
        conv__arena arena = {0};
        conv__name_row row;
        conv_bytes restored;
        assert_ok(conv__name_to_row(&arena, name, &row, &error), error);
        assert_false(conv_uuid_is_nil(row.id));
        assert_int_equal(conv_uuid_compare(row.id, conv_uuid_ensure(name)), 0);
        assert_true(conv__text_is_storable(row.external_id));
        assert_ok(conv__name_from_row(&arena, &row, &restored, &error), error);
        assert_same(restored, name);
        conv__arena_reset(&arena);
    }
    conv__arena arena = {0};
    conv__name_row row;
    assert_ok(conv__name_to_row(&arena, conv_text(uuids[0]), &row, &error), error);
    assert_null(row.external_id.data);
    assert_ok(conv__name_to_row(&arena, conv_text(uuids[1]), &row, &error), error);
    assert_bytes(row.external_id, uuids[1]);
    assert_null(row.originals.data);
    conv__arena_reset(&arena);
}

static void nobody_stays_nobody(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv__name_row row;
    conv_bytes name = conv_text("x");
    assert_ok(conv__name_to_row(&arena, conv_text(NULL), &row, &error), error);
    assert_true(conv_uuid_is_nil(row.id));
    assert_null(row.external_id.data);
    assert_ok(conv__name_from_row(&arena, &row, &name, &error), error);
    assert_null(name.data);
    assert_null(arena.chunks);
}

static void sessions_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostile_texts); i++) {
        conv__arena arena = {0};
        conv__session_row row;
        conv_bytes user = hostile((i + 1) % COUNT(hostile_texts));
        conv_bytes metadata = conv_text("{\"k\": \"\\ud800\"}");
        assert_ok(
            conv__session_to_row(&arena, hostile(i), user, hostile(i), metadata, &row, &error),
            error);
        row.created_us = 5;
        assert_true(conv__text_is_storable(row.title));
        assert_true(conv__text_is_storable(row.external_id));
        assert_storable_json(row.metadata);
        conv_session session = {.message_count = 3, .updated_us = 9};
        assert_ok(conv__session_from_row(&arena, &row, &session, &error), error);
        assert_same(session.external_id, hostile(i));
        assert_same(session.external_user_id, user);
        assert_same(session.title, hostile(i));
        assert_same(session.metadata, metadata);
        assert_int_equal(conv_uuid_compare(session.session_id, conv_uuid_ensure(hostile(i))), 0);
        assert_int_equal(conv_uuid_compare(session.user_id, conv_uuid_ensure(user)), 0);
        assert_int_equal(session.created_us, 5);
        assert_int_equal(session.message_count, 3);
        assert_int_equal(session.updated_us, 9);
        conv__arena_reset(&arena);
    }
}

static void a_session_without_an_id_gets_the_text_of_its_uuid(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv__session_row row;
    conv_session session = {0};
    conv_bytes none = conv_text(NULL);
    assert_ok(conv__session_to_row(&arena, none, none, none, none, &row, &error), error);
    assert_true(conv_uuid_is_nil(row.session_id));
    row.session_id = conv_uuid_namespace_dns();
    assert_ok(conv__session_from_row(&arena, &row, &session, &error), error);
    assert_bytes(session.external_id, "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    assert_null(session.external_user_id.data);
    assert_null(session.title.data);
    conv__arena_reset(&arena);
    assert_status(conv__session_to_row(&arena, none, none, none, conv_text("{"), &row, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_string_equal(error.message, "metadata: not JSON at byte 1");
}

static conv_usage hostile_usage(size_t i)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.session_id = hostile(i);
    usage.user_id = hostile(i);
    usage.user_email = hostile(i);
    usage.service = hostile((i + 1) % COUNT(hostile_texts));
    usage.operation = hostile((i + 2) % COUNT(hostile_texts));
    usage.model = hostile((i + 3) % COUNT(hostile_texts));
    usage.provider = hostile((i + 4) % COUNT(hostile_texts));
    usage.price = hostile((i + 5) % COUNT(hostile_texts));
    usage.error = hostile((i + 6) % COUNT(hostile_texts));
    usage.raw = conv_text("{\"b\":\"\\u0000\",\"a\":1}");
    usage.metadata = conv_text("{\"n\":1e999999}");
    usage.input_tokens = 7;
    return usage;
}

static void usage_records_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostile_texts); i++) {
        conv__arena arena = {0};
        conv_usage usage = hostile_usage(i);
        conv__usage_row row;
        assert_ok(conv__usage_to_row(&arena, &usage, &row, &error), error);
        const conv_bytes columns[] = {row.usage.user_email, row.usage.service,  row.usage.operation,
                                      row.usage.model,      row.usage.provider, row.usage.price,
                                      row.usage.error};
        for (size_t k = 0; k < COUNT(columns); k++) {
            assert_true(conv__text_is_storable(columns[k]));
        }
        assert_storable_json(row.usage.raw);
        assert_storable_json(row.usage.metadata);
        assert_int_equal(conv_uuid_compare(row.session_id, conv_uuid_ensure(hostile(i))), 0);
        assert_int_equal(conv_uuid_compare(row.user.id, conv_uuid_ensure(hostile(i))), 0);
        assert_ok(conv__usage_from_row(&row, &error), error);
        assert_same(row.usage.user_email, usage.user_email);
        assert_same(row.usage.service, usage.service);
        assert_same(row.usage.operation, usage.operation);
        assert_same(row.usage.model, usage.model);
        assert_same(row.usage.provider, usage.provider);
        assert_same(row.usage.price, usage.price);
        assert_same(row.usage.error, usage.error);
        assert_same(row.usage.raw, usage.raw);
        assert_same(row.usage.metadata, usage.metadata);
        assert_int_equal(row.usage.input_tokens, 7);
        assert_int_equal(row.usage.output_tokens, CONV_UNKNOWN);
        conv__arena_reset(&arena);
    }
}

static void an_empty_usage_record_has_its_defaults(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv_usage usage = CONV_USAGE_INIT;
    conv__usage_row row;
    assert_ok(conv__usage_to_row(&arena, &usage, &row, &error), error);
    assert_bytes(row.usage.service, "chat");
    assert_bytes(row.usage.operation, "chat");
    assert_true(conv_uuid_is_nil(row.session_id));
    assert_true(conv_uuid_is_nil(row.user.id));
    assert_null(row.originals.data);
}

static void impossible_usage_is_refused(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv__usage_row row;
    conv_usage usage = CONV_USAGE_INIT;
    usage.reasoning_tokens = -2;
    assert_status(conv__usage_to_row(&arena, &usage, &row, &error), CONV_INVALID_ARGUMENT, error);
    usage = (conv_usage)CONV_USAGE_INIT;
    usage.cost_usd = conv_decimal_from_integer(-1);
    assert_ok(conv__usage_to_row(&arena, &usage, &row, &error), error);
    usage.priced = true;
    assert_status(conv__usage_to_row(&arena, &usage, &row, &error), CONV_INVALID_ARGUMENT, error);
    usage = (conv_usage)CONV_USAGE_INIT;
    usage.raw = conv_text("{");
    assert_status(conv__usage_to_row(&arena, &usage, &row, &error), CONV_INVALID_ARGUMENT, error);
    assert_string_equal(error.message, "raw usage: not JSON at byte 1");
    usage = (conv_usage)CONV_USAGE_INIT;
    usage.latency_ms = CONV_LATENCY_MS_MAX;
    assert_ok(conv__usage_to_row(&arena, &usage, &row, &error), error);
    usage.latency_ms++;
    assert_status(conv__usage_to_row(&arena, &usage, &row, &error), CONV_INVALID_ARGUMENT, error);
    usage = (conv_usage)CONV_USAGE_INIT;
    usage.created_us = INT64_MIN;
    assert_status(conv__usage_to_row(&arena, &usage, &row, &error), CONV_INVALID_ARGUMENT, error);
    usage = (conv_usage)CONV_USAGE_INIT;
    usage.status = (conv_outcome)9;
    assert_status(conv__usage_to_row(&arena, &usage, &row, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(arena.chunks);
}

static void damaged_originals_are_said(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv_bytes damaged = conv_view("\1\0\0\0\0\0\0\0\5abc", 12);
    conv__message_row message = {.originals = damaged};
    conv__usage_row usage = {.originals = damaged};
    conv__name_row name = {.id = conv_uuid_namespace_dns(), .originals = damaged};
    conv__session_row session = {.session_id = conv_uuid_namespace_dns(), .originals = damaged};
    conv_session restored = {0};
    conv_bytes text;
    assert_status(conv__message_from_row(&message, &error), CONV_BAD_DATA, error);
    assert_string_equal(error.message, "the column originals is damaged at byte 0 of 12");
    assert_status(conv__usage_from_row(&usage, &error), CONV_BAD_DATA, error);
    assert_status(conv__name_from_row(&arena, &name, &text, &error), CONV_BAD_DATA, error);
    assert_status(conv__session_from_row(&arena, &session, &restored, &error), CONV_BAD_DATA,
                  error);
    session.originals = conv_text(NULL);
    session.user = name;
    assert_status(conv__session_from_row(&arena, &session, &restored, &error), CONV_BAD_DATA,
                  error);
    conv__arena_reset(&arena);
}

/* A newer library may keep more fields than this one knows. */
static void unknown_originals_are_passed_over(void **state)
{
    (void)state;
    conv__message_row row = {.message = {.content = conv_text("kept")},
                             .originals = conv_view("\xc8\0\0\0\0\0\0\0\1x", 11)};
    assert_ok(conv__message_from_row(&row, &error), error);
    assert_bytes(row.message.content, "kept");
}

static conv_status make_all_rows(void *context)
{
    (void)context;
    conv__arena arena = {0};
    conv_message message = {.role = CONV_ROLE_USER,
                            .content = conv_view("a\0b", 3),
                            .tool_calls = conv_text("[\"\\u0000\"]")};
    conv_usage usage = hostile_usage(2);
    conv__message_row message_row;
    conv__usage_row usage_row;
    conv__session_row session_row;
    conv_session session = {0};
    conv_status status = conv__message_to_row(&arena, &message, &message_row, &error);
    if (status == CONV_OK) status = conv__usage_to_row(&arena, &usage, &usage_row, &error);
    if (status == CONV_OK)
        status = conv__session_to_row(&arena, conv_text(NULL), hostile(2), hostile(3),
                                      conv_text("{}"), &session_row, &error);
    if (status == CONV_OK) {
        session_row.session_id = conv_uuid_namespace_dns();
        status = conv__session_from_row(&arena, &session_row, &session, &error);
    }
    conv__arena_reset(&arena);
    return status;
}

static void failing_allocations_are_said(void **state)
{
    (void)state;
    assert_in_range(failing_memory_run(make_all_rows, NULL), 6, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back_byte_for_byte),
        cmocka_unit_test(a_plain_message_is_borrowed_and_has_no_originals),
        cmocka_unit_test(json_comes_back_with_its_own_order_of_keys),
        cmocka_unit_test(storable_json_is_kept_exactly_too),
        cmocka_unit_test(bad_messages_are_refused_with_the_reason),
        cmocka_unit_test(fields_have_a_limit),
        cmocka_unit_test(every_string_names_a_user_and_comes_back),
        cmocka_unit_test(nobody_stays_nobody),
        cmocka_unit_test(sessions_come_back),
        cmocka_unit_test(a_session_without_an_id_gets_the_text_of_its_uuid),
        cmocka_unit_test(usage_records_come_back),
        cmocka_unit_test(an_empty_usage_record_has_its_defaults),
        cmocka_unit_test(impossible_usage_is_refused),
        cmocka_unit_test(damaged_originals_are_said),
        cmocka_unit_test(unknown_originals_are_passed_over),
        cmocka_unit_test(failing_allocations_are_said),
    };
    return RUN_TESTS("rows", tests);
}

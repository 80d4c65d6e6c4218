#include "support/sample.h"

#include "support/test.h"

#include "core/hash.h"
#include "core/time.h"

conv_decimal sample_decimal(const char *text)
{
    conv_decimal decimal = {0};
    assert_int_equal(conv_decimal_parse(conv_text(text), &decimal), CONV_OK);
    return decimal;
}

conv_message sample_message(conv_role role, const char *content)
{
    return (conv_message){.role = role, .content = conv_text(content)};
}

static void hash_messages(const conv_message *messages, size_t count,
                          uint8_t hash[CONV__CONTENT_HASH_SIZE])
{
    uint8_t digest[CONV__SHA256_SIZE];
    conv__sha256 *sha256 = conv__sha256_create();
    assert_non_null(sha256);
    for (size_t i = 0; i < count; i++) {
        conv__sha256_field(sha256, conv_text(conv_role_name(messages[i].role)));
        conv__sha256_field(sha256, messages[i].content);
        conv__sha256_field(sha256, messages[i].parts);
        conv__sha256_field(sha256, messages[i].tool_calls);
    }
    assert_int_equal(conv__sha256_finish(sha256, digest), CONV_OK);
    memcpy(hash, digest, CONV__CONTENT_HASH_SIZE);
}

conv__usage_row *sample_usage(conv__arena *arena, const conv_usage *usage)
{
    conv_error error = CONV_ERROR_INIT;
    conv__usage_row *row = conv__arena_allocate(arena, sizeof *row);
    assert_non_null(row);
    assert_ok(conv__usage_to_row(arena, usage, row, &error), error);
    if (conv_uuid_is_nil(row->usage.log_id)) row->usage.log_id = conv_uuid_v7();
    if (row->usage.created_us == 0) row->usage.created_us = conv__now_us();
    return row;
}

conv__exchange *sample_exchange_of(conv__arena *arena, const char *session_id,
                                   const conv_message *messages, size_t count)
{
    conv_error error = CONV_ERROR_INIT;
    conv__exchange *exchange = conv__arena_allocate(arena, sizeof *exchange);
    conv__message_row *rows = conv__arena_allocate(arena, count * sizeof *rows);
    assert_non_null(exchange);
    assert_non_null(rows);
    conv_bytes session = conv_text(session_id);
    assert_int_equal(conv__arena_copy(arena, session, &session), CONV_OK);
    exchange->created_us = conv__now_us();
    exchange->exchange_id = conv_uuid_v7();
    for (size_t i = 0; i < count; i++) {
        conv_message message = messages[i];
        if (conv_uuid_is_nil(message.message_id)) message.message_id = conv_uuid_v7();
        if (message.created_us == 0) message.created_us = exchange->created_us;
        assert_ok(conv__message_to_row(arena, &message, &rows[i], &error), error);
    }
    exchange->messages = rows;
    exchange->message_count = count;
    size_t asked = count > 1 ? count - 1 : count;
    hash_messages(messages, asked, exchange->request_hash);
    hash_messages(messages + asked, count - asked, exchange->reply_hash);
    assert_ok(conv__session_to_row(arena, session, conv_text("user-123"), conv_text(NULL),
                                   conv_text(NULL), &exchange->session, &error),
              error);
    exchange->session.created_us = exchange->created_us;
    conv_usage usage = CONV_USAGE_INIT;
    usage.session_id = session;
    usage.user_id = conv_text("user-123");
    usage.created_us = exchange->created_us;
    usage.input_tokens = 10;
    usage.output_tokens = 5;
    usage.total_tokens = 15;
    usage.priced = true;
    usage.cost_usd = sample_decimal(SAMPLE_COST);
    exchange->usage = *sample_usage(arena, &usage);
    return exchange;
}

conv__exchange *sample_exchange(conv__arena *arena, const char *session_id, const char *question,
                                const char *answer)
{
    const conv_message messages[] = {sample_message(CONV_ROLE_USER, question),
                                     sample_message(CONV_ROLE_ASSISTANT, answer)};
    return sample_exchange_of(arena, session_id, messages, 2);
}

conv__exchange *sample_failed_exchange(conv__arena *arena, const char *session_id,
                                       const char *question)
{
    conv_message message = sample_message(CONV_ROLE_USER, question);
    message.status = CONV_OUTCOME_FAILED;
    conv__exchange *exchange = sample_exchange_of(arena, session_id, &message, 1);
    exchange->status = CONV_OUTCOME_FAILED;
    exchange->usage.usage.status = CONV_OUTCOME_FAILED;
    return exchange;
}

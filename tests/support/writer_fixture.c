#include "support/writer_fixture.h"

#include "core/time.h"
#include "support/test.h"

conv__exchange writer_exchange(void)
{
    conv__exchange exchange = {0};
    exchange.session.session_id = conv_uuid_v7();
    exchange.exchange_id = conv_uuid_v7();
    exchange.usage.usage = (conv_usage)CONV_USAGE_INIT;
    exchange.usage.usage.log_id = conv_uuid_v7();
    return exchange;
}

conv__save writer_input(const conv__exchange *exchange, int64_t timeout_ms)
{
    return (conv__save){.exchange = exchange, .deadline_ns = conv__deadline_in_ms(timeout_ms)};
}

conv__writer *writer_open(mock_store *mock, size_t queue)
{
    conv__writer *writer = NULL;
    conv_error error;
    conv__writer_params params = {.store = &mock->store,
                                  .leaders = 1,
                                  .batch_exchanges = 8,
                                  .batch_bytes = 1 << 20,
                                  .queue_exchanges = queue};
    assert_ok(conv__writer_create(&params, &writer, &error), error);
    return writer;
}

conv_status writer_save_alone(mock_store *mock, conv__save *save)
{
    conv__save *saves[] = {save};
    conv__batch_save(&mock->store, saves, 1);
    return save->status;
}

void *late_caller_run(void *context)
{
    late_caller *self = context;
    conv__exchange exchange = writer_exchange();
    self->save =
        writer_input(self->exchange != NULL ? self->exchange : &exchange, self->timeout_ms);
    self->save.status = conv__writer_save(self->writer, &self->save);
    self->done = true;
    return NULL;
}

/* The writer: a group whose work is a transaction. */
#include "saving/writer.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "saving/group.h"

#define ACTION "save exchange"

/* Longer than a transaction takes, and shorter than a caller notices when one hangs. */
enum { PATIENCE_MS = 20 };

struct conv__writer {
    conv__store *store;
    conv__group *group;
};

static void save_batch(void *context, conv__group_item **batch, size_t count)
{
    conv__writer *writer = context;
    conv__save **saves = conv__allocate(count * sizeof *saves);
    for (size_t i = 0; saves == NULL && i < count; i++) {
        batch[i]->again = false;
        batch[i]->status = conv__fail_memory(&batch[i]->error, ACTION);
    }
    if (saves == NULL) return;
    for (size_t i = 0; i < count; i++)
        saves[i] = batch[i]->subject;
    conv__batch_try(writer->store, saves, count);
    for (size_t i = 0; i < count; i++) {
        conv__save *save = batch[i]->subject;
        batch[i]->again = save->left;
        batch[i]->status = save->status;
        batch[i]->error = save->error;
    }
    conv__release(saves);
}

/* Equal for the same exchange; nearly always different for others, which is enough. */
static uint64_t key_of(const conv__exchange *exchange)
{
    uint64_t key[4];
    memcpy(key, exchange->exchange_id.bytes, 16);
    memcpy(key + 2, exchange->session.session_id.bytes, 16);
    return key[0] ^ (key[1] << 1) ^ key[2] ^ (key[3] << 1);
}

conv_status conv__writer_save(conv__writer *writer, conv__save *save)
{
    conv__group_item item = {.subject = save,
                             .key = key_of(save->exchange),
                             .alone = save->exchange->replaces_failed,
                             .bytes = conv__exchange_bytes(save->exchange),
                             .deadline_ns = save->deadline_ns};
    save->status = conv__group_do(writer->group, &item);
    if (save->status == CONV_OK) return CONV_OK;
    save->error = item.error;
    /* Also when its time was up while it waited to be tried again. */
    if (conv__save_in_doubt(save)) save->error.outcome_unknown = true;
    return save->status;
}

void conv__writer_save_many(conv__writer *writer, conv__save **saves, size_t count)
{
    conv__batch_save(writer->store, saves, count);
}

conv_status conv__writer_create(const conv__writer_params *params, conv__writer **writer,
                                conv_error *error)
{
    *writer = NULL;
    conv__writer *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, "open client");
    made->store = params->store;
    made->group = conv__group_create(&(conv__group_params){.action = ACTION,
                                                           .work = save_batch,
                                                           .context = made,
                                                           .leaders = params->leaders,
                                                           .batch_items = params->batch_exchanges,
                                                           .batch_bytes = params->batch_bytes,
                                                           .queue_items = params->queue_exchanges,
                                                           .patience_ms = PATIENCE_MS});
    if (made->group == NULL) {
        conv__release(made);
        return conv__fail_memory(error, "open client");
    }
    *writer = made;
    return CONV_OK;
}

size_t conv__writer_waiting(conv__writer *writer)
{
    return conv__group_waiting(writer->group);
}

void conv__writer_free(conv__writer *writer)
{
    if (writer == NULL) return;
    conv__group_free(writer->group);
    conv__release(writer);
}

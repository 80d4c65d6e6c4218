/* save_exchanges: exchanges that one caller brings together. What each of them means stands in
 * save_exchange.c. */
#include "services/conversation.h"

#include <assert.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "services/reply.h"

#define ACTION "save exchanges"

static_assert(CONV_EXCHANGES_MOST <= CONV__SAVE_MANY, "all go into one transaction");

typedef struct prepared {
    conv_reply *reply; /* its arena has what the row points to */
    conv__exchange row;
    conv__save save;
} prepared;

static bool same_session(const prepared *a, const prepared *b)
{
    return conv_uuid_compare(a->row.session.session_id, b->row.session.session_id) == 0;
}

/* What is known before the store is asked: invalid, given twice, or behind one that is invalid. */
static void look_before(prepared *all, size_t index)
{
    prepared *self = &all[index];
    conv__save *save = &self->save;
    for (size_t i = 0; i < index; i++) {
        if (!same_session(&all[i], self)) continue;
        if (all[i].save.status != CONV_OK) {
            conv__save_fail_behind(save, &all[i].save.error);
            return;
        }
        if (conv_uuid_compare(all[i].row.exchange_id, self->row.exchange_id) == 0)
            save->status = conv__fail(&save->error, CONV_INVALID_ARGUMENT, ACTION,
                                      "the turn id is that of another exchange of the same call");
    }
}

static void prepare(const conv__conversation *service, const conv_exchange *exchange, prepared *all,
                    size_t index)
{
    prepared *self = &all[index];
    conv__save *save = &self->save;
    *save = (conv__save){.exchange = &self->row, .compare_reply = true, .in_order = true};
    self->reply = conv__reply_create();
    save->status = self->reply == NULL ? conv__fail_memory(&save->error, ACTION)
                                       : conv__prepare_exchange(service, exchange, self->reply,
                                                                &self->row, &save->error);
    /* Also of one that failed: those behind it have to know. */
    if (exchange->size == sizeof *exchange && exchange->session_id != NULL)
        self->row.session.session_id = conv_uuid_ensure(conv_text(exchange->session_id));
    if (save->status == CONV_OK) look_before(all, index);
}

static void save_prepared(const conv__conversation *service, prepared *all, size_t count)
{
    conv__save *saves[CONV_EXCHANGES_MOST];
    size_t together = 0;
    int64_t deadline_ns = conv__deadline_in_ms(service->store_timeout_ms);
    for (size_t i = 0; i < count; i++) {
        all[i].save.deadline_ns = deadline_ns;
        if (all[i].save.status == CONV_OK) saves[together++] = &all[i].save;
    }
    if (together > 0) conv__saving_save_many(service->saving, saves, together, true);
}

static conv_status give_results(const prepared *all, size_t count, conv_exchange_result *results,
                                conv_error *error)
{
    const conv__save *failed = NULL;
    for (size_t i = 0; i < count; i++) {
        const conv__save *save = &all[i].save;
        results[i] = (conv_exchange_result){
            .status = save->status, .error = save->error, .repeat = save->repeated};
        if (save->status == CONV_OK)
            results[i].saved = save->journaled ? CONV_SAVED_JOURNALED : CONV_SAVED_COMMITTED;
        else if (failed == NULL)
            failed = save;
    }
    if (failed == NULL) return CONV_OK;
    if (error != NULL) *error = failed->error;
    return failed->status;
}

conv_status conv__save_exchanges(const conv__conversation *service, const conv_exchange *exchanges,
                                 size_t count, conv_exchange_result *results, conv_error *error)
{
    if (exchanges == NULL || results == NULL || count == 0 || count > CONV_EXCHANGES_MOST)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "there are none, or more than %d, or nowhere to put the results",
                          CONV_EXCHANGES_MOST);
    prepared *all = conv__allocate(count * sizeof *all);
    if (all == NULL) return conv__fail_memory(error, ACTION);
    for (size_t i = 0; i < count; i++)
        prepare(service, &exchanges[i], all, i);
    save_prepared(service, all, count);
    conv_status status = give_results(all, count, results, error);
    for (size_t i = 0; i < count; i++)
        conv_reply_free(all[i].reply);
    conv__release(all);
    return status;
}

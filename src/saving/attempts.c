/* Failed attempts in the store, at turns that wait in the journal. */
#include "core/error.h"
#include "core/memory.h"
#include "saving/saving_internal.h"

/* Only a turn replaces a failed attempt; an exchange that somebody else brings is in conflict. */
static size_t add_keys(conv__save *const *saves, size_t count, conv__exchange_key *keys)
{
    size_t turns = 0;
    for (size_t i = 0; i < count; i++) {
        const conv__exchange *exchange = saves[i]->exchange;
        keys[i] = (conv__exchange_key){exchange->session.session_id, exchange->exchange_id};
        turns += !saves[i]->compare_reply && !exchange->replaces_failed;
    }
    return turns;
}

conv_status conv__saving_find_failed(conv__saving *saving, conv__save *const *saves, size_t count,
                                     int64_t deadline_ns, size_t *place, conv_error *error)
{
    conv_status status = CONV_OK;
    *place = count;
    conv__exchange_key *keys = conv__allocate(count * sizeof *keys);
    conv__exchange_state *states = conv__allocate(count * sizeof *states);
    if (keys == NULL || states == NULL)
        status = conv__fail_memory(error, "look up exchange");
    else if (add_keys(saves, count, keys) > 0)
        status = conv__batch_look_up(saving->store, keys, count, deadline_ns, states, error);
    for (size_t i = 0; status == CONV_OK && i < count && *place == count; i++)
        if (conv__save_replaces(saves[i], &states[i])) *place = i;
    conv__release(keys);
    conv__release(states);
    return status;
}

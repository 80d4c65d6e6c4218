/* Notes of turns that have become needless, because their exchange is in the store: how they leave
 * the journal. When a turn is noted stands in keep.c. */
#include <string.h>

#include "core/memory.h"
#include "core/time.h"
#include "saving/record.h"
#include "saving/saving_internal.h"

enum { PAGE = 64, SWEEP_MS = 1000 };

bool conv__saving_forget_note(conv__saving *saving, conv__journal_key key)
{
    pthread_mutex_lock(&saving->lock);
    if (saving->done_count == saving->done_capacity) {
        size_t capacity = saving->done_capacity == 0 ? 64 : 2 * saving->done_capacity;
        conv__journal_key *grown = conv__resize(saving->done, capacity * sizeof *grown);
        if (grown == NULL) {
            pthread_mutex_unlock(&saving->lock);
            return false;
        }
        saving->done = grown;
        saving->done_capacity = capacity;
    }
    saving->done[saving->done_count++] = key;
    pthread_cond_signal(&saving->wake);
    pthread_mutex_unlock(&saving->lock);
    return true;
}

size_t conv__saving_take_notes(conv__saving *saving, conv__journal_key *keys, size_t limit)
{
    pthread_mutex_lock(&saving->lock);
    size_t count = saving->done_count < limit ? saving->done_count : limit;
    if (count > 0) {
        memcpy(keys, saving->done, count * sizeof *keys);
        saving->done_count -= count;
        memmove(saving->done, saving->done + count, saving->done_count * sizeof *keys);
    }
    pthread_mutex_unlock(&saving->lock);
    return count;
}

void conv__saving_note_again(conv__saving *saving, conv__journal_key key)
{
    size_t left = 0;
    pthread_mutex_lock(&saving->lock);
    for (size_t i = 0; i < saving->done_count; i++) {
        const conv__journal_key *done = &saving->done[i];
        if (conv_uuid_compare(done->item_id, key.item_id) != 0 ||
            conv_uuid_compare(done->session_id, key.session_id) != 0)
            saving->done[left++] = *done;
    }
    saving->done_count = left;
    pthread_mutex_unlock(&saving->lock);
}

void conv__saving_sweep_notes(conv__saving *saving)
{
    conv__journal_change nothing = {.what = CONV__JOURNAL_REMOVE};
    nothing.entry.item_id = conv_uuid_v7();
    pthread_mutex_lock(&saving->lock);
    size_t count = saving->done_count;
    pthread_mutex_unlock(&saving->lock);
    if (count == 0) return;
    conv_status status =
        conv__saving_apply(saving, &nothing, 1, conv__deadline_in_ms(SWEEP_MS), NULL);
    (void)status; /* the notes then stay, and the next start looks for them in the store */
}

/* Under the same id there may be other content, saved by another call: this one was not. */
static bool is_completed(conv__arena *arena, const conv__journal_entry *entry,
                         const conv__exchange_state *state)
{
    conv__exchange noted = {0};
    return state->found && state->status != CONV_OUTCOME_FAILED &&
           conv__record_read_exchange(arena, entry->record, &noted, NULL) == CONV_OK &&
           memcmp(noted.request_hash, state->request_hash, sizeof noted.request_hash) == 0;
}

bool conv__saving_forget_completed_turns(conv__saving *saving)
{
    static const conv__journal_kind kinds[] = {CONV__JOURNAL_TURN};
    conv__journal *journal = saving->params.journal;
    conv__arena arena = {0};
    bool done = true;
    for (int64_t after = 0; done && after < saving->turns_until;) {
        conv__journal_list list = {0};
        int64_t deadline = conv__deadline_in_ms(saving->params.store_timeout_ms);
        conv__exchange_key keys[PAGE];
        conv__exchange_state states[PAGE];
        done = journal->functions->list(journal, kinds, 1, after, PAGE, deadline, &arena, &list,
                                        NULL) == CONV_OK;
        if (!done || list.count == 0) break;
        for (size_t i = 0; i < list.count; i++)
            keys[i] = (conv__exchange_key){list.entries[i].session_id, list.entries[i].item_id};
        done =
            conv__batch_look_up(saving->store, keys, list.count, deadline, states, NULL) == CONV_OK;
        for (size_t i = 0; done && i < list.count; i++) {
            conv__journal_change change = {.what = CONV__JOURNAL_REMOVE, .entry = list.entries[i]};
            after = list.entries[i].entry_id;
            if (after > saving->turns_until) break;
            if (is_completed(&arena, &list.entries[i], &states[i]))
                done = conv__saving_apply(saving, &change, 1, deadline, NULL) == CONV_OK;
        }
        conv__arena_reset(&arena);
    }
    conv__arena_reset(&arena);
    return done;
}

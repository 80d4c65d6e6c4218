/* See fake_store.h. */
#include "fault/fake_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_id(const char *a, const char *b)
{
    return memcmp(a, b, FAKE_ID) == 0;
}

/* With the lock held; the count if there is none. */
static size_t place_of(const fake_store *self, const char *session_id, const char *exchange_id)
{
    size_t i = 0;
    while (i < self->exchange_count && !(same_id(self->exchanges[i].session_id, session_id) &&
                                         same_id(self->exchanges[i].exchange_id, exchange_id)))
        i++;
    return i;
}

static bool knows_record(const fake_store *self, const fake_record *record)
{
    for (size_t i = 0; i < self->record_count; i++)
        if (memcmp(&self->records[i], record, sizeof *record) == 0) return true;
    return false;
}

bool fake_find_exchange(fake_store *self, const char *session_id, const char *exchange_id,
                        fake_exchange *found)
{
    pthread_mutex_lock(&self->lock);
    size_t place = place_of(self, session_id, exchange_id);
    bool there = place < self->exchange_count;
    if (there) *found = self->exchanges[place];
    pthread_mutex_unlock(&self->lock);
    return there;
}

bool fake_has_record(fake_store *self, const fake_record *record)
{
    pthread_mutex_lock(&self->lock);
    bool there = knows_record(self, record);
    pthread_mutex_unlock(&self->lock);
    return there;
}

/* Only a failed attempt at the same question. */
static void remove_failed(fake_store *self, const fake_exchange *keys)
{
    size_t place = place_of(self, keys->session_id, keys->exchange_id);
    if (place == self->exchange_count) return;
    const fake_exchange *one = &self->exchanges[place];
    if (strcmp(one->status, "failed") == 0 &&
        memcmp(one->request_hash, keys->request_hash, FAKE_HASH) == 0)
        self->exchanges[place] = self->exchanges[--self->exchange_count];
}

void fake_commit(fake_store *self, const fake_changes *changes)
{
    pthread_mutex_lock(&self->lock);
    if (changes->removes) remove_failed(self, &changes->removed);
    for (size_t i = 0; i < changes->exchange_count; i++) {
        const fake_exchange *one = &changes->exchanges[i];
        if (place_of(self, one->session_id, one->exchange_id) < self->exchange_count) continue;
        if (self->exchange_count == FAKE_EXCHANGES) abort();
        self->exchanges[self->exchange_count++] = *one;
    }
    for (size_t i = 0; i < changes->record_count; i++) {
        if (knows_record(self, &changes->records[i])) continue;
        if (self->record_count == FAKE_RECORDS) abort();
        self->records[self->record_count++] = changes->records[i];
    }
    pthread_mutex_unlock(&self->lock);
}

void fake_forget(fake_store *self)
{
    pthread_mutex_lock(&self->lock);
    self->exchange_count = 0;
    self->record_count = 0;
    pthread_mutex_unlock(&self->lock);
}

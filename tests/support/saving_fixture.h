/* The saving room with a journal of its own, on a mocked store. */
#ifndef TESTS_SUPPORT_SAVING_FIXTURE_H
#define TESTS_SUPPORT_SAVING_FIXTURE_H

#include "saving/saving.h"
#include "support/mock_store.h"

typedef struct saving_fixture {
    char folder[64];
    char path[96]; /* of the journal, which opening makes */
    mock_store mock;
    void (*on_journal)(conv__journal *journal); /* before the room opens; NULL: nothing */
} saving_fixture;

/* For each test; *state is the fixture. One at a time. */
int saving_setup(void **state);
int saving_teardown(void **state);

#define WITH_SAVING(test) cmocka_unit_test_setup_teardown(test, saving_setup, saving_teardown)

/* Removes the journal and what lies beside it. */
void saving_empty_folder(const saving_fixture *test);

/* Opens the journal and the room; of `wanted` the limits and the proof are taken. */
conv__saving *saving_open_with(saving_fixture *test, conv__saving_params wanted);
conv__saving *saving_open(saving_fixture *test);

/* A new exchange of one message, "hi", of the year 1970. */
conv__exchange saving_exchange(conv_uuid session);

/* The same exchange as another try brings it: with a log id of its own, and the hash of what it
 * asks. */
conv__exchange saving_with_request(conv__exchange exchange, uint8_t hash);

/* Saves within five seconds; `journaled` may be NULL. */
conv_status saving_save(conv__saving *saving, const conv__exchange *exchange, bool noted,
                        bool *journaled);

/* While the store is away, which it is from now on: a failed attempt, and the repetition that
 * replaces it, which is given back. Both are accepted. */
conv__exchange saving_answer_after_failure(saving_fixture *test, conv__saving *saving);

/* What is in the journal. */
conv__journal_counts saving_count(conv__saving *saving);

/* Until so many are committed; the drain has its own pace, so this only bounds a broken one. */
void saving_wait_for_saved(saving_fixture *test, size_t wanted);

/* Until so many notes and exchanges are in the journal: they leave it a moment after the store has
 * them. */
void saving_wait_for_left(conv__saving *saving, int64_t wanted);
void saving_wait_until_empty(conv__saving *saving);

#endif

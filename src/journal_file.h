/* The inside of conv_journal. */
#ifndef CONV__JOURNAL_FILE_H
#define CONV__JOURNAL_FILE_H

#include <stdbool.h>

#include "conversation/journal.h"
#include "core/memory.h"
#include "repositories/journal.h"

struct conv_journal {
    conv__journal *entries;
    char *set_aside; /* the damaged file; NULL: it was not damaged */
};

/* For one question or change. */
int64_t conv__journal_deadline(void);

/* Finds an entry by its number; its bytes live in the arena. CONV_NOT_FOUND. */
CONV_WARN_UNUSED conv_status conv__journal_find_entry(conv_journal *journal, int64_t entry_id,
                                                      const char *action, conv__arena *arena,
                                                      conv__journal_entry *entry,
                                                      conv_error *error);

/* The form in which it is given out; all of it lives in the arena. Only CONV_NO_MEMORY is a
 * failure: what can't be read says so itself. */
CONV_WARN_UNUSED conv_status conv__journal_give(conv__arena *arena,
                                                const conv__journal_entry *entry,
                                                conv_journal_entry *given, conv_error *error);

#endif

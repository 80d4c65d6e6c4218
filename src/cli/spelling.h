/* "Did you mean …?" Pure. */
#ifndef CLI_SPELLING_H
#define CLI_SPELLING_H

#include <stddef.h>

typedef struct cli_spelling {
    const char *wrong;
    const char *best; /* NULL: nothing is near enough */
    size_t distance;
} cli_spelling;

cli_spelling cli_spelling_begin(const char *wrong);

/* Remembers `right` if it is nearer than what was tried before. */
void cli_spelling_try(cli_spelling *spelling, const char *right);

#endif

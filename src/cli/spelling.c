/* The nearest known word to a misspelt one, by the number of edits. It must not print. */
#include "cli/spelling.h"

#include <string.h>

#define LONGEST 64

cli_spelling cli_spelling_begin(const char *wrong)
{
    return (cli_spelling){wrong, NULL, 0};
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t smaller = a < b ? a : b;
    return smaller < c ? smaller : c;
}

/* Edits from one word to the other: insert, delete, replace, or swap two neighbours. */
static size_t distance(const char *a, const char *b)
{
    size_t size_a = strlen(a);
    size_t size_b = strlen(b);
    if (size_a >= LONGEST || size_b >= LONGEST) return LONGEST;
    size_t rows[3][LONGEST] = {{0}};
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= size_b; j++)
        above[j] = j;
    for (size_t i = 1; i <= size_a; i++) {
        row[0] = i;
        for (size_t j = 1; j <= size_b; j++) {
            size_t replace = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = least(above[j] + 1, row[j - 1] + 1, replace);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1, row[j]);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[size_b];
}

void cli_spelling_try(cli_spelling *spelling, const char *right)
{
    size_t edits = distance(spelling->wrong, right);
    /* Up to a third of the letters wrong is a slip; more is another word. */
    if (edits > (strlen(right) + 2) / 3) return;
    if (spelling->best != NULL && edits >= spelling->distance) return;
    spelling->best = right;
    spelling->distance = edits;
}

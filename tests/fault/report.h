/* What every campaign program has in common: its options, its folder, and its line of the table. */
#ifndef TESTS_FAULT_REPORT_H
#define TESTS_FAULT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault/checker.h"

/* How much is tried: `quick` inside the tests, `short` in scripts/test, `long` by hand. Built with
 * the address sanitizer, what is late is shown, and is no violation. */
typedef enum campaign_tier { CAMPAIGN_QUICK, CAMPAIGN_SHORT, CAMPAIGN_LONG } campaign_tier;

typedef struct campaign {
    campaign_tier tier;
    long trials; /* of the tier, or by --trials */
    uint64_t seed;
    uint64_t random; /* state for fault_random, begun with the seed */
    int share;       /* which of the trials are this process's, of so many shares: 0 of 1 */
    int shares;
    char folder[64];  /* empty and temporary, for the witness and journals; removed at the end */
    char lines[96];   /* the witness's file in it */
    char journal[96]; /* a journal in it */
    long violations;
} campaign;

/* Reads --tier quick|short|long, --trials N and --seed S; `trials` are the three tiers' counts.
 * Ends the program when the words are wrong. */
campaign campaign_begin(int argc, char **argv, const long trials[3]);

/* With the folder in memory in the long tier, too: nothing depends on what a sync takes. */
campaign campaign_begin_in_memory(int argc, char **argv, const long trials[3]);

/* Prints `fault | trials | lost | doubled | half | late calls | seed`, and what the checker found
 * besides. Several lines of one program are fine. Flushed at once; in a part, kept until all have
 * ended. */
void campaign_report(campaign *self, const char *fault, long trials,
                     const checker_findings *findings);

/* A kind of case of which but for the long tier only every `rarer`-th of the campaign's is tried:
 * every how many-th that is; and its row, in which `what` is such a case. */
long campaign_each(const campaign *self, long rarer);
void campaign_report_some(campaign *self, const char *fault, long each, const char *what,
                          long trials, const checker_findings *findings);

/* What stands behind a number that says which: "st", "nd", "rd" or "th". */
const char *campaign_ordinal(long number);

/* Memory, all zero, that this process shares with those it forks from now on, until munmap. Ends
 * the program if there is none. */
void *campaign_share(size_t size);

/* Empties the folder, for a campaign of several parts. */
void campaign_clear(campaign *self);

/* Removes the folder; the program's exit code: not 0 after any violation, or if nothing was tried.
 */
int campaign_end(campaign *self);

/* Runs a campaign in `count` parts, each in a process of its own. So many as `waiting` wait most of
 * their time; beside so many run as many as half of the processors, because other campaigns run
 * too, and more would only push each other out of the caches. `part` gives an exit code. At the end
 * prints what they have reported, with rows of one name added up. The program's exit code: not 0
 * after any violation, if nothing was tried, or if a part's is not. */
int campaign_run_parts(int argc, char **argv, int count, int waiting,
                       int (*part)(int argc, char **argv, int i));

#endif

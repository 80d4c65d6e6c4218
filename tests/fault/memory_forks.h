/* Trials that share their beginning: a healthy run forks at each allocation, and what comes of the
 * fork goes on with that allocation failing, once or for ever. So a trial costs what comes after
 * its failure, and not what comes before. For a stretch of a run in which the process has one
 * thread and changes no file: a trial must leave the files as the run began with them. Of these the
 * wal-index is shared with the run, whose next writer clears what one that died has left there. The
 * program is linked with --wrap=conv__process_id, because the library would refuse to work in a
 * forked child. */
#ifndef TESTS_FAULT_MEMORY_FORKS_H
#define TESTS_FAULT_MEMORY_FORKS_H

#include "fault/memory.h"

/* Before the run, which is memory_begin's: whether the stretch begins with the run. */
void memory_forks_prepare(const memory_tried *tried, bool from_beginning);

/* Whether this is the run that forks, and none of its trials: it takes as long as all of these. */
bool memory_forks_is_run(void);

/* The run begins. Does nothing where none was prepared, as memory_forks_start. */
void memory_forks_begin(void);

/* In the run: the stretch begins, and has ended. A trial that gets there in spite of its failure
 * ends. */
void memory_forks_start(void);
void memory_forks_stop(void);

/* At the end of a run or a trial, which came to `code`: a forked trial is judged, and its process
 * ends here. */
int memory_forks_judge(int code);

/* After the run: adds what was found, and tries from the beginning what got to the stretch's end.
 * Gives the number of the stretch's last allocation. */
size_t memory_forks_end(memory_tried *tried);

#endif

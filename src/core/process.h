/* Which process this is: what was opened in one must not be used in a child forked from it. */
#ifndef CONV__CORE_PROCESS_H
#define CONV__CORE_PROCESS_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* As getpid(2), which asks the system each time; here only the first call of a process does. */
pid_t conv__process_id(void);

/* A number that the process keeps and a forked child finds as 0 again; NULL where the system can't
 * do that. */
_Atomic uint64_t *conv__process_number(void);

#endif

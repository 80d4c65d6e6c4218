/* The calls by which the library writes to files, taken over by the program that links this: they
 * are counted, made to fail, or recorded. Concerns only files whose path begins as told, and the
 * folder they are in, so the witness's own and the store's go through untouched. */
#ifndef TESTS_FAULT_DISK_H
#define TESTS_FAULT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum disk_fault { DISK_EIO, DISK_ENOSPC, DISK_SHORT } disk_fault;

/* From now on call `first` (from 1; 0: none) on a file of this prefix fails, and with `for_ever`
 * all after it too. DISK_SHORT writes half and fails from then on as a full disk does; a call that
 * is no write then fails with ENOSPC. Counts from the beginning. */
void disk_fail(const char *prefix, long first, bool for_ever, disk_fault fault);

long disk_calls(void);
long disk_failures(void);

/* Whether the first call that failed was a write. */
bool disk_failed_write(void);

/* The name of the folder in which the files are. The data of its sync are the names of ours that it
 * has, each between line ends. */
#define DISK_FOLDER "/"

/* One call that was made, or a mark of the program's own. */
typedef struct disk_operation {
    enum { DISK_WRITE, DISK_SYNC, DISK_FAILED_SYNC, DISK_TRUNCATE, DISK_REMOVE, DISK_MARK } what;
    char name[24];  /* the file's path behind the prefix */
    int64_t offset; /* of a truncation the size */
    size_t size;
    char *data;
    long seen; /* by the last look before it: disk_watch */
} disk_operation;

/* Keeps every call that succeeds, and every sync that fails, in memory from now on, and forgets
 * those before; begins the counts anew. An empty prefix ends it. */
void disk_record(const char *prefix);
void disk_mark(void);

/* Looks at something else before each write and sync that is recorded, from its thread; NULL: not
 * any more. */
void disk_watch(long (*look)(void));
const disk_operation *disk_recorded(size_t *count);

/* Gives back what is recorded. */
void disk_forget(void);

#endif

/* Where to put files; looking for those of a folder, and for a text in them, whatever they are;
 * removing and copying several that belong together. Makes no assertions. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

/* Where temporary files cost least: in memory, if there is room for so many bytes, or else /tmp.
 * For what is not about a disk, whose syncs may take seconds on a busy machine. */
const char *folder_for_files(uint64_t bytes);

/* Makes a new folder there, with room for several tests that run side by side. False: there is
 * none. */
bool folder_make(char path[64]);

/* False also for a file that is not there. */
bool file_holds(const char *path, const char *text);

/* Not in folders below it. */
bool folder_holds(const char *path, const char *text);

/* How many files it has with `part` in their names; hidden ones do not count. -1: there is no
 * folder. */
int folder_count(const char *path, const char *part);

/* All whose path begins so; there may be none. */
void files_remove(const char *prefix);

/* The same, to paths that begin with `to` instead. False when one can't be read or written. */
bool files_copy(const char *prefix, const char *to);

#endif

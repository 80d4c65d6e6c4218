/* Looking for files of a folder, and for a text in them, whatever they are. Makes no assertions. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stdbool.h>

/* False also for a file that is not there. */
bool file_holds(const char *path, const char *text);

/* Not in folders below it. */
bool folder_holds(const char *path, const char *text);

/* How many files it has with `part` in their names; hidden ones do not count. -1: there is no
 * folder. */
int folder_count(const char *path, const char *part);

#endif

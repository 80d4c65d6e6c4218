/* Looking for a text in the files of a folder, whatever they are. Makes no assertions. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stdbool.h>

/* Not in folders below it. */
bool folder_holds(const char *path, const char *text);

#endif

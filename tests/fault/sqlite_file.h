/* A file of SQLite beside the library. What fails ends the program. */
#ifndef TESTS_FAULT_SQLITE_FILE_H
#define TESTS_FAULT_SQLITE_FILE_H

#include <sqlite3.h>
#include <stdbool.h>

/* To read and to write, because a log may have to be recovered first. */
sqlite3 *sqlite_file_open(const char *path);

/* Whether a log is beside the file: somebody has it open, or has not closed it. */
bool sqlite_file_has_log(const char *path);

/* A connection to read what a file holds, until sqlite_file_leave; one at a time of a file. Of one
 * without a log that is not large it reads a copy, and stays for the next time: to read a schema is
 * most of the work of a few questions. */
sqlite3 *sqlite_file_read(const char *path);
void sqlite_file_leave(sqlite3 *database);

/* The first column of the first row; 0 where there is no file. */
long sqlite_file_number(const char *path, const char *sql);

/* Overwrites a page of an index of a journal that no process has open, so that the next one that
 * opens it has to rescue what it holds. */
void sqlite_file_damage_journal(const char *path);

#endif

/* A file of SQLite beside the library. What fails ends the program. */
#ifndef TESTS_FAULT_SQLITE_FILE_H
#define TESTS_FAULT_SQLITE_FILE_H

#include <sqlite3.h>

sqlite3 *sqlite_file_open(const char *path);

/* A connection to read what a file holds, until sqlite_file_leave. Where no log is beside the file,
 * and so nobody has it open, that reads a copy and stays for the next time: to read a schema is
 * most of the work of a few questions. */
sqlite3 *sqlite_file_read(const char *path);
void sqlite_file_leave(sqlite3 *database);

/* The first column of the first row; 0 where there is no file. */
long sqlite_file_number(const char *path, const char *sql);

/* Overwrites a page of an index of a journal that no process has open, so that the next one that
 * opens it has to rescue what it holds. */
void sqlite_file_damage_journal(const char *path);

#endif

/* The SQL function search_words(text): the words of a text with one blank between, as
 * core/letters.h has them. NULL stays NULL. */
#ifndef CONV__DB_SQLITE_SEARCH_WORDS_H
#define CONV__DB_SQLITE_SEARCH_WORDS_H

typedef struct sqlite3 sqlite3;

/* Gives one of SQLite's result codes. */
int conv__search_words_register(sqlite3 *database);

#endif

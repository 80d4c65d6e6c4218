/* search_words(text): one line of words, which is all that the tokenizer gets to see. */
#include "db/sqlite/search_words.h"

#include <sqlite3.h>

#include "core/letters.h"

static void give(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const char *text = (const char *)sqlite3_value_text(values[0]);
    if (text == NULL) return;
    conv__buffer words = {0};
    conv__letters_append(&words, conv_view(text, (size_t)sqlite3_value_bytes(values[0])));
    if (words.failed)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_text64(context, words.size > 0 ? conv__buffer_bytes(&words).data : "",
                              words.size, SQLITE_TRANSIENT, SQLITE_UTF8);
    conv__buffer_free(&words);
}

int conv__search_words_register(sqlite3 *database)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    return sqlite3_create_function_v2(database, "search_words", 1, flags, NULL, give, NULL, NULL,
                                      NULL);
}

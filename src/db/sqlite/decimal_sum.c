/* decimal_sum(text): never through binary floating point. NULLs are left out; the sum of nothing is
 * NULL, as SQL's sum() has it. */
#include "db/sqlite/decimal_sum.h"

#include <sqlite3.h>
#include <stdbool.h>

#include "conversation/decimal.h"

typedef struct decimal_total {
    conv_decimal sum;
    bool any;
} decimal_total;

static void add(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
    decimal_total *total = sqlite3_aggregate_context(context, sizeof *total);
    const char *text = (const char *)sqlite3_value_text(values[0]);
    if (total == NULL || text == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    conv_decimal value;
    if (conv_decimal_parse(conv_view(text, (size_t)sqlite3_value_bytes(values[0])), &value) !=
        CONV_OK) {
        sqlite3_result_error(context, "decimal_sum: not a decimal number", -1);
        sqlite3_result_error_code(context, SQLITE_MISMATCH);
        return;
    }
    if (conv_decimal_add(total->sum, value, &total->sum) != CONV_OK) {
        sqlite3_result_error(context, "decimal_sum: more digits than fit", -1);
        sqlite3_result_error_code(context, SQLITE_TOOBIG);
        return;
    }
    total->any = true;
}

static void give(sqlite3_context *context)
{
    const decimal_total *total = sqlite3_aggregate_context(context, 0);
    if (total == NULL || !total->any) {
        sqlite3_result_null(context);
        return;
    }
    char text[CONV_DECIMAL_TEXT_SIZE];
    conv_decimal_format(total->sum, text);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

int conv__decimal_sum_register(sqlite3 *database)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    return sqlite3_create_function_v2(database, "decimal_sum", 1, flags, NULL, NULL, add, give,
                                      NULL);
}

/* zone_date(time, zone): days as core/zone.h has them. A zone that is NULL is UTC; a time that is
 * none of ours is an error. */
#include "db/sqlite/zone_date.h"

#include <sqlite3.h>

#include "core/time.h"
#include "core/zone.h"

static void give(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    int64_t time_us;
    const conv__zone *zone = sqlite3_value_pointer(values[1], CONV__ZONE_POINTER);
    const char *text = (const char *)sqlite3_value_text(values[0]);
    if (text == NULL ||
        !conv__time_parse(conv_view(text, (size_t)sqlite3_value_bytes(values[0])), &time_us)) {
        sqlite3_result_error(context, "zone_date: not a time", -1);
        sqlite3_result_error_code(context, SQLITE_MISMATCH);
        return;
    }
    char date[CONV__TIME_TEXT_SIZE];
    if (zone != NULL)
        conv__zone_date(zone, time_us, date);
    else
        conv__time_format(time_us, date);
    sqlite3_result_text(context, date, CONV__DATE_TEXT_SIZE - 1, SQLITE_TRANSIENT);
}

int conv__zone_date_register(sqlite3 *database)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    return sqlite3_create_function_v2(database, "zone_date", 2, flags, NULL, give, NULL, NULL,
                                      NULL);
}

/* The rule at the end of a TZif file, which holds after its last transition (POSIX TZ, with the
 * extensions of RFC 9636). Pure. */
#ifndef CONV__CORE_ZONE_RULE_H
#define CONV__CORE_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/bytes.h"

typedef enum conv__zone_day_form {
    CONV__ZONE_DAY_OF_MONTH,   /* Mm.w.d */
    CONV__ZONE_DAY_WITHOUT_29, /* Jn, from 1: 29 February is never counted */
    CONV__ZONE_DAY_FROM_ZERO   /* n: it is */
} conv__zone_day_form;

/* One change in each year. */
typedef struct conv__zone_change {
    conv__zone_day_form form;
    int month;
    int week;       /* 5: the last */
    int day;        /* of the week from Sunday, or of the year */
    int32_t second; /* of that day by the clock before the change; may be negative or over a day */
} conv__zone_change;

typedef struct conv__zone_rule {
    int32_t standard_s; /* seconds east of UTC */
    int32_t daylight_s;
    bool changes;
    conv__zone_change to_daylight;
    conv__zone_change to_standard;
} conv__zone_rule;

/* Reads "CET-1CEST,M3.5.0,M10.5.0/3". False if it is none. */
bool conv__zone_rule_parse(conv_bytes text, conv__zone_rule *rule);

/* Seconds since 1970 UTC at which both changes of a year happen. */
void conv__zone_rule_year(const conv__zone_rule *rule, int64_t year, int64_t *to_daylight,
                          int64_t *to_standard);

#endif

/* TZif files (RFC 9636) as a table of transitions. The rule at the end of a file is written out for
 * 400 years, after which the calendar repeats itself to the second. No input, no output. */
#include "core/zone.h"

#include <string.h>

#include "core/memory.h"
#include "core/time.h"
#include "core/zone_rule.h"

enum {
    HEADER_SIZE = 44,
    DAY_S = 86400,
    CYCLE_YEARS = 400,
    MOST_TRANSITIONS = 10000, /* of a file; the longest of today has about 240 */
    LONGEST_OFFSET_S = 26 * 3600
};
#define CYCLE_S       (INT64_C(146097) * DAY_S)
#define US_PER_SECOND INT64_C(1000000)

typedef struct transition {
    int64_t time_s;
    int32_t offset_s; /* from then on */
} transition;

struct conv__zone {
    int32_t first_offset_s; /* before the first transition */
    bool repeats;           /* beyond the last one, with the last 400 years */
    size_t count;
    transition transitions[];
};

/* The parts of a file that matter here. */
typedef struct tables {
    size_t times; /* how many */
    size_t types;
    const unsigned char *time; /* of 8 bytes each */
    const unsigned char *type_of;
    const unsigned char *type; /* of 6 bytes each */
    conv_bytes footer;
} tables;

static uint32_t read_u32(const unsigned char *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static int64_t read_i64(const unsigned char *data)
{
    return (int64_t)((uint64_t)read_u32(data) << 32 | read_u32(data + 4));
}

static bool is_header(const unsigned char *data, size_t size)
{
    return size >= HEADER_SIZE && memcmp(data, "TZif", 4) == 0;
}

/* Bytes of a data block; 0 if its header makes no sense. */
static size_t block_size(const unsigned char *header, size_t time_size)
{
    uint64_t utc = read_u32(header + 20);
    uint64_t standard = read_u32(header + 24);
    uint64_t leaps = read_u32(header + 28);
    uint64_t times = read_u32(header + 32);
    uint64_t types = read_u32(header + 36);
    uint64_t letters = read_u32(header + 40);
    if (leaps != 0 || times > MOST_TRANSITIONS || types == 0 || types > 256 || letters > 4096 ||
        utc > 256 || standard > 256)
        return 0;
    return (size_t)(times * time_size + times + types * 6 + letters + standard + utc);
}

static bool find_tables(conv_bytes file, tables *found)
{
    const unsigned char *data = (const unsigned char *)file.data;
    size_t left = file.size;
    if (!is_header(data, left) || data[4] < '2') return false;
    size_t skip = HEADER_SIZE + block_size(data, 4);
    if (skip == HEADER_SIZE || left < skip || !is_header(data + skip, left - skip)) return false;
    const unsigned char *header = data + skip;
    left -= skip + HEADER_SIZE;
    size_t size = block_size(header, 8);
    if (size == 0 || left < size + 2) return false;
    found->times = read_u32(header + 32);
    found->types = read_u32(header + 36);
    found->time = header + HEADER_SIZE;
    found->type_of = found->time + found->times * 8;
    found->type = found->type_of + found->times;
    const char *footer = (const char *)found->time + size;
    const char *end = memchr(footer + 1, '\n', left - size - 1);
    if (footer[0] != '\n' || end == NULL) return false;
    found->footer = conv_view(footer + 1, (size_t)(end - footer) - 1);
    return true;
}

static bool read_offset(const tables *found, size_t type, int32_t *offset_s)
{
    if (type >= found->types) return false;
    *offset_s = (int32_t)read_u32(found->type + type * 6);
    return *offset_s > -LONGEST_OFFSET_S && *offset_s < LONGEST_OFFSET_S;
}

static bool read_transitions(const tables *found, conv__zone *zone)
{
    for (size_t i = 0; i < found->times; i++) {
        transition *made = &zone->transitions[i];
        made->time_s = read_i64(found->time + i * 8);
        if (!read_offset(found, found->type_of[i], &made->offset_s)) return false;
        /* In microseconds they must still fit. */
        if (made->time_s < -(INT64_C(1) << 59) || made->time_s > INT64_C(1) << 38) return false;
        if (i > 0 && made->time_s <= made[-1].time_s) return false;
    }
    zone->count = found->times;
    return read_offset(found, 0, &zone->first_offset_s);
}

static void append(conv__zone *zone, int64_t time_s, int32_t offset_s)
{
    if (zone->count > 0 && time_s <= zone->transitions[zone->count - 1].time_s) return;
    zone->transitions[zone->count++] = (transition){time_s, offset_s};
}

static int64_t year_of(int64_t time_s)
{
    /* A little too early does no harm: what is there already is left out. */
    return 1970 + time_s / (INT64_C(366) * DAY_S) - 1;
}

static void write_out(conv__zone *zone, const conv__zone_rule *rule)
{
    size_t given = zone->count;
    int64_t year = given == 0 ? 1900 : year_of(zone->transitions[given - 1].time_s);
    int64_t last = given == 0 ? year : year + 60 + zone->transitions[given - 1].time_s / CYCLE_S;
    for (int64_t end = last + CYCLE_YEARS + 1; year <= end; year++) {
        int64_t to_daylight;
        int64_t to_standard;
        conv__zone_rule_year(rule, year, &to_daylight, &to_standard);
        if (to_daylight < to_standard) {
            append(zone, to_daylight, rule->daylight_s);
            append(zone, to_standard, rule->standard_s);
        } else {
            append(zone, to_standard, rule->standard_s);
            append(zone, to_daylight, rule->daylight_s);
        }
    }
    zone->repeats = true;
}

conv_status conv__zone_parse(conv_bytes file, conv__zone **zone)
{
    tables found;
    conv__zone_rule rule = {0};
    *zone = NULL;
    if (file.data == NULL || !find_tables(file, &found)) return CONV_BAD_DATA;
    bool ruled = found.footer.size > 0;
    if (ruled && !conv__zone_rule_parse(found.footer, &rule)) return CONV_BAD_DATA;
    size_t room = found.times + 2 * (CYCLE_YEARS + 200);
    conv__zone *made = conv__allocate(sizeof *made + room * sizeof made->transitions[0]);
    if (made == NULL) return CONV_NO_MEMORY;
    if (!read_transitions(&found, made)) {
        conv__release(made);
        return CONV_BAD_DATA;
    }
    if (ruled && rule.changes) write_out(made, &rule);
    *zone = made;
    return CONV_OK;
}

void conv__zone_free(conv__zone *zone)
{
    conv__release(zone);
}

static int64_t floor_divide(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

/* The same moment of the calendar, where the table knows it. */
static int64_t known_time(const conv__zone *zone, int64_t time_s)
{
    if (!zone->repeats) return time_s;
    int64_t last = zone->transitions[zone->count - 1].time_s;
    if (time_s < last) return time_s;
    return time_s - ((time_s - last) / CYCLE_S + 1) * CYCLE_S;
}

/* How many transitions were made by then. */
static size_t passed(const conv__zone *zone, int64_t time_s)
{
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->transitions[middle].time_s <= time_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t offset_after(const conv__zone *zone, size_t transitions)
{
    return transitions == 0 ? zone->first_offset_s : zone->transitions[transitions - 1].offset_s;
}

int32_t conv__zone_offset_s(const conv__zone *zone, int64_t time_us)
{
    return offset_after(zone, passed(zone, known_time(zone, floor_divide(time_us, US_PER_SECOND))));
}

void conv__zone_date(const conv__zone *zone, int64_t time_us, char text[CONV__DATE_TEXT_SIZE])
{
    char time[CONV__TIME_TEXT_SIZE];
    conv__time_format(time_us + conv__zone_offset_s(zone, time_us) * US_PER_SECOND, time);
    memcpy(text, time, CONV__DATE_TEXT_SIZE - 1);
    text[CONV__DATE_TEXT_SIZE - 1] = '\0';
}

bool conv__zone_day_start(const conv__zone *zone, conv_bytes date, int64_t *time_us)
{
    int64_t midnight; /* by the zone's own clock */
    if (date.size != CONV__DATE_TEXT_SIZE - 1 || !conv__time_parse(date, &midnight)) return false;
    midnight = floor_divide(midnight, US_PER_SECOND);
    int64_t earliest = midnight - LONGEST_OFFSET_S;
    int64_t shift = earliest - known_time(zone, earliest);
    midnight -= shift;
    int64_t from = earliest - shift;
    for (size_t made = passed(zone, from);; made++) {
        int64_t start = midnight - offset_after(zone, made);
        if (start < from) start = from; /* the clock skipped midnight */
        if (made == zone->count || start < zone->transitions[made].time_s) {
            *time_us = (start + shift) * US_PER_SECOND;
            return true;
        }
        from = zone->transitions[made].time_s;
    }
}

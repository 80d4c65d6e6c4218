/* The checks of a reading, in their order. */
#ifndef CONV__MONITORING_HEALTH_CHECKS_H
#define CONV__MONITORING_HEALTH_CHECKS_H

#define CONV__HEALTH_MAP(X)                                                                        \
    X(DATABASE_SAVES, "database_saves")                                                            \
    X(SCHEMA, "schema")                                                                            \
    X(POOL, "pool")                                                                                \
    X(WRITER, "writer")                                                                            \
    X(JOURNAL, "journal")                                                                          \
    X(TRACKER, "tracker")                                                                          \
    X(PROVIDER, "provider")

typedef enum conv__health_index {
#define CONV__HEALTH_ENUM(symbol, name) CONV__HEALTH_##symbol,
    CONV__HEALTH_MAP(CONV__HEALTH_ENUM)
#undef CONV__HEALTH_ENUM
        CONV__HEALTH_CHECKS
} conv__health_index;

const char *conv__health_check_name(int check);

#endif

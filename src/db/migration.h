/* A migration as embedded in the library from sql/ (see cmake/EmbedMigrations.cmake). */
#ifndef CONV__DB_MIGRATION_H
#define CONV__DB_MIGRATION_H

#include <stdint.h>

typedef struct conv__migration {
    int64_t version; /* the file's date; 0 ends a table */
    const char *name;
    const char *checksum; /* SHA-256 of the file, 64 hexadecimal digits */
    const char *sql;
} conv__migration;

extern const conv__migration conv__migrations_postgres[];
extern const conv__migration conv__migrations_sqlite[];
extern const conv__migration conv__migrations_journal[];

#endif

/* See library_memory.h. The library's table of addresses (the GOT) is changed; the calls of
 * everybody else stay as they are. */
#include "support/library_memory.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static library_memory memory;

static void *replaced_malloc(size_t size)
{
    return memory.take(size);
}

static void *replaced_calloc(size_t count, size_t size)
{
    void *block = size != 0 && count > SIZE_MAX / size ? NULL : memory.take(count * size);
    if (block != NULL) memset(block, 0, count * size);
    return block;
}

static void *replaced_realloc(void *block, size_t size)
{
    return memory.resize(block, size);
}

static char *replaced_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memory.take(size);
    if (copy != NULL) memcpy(copy, text, size);
    return copy;
}

static void replaced_free(void *block)
{
    memory.give_back(block);
}

/* The address of a function as a number: a pointer to data may not hold it. */
typedef struct replacement {
    const char *name;
    void (*function)(void);
} replacement;

static const replacement replacements[] = {
    {"malloc", (void (*)(void))replaced_malloc},   {"calloc", (void (*)(void))replaced_calloc},
    {"realloc", (void (*)(void))replaced_realloc}, {"strdup", (void (*)(void))replaced_strdup},
    {"free", (void (*)(void))replaced_free},
};

typedef struct search {
    const char *library;
    int replaced;
} search;

static void write_slot(uintptr_t slot, void (*function)(void))
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t page = slot & ~(page_size - 1);
    void *start = (void *)page; /* read-only since the library was loaded */
    if (mprotect(start, page_size, PROT_READ | PROT_WRITE) == 0)
        memcpy((void *)slot, &function, sizeof function);
}

static int replace_in(uintptr_t base, const ElfW(Rela) * entries, size_t size,
                      const ElfW(Sym) * symbols, const char *names)
{
    int replaced = 0;
    for (size_t i = 0; entries != NULL && i < size / sizeof *entries; i++) {
        const char *name = names + symbols[ELF64_R_SYM(entries[i].r_info)].st_name;
        for (size_t k = 0; k < sizeof replacements / sizeof replacements[0]; k++) {
            if (strcmp(name, replacements[k].name) != 0) continue;
            write_slot(base + entries[i].r_offset, replacements[k].function);
            replaced++;
        }
    }
    return replaced;
}

static void replace_all(const struct dl_phdr_info *info, const ElfW(Dyn) * entry, search *found)
{
    const ElfW(Rela) *calls = NULL;
    const ElfW(Rela) *data = NULL;
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    size_t calls_size = 0;
    size_t data_size = 0;
    for (; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_JMPREL) calls = (const ElfW(Rela) *)entry->d_un.d_ptr;
        if (entry->d_tag == DT_PLTRELSZ) calls_size = entry->d_un.d_val;
        if (entry->d_tag == DT_RELA) data = (const ElfW(Rela) *)entry->d_un.d_ptr;
        if (entry->d_tag == DT_RELASZ) data_size = entry->d_un.d_val;
        if (entry->d_tag == DT_SYMTAB) symbols = (const ElfW(Sym) *)entry->d_un.d_ptr;
        if (entry->d_tag == DT_STRTAB) names = (const char *)entry->d_un.d_ptr;
    }
    found->replaced += replace_in(info->dlpi_addr, calls, calls_size, symbols, names);
    found->replaced += replace_in(info->dlpi_addr, data, data_size, symbols, names);
}

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
    search *found = context;
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash == NULL ? info->dlpi_name : slash + 1;
    (void)size;
    if (strncmp(name, found->library, strlen(found->library)) != 0) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            replace_all(info, (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
                        found);
    return 1;
}

int library_memory_replace(const char *library, const library_memory *functions)
{
    search found = {.library = library};
    memory = *functions;
    dl_iterate_phdr(look_at, &found);
    return found.replaced;
}

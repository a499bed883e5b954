/* The parts of reading a core; ud_core_open (target.h) is the whole. */
#ifndef UD_CORE_H
#define UD_CORE_H

#include <gelf.h>

#include "undump/target.h"

/* Adds the threads, files, pid and signal that one note segment tells. `path` is
 * the core's, for messages. */
bool ud_notes_read(struct ud_target *target, Elf *elf, const Elf64_Phdr *note, const char *path,
                   struct rme_error *error);

#endif

/* The notes of a core: its threads, and the files that it had mapped. */
#include "undump/core.h"

#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

static void add_thread(struct ud_target *t, const void *desc)
{
	struct elf_prstatus status;
	const unsigned long long *regs = (const void *)&status.pr_reg;

	memcpy(&status, desc, sizeof status);
	/* Doubled whenever the count is a power of two. */
	if (!(t->n_threads & (t->n_threads - 1)))
		t->threads = ud_must(realloc(t->threads, (t->n_threads ? t->n_threads * 2 : 1) *
		                                             sizeof *t->threads));
	if (!t->n_threads)
		t->signal = status.pr_cursig;
	t->threads[t->n_threads++] = (struct ud_thread){
	    (uint32_t)status.pr_pid, regs[RME_REGS_THREAD_POINTER], regs[RME_REGS_STACK_POINTER]};
}

/* NT_FILE (fs/binfmt_elf.c, fill_files_note): the count, the unit of the offsets,
 * three words per mapping, then as many zero-terminated paths. */
static bool add_mappings(struct ud_target *t, const char *desc, size_t size, const char *path,
                         struct rme_error *error)
{
	uint64_t head[2], entry[3], previous = 0;

	if (t->has_mappings)
		return true; /* one is all there is; a second one is no news */
	if (size < sizeof head)
		goto damaged;
	memcpy(head, desc, sizeof head);
	if (head[0] > (size - sizeof head) / sizeof entry || !head[1] || head[1] > 1u << 30)
		goto damaged;
	size_t names = sizeof head + head[0] * sizeof entry, at = 0;
	size_t n_names = size - names;
	t->paths = ud_must(malloc(n_names + 1));
	memcpy(t->paths, desc + names, n_names);
	t->paths[n_names] = 0;
	t->mappings = ud_must(calloc(head[0] + 1, sizeof *t->mappings));
	for (uint64_t i = 0; i < head[0]; i++) {
		memcpy(entry, desc + sizeof head + i * sizeof entry, sizeof entry);
		if (entry[0] >= entry[1] || entry[1] > RME_ADDRESS_END || entry[0] < previous ||
		    entry[0] % UD_PAGE || entry[1] % UD_PAGE ||
		    entry[2] > (uint64_t)INT64_MAX / head[1] || entry[2] * head[1] % UD_PAGE ||
		    at >= n_names)
			goto damaged;
		previous = entry[1];
		t->mappings[t->n_mappings++] = (struct ud_mapping){
		    entry[0], entry[1], entry[2] * head[1], t->paths + at, 0, 0};
		at += strlen(t->paths + at) + 1;
	}
	t->has_mappings = true;
	return true;
damaged:
	return ud_fail(error, RME_ERROR_DAMAGED_CORE,
	               "%s is damaged: its list of files contradicts itself", path);
}

static bool is_core_note(const char *name, size_t n)
{
	return n >= 4 && !memcmp(name, "CORE", 4);
}

bool ud_notes_read(struct ud_target *target, Elf *elf, const Elf64_Phdr *note, const char *path,
                   struct rme_error *error)
{
	GElf_Nhdr nh;
	size_t at = 0, next, name, desc;

	if (!note->p_filesz)
		return true;
	Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)note->p_offset, note->p_filesz,
	                                      note->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	if (!data)
		return ud_fail(error, RME_ERROR_DAMAGED_CORE, "the notes of %s cannot be read: %s",
		               path, elf_errmsg(-1));
	while ((next = gelf_getnote(data, at, &nh, &name, &desc)) > 0) {
		const char *content = (const char *)data->d_buf + desc;

		at = next;
		if (!is_core_note((const char *)data->d_buf + name, nh.n_namesz))
			continue;
		if (nh.n_type == NT_PRSTATUS && nh.n_descsz >= sizeof(struct elf_prstatus)) {
			add_thread(target, content);
		} else if (nh.n_type == NT_PRPSINFO && nh.n_descsz >= sizeof(struct elf_prpsinfo)) {
			struct elf_prpsinfo info;
			memcpy(&info, content, sizeof info);
			target->pid = info.pr_pid;
		} else if (nh.n_type == NT_FILE &&
		           !add_mappings(target, content, nh.n_descsz, path, error)) {
			return false;
		}
	}
	return true;
}

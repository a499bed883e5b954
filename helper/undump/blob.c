#include "undump/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Neither has as much as a megabyte. */
enum { MAX_FILE = 1 << 25, MAX_SIZE = 1 << 25 };

enum { SHT_RELR_ = 19 }; /* newer than some <elf.h> */

/* The relocations that are applied when a library is loaded, one after another: false
 * after the last one. */
struct relocations {
	Elf *elf;
	Elf_Scn *section;
	Elf_Data *data;
	int next;
	bool other; /* there are some of another form than RELA */
	GElf_Rela now;
};

static bool next_relocation(struct relocations *r)
{
	while (!r->data || !gelf_getrela(r->data, r->next, &r->now)) {
		GElf_Shdr sh;

		r->section = elf_nextscn(r->elf, r->section);
		if (!r->section)
			return false;
		r->data = NULL;
		r->next = 0;
		if (!gelf_getshdr(r->section, &sh) || !(sh.sh_flags & SHF_ALLOC))
			continue;
		if (sh.sh_type == SHT_RELA)
			r->data = elf_getdata(r->section, NULL);
		else if (sh.sh_type == SHT_REL || sh.sh_type == SHT_RELR_)
			r->other = true;
	}
	r->next++;
	return true;
}

/* The one kind that needs no dynamic linker: the word is the address of something in the
 * library. */
static bool relative(const struct ud_blob *b, const GElf_Rela *r)
{
	return r->r_info == GELF_R_INFO(0, RME_ELF_RELATIVE) && r->r_offset < b->size &&
	       b->size - r->r_offset >= sizeof(uint64_t) && r->r_addend >= 0 &&
	       (uint64_t)r->r_addend < b->size;
}

static bool check(struct ud_blob *b, const char *name, struct rme_error *error)
{
	struct relocations relocations = {.elf = b->elf};
	size_t n = 0;
	GElf_Ehdr eh;

	if (!b->elf || elf_kind(b->elf) != ELF_K_ELF || gelf_getclass(b->elf) != ELFCLASS64 ||
	    !gelf_getehdr(b->elf, &eh) || eh.e_machine != RME_ELF_MACHINE || eh.e_type != ET_DYN ||
	    elf_getphdrnum(b->elf, &n))
		return ud_fail(error, RME_ERROR_BAD_LIBRARY,
		               "%s is no 64-bit x86-64 shared library", name);
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(b->elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (ph.p_vaddr > MAX_SIZE || ph.p_memsz > MAX_SIZE || ph.p_filesz > ph.p_memsz ||
		    !elf_getdata_rawchunk(b->elf, (int64_t)ph.p_offset, ph.p_filesz, ELF_T_BYTE))
			return ud_fail(error, RME_ERROR_BAD_LIBRARY, "%s is damaged: %s", name,
			               elf_errmsg(-1));
		if (ud_page_up(ph.p_vaddr + ph.p_memsz) > b->size)
			b->size = ud_page_up(ph.p_vaddr + ph.p_memsz);
	}
	while (next_relocation(&relocations)) {
		if (!relative(b, &relocations.now)) {
			relocations.other = true;
			break;
		}
	}
	if (relocations.other)
		return ud_fail(error, RME_ERROR_BAD_LIBRARY,
		               "%s is not the helper library: it needs a dynamic linker", name);
	return b->size ? true : ud_fail(error, RME_ERROR_BAD_LIBRARY, "%s has no content", name);
}

bool ud_blob_open_memory(struct ud_blob *ret, const void *data, size_t n, struct rme_error *error)
{
	elf_version(EV_CURRENT);
	*ret = (struct ud_blob){.elf = elf_memory((char *)data, n)};
	return check(ret, "the built-in loader", error);
}

bool ud_blob_open(struct ud_blob *ret, const char *path, struct rme_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t n = 0;

	*ret = (struct ud_blob){0};
	if (fd < 0 || fstat(fd, &st) < 0) {
		ud_fail(error, RME_ERROR_BAD_LIBRARY, "the helper library %s cannot be opened: %s",
		        path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (S_ISREG(st.st_mode) && st.st_size < MAX_FILE) {
		ret->file = ud_must(malloc((size_t)st.st_size + 1));
		while (n < (size_t)st.st_size) {
			ssize_t r = read(fd, ret->file + n, (size_t)st.st_size - n);
			if (r <= 0)
				break;
			n += (size_t)r;
		}
	}
	close(fd);
	elf_version(EV_CURRENT);
	ret->elf = n ? elf_memory(ret->file, n) : NULL;
	return check(ret, path, error);
}

static void *first_page(const GElf_Phdr *ph, uint64_t address)
{
	return (void *)(address + ud_page_down(ph->p_vaddr));
}

static size_t pages_size(const GElf_Phdr *ph)
{
	return ud_page_up(ph->p_vaddr + ph->p_memsz) - ud_page_down(ph->p_vaddr);
}

bool ud_blob_load(const struct ud_blob *blob, uint64_t address)
{
	struct relocations relocations = {.elf = blob->elf};
	GElf_Phdr ph;

	for (int i = 0; gelf_getphdr(blob->elf, i, &ph); i++) {
		if (ph.p_type != PT_LOAD || !ph.p_memsz)
			continue;
		if (mmap(first_page(&ph, address), pages_size(&ph), PROT_READ | PROT_WRITE,
		         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			return false;
		Elf_Data *data =
		    elf_getdata_rawchunk(blob->elf, (int64_t)ph.p_offset, ph.p_filesz, ELF_T_BYTE);
		if (data && ph.p_filesz)
			memcpy((char *)address + ph.p_vaddr, data->d_buf, ph.p_filesz);
	}
	while (next_relocation(&relocations))
		*(uint64_t *)(address + relocations.now.r_offset) =
		    address + (uint64_t)relocations.now.r_addend;
	for (int i = 0; gelf_getphdr(blob->elf, i, &ph); i++) {
		if (ph.p_type == PT_LOAD && ph.p_memsz &&
		    mprotect(first_page(&ph, address), pages_size(&ph),
		             PROT_READ | (ph.p_flags & PF_X ? PROT_EXEC : 0)))
			return false;
	}
	return true;
}

uint64_t ud_blob_symbol(const struct ud_blob *blob, const char *name)
{
	Elf_Scn *section = NULL;
	GElf_Shdr sh;
	GElf_Sym symbol;

	while ((section = elf_nextscn(blob->elf, section))) {
		Elf_Data *data = elf_getdata(section, NULL);

		if (!gelf_getshdr(section, &sh) || sh.sh_type != SHT_DYNSYM || !data)
			continue;
		for (int i = 0; gelf_getsym(data, i, &symbol); i++) {
			const char *s = elf_strptr(blob->elf, sh.sh_link, symbol.st_name);

			if (s && symbol.st_shndx != SHN_UNDEF && !strcmp(s, name))
				return symbol.st_value;
		}
	}
	return 0;
}

void ud_blob_close(struct ud_blob *blob)
{
	elf_end(blob->elf);
	free(blob->file);
}

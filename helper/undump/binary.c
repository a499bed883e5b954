#include "undump/binary.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HEADERS = 256, MAX_NOTES = 1 << 16, HEAD_OF_IMAGE = 1 << 16 };

bool ud_build_id_equal(const struct ud_build_id *a, const struct ud_build_id *b)
{
	return a->size && a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

void ud_build_id_text(const struct ud_build_id *id, char *ret)
{
	*ret = 0;
	for (size_t i = 0; i < id->size; i++)
		sprintf(ret + 2 * i, "%02x", id->bytes[i]);
}

static bool find_build_id(Elf_Data *notes, struct ud_build_id *ret)
{
	GElf_Nhdr nh;
	size_t at = 0, next, name, desc;

	while (notes && (next = gelf_getnote(notes, at, &nh, &name, &desc)) > 0) {
		const char *content = notes->d_buf;

		at = next;
		if (nh.n_type != NT_GNU_BUILD_ID || nh.n_namesz != 4 ||
		    memcmp(content + name, "GNU", 4) || !nh.n_descsz ||
		    nh.n_descsz > sizeof ret->bytes)
			continue;
		ret->size = (uint8_t)nh.n_descsz;
		memcpy(ret->bytes, content + desc, nh.n_descsz);
		return true;
	}
	return false;
}

/* Program headers of a file, or of an image as it lies in memory: there the content
 * is found by address, not by offset. */
static bool read_headers(Elf *elf, bool in_memory, struct ud_binary *ret)
{
	GElf_Ehdr eh;
	size_t n;
	uint64_t lowest = UINT64_MAX;

	if (!elf || elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64 ||
	    !gelf_getehdr(elf, &eh) || eh.e_machine != RME_ELF_MACHINE ||
	    (eh.e_type != ET_DYN && eh.e_type != ET_EXEC) || elf_getphdrnum(elf, &n) ||
	    n > MAX_HEADERS)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, (int)i, &ph))
			return false;
		if (ph.p_type != PT_LOAD)
			continue;
		if (ph.p_vaddr < lowest)
			lowest = ud_page_down(ph.p_vaddr);
		if (ret->n_loads < UD_MAX_LOADS)
			ret->loads[ret->n_loads++] =
			    (struct ud_load){ph.p_offset, ph.p_vaddr, ph.p_filesz, ph.p_flags};
	}
	for (size_t i = 0; i < n && !ret->id.size; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_NOTE || !ph.p_filesz ||
		    ph.p_filesz > MAX_NOTES)
			continue;
		uint64_t at = in_memory ? ph.p_vaddr - lowest : ph.p_offset;
		if (at > INT64_MAX)
			continue;
		find_build_id(elf_getdata_rawchunk(elf, (int64_t)at, ph.p_filesz,
		                                   ph.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR),
		              &ret->id);
	}
	return ret->n_loads > 0;
}

/* The path may come from the core: no device is to be opened because of it, nor what takes a
 * file's place between two looks. So it is looked up once, and looked at before it is opened. */
static int open_regular(const char *path, struct stat *ret)
{
	char again[64];
	int fd = -1, place = open(path, O_PATH | O_CLOEXEC);

	if (place >= 0 && fstat(place, ret) == 0 && S_ISREG(ret->st_mode)) {
		snprintf(again, sizeof again, "/proc/self/fd/%d", place);
		fd = open(again, O_RDONLY | O_CLOEXEC);
	}
	if (place >= 0)
		close(place);
	return fd;
}

bool ud_binary_open(struct ud_binary *ret, const char *path)
{
	struct stat st;

	*ret = (struct ud_binary){.fd = open_regular(path, &st)};
	if (ret->fd < 0)
		return false;
	elf_version(EV_CURRENT);
	ret->size = (uint64_t)st.st_size;
	ret->device = st.st_dev;
	ret->inode = st.st_ino;
	Elf *elf = elf_begin(ret->fd, ELF_C_READ, NULL);
	bool ok = read_headers(elf, false, ret);
	elf_end(elf);
	if (ok)
		return true;
	close(ret->fd);
	ret->fd = -1;
	return false;
}

bool ud_build_id_in_target(const struct ud_target *target, uint64_t base, struct ud_build_id *ret)
{
	struct ud_binary image = {.fd = -1};
	char magic[SELFMAG];

	*ret = (struct ud_build_id){0};
	if (ud_target_read(target, base, magic, sizeof magic) < sizeof magic ||
	    memcmp(magic, ELFMAG, SELFMAG))
		return false;
	char *head = ud_must(malloc(HEAD_OF_IMAGE));
	size_t n = ud_target_read(target, base, head, HEAD_OF_IMAGE);
	bool ok = false;

	if (n >= sizeof(Elf64_Ehdr)) {
		/* The section headers are not in memory; libelf need not look for them. */
		Elf64_Ehdr *eh = (Elf64_Ehdr *)head;
		eh->e_shoff = eh->e_shnum = eh->e_shstrndx = 0;
		elf_version(EV_CURRENT);
		Elf *elf = elf_memory(head, n);
		ok = read_headers(elf, true, &image);
		elf_end(elf);
		*ret = image.id;
	}
	free(head);
	return ok;
}

/* A core as the kernel, gdb or gcore wrote it. What its headers say is believed
 * only after it was checked: a core may come from anybody. */
#include "undump/core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Kernel cores may hold the page of old system calls, above all user space. */
#define VSYSCALL_START 0xffffffffff600000ull
#define VSYSCALL_END   0xffffffffff601000ull

static const struct {
	char magic[7];
	unsigned char size;
	char name[8];
} compressions[] = {
    {"\x28\xb5\x2f\xfd", 4, "zstd"},
    {"\x1f\x8b", 2, "gzip"},
    {"\x04\x22\x4d\x18", 4, "lz4"},
    {"\xfd"
     "7zXZ",
     6, "xz"},
    {"BZh", 3, "bzip2"},
};

static bool check_ident(const unsigned char *ident, size_t n, const char *path,
                        struct rme_error *error)
{
	for (size_t i = 0; i < sizeof compressions / sizeof *compressions; i++) {
		if (n >= compressions[i].size &&
		    !memcmp(ident, compressions[i].magic, compressions[i].size))
			return ud_fail(
			    error, RME_ERROR_COMPRESSED_CORE,
			    "the core %s is compressed; expand it first (%s -dc %s > core) "
			    "and open the result",
			    path, compressions[i].name, path);
	}
	if (n < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG))
		return ud_fail(error, RME_ERROR_NOT_A_CORE,
		               "%s is not a core dump: it does not begin with an ELF header", path);
	return true;
}

static bool check_header(const Elf64_Ehdr *eh, size_t n, const char *path, struct rme_error *error)
{
	static const char types[][16] = {"file", "object file", "program", "shared library"};
	bool big = eh->e_ident[EI_DATA] == ELFDATA2MSB;

	if (n < sizeof(Elf32_Ehdr))
		return ud_fail(error, RME_ERROR_DAMAGED_CORE,
		               "%s is cut off inside its ELF header: only %zu bytes are there",
		               path, n);
	unsigned type = big ? __builtin_bswap16(eh->e_type) : eh->e_type;
	unsigned machine = big ? __builtin_bswap16(eh->e_machine) : eh->e_machine;
	if (type != ET_CORE)
		return ud_fail(error, RME_ERROR_NOT_A_CORE, "%s is an ELF %s, not a core dump",
		               path, type < 4 ? types[type] : types[0]);
	if (eh->e_ident[EI_CLASS] == ELFCLASS32)
		return ud_fail(error, RME_ERROR_UNSUPPORTED_CORE,
		               "%s is the core of a 32-bit process (ELF machine %u); only cores of "
		               "64-bit x86-64 processes can be read",
		               path, machine);
	if (machine != RME_ELF_MACHINE || big)
		return ud_fail(
		    error, RME_ERROR_UNSUPPORTED_CORE,
		    "%s is the core of a process on another CPU (%s ELF machine %u); only "
		    "cores of 64-bit x86-64 processes can be read",
		    path,
		    machine == EM_AARCH64 ? "AArch64,"
		    : machine == EM_RISCV ? "RISC-V,"
					  : "",
		    machine);
	if (n < sizeof *eh)
		return ud_fail(error, RME_ERROR_DAMAGED_CORE,
		               "%s is cut off inside its ELF header: only %zu bytes are there",
		               path, n);
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_phentsize != sizeof(Elf64_Phdr))
		return ud_fail(
		    error, RME_ERROR_DAMAGED_CORE,
		    "%s has an ELF header that no core has (class %u, program headers of "
		    "%u bytes)",
		    path, eh->e_ident[EI_CLASS], eh->e_phentsize);
	return true;
}

/* With 65,535 mappings and more the number of program headers is in section header
 * 0, which the kernel writes at the end of the file. When the file is cut, the
 * notes, which follow the program headers, tell it as well. */
static size_t count_headers(Elf *elf, const Elf64_Ehdr *eh)
{
	size_t n = 0;

	if (eh->e_phnum != PN_XNUM)
		return eh->e_phnum;
	/* Without section headers libelf tells PN_XNUM itself. */
	if (elf_getphdrnum(elf, &n) == 0 && n > PN_XNUM)
		return n;
	Elf_Data *first =
	    elf_getdata_rawchunk(elf, (int64_t)eh->e_phoff, sizeof(Elf64_Phdr), ELF_T_PHDR);
	if (!first)
		return n;
	const Elf64_Phdr *note = first->d_buf;
	if (note->p_type != PT_NOTE || note->p_offset < eh->e_phoff)
		return n;
	return (note->p_offset - eh->e_phoff) / sizeof(Elf64_Phdr);
}

/* Appends the segment that a PT_LOAD describes. */
static bool add_segment(struct ud_target *t, const Elf64_Phdr *ph, size_t index, uint64_t size,
                        const char *path, struct rme_error *error)
{
	uint64_t end = ph->p_vaddr + ph->p_memsz, there = 0;

	if (!ph->p_memsz ||
	    (ph->p_vaddr >= VSYSCALL_START && end > ph->p_vaddr && end <= VSYSCALL_END))
		return true;
	if (end < ph->p_vaddr || end > RME_ADDRESS_END)
		return ud_fail(
		    error, RME_ERROR_DAMAGED_CORE,
		    "%s is damaged: program header %zu describes %#llx bytes of memory at "
		    "%#llx, which no process can have",
		    path, index, (unsigned long long)ph->p_memsz, (unsigned long long)ph->p_vaddr);
	if (ph->p_filesz > ph->p_memsz || ph->p_offset + ph->p_filesz < ph->p_offset)
		return ud_fail(error, RME_ERROR_DAMAGED_CORE,
		               "%s is damaged: program header %zu puts %#llx bytes of the file at "
		               "offset %#llx into %#llx bytes of memory",
		               path, index, (unsigned long long)ph->p_filesz,
		               (unsigned long long)ph->p_offset, (unsigned long long)ph->p_memsz);
	if (ph->p_offset < size)
		there = size - ph->p_offset < ph->p_filesz ? size - ph->p_offset : ph->p_filesz;
	t->truncated += ph->p_filesz - there;

	struct ud_segment *s = &t->segments[t->n_segments];
	s->start = ud_page_up(ph->p_vaddr);
	s->end = ud_page_up(end);
	s->have = ud_page_down(ph->p_vaddr + there);
	if (s->have < s->start)
		s->have = s->start;
	s->offset = ph->p_offset + (s->start - ph->p_vaddr);
	s->flags = ph->p_flags & (PF_R | PF_W | PF_X);
	t->n_segments += s->start < s->end;
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct ud_segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_offset(const void *a, const void *b)
{
	const struct ud_segment *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* No two segments describe the same memory, nor the same bytes of the file. Leaves
 * them sorted by address. */
static bool check_overlaps(struct ud_target *t, const char *path, struct rme_error *error)
{
	const struct ud_segment *last = NULL;

	qsort(t->segments, t->n_segments, sizeof *t->segments, by_offset);
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct ud_segment *s = &t->segments[i];

		if (s->have == s->start)
			continue;
		if (last && last->offset + (last->have - last->start) > s->offset)
			return ud_fail(error, RME_ERROR_DAMAGED_CORE,
			               "%s is damaged: its program headers say that the memory at "
			               "%#llx and at %#llx is the same piece of the file",
			               path, (unsigned long long)last->start,
			               (unsigned long long)s->start);
		last = s;
	}
	qsort(t->segments, t->n_segments, sizeof *t->segments, by_start);
	for (size_t i = 1; i < t->n_segments; i++) {
		if (t->segments[i - 1].end > t->segments[i].start)
			return ud_fail(error, RME_ERROR_DAMAGED_CORE,
			               "%s is damaged: its program headers describe the memory at "
			               "%#llx twice",
			               path, (unsigned long long)t->segments[i].start);
	}
	return true;
}

static bool read_headers(struct ud_target *t, Elf *elf, const Elf64_Ehdr *eh, uint64_t size,
                         const char *path, struct rme_error *error)
{
	size_t n = count_headers(elf, eh);

	if (!n)
		return ud_fail(error, RME_ERROR_DAMAGED_CORE,
		               "%s is damaged: it has no program headers", path);
	if (eh->e_phoff > size || n > (size - eh->e_phoff) / sizeof(Elf64_Phdr))
		return ud_fail(
		    error, RME_ERROR_DAMAGED_CORE,
		    "%s is cut off inside its program headers: it has %llu bytes, and %zu "
		    "headers of %zu bytes begin at %llu",
		    path, (unsigned long long)size, n, sizeof(Elf64_Phdr),
		    (unsigned long long)eh->e_phoff);
	Elf_Data *data =
	    elf_getdata_rawchunk(elf, (int64_t)eh->e_phoff, n * sizeof(Elf64_Phdr), ELF_T_PHDR);
	if (!data)
		return ud_fail(error, RME_ERROR_DAMAGED_CORE,
		               "the program headers of %s cannot be read: %s", path,
		               elf_errmsg(-1));
	const Elf64_Phdr *ph = data->d_buf;
	t->segments = ud_must(calloc(n, sizeof *t->segments));
	for (size_t i = 0; i < n; i++) {
		if (ph[i].p_type == PT_LOAD && !add_segment(t, &ph[i], i, size, path, error))
			return false;
	}
	if (!check_overlaps(t, path, error))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (ph[i].p_type != PT_NOTE)
			continue;
		if (ph[i].p_offset > size || ph[i].p_filesz > size - ph[i].p_offset)
			return ud_fail(error, RME_ERROR_DAMAGED_CORE,
			               "%s is cut off: its list of threads and files ends at byte "
			               "%#llx, but only %#llx bytes are there",
			               path, (unsigned long long)(ph[i].p_offset + ph[i].p_filesz),
			               (unsigned long long)size);
		if (!ud_notes_read(t, elf, &ph[i], path, error))
			return false;
	}
	if (!t->n_threads)
		return ud_fail(
		    error, RME_ERROR_DAMAGED_CORE,
		    "%s names no thread: it is the core of something else than a process, "
		    "or damaged",
		    path);
	return true;
}

bool ud_core_open(struct ud_target *target, const char *path, struct rme_error *error)
{
	Elf64_Ehdr eh = {0};
	struct stat st;

	*target = (struct ud_target){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
	if (target->fd < 0 || fstat(target->fd, &st) < 0)
		return ud_fail(error, RME_ERROR_NO_SUCH_FILE, "the core %s cannot be opened: %s",
		               path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return ud_fail(error, RME_ERROR_NOT_A_CORE,
		               "%s is not a core dump: it is no regular file", path);
	if (!st.st_size)
		return ud_fail(
		    error, RME_ERROR_NOT_A_CORE,
		    "%s is empty; was the disk full, or a limit on the size of cores set "
		    "(ulimit -c), when it was written?",
		    path);
	ssize_t n = pread(target->fd, &eh, sizeof eh, 0);
	if (n < 0)
		return ud_fail(error, RME_ERROR_NO_SUCH_FILE, "the core %s cannot be read: %s",
		               path, strerror(errno));
	if (!check_ident(eh.e_ident, (size_t)n, path, error) ||
	    !check_header(&eh, (size_t)n, path, error))
		return false;
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(target->fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		return ud_fail(error, RME_ERROR_DAMAGED_CORE, "%s is damaged: %s", path,
		               elf_errmsg(-1));
	}
	bool ok = read_headers(target, elf, &eh, (uint64_t)st.st_size, path, error);
	elf_end(elf);
	return ok;
}

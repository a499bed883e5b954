#include "runtime/image.h"

#include <elf.h>

/* Every loop is capped: the image may be a damaged core's. */
enum { MAX_PHDRS = 128, MAX_DYNAMIC = 512, MAX_CHAIN = 1 << 20 };

bool rme_image_open(struct rme_image_symbols *image, rme_addr base, rme_addr end)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)base;
	rme_addr dynamic = 0, lowest = ~0ull;
	uint64_t n_dynamic = 0;

	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum > MAX_PHDRS)
		return false;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(base + eh->e_phoff);
	if (eh->e_phoff > 65536)
		return false;
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr < lowest)
			lowest = ph[i].p_vaddr & ~0xfffull;
		if (ph[i].p_type == PT_DYNAMIC) {
			dynamic = ph[i].p_vaddr;
			n_dynamic = ph[i].p_memsz / sizeof(Elf64_Dyn);
		}
	}
	if (!dynamic || lowest == ~0ull)
		return false;
	*image = (struct rme_image_symbols){.bias = base - lowest};
	if (n_dynamic > MAX_DYNAMIC)
		n_dynamic = MAX_DYNAMIC;
	const Elf64_Dyn *d = (const Elf64_Dyn *)(dynamic + image->bias);
	for (uint64_t i = 0; i < n_dynamic && d[i].d_tag != DT_NULL; i++) {
		/* glibc relocates these entries in place, musl and the vdso do not. */
		rme_addr v = d[i].d_un.d_ptr;
		rme_addr address = v >= base && v < end ? v : v + image->bias;
		switch (d[i].d_tag) {
		case DT_SYMTAB:
			image->symtab = address;
			break;
		case DT_STRTAB:
			image->strtab = address;
			break;
		case DT_STRSZ:
			image->strtab_size = v;
			break;
		case DT_GNU_HASH:
			image->gnu_hash = address;
			break;
		case DT_HASH:
			image->sysv_hash = address;
			break;
		}
	}
	return image->symtab && image->strtab && (image->gnu_hash || image->sysv_hash);
}

static rme_addr symbol_if(const struct rme_image_symbols *image, uint32_t index, const char *name)
{
	const Elf64_Sym *sym = (const Elf64_Sym *)(image->symtab + index * sizeof(Elf64_Sym));

	if (sym->st_shndx == SHN_UNDEF || sym->st_name >= image->strtab_size ||
	    !rme_streq((const char *)(image->strtab + sym->st_name), name))
		return 0;
	return image->bias + sym->st_value;
}

static rme_addr lookup_gnu(const struct rme_image_symbols *image, const char *name)
{
	rme_addr table = image->gnu_hash;
	uint32_t n_buckets = rme_u32(table), first = rme_u32(table + 4), bloom = rme_u32(table + 8);
	rme_addr buckets = table + 16 + 8ull * bloom, chains = buckets + 4ull * n_buckets;
	uint32_t hash = 5381;

	for (const char *c = name; *c; c++)
		hash = hash * 33 + (uint8_t)*c;
	if (!n_buckets)
		return 0;
	uint32_t index = rme_u32(buckets + 4ull * (hash % n_buckets));
	if (index < first)
		return 0;
	for (int i = 0; i < MAX_CHAIN; i++, index++) {
		uint32_t h = rme_u32(chains + 4ull * (index - first));
		if ((h | 1) == (hash | 1)) {
			rme_addr found = symbol_if(image, index, name);
			if (found)
				return found;
		}
		if (h & 1)
			break;
	}
	return 0;
}

static rme_addr lookup_sysv(const struct rme_image_symbols *image, const char *name)
{
	rme_addr table = image->sysv_hash;
	uint32_t n_buckets = rme_u32(table), n_chain = rme_u32(table + 4), hash = 0;

	for (const char *c = name; *c; c++) {
		hash = (hash << 4) + (uint8_t)*c;
		hash ^= (hash & 0xf0000000u) >> 24;
		hash &= 0x0fffffffu;
	}
	if (!n_buckets)
		return 0;
	uint32_t index = rme_u32(table + 8 + 4ull * (hash % n_buckets));
	for (int i = 0; i < MAX_CHAIN && index && index < n_chain; i++) {
		rme_addr found = symbol_if(image, index, name);
		if (found)
			return found;
		index = rme_u32(table + 8 + 4ull * n_buckets + 4ull * index);
	}
	return 0;
}

rme_addr rme_image_lookup(const struct rme_image_symbols *image, const char *name)
{
	return image->gnu_hash ? lookup_gnu(image, name) : lookup_sysv(image, name);
}

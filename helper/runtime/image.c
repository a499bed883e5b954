#include "runtime/image.h"

#include <elf.h>

/* Every loop is capped: the image may be a damaged core's. */
enum { MAX_PHDRS = 128, MAX_DYNAMIC = 512, MAX_CHAIN = 1 << 20 };

/* Fields are read one by one, as rme_addr and offset: nothing of the debuggee is ever
 * the object of a pointer. */
#define FIELD16(type, at, field) rme_u16((at) + offsetof(type, field))
#define FIELD32(type, at, field) rme_u32((at) + offsetof(type, field))
#define FIELD64(type, at, field) rme_u64((at) + offsetof(type, field))

bool rme_image_open(struct rme_image_symbols *image, rme_addr base, rme_addr end)
{
	rme_addr dynamic = 0, lowest = ~0ull;
	uint64_t n_dynamic = 0;

	if (base & 0xfff || rme_u32(base) != 0x464c457f /* "\x7fELF" */ ||
	    rme_u8(base + EI_CLASS) != ELFCLASS64 ||
	    FIELD16(Elf64_Ehdr, base, e_phentsize) != sizeof(Elf64_Phdr))
		return false;
	uint64_t phoff = FIELD64(Elf64_Ehdr, base, e_phoff);
	uint16_t n_phdrs = FIELD16(Elf64_Ehdr, base, e_phnum);
	if (phoff > 65536 || n_phdrs > MAX_PHDRS)
		return false;
	for (uint16_t i = 0; i < n_phdrs; i++) {
		rme_addr ph = base + phoff + i * sizeof(Elf64_Phdr);
		uint64_t vaddr = FIELD64(Elf64_Phdr, ph, p_vaddr);
		uint32_t type = FIELD32(Elf64_Phdr, ph, p_type);
		if (type == PT_LOAD && vaddr < lowest)
			lowest = vaddr & ~0xfffull;
		if (type == PT_DYNAMIC) {
			dynamic = vaddr;
			n_dynamic = FIELD64(Elf64_Phdr, ph, p_memsz) / sizeof(Elf64_Dyn);
		}
	}
	if (!dynamic || lowest == ~0ull)
		return false;
	*image = (struct rme_image_symbols){.bias = base - lowest};
	if (n_dynamic > MAX_DYNAMIC)
		n_dynamic = MAX_DYNAMIC;
	for (uint64_t i = 0; i < n_dynamic; i++) {
		rme_addr d = dynamic + image->bias + i * sizeof(Elf64_Dyn);
		uint64_t tag = FIELD64(Elf64_Dyn, d, d_tag);
		/* glibc relocates these entries in place, musl and the vdso do not. */
		rme_addr v = FIELD64(Elf64_Dyn, d, d_un);
		rme_addr address = v >= base && v < end ? v : v + image->bias;
		if (tag == DT_NULL)
			break;
		switch (tag) {
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

static bool name_is(rme_addr text, const char *name)
{
	for (; *name; text++, name++)
		if (rme_u8(text) != (uint8_t)*name)
			return false;
	return !rme_u8(text);
}

static rme_addr symbol_if(const struct rme_image_symbols *image, uint32_t index, const char *name)
{
	rme_addr sym = image->symtab + index * sizeof(Elf64_Sym);
	uint32_t at = FIELD32(Elf64_Sym, sym, st_name);

	if (FIELD16(Elf64_Sym, sym, st_shndx) == SHN_UNDEF || at >= image->strtab_size ||
	    !name_is(image->strtab + at, name))
		return 0;
	return image->bias + FIELD64(Elf64_Sym, sym, st_value);
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

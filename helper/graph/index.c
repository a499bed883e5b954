#include "graph/index.h"

#define N_CHUNKS (1ull << (RME_ADDRESS_BITS - RME_CHUNK_SHIFT))

bool rme_index_init(struct rme_index *x, const struct rme_visited *visited, struct rme_arena *arena)
{
	memset(x, 0, sizeof *x);
	x->arena = arena;
	x->visited = visited;
	x->present = rme_arena_alloc(arena, N_CHUNKS / 8);
	return x->present && rme_visited_init(&x->odd, arena);
}

static bool build_chunk(struct rme_index *x, uint32_t number, uint64_t *n)
{
	const uint64_t *chunk = x->visited->directory[number];
	uint32_t *ranks;

	if (!chunk)
		return true;
	ranks = rme_arena_alloc(x->arena, RME_CHUNK_WORDS * sizeof *ranks);
	if (!ranks)
		return false;
	x->ranks[number] = ranks;
	x->numbers[x->n_chunks++] = number;
	for (uint64_t i = 0; i < RME_CHUNK_WORDS; i++) {
		ranks[i] = (uint32_t)*n;
		*n += rme_popcount(chunk[i]);
	}
	return true;
}

bool rme_index_build(struct rme_index *x)
{
	uint64_t n = 0, n_chunks = 0;

	for (uint64_t i = 0; i < N_CHUNKS / 64; i++)
		n_chunks += rme_popcount(x->present[i]);
	x->ranks = rme_arena_alloc(x->arena, N_CHUNKS * sizeof *x->ranks);
	x->numbers = rme_arena_alloc(x->arena, (n_chunks + 1) * sizeof *x->numbers);
	if (!x->ranks || !x->numbers)
		return false;
	for (uint64_t i = 0; i < N_CHUNKS / 64; i++)
		for (uint64_t bits = x->present[i]; bits; bits &= bits - 1)
			if (!build_chunk(x, (uint32_t)(64 * i + (uint64_t)__builtin_ctzll(bits)),
			                 &n))
				return false;
	x->n = (uint32_t)n;
	return n < RME_NO_NODE - 1;
}

static rme_addr address_of(const struct rme_index *x, uint64_t number, uint64_t word, unsigned bit)
{
	rme_addr a = number << RME_CHUNK_SHIFT | word << 10 | (uint64_t)bit << 4;

	return rme_visited_has(&x->odd, a) ? a | 8 : a;
}

rme_addr rme_index_address(const struct rme_index *x, uint32_t node)
{
	uint64_t low = 0, high = x->n_chunks, word;

	while (high - low > 1) {
		uint64_t middle = (low + high) / 2;
		if (x->ranks[x->numbers[middle]][0] <= node)
			low = middle;
		else
			high = middle;
	}
	const uint32_t *ranks = x->ranks[x->numbers[low]];
	const uint64_t *chunk = x->visited->directory[x->numbers[low]];
	for (word = 0, high = RME_CHUNK_WORDS; high - word > 1;) {
		uint64_t middle = (word + high) / 2;
		if (ranks[middle] <= node)
			word = middle;
		else
			high = middle;
	}
	uint64_t bits = chunk[word];
	for (uint32_t i = node - ranks[word]; i; i--)
		bits &= bits - 1;
	return address_of(x, x->numbers[low], word, (unsigned)__builtin_ctzll(bits));
}

bool rme_index_next(const struct rme_index *x, struct rme_index_iter *it, rme_addr *ret)
{
	while (!it->bits) {
		if (it->word == RME_CHUNK_WORDS) {
			it->chunk++;
			it->word = 0;
		}
		if (it->chunk >= x->n_chunks)
			return false;
		it->bits = x->visited->directory[x->numbers[it->chunk]][it->word++];
	}
	*ret =
	    address_of(x, x->numbers[it->chunk], it->word - 1, (unsigned)__builtin_ctzll(it->bits));
	it->bits &= it->bits - 1;
	return true;
}

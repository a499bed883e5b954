#include "graph/rank.h"

#include "runtime/sort.h"

enum {
	MAX_EXITS = 32,
	MANY_USERS = 64,
	CHECK_EVERY = 1 << 16,
	/* Passes while there is time: that many components, all passes together. */
	MAX_WORK = 400000000,
	LEAST_PASSES = 16
};

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;

	return sum < a ? UINT64_MAX : sum;
}

static bool is_cancelled(const struct rme_rank *r)
{
	return r->reach->cancel && *r->reach->cancel;
}

static uint32_t component_of(const struct rme_rank *r, uint32_t node)
{
	return node == RME_NO_NODE ? RME_NO_NODE : r->reach->component[node];
}

/* The dominator tree while it grows: component n stands for the root above all sources.
 * Every node has a pointer to its parent and one that jumps, as far as a skew binary
 * number says (Myers, "An applicative random-access stack", 1983), so that a common
 * ancestor is found in log n steps, however deep a list is. */
struct tree {
	uint32_t *parent, *jump, *depth;
};

static uint32_t common(const struct tree *t, uint32_t a, uint32_t b)
{
	if (t->depth[a] < t->depth[b]) {
		uint32_t c = a;
		a = b;
		b = c;
	}
	while (t->depth[a] > t->depth[b])
		a = t->depth[t->jump[a]] < t->depth[b] ? t->parent[a] : t->jump[a];
	while (a != b) {
		bool same = t->jump[a] == t->jump[b];
		a = same ? t->parent[a] : t->jump[a];
		b = same ? t->parent[b] : t->jump[b];
	}
	return a;
}

static void hang(struct tree *t, uint32_t v, uint32_t parent)
{
	uint32_t jump = t->jump[parent];

	t->parent[v] = parent;
	t->depth[v] = t->depth[parent] + 1;
	t->jump[v] = t->depth[parent] - t->depth[jump] == t->depth[jump] - t->depth[t->jump[jump]]
	                 ? t->jump[jump]
	                 : parent;
}

/* In topological order one sweep is enough: when a component's turn comes, all that
 * leads to it has told its dominators. */
static void find_dominators(struct rme_rank *r, struct tree *t)
{
	const struct rme_csr *dag = &r->reach->dag;
	uint32_t n = dag->n;

	memset(t->parent, 0xff, n * sizeof *t->parent);
	t->parent[n] = t->jump[n] = n;
	t->depth[n] = 0;
	for (uint32_t c = n; c--;) {
		hang(t, c, t->parent[c] == RME_NO_NODE ? n : t->parent[c]);
		for (uint32_t e = dag->first[c]; e < dag->first[c + 1]; e++) {
			uint32_t *parent = &t->parent[dag->to[e]];
			*parent = *parent == RME_NO_NODE ? c : common(t, *parent, c);
		}
	}
	for (uint32_t c = 0; c < n; c++) {
		r->own[c] += r->reach->bytes[c];
		if (t->parent[c] != n)
			r->own[t->parent[c]] += r->own[c];
	}
}

static void find_heights(struct rme_rank *r)
{
	const struct rme_csr *dag = &r->reach->dag;
	uint64_t sum = 0;

	for (uint32_t c = 0; c < dag->n; c++) {
		uint32_t height = 0;
		for (uint32_t e = dag->first[c]; e < dag->first[c + 1]; e++)
			if (r->height[dag->to[e]] >= height)
				height = r->height[dag->to[e]] + 1;
		r->height[c] = height;
		r->below[height] += r->reach->bytes[c];
	}
	for (uint32_t h = 0; h < dag->n; h++) {
		uint64_t here = r->below[h];
		r->below[h] = sum;
		sum += here;
	}
}

/* The number of the set with these members, sorted; RME_NO_NODE when there is no room. */
static uint32_t set_of(struct rme_rank *r, const uint32_t *members, uint32_t n)
{
	uint64_t hash = n;

	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		hash = (hash ^ members[i]) * 0x9e3779b97f4a7c15ull;
	uint32_t i = (uint32_t)(hash >> 32) & (r->n_slots - 1);
	for (; r->slots[i]; i = (i + 1) & (r->n_slots - 1)) {
		const struct rme_exits *set = &r->sets[r->slots[i]];
		if (set->n == n && !memcmp(r->pool + set->first, members, n * sizeof *members))
			return r->slots[i];
	}
	if (r->n_sets == r->max_sets || r->max_pool - r->n_pool < n)
		return RME_NO_NODE;
	r->sets[r->n_sets] = (struct rme_exits){.first = r->n_pool, .n = n};
	memcpy(r->pool + r->n_pool, members, n * sizeof *members);
	r->n_pool += n;
	return r->slots[i] = r->n_sets++;
}

/* Members of a set under construction: sorted, none twice; more than MAX_EXITS: too many. */
struct members {
	uint32_t n;
	uint32_t m[MAX_EXITS];
};

static void insert(struct members *s, uint32_t c)
{
	uint32_t i = s->n;

	if (s->n > MAX_EXITS)
		return;
	while (i && s->m[i - 1] > c)
		i--;
	if (i && s->m[i - 1] == c)
		return;
	if (s->n++ == MAX_EXITS)
		return;
	for (uint32_t j = s->n - 1; j > i; j--)
		s->m[j] = s->m[j - 1];
	s->m[i] = c;
}

/* The exits of a component are those of its own edges and of what it dominates at once,
 * but for what it dominates at once (the dominance frontier of Cytron and others, TOPLAS
 * 1991). r->exits holds what the dominated ones have told so far. */
static void find_exits_of(struct rme_rank *r, const struct tree *t, uint32_t c)
{
	const struct rme_csr *dag = &r->reach->dag;
	struct members s = {0, {0}};
	uint32_t parent = t->parent[c], told = r->exits[c];

	if (told == RME_NO_NODE)
		s.n = MAX_EXITS + 1;
	else
		for (uint32_t i = 0; i < r->sets[told].n; i++)
			insert(&s, r->pool[r->sets[told].first + i]);
	for (uint32_t e = dag->first[c]; e < dag->first[c + 1] && s.n <= MAX_EXITS; e++)
		if (t->parent[dag->to[e]] != c)
			insert(&s, dag->to[e]);
	r->exits[c] = s.n > MAX_EXITS ? RME_NO_NODE : set_of(r, s.m, s.n);
	if (parent == dag->n || r->exits[parent] == RME_NO_NODE)
		return;
	if (r->exits[c] == RME_NO_NODE) {
		r->exits[parent] = RME_NO_NODE;
		return;
	}
	/* What the parent is told: mostly nothing, or what it knows already. */
	struct members up = {0, {0}};
	for (uint32_t i = 0; i < s.n; i++)
		if (t->parent[s.m[i]] != parent)
			up.m[up.n++] = s.m[i];
	uint32_t known = r->exits[parent], told_up = set_of(r, up.m, up.n);
	if (told_up == known || !up.n)
		return;
	for (uint32_t i = 0; i < r->sets[known].n; i++)
		insert(&up, r->pool[r->sets[known].first + i]);
	r->exits[parent] = up.n > MAX_EXITS ? RME_NO_NODE : set_of(r, up.m, up.n);
}

/* What the members dominate does not overlap, for none dominates another: it would
 * dominate the component that the exits belong to, and close a cycle. Nor does what a
 * landmark reaches overlap with it, since no member is behind a landmark; nor what a
 * member without exits reaches. */
static void bound_exits(struct rme_rank *r, struct rme_exits *set)
{
	uint64_t sum = 0, upper = 0, more = 0, lower = 0;

	set->round = r->round;
	for (uint32_t i = 0; i < set->n; i++) {
		uint32_t c = r->pool[set->first + i];
		upper = add(upper, r->upper[c]);
		sum += r->own[c];
		if (r->lower[c] > lower)
			lower = r->lower[c];
		/* With this one entire, and of the others what they dominate. */
		if (i < set->n_landmarks && r->lower[c] - r->own[c] > more)
			more = r->lower[c] - r->own[c];
	}
	set->lower = sum + more > lower ? sum + more : lower;
	set->upper = upper;
}

static void tighten(struct rme_rank *r, uint32_t c, uint64_t lower, uint64_t upper)
{
	if (lower > r->lower[c])
		r->lower[c] = lower;
	if (upper < r->upper[c])
		r->upper[c] = upper;
}

static void bound_by_edges(struct rme_rank *r, uint32_t c)
{
	const struct rme_csr *dag = &r->reach->dag;
	uint64_t bytes = r->reach->bytes[c], lower = 0, upper = bytes;

	for (uint32_t e = dag->first[c]; e < dag->first[c + 1]; e++) {
		uint32_t to = dag->to[e];
		if (r->lower[to] > lower)
			lower = r->lower[to];
		upper = add(upper, r->upper[to]);
	}
	lower += bytes;
	if (upper > bytes + r->below[r->height[c]])
		upper = bytes + r->below[r->height[c]];
	tighten(r, c, lower > r->own[c] ? lower : r->own[c], upper);
}

/* Nothing reaches more than what leads to it: downwards. What a component dominates is
 * out of reach of its exits. */
static bool bound_from_above(struct rme_rank *r)
{
	const struct rme_csr *dag = &r->reach->dag;

	for (uint32_t c = dag->n; c--;) {
		if (!(c % CHECK_EVERY) && is_cancelled(r))
			return false;
		uint64_t rest = r->upper[c] - r->reach->bytes[c];
		if (r->upper[c] == UINT64_MAX)
			continue;
		for (uint32_t e = dag->first[c]; e < dag->first[c + 1]; e++)
			if (r->upper[dag->to[e]] > rest)
				r->upper[dag->to[e]] = rest;
	}
	return true;
}

/* Every component after those that it leads to. */
static bool bound_all(struct rme_rank *r)
{
	if (r->round++ && !bound_from_above(r))
		return false;
	for (uint32_t c = 0; c < r->reach->n; c++) {
		if (!(c % CHECK_EVERY) && is_cancelled(r))
			return false;
		if (r->lower[c] == r->upper[c])
			continue;
		if (r->exits[c] == RME_NO_NODE) {
			bound_by_edges(r, c);
			continue;
		}
		struct rme_exits *set = &r->sets[r->exits[c]];
		if (set->round != r->round && (!set->round || set->lower != set->upper))
			bound_exits(r, set);
		tighten(r, c, r->own[c] + set->lower, add(r->own[c], set->upper));
	}
	return true;
}

static bool allocate(struct rme_rank *r, struct rme_arena *arena)
{
	size_t n = r->reach->n;

	for (r->n_slots = 1024; r->n_slots < 2 * n && r->n_slots < 1u << 30; r->n_slots *= 2)
		;
	r->max_sets = r->n_slots / 2;
	r->max_pool = n < 1u << 27 ? (uint32_t)(16 * n + 1024) : UINT32_MAX;
	r->own = rme_arena_alloc(arena, n * sizeof *r->own);
	r->exits = rme_arena_alloc(arena, n * sizeof *r->exits);
	r->lower = rme_arena_alloc(arena, n * sizeof *r->lower);
	r->upper = rme_arena_alloc(arena, n * sizeof *r->upper);
	r->chosen = rme_arena_alloc(arena, n * sizeof *r->chosen);
	r->users = rme_arena_alloc(arena, n * sizeof *r->users);
	r->heap = rme_arena_alloc(arena, RME_RANK_MOST * sizeof *r->heap);
	r->below = rme_arena_alloc(arena, (n + 1) * sizeof *r->below);
	r->height = rme_arena_alloc(arena, n * sizeof *r->height);
	r->sets = rme_arena_alloc(arena, r->max_sets * sizeof *r->sets);
	r->slots = rme_arena_alloc(arena, r->n_slots * sizeof *r->slots);
	r->pool = rme_arena_alloc(arena, r->max_pool * sizeof *r->pool);
	r->n_sets = 1; /* number 0 is the empty set */
	return r->own && r->exits && r->lower && r->upper && r->chosen && r->users && r->heap &&
	       r->below && r->height && r->sets && r->slots && r->pool;
}

/* The exits of unsure size that most components have. */
static uint32_t find_landmarks(struct rme_rank *r)
{
	uint32_t *users = r->users, n = 0, least = 0;

	for (uint32_t c = 0; c < r->reach->n; c++) {
		if (!r->exits[c] || r->exits[c] == RME_NO_NODE)
			continue;
		const struct rme_exits *set = &r->sets[r->exits[c]];
		for (uint32_t i = 0; i < set->n; i++)
			users[r->pool[set->first + i]]++;
	}
	for (uint32_t c = 0; c < r->reach->n; c++) {
		uint32_t at = n < RME_LANDMARKS ? n : n - 1;
		if (users[c] <= (n < RME_LANDMARKS ? 1 : least) || !r->exits[c])
			continue;
		for (; at && users[r->landmarks[at - 1]] < users[c]; at--)
			r->landmarks[at] = r->landmarks[at - 1];
		r->landmarks[at] = c;
		n += n < RME_LANDMARKS;
		least = users[r->landmarks[n - 1]];
	}
	return n;
}

/* The bit of a landmark; 0 for other components. */
static uint64_t landmark_bit(const struct rme_rank *r, const uint64_t *marks, uint32_t c)
{
	for (uint64_t m = marks[c]; m; m &= m - 1)
		if (r->landmarks[__builtin_ctzll(m)] == c)
			return m & -m;
	return 0;
}

/* Members behind a landmark of the set add nothing to it and go; the landmarks that stay
 * come first. `marks` says which landmarks lead to a component, itself included. */
static void reduce(struct rme_rank *r, struct rme_exits *set, const uint64_t *marks)
{
	uint32_t *m = r->pool + set->first, n = 0;
	uint64_t landmarks = 0;

	for (uint32_t i = 0; i < set->n; i++)
		landmarks |= landmark_bit(r, marks, m[i]);
	if (!landmarks)
		return;
	for (uint32_t i = 0; i < set->n; i++) {
		uint32_t c = m[i];
		uint64_t mine = landmark_bit(r, marks, c);
		if (marks[c] & landmarks & ~mine)
			continue;
		m[n] = c;
		if (mine) {
			m[n] = m[set->n_landmarks];
			m[set->n_landmarks++] = c;
		}
		n++;
	}
	set->n = n;
}

static bool set_landmarks(struct rme_rank *r, struct rme_arena *arena)
{
	struct rme_reached sizes[RME_LANDMARKS];
	const struct rme_csr *dag = &r->reach->dag;
	uint64_t *marks = rme_arena_alloc(arena, dag->n * sizeof *marks);
	uint32_t n = find_landmarks(r);

	if (!marks)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		rme_reach_start(r->reach, i, r->landmarks[i]);
		marks[r->landmarks[i]] |= 1ull << i;
	}
	if (!rme_reach_pass(r->reach, n, sizes))
		return false;
	for (uint32_t i = 0; i < n; i++)
		r->lower[r->landmarks[i]] = r->upper[r->landmarks[i]] = sizes[i].bytes;
	for (uint32_t c = dag->n; c--;)
		for (uint32_t e = dag->first[c]; marks[c] && e < dag->first[c + 1]; e++)
			marks[dag->to[e]] |= marks[c];
	for (uint32_t i = 1; i < r->n_sets; i++)
		reduce(r, &r->sets[i], marks);
	return true;
}

bool rme_rank_init(struct rme_rank *r, struct rme_reach *reach, uint32_t *scratch,
                   struct rme_arena *arena)
{
	size_t n = reach->n + 1ul;
	struct tree t = {scratch, scratch + n, scratch + 2 * n};

	memset(r, 0, sizeof *r);
	r->reach = reach;
	if (!allocate(r, arena))
		return false;
	find_dominators(r, &t);
	find_heights(r);
	memset(r->upper, 0xff, reach->n * sizeof *r->upper);
	for (uint32_t c = 0; c < reach->n; c++) {
		find_exits_of(r, &t, c);
		if (!(c % CHECK_EVERY) && is_cancelled(r))
			return false;
	}
	return bound_all(r) && set_landmarks(r, arena) && bound_all(r);
}

/* One thing to measure: a set, or a component that has none. */
struct unit {
	uint64_t upper;
	uint32_t component, set; /* set: RME_NO_NODE if it is the component */
};

struct units {
	struct unit u[RME_REACH_STARTS];
	uint32_t n;
};

static int larger_upper_first(const void *x, const void *y)
{
	const struct unit *a = x, *b = y;

	return a->upper < b->upper ? 1 : a->upper > b->upper ? -1 : 0;
}

/* Keeps the units with the highest upper bounds: half of them when there is no room. */
static void add_unit(struct rme_rank *r, struct units *units, uint64_t *least,
                     const struct unit *unit)
{
	uint32_t *chosen =
	    unit->set == RME_NO_NODE ? &r->chosen[unit->component] : &r->sets[unit->set].chosen;

	if (*chosen == r->round || unit->upper <= *least)
		return;
	if (units->n == RME_REACH_STARTS) {
		rme_sort(units->u, units->n, sizeof *units->u, larger_upper_first);
		units->n /= 2;
		*least = units->u[units->n - 1].upper;
		if (unit->upper <= *least)
			return;
	}
	*chosen = r->round;
	units->u[units->n++] = *unit;
}

/* Members that are unsure themselves, and that many components have, come before the
 * set. */
static void choose(struct rme_rank *r, struct units *units, uint64_t *least, uint32_t c)
{
	struct unit unit = {r->upper[c], c, r->exits[c]};
	bool by_member = false;

	if (r->upper[c] <= *least)
		return;
	for (uint32_t i = 0; unit.set != RME_NO_NODE && i < r->sets[unit.set].n; i++) {
		uint32_t member = r->pool[r->sets[unit.set].first + i];
		struct unit one = {r->upper[c], member, RME_NO_NODE};
		if (r->lower[member] == r->upper[member] || r->users[member] < MANY_USERS)
			continue;
		add_unit(r, units, least, &one);
		by_member = true;
	}
	if (!by_member)
		add_unit(r, units, least, &unit);
}

static bool measure(struct rme_rank *r, const struct units *units)
{
	struct rme_reached ret[RME_REACH_STARTS];

	for (uint32_t i = 0; i < units->n; i++) {
		const struct unit *u = &units->u[i];
		if (u->set == RME_NO_NODE) {
			rme_reach_start(r->reach, i, u->component);
			continue;
		}
		const struct rme_exits *set = &r->sets[u->set];
		for (uint32_t j = 0; j < set->n; j++)
			rme_reach_start(r->reach, i, r->pool[set->first + j]);
	}
	if (!rme_reach_pass(r->reach, units->n, ret))
		return false;
	for (uint32_t i = 0; i < units->n; i++) {
		const struct unit *u = &units->u[i];
		if (u->set == RME_NO_NODE) {
			r->lower[u->component] = r->upper[u->component] = ret[i].bytes;
			continue;
		}
		struct rme_exits *set = &r->sets[u->set];
		set->lower = set->upper = ret[i].bytes;
	}
	return true;
}

/* The `most`-th largest lower bound of the candidates: what is surely smaller is out.
 * The smallest is on top of the heap. */
static uint64_t threshold(const struct rme_rank *r, const uint32_t *nodes, uint64_t n,
                          uint32_t most)
{
	uint64_t *heap = r->heap;
	uint32_t n_heap = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t c = component_of(r, nodes[i]), at;
		if (c == RME_NO_NODE)
			continue;
		uint64_t x = r->lower[c];
		if (n_heap < most) {
			for (at = n_heap++; at && heap[(at - 1) / 2] > x; at = (at - 1) / 2)
				heap[at] = heap[(at - 1) / 2];
			heap[at] = x;
		} else if (x > heap[0]) {
			for (at = 0; 2 * at + 1 < most;) {
				uint32_t child = 2 * at + 1;
				if (child + 1 < most && heap[child + 1] < heap[child])
					child++;
				if (heap[child] >= x)
					break;
				heap[at] = heap[child];
				at = child;
			}
			heap[at] = x;
		}
	}
	return n_heap < most ? 0 : heap[0];
}

static int larger_first(const void *x, const void *y)
{
	const struct rme_ranked *a = x, *b = y;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return a->index < b->index ? -1 : 1;
}

/* All above the threshold, and of those that equal it the first ones. */
static uint32_t collect(const struct rme_rank *r, const uint32_t *nodes, uint64_t n, uint32_t most,
                        uint64_t least, struct rme_ranked *ret)
{
	uint32_t n_ret = 0;

	for (int equal = 0; equal < 2; equal++)
		for (uint64_t i = 0; i < n && n_ret < most; i++) {
			uint32_t c = component_of(r, nodes[i]);
			if (c != RME_NO_NODE &&
			    (equal ? r->lower[c] == least : r->lower[c] > least))
				ret[n_ret++] = (struct rme_ranked){i, r->lower[c]};
		}
	rme_sort(ret, n_ret, sizeof *ret, larger_first);
	return n_ret;
}

bool rme_rank_largest(struct rme_rank *r, const uint32_t *nodes, uint64_t n, uint32_t most,
                      struct rme_ranked *ret, uint32_t *n_ret)
{
	uint64_t least;
	struct units units;

	for (;;) {
		units.n = 0;
		least = threshold(r, nodes, n, most);
		for (uint64_t i = 0, bar = least; i < n; i++) {
			uint32_t c = component_of(r, nodes[i]);
			if (c != RME_NO_NODE && r->lower[c] != r->upper[c])
				choose(r, &units, &bar, c);
		}
		if (!units.n)
			break;
		if (r->n_passes++ >= LEAST_PASSES &&
		    (uint64_t)r->n_passes * r->reach->n > MAX_WORK) {
			r->uncertain = true;
			break;
		}
		if (!measure(r, &units) || !bound_all(r))
			return false;
	}
	*n_ret = collect(r, nodes, n, most, least, ret);
	return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ThreadSanitizer must be told of DPDK, whose libraries are not compiled for it: who waits
 * there for whom. Each function below stands before the library's own (-Wl,--wrap, for the calls
 * from weft and the tests) and says just the order that the real one promises, no more: with more,
 * races would hide behind it.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <sanitizer/tsan_interface.h>

#define LIBRARY_OPS "stack"
#define OUR_OPS "weft_tsan"

/* ---- launching lcores and waiting for them ---- */

/* An lcore begins after it was launched, and the wait ends after the lcore. */
static struct job {
	lcore_function_t *function;
	void *argument;
	char begin, end; /* their addresses stand for the two moments */
} jobs[RTE_MAX_LCORE];

int __real_rte_eal_remote_launch(lcore_function_t *function, void *argument, unsigned int id);
int __wrap_rte_eal_remote_launch(lcore_function_t *function, void *argument, unsigned int id);
int __real_rte_eal_wait_lcore(unsigned int id);
int __wrap_rte_eal_wait_lcore(unsigned int id);
void __wrap_rte_eal_mp_wait_lcore(void);

static int run(void *argument)
{
	struct job *job = argument;
	int result;

	__tsan_acquire(&job->begin);
	result = job->function(job->argument);
	__tsan_release(&job->end);
	return result;
}

int __wrap_rte_eal_remote_launch(lcore_function_t *function, void *argument, unsigned int id)
{
	struct job *job = &jobs[id];

	if (rte_eal_get_lcore_state(id) != WAIT)
		return -EBUSY;
	job->function = function;
	job->argument = argument;
	__tsan_release(&job->begin);
	return __real_rte_eal_remote_launch(run, job, id);
}

int __wrap_rte_eal_wait_lcore(unsigned int id)
{
	int result = __real_rte_eal_wait_lcore(id);

	__tsan_acquire(&jobs[id].end);
	return result;
}

void __wrap_rte_eal_mp_wait_lcore(void)
{
	for (unsigned int id = rte_get_next_lcore(-1, 1, 0); id < RTE_MAX_LCORE;
		id = rte_get_next_lcore(id, 1, 0))
		__wrap_rte_eal_wait_lcore(id);
}

/* ---- mbufs ---- */

/*
 * Who takes an mbuf out of a pool comes after who put it there. A pool in fact orders all its
 * users; that two lcores share one must not hide that they share something else. Last in, first out
 * and without a cache for each lcore: what was freed is soon another lcore's, and who still uses it
 * is seen.
 */
static const struct rte_mempool_ops *library;

struct rte_mempool *__wrap_rte_pktmbuf_pool_create(const char *name, unsigned int n,
	unsigned int cache, uint16_t private, uint16_t room, int socket);
void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **mbufs, unsigned int n);

/* Known only now: EAL loads it as a plugin. */
static int pool_alloc(struct rte_mempool *pool)
{
	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++)
		if (strcmp(rte_mempool_ops_table.ops[i].name, LIBRARY_OPS) == 0)
			library = &rte_mempool_ops_table.ops[i];
	if (library == NULL)
		abort();
	return library->alloc(pool);
}

static void pool_free(struct rte_mempool *pool)
{
	library->free(pool);
}

static int pool_put(struct rte_mempool *pool, void *const *objects, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		__tsan_release(objects[i]);
	return library->enqueue(pool, objects, n);
}

static int pool_get(struct rte_mempool *pool, void **objects, unsigned int n)
{
	int result = library->dequeue(pool, objects, n);

	for (unsigned int i = 0; result == 0 && i < n; i++)
		__tsan_acquire(objects[i]);
	return result;
}

static unsigned int pool_count(const struct rte_mempool *pool)
{
	return library->get_count(pool);
}

static const struct rte_mempool_ops ops = {
	.name = OUR_OPS,
	.alloc = pool_alloc,
	.free = pool_free,
	.enqueue = pool_put,
	.dequeue = pool_get,
	.get_count = pool_count,
};
RTE_MEMPOOL_REGISTER_OPS(ops);

struct rte_mempool *__wrap_rte_pktmbuf_pool_create(const char *name, unsigned int n,
	unsigned int cache, uint16_t private, uint16_t room, int socket)
{
	(void)cache;
	return rte_pktmbuf_pool_create_by_ops(name, n, 0, private, room, socket, OUR_OPS);
}

/* Inlined, it shows what it does to the mbufs: an lcore that still uses one is then seen. */
void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **mbufs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(mbufs[i]);
}

/* ---- hash tables ---- */

/* The readers are rte_hash's own affair; but of writers there may be one at a time. */
static unsigned int writes;

/* The table that frees its entries after a grace period. */
static const struct rte_hash *deferring;
static struct rte_rcu_qsbr *rcu;

int __real_rte_hash_rcu_qsbr_add(struct rte_hash *hash, struct rte_hash_rcu_config *config);
int __wrap_rte_hash_rcu_qsbr_add(struct rte_hash *hash, struct rte_hash_rcu_config *config);
int __real_rte_hash_add_key_data(const struct rte_hash *hash, const void *key, void *data);
int __wrap_rte_hash_add_key_data(const struct rte_hash *hash, const void *key, void *data);
int32_t __real_rte_hash_del_key(const struct rte_hash *hash, const void *key);
int32_t __wrap_rte_hash_del_key(const struct rte_hash *hash, const void *key);

int __wrap_rte_hash_rcu_qsbr_add(struct rte_hash *hash, struct rte_hash_rcu_config *config)
{
	deferring = hash;
	rcu = config->v;
	return __real_rte_hash_rcu_qsbr_add(hash, config);
}

static uint64_t begin_write(const struct rte_hash *hash)
{
	writes++;
	return hash == deferring ? rcu->acked_token : 0;
}

/* The table may have found a grace period to be over. It notes that where rte_rcu_qsbr_check()
 * looks first, which then does not read the lcores' counters itself. */
static void end_write(const struct rte_hash *hash, uint64_t acked)
{
	if (hash != deferring || rcu->acked_token == acked)
		return;
	for (uint32_t i = 0; i < rcu->max_threads; i++)
		__atomic_load_n(&rcu->qsbr_cnt[i].cnt, __ATOMIC_ACQUIRE);
}

int __wrap_rte_hash_add_key_data(const struct rte_hash *hash, const void *key, void *data)
{
	uint64_t acked = begin_write(hash);
	int result = __real_rte_hash_add_key_data(hash, key, data);

	end_write(hash, acked);
	return result;
}

int32_t __wrap_rte_hash_del_key(const struct rte_hash *hash, const void *key)
{
	uint64_t acked = begin_write(hash);
	int32_t result = __real_rte_hash_del_key(hash, key);

	end_write(hash, acked);
	return result;
}

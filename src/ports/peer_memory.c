/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/peer_memory.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include <rte_common.h>
#include <rte_memory.h>

/*
 * Publication: a writer (under `writers`) fills `size` and `lost` of a free entry and then stores
 * `base` with release; the handler, which may run on any thread at any moment and takes no lock,
 * loads `base` with acquire, then the size, then `base` again: if it changed, the entry was reused
 * in between and is not the one sought. An entry whose memory is still being used is not removed
 * (the caller's duty), so the entry of a real fault is always found. `lost` is stored by the
 * handler only; `n_lost`, by both, atomically.
 */
#define GUARDS_MAX 8192

struct guard {
	uintptr_t base; /* 0: free */
	size_t size;
	bool lost;
};

static struct guard guards[GUARDS_MAX];
static uint32_t n_guards; /* no entry at or above this was ever used */
static uint32_t n_lost;	  /* entries with `lost`: nearly always none, then nobody searches */
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous;

static struct guard *guard_covering(uintptr_t address)
{
	uint32_t used = __atomic_load_n(&n_guards, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < used; i++) {
		uintptr_t base = __atomic_load_n(&guards[i].base, __ATOMIC_ACQUIRE);
		size_t size = __atomic_load_n(&guards[i].size, __ATOMIC_ACQUIRE);

		if (base != 0 && address >= base && address - base < size &&
			__atomic_load_n(&guards[i].base, __ATOMIC_RELAXED) == base)
			return &guards[i];
	}
	return NULL;
}

static struct guard *guard_of(const void *base)
{
	for (uint32_t i = 0; i < __atomic_load_n(&n_guards, __ATOMIC_ACQUIRE); i++)
		if (__atomic_load_n(&guards[i].base, __ATOMIC_ACQUIRE) == (uintptr_t)base)
			return &guards[i];
	return NULL;
}

/* The whole mapping is replaced, so pages of any size (hugetlb's too) are met at their borders. */
static bool guard_replace(struct guard *guard)
{
	void *memory = mmap((void *)guard->base, guard->size, PROT_READ | PROT_WRITE,
		MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	if (!__atomic_exchange_n(&guard->lost, true, __ATOMIC_ACQ_REL))
		__atomic_fetch_add(&n_lost, 1, __ATOMIC_RELEASE);
	return true;
}

/* Peers' memory that a library has mapped, and reads before it tells us of it (librte_vhost), has
 * no guard: only the faulting page is replaced, since nobody knows where the mapping ends. What
 * fails in our own packet memory is no peer's doing. */
static bool page_replace(uintptr_t address)
{
	static const size_t sizes[] = {4096, 2 << 20, 1 << 30};

	if (rte_mem_virt2memseg_list((void *)address) != NULL)
		return false;
	for (size_t i = 0; i < RTE_DIM(sizes); i++)
		if (mmap((void *)(address & ~(sizes[i] - 1)), sizes[i], PROT_READ | PROT_WRITE,
			    MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1,
			    0) != MAP_FAILED)
			return true;
	return false;
}

static void previous_call(int number, siginfo_t *information, void *context)
{
	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(number, information, context);
	} else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
		previous.sa_handler(number);
	} else {
		/* A fault is raised again on return, and then kills; a signal that was sent is not,
		 * and is sent once more. */
		signal(SIGBUS, SIG_DFL);
		if (information->si_code <= 0)
			raise(SIGBUS);
	}
}

static void bus_error(int number, siginfo_t *information, void *context)
{
	int saved = errno;
	uintptr_t address = (uintptr_t)information->si_addr;
	struct guard *guard = NULL;
	bool replaced = false;

	/* si_code of a signal that a process sent is not positive, and its si_addr means nothing */
	if (information->si_code > 0)
		guard = guard_covering(address);
	if (guard != NULL)
		replaced = guard_replace(guard);
	else if (information->si_code == BUS_ADRERR)
		replaced = page_replace(address);
	if (!replaced)
		previous_call(number, information, context);
	errno = saved;
}

void peer_memory_init(void)
{
	struct sigaction action = {.sa_sigaction = bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	struct sigaction current;

	sigaction(SIGBUS, NULL, &current);
	if ((current.sa_flags & SA_SIGINFO) && current.sa_sigaction == bus_error)
		return; /* or it would be its own predecessor */
	previous = current;
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

int peer_memory_add(void *base, size_t size)
{
	uint32_t i;

	pthread_mutex_lock(&writers);
	for (i = 0; i < GUARDS_MAX && guards[i].base != 0; i++)
		;
	if (i < GUARDS_MAX) {
		__atomic_store_n(&guards[i].size, size, __ATOMIC_RELAXED);
		__atomic_store_n(&guards[i].lost, false, __ATOMIC_RELAXED);
		__atomic_store_n(&guards[i].base, (uintptr_t)base, __ATOMIC_RELEASE);
		if (i >= n_guards)
			__atomic_store_n(&n_guards, i + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&writers);
	return i < GUARDS_MAX ? 0 : -1;
}

void peer_memory_remove(void *base)
{
	struct guard *guard;

	pthread_mutex_lock(&writers);
	guard = guard_of(base);
	if (guard != NULL) {
		if (guard->lost)
			__atomic_fetch_sub(&n_lost, 1, __ATOMIC_RELEASE);
		__atomic_store_n(&guard->base, 0, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&writers);
}

int peer_memory_lost(const void *base)
{
	const struct guard *guard;

	if (__atomic_load_n(&n_lost, __ATOMIC_ACQUIRE) == 0)
		return 0;
	guard = guard_of(base);
	return guard != NULL && __atomic_load_n(&guard->lost, __ATOMIC_ACQUIRE);
}

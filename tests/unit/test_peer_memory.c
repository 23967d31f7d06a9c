/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ports/peer_memory.h"

#define SIZE 16384

/* A mapping whose file has already been cut to nothing. */
static uint8_t *memory_cut(void)
{
	int fd = memfd_create("peer", MFD_CLOEXEC);
	uint8_t *memory;

	assert_int_equal(ftruncate(fd, SIZE), 0);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memory[0] = 1;
	peer_memory_init(); /* cmocka has its own handler, anew for each test */
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	return memory;
}

static uint8_t touch(const uint8_t *memory)
{
	return *(const volatile uint8_t *)memory;
}

static void lost_memory_is_replaced(void **state)
{
	uint8_t *memory = memory_cut();

	(void)state;
	assert_int_equal(peer_memory_add(memory, SIZE), 0);
	assert_false(peer_memory_lost(memory));
	assert_int_equal(touch(memory + SIZE - 1), 0);
	assert_true(peer_memory_lost(memory));
	memset(memory, 7, SIZE); /* all of it can be used */
	peer_memory_remove(memory);
	assert_false(peer_memory_lost(memory));
	munmap(memory, SIZE);
}

static void others_are_left_alone(void **state)
{
	uint8_t *first = memory_cut(), *second = memory_cut();

	(void)state;
	assert_int_equal(peer_memory_add(first, SIZE), 0);
	assert_int_equal(peer_memory_add(second, SIZE), 0);
	touch(second);
	assert_true(peer_memory_lost(second));
	assert_false(peer_memory_lost(first));
	peer_memory_remove(second);
	touch(first);
	assert_true(peer_memory_lost(first));
	peer_memory_remove(first);
	munmap(first, SIZE);
	munmap(second, SIZE);
}

static void a_used_entry_starts_anew(void **state)
{
	uint8_t *memory = memory_cut();

	(void)state;
	assert_int_equal(peer_memory_add(memory, SIZE), 0);
	touch(memory);
	peer_memory_remove(memory);
	assert_int_equal(peer_memory_add(memory, SIZE), 0);
	assert_false(peer_memory_lost(memory));
	peer_memory_remove(memory);
	munmap(memory, SIZE);
}

static void the_table_has_an_end(void **state)
{
	static uint8_t any[1 << 16];
	size_t n = 0;

	(void)state;
	while (n < sizeof(any) && peer_memory_add(&any[n], 1) == 0)
		n++;
	assert_in_range(n, 1024, sizeof(any) - 1);
	while (n-- > 0)
		peer_memory_remove(&any[n]);
}

static void exit_77(int number)
{
	(void)number;
	_exit(77);
}

/* What becomes of a process that reads unguarded memory, with `handler` set before ours. */
static int child_status(void (*handler)(int), int by_signal)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		uint8_t *memory;

		signal(SIGBUS, handler);
		memory = memory_cut();
		if (by_signal)
			raise(SIGBUS);
		else
			touch(memory);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void an_unguarded_fault_costs_its_page(void **state)
{
	int status = child_status(SIG_DFL, 0);

	(void)state;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_signal_that_was_sent_kills(void **state)
{
	int status = child_status(SIG_DFL, 1);

	(void)state;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void an_earlier_handler_is_called(void **state)
{
	int status = child_status(exit_77, 1);

	(void)state;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_memory_is_replaced),
		cmocka_unit_test(others_are_left_alone),
		cmocka_unit_test(a_used_entry_starts_anew),
		cmocka_unit_test(the_table_has_an_end),
		cmocka_unit_test(an_unguarded_fault_costs_its_page),
		cmocka_unit_test(a_signal_that_was_sent_kills),
		cmocka_unit_test(an_earlier_handler_is_called),
	};

	return cmocka_run_group_tests_name("peer_memory", tests, NULL, NULL);
}

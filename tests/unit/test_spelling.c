/* SPDX-License-Identifier: BSD-3-Clause */
/* The spelling of what users and peers say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/spelling.h"

static void assert_spelt(const char *text, size_t size, const char *expected)
{
	char spelling[2048];

	memset(spelling, '#', sizeof(spelling));
	spell(text, spelling, size);
	assert_string_equal(spelling, expected);
	assert_int_equal(spelling[size], '#');
}

static void printable_ascii_stays(void **state)
{
	char text[128] = "";

	(void)state;
	for (int c = ' '; c <= '~'; c++)
		text[c - ' '] = c;
	assert_spelt(text, 1024, text);
	assert_spelt("", 1024, "");
}

static void any_other_byte_is_spelt(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char text[] = {'a', c, 'b', '\0'}, expected[16];

		if (c >= ' ' && c <= '~')
			continue;
		snprintf(expected, sizeof(expected), "a\\x%02xb", c);
		assert_spelt(text, 1024, expected);
	}
	assert_spelt("gr\u00f6\u00dfe", 1024, "gr\\xc3\\xb6\\xc3\\x9fe");
}

static void what_does_not_fit_is_left_out(void **state)
{
	(void)state;
	assert_spelt("abc", 4, "abc");
	assert_spelt("abcd", 4, "abc");
	assert_spelt("a\xff", 6, "a\\xff");
	assert_spelt("a\xff", 5, "a");
	assert_spelt("abc", 1, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printable_ascii_stays),
		cmocka_unit_test(any_other_byte_is_spelt),
		cmocka_unit_test(what_does_not_fit_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

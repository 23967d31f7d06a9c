/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "file.h"

#include "control/ini.h"

#define READ(text, errors) read_bytes(text, sizeof(text) - 1, errors)

static struct ini *read_bytes(const char *bytes, size_t length, struct error_list *errors)
{
	*errors = (struct error_list){.file = file};
	file_write(bytes, length);
	return ini_read(errors);
}

static struct ini *read_good(const char *text)
{
	struct error_list errors;
	struct ini *ini = read_bytes(text, strlen(text), &errors);

	if (errors.n > 0)
		fail_msg("%s", errors.lines[0].text);
	return ini;
}

/* The value in the only section of the text. */
static void assert_value(const char *text, const char *key, const char *value)
{
	struct ini *ini = read_good(text);

	assert_int_equal(ini->n, 1);
	assert_int_equal(ini->sections[0].n, 1);
	assert_string_equal(ini->sections[0].entries[0].key, key);
	assert_string_equal(ini->sections[0].entries[0].value, value);
	ini_free(ini);
}

static void sections_and_keys_come_in_their_order(void **state)
{
	struct ini *ini = read_good("[a]\n\nx = 1\ny=2\nx = 3\n[ b   name ]\n\tz = 4");

	(void)state;
	assert_int_equal(ini->n, 2);
	assert_string_equal(ini->sections[0].kind, "a");
	assert_string_equal(ini->sections[0].name, "");
	assert_int_equal(ini->sections[0].line, 1);
	assert_int_equal(ini->sections[0].n, 3);
	assert_string_equal(ini->sections[0].entries[2].key, "x");
	assert_string_equal(ini->sections[0].entries[2].value, "3");
	assert_int_equal(ini->sections[0].entries[2].line, 5);
	assert_ptr_equal(ini_find(ini, "b", "name"), &ini->sections[1]);
	assert_int_equal(ini->sections[1].line, 6);
	assert_string_equal(ini->sections[1].entries[0].value, "4");
	assert_null(ini_find(ini, "b", ""));
	ini_free(ini);
}

static void comments_begin_a_line_or_stand_behind_white_space(void **state)
{
	(void)state;
	assert_value("# one\n; two\n  # three\n[a] # four\nx = 1\n", "x", "1");
	assert_value("[a] ; comment\nx = 1 # comment\n", "x", "1");
	assert_value("[a]\nx = 1\t; comment = 2\n", "x", "1");
	assert_value("[a]\nx = a#b;c\n", "x", "a#b;c");
	assert_value("[a]\nx = # nothing\n", "x", "");
	assert_value("[a]\nx =\n", "x", "");
	assert_value("[a]\nx = b=c\n", "x", "b=c");
	assert_value("[a]\n02:00:00:00:00:01 = port x\n", "02:00:00:00:00:01", "port x");
}

static void lines_may_end_as_elsewhere(void **state)
{
	(void)state;
	assert_value("[a]\r\nx = 1\r\n", "x", "1");
	assert_value("[a]\nx = 1", "x", "1");
	assert_value("\xef\xbb\xbf[a]\nx = 1\n", "x", "1");
	ini_free(read_good(""));
	ini_free(read_good("\xef\xbb\xbf"));
	ini_free(read_good("\n\n# nothing"));
}

static void lines_may_be_of_any_length(void **state)
{
	static char text[300000] = "# ";

	(void)state;
	memset(text + 2, 'c', 99998);
	strcpy(text + 100000, "\n[a]\nx = ");
	memset(text + strlen(text), 'v', 150000);
	assert_value(text, "x", strchr(text, '=') + 2);
}

/* What is wrong, in which line, and a word of what is said. */
static void assert_wrong(
	const char *bytes, size_t length, size_t n, unsigned int line, const char *word)
{
	struct error_list errors;
	struct ini *ini = read_bytes(bytes, length, &errors);

	assert_int_equal(errors.n, n);
	assert_int_equal(errors.lines[n - 1].number, line);
	if (strstr(errors.lines[n - 1].text, word) == NULL)
		fail_msg("no '%s' in: %s", word, errors.lines[n - 1].text);
	error_list_free(&errors);
	ini_free(ini);
}

#define ASSERT_WRONG(bytes, n, line, word) assert_wrong(bytes, sizeof(bytes) - 1, n, line, word)

static void what_is_no_ini_is_told_with_its_line(void **state)
{
	(void)state;
	ASSERT_WRONG("[a]\nx\n", 1, 2, "'x' is neither");
	ASSERT_WRONG("[a]\n= 1\n", 1, 2, "'= 1' is neither");
	ASSERT_WRONG("\nx = 1\n", 1, 2, "x: stands before");
	ASSERT_WRONG("[a\nx = 1\n", 1, 1, "'[a': a section's line");
	ASSERT_WRONG("[a] b\n", 1, 1, "a section's line");
	ASSERT_WRONG("[a]\nx = 1\n\n[b]\n[a]\ny = 2\n", 1, 5, "[a]: is given twice, in line 1");
	ASSERT_WRONG("[a]\nx = \x1b[2J\n", 1, 2, "control character");
	ASSERT_WRONG("[a]\nx = 1\0 2\n", 1, 2, "NUL");
	ASSERT_WRONG("[a]\n# hidden\0\nx = 1\n", 1, 2, "NUL");
	ASSERT_WRONG("\xff\xfe[\0a\0]\0\n\0", 2, 2, "NUL");
	ASSERT_WRONG("x\n[a]\ny\nz\n", 3, 4, "'z' is neither");
}

static void a_repeated_section_is_marked(void **state)
{
	struct error_list errors;
	struct ini *ini = READ("[a]\n[a b]\n[a]\n[a b]\n", &errors);

	(void)state;
	assert_int_equal(errors.n, 2);
	assert_false(ini->sections[0].repeated || ini->sections[1].repeated);
	assert_true(ini->sections[2].repeated && ini->sections[3].repeated);
	error_list_free(&errors);
	ini_free(ini);
}

static void what_is_no_file_is_named(void **state)
{
	static const char *const files[][2] = {
		{"/", "directory"}, {"/no/such/file", "No such file"}, {"/dev/zero", "too large"}};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct error_list errors = {.file = files[i][0]};

		assert_null(ini_read(&errors));
		assert_int_equal(errors.n, 1);
		if (strstr(errors.lines[0].text, files[i][1]) == NULL)
			fail_msg("%s: %s", files[i][0], errors.lines[0].text);
		error_list_free(&errors);
	}
}

static void errors_find_the_line_that_they_are_about(void **state)
{
	struct ini *ini = read_good("[a b]\nx = one two\nx = three\ny = 1\n");
	const struct ini_section *section = &ini->sections[0];
	struct error_list errors = {.file = file};

	(void)state;
	ini_wrong(&errors, section, NULL, NULL, "is %s", "wrong");
	ini_wrong(&errors, section, "x", NULL, "no");
	ini_wrong(&errors, section, "x", "two", "no");
	ini_wrong(&errors, section, "z", NULL, "is missing");
	assert_int_equal(errors.lines[0].number, 1);
	assert_string_equal(errors.lines[0].text, "[a b]: is wrong");
	assert_int_equal(errors.lines[1].number, 3);
	assert_string_equal(errors.lines[1].text, "[a b]: x: no");
	assert_int_equal(errors.lines[2].number, 2);
	assert_int_equal(errors.lines[3].number, 1);
	error_list_free(&errors);
	ini_free(ini);
}

static void a_word_is_not_found_within_another(void **state)
{
	struct ini *ini = read_good("[a]\nx = 1\tone\nx = 11\nx = 192.0.2.1 3\nx = 192.0.2.10\n");
	const struct ini_section *section = &ini->sections[0];
	struct error_list errors = {.file = file};

	(void)state;
	ini_wrong(&errors, section, "x", "1", "no");
	ini_wrong(&errors, section, "x", "one", "no");
	ini_wrong(&errors, section, "x", "192.0.2.1", "no");
	ini_wrong(&errors, section, "x", "192.0.2", "no");
	ini_wrong_entry(&errors, section, &section->entries[1], "is %s", "wrong");
	assert_int_equal(errors.lines[0].number, 2);
	assert_int_equal(errors.lines[1].number, 2);
	assert_int_equal(errors.lines[2].number, 4);
	assert_int_equal(errors.lines[3].number, 1);
	assert_int_equal(errors.lines[4].number, 3);
	assert_string_equal(errors.lines[4].text, "[a]: x: is wrong");
	error_list_free(&errors);
	ini_free(ini);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, file_make, file_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sections_and_keys_come_in_their_order),
		TEST(comments_begin_a_line_or_stand_behind_white_space),
		TEST(lines_may_end_as_elsewhere),
		TEST(lines_may_be_of_any_length),
		TEST(what_is_no_ini_is_told_with_its_line),
		TEST(a_repeated_section_is_marked),
		TEST(what_is_no_file_is_named),
		TEST(errors_find_the_line_that_they_are_about),
		TEST(a_word_is_not_found_within_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

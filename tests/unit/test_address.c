/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses as values. */
#include "fixture.h"

#include "base/address.h"

static const uint8_t host6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

static struct address parsed(const char *text)
{
	struct address address = {{{0}}};

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static void ipv4_is_there_and_back(void **state)
{
	struct address address = address_of_ipv4(VTEP_2);

	(void)state;
	assert_true(address_is_ipv4(&address));
	assert_false(address_is_none(&address));
	assert_int_equal(address_ipv4(&address), VTEP_2);
	assert_memory_equal(address.bytes,
		((uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 2}),
		16);
}

static void ipv6_is_not_ipv4(void **state)
{
	struct address address = address_of_ipv6(host6);
	struct address nearly = address_of_ipv4(VTEP_2);

	(void)state;
	assert_false(address_is_ipv4(&address));
	assert_memory_equal(address.bytes, host6, 16);
	for (int i = 0; i < 12; i++) {
		nearly.bytes[i] ^= 1;
		assert_false(address_is_ipv4(&nearly));
		nearly.bytes[i] ^= 1;
	}
}

static void addresses_are_equal_in_all_their_bytes(void **state)
{
	(void)state;
	for (int i = 0; i < 16; i++) {
		struct address one = address_of_ipv6(host6), other = one;

		assert_true(address_equal(&one, &other));
		other.bytes[i] ^= 0x80;
		assert_false(address_equal(&one, &other));
	}
}

static void text_is_there_and_back(void **state)
{
	static const char *const texts[] = {
		"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "fe80::1", "::1"};
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(texts); i++) {
		struct address address = parsed(texts[i]);

		assert_int_equal(address_is_ipv4(&address), strchr(texts[i], ':') == NULL);
		assert_string_equal(address_format(&address, text), texts[i]);
	}
}

static void what_is_no_address_changes_nothing(void **state)
{
	static const char *const texts[] = {"", "host", "192.0.2", "192.0.2.1/24", "192.0.2.256",
		"2001:db8::1::", "fe80::1%eth0", "::ffff:192.0.2.1"};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(texts); i++) {
		struct address address = address_of_ipv6(host6), before = address;

		if (address_parse(texts[i], &address) != -1 || !address_equal(&address, &before))
			fail_msg("%s", texts[i]);
	}
}

static bool is_in(const char *address, const char *network, uint8_t bits)
{
	const struct address one = parsed(address), other = parsed(network);

	return address_in_prefix(&one, &other, bits);
}

static void prefixes_count_the_bits_of_their_kind(void **state)
{
	(void)state;
	assert_true(is_in("192.0.2.1", "192.0.2.1", 32));
	assert_false(is_in("192.0.2.1", "192.0.2.0", 32));
	assert_true(is_in("192.0.2.1", "192.0.2.0", 31));
	assert_true(is_in("192.0.3.1", "192.0.2.0", 23));
	assert_false(is_in("192.0.3.1", "192.0.2.0", 24));
	assert_true(is_in("200.0.0.1", "255.0.0.0", 1));
	assert_true(is_in("2001:db8::1", "2001:db8::", 64));
	assert_false(is_in("2001:db8:0:1::1", "2001:db8::", 64));
	assert_true(is_in("2001:db8:0:1::1", "2001:db8::", 63));
	assert_true(is_in("2001:db8::1", "2001:db8::1", 128));
	assert_false(is_in("192.0.2.1", "::", 1)); /* of the other kind */
}

static void no_address_is_neither(void **state)
{
	struct address none = {{{0}}}, zero = address_of_ipv4(0);
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_true(address_is_none(&none));
	assert_false(address_is_ipv4(&none));
	assert_string_equal(address_format(&none, text), "");
	assert_false(address_is_none(&zero));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_is_there_and_back),
		cmocka_unit_test(ipv6_is_not_ipv4),
		cmocka_unit_test(addresses_are_equal_in_all_their_bytes),
		cmocka_unit_test(text_is_there_and_back),
		cmocka_unit_test(what_is_no_address_changes_nothing),
		cmocka_unit_test(prefixes_count_the_bits_of_their_kind),
		cmocka_unit_test(no_address_is_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

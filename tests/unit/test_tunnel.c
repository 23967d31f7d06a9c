/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers of tunnels. */
#include "fixture.h"

#include "stages/tunnel.h"

static struct tunnel_ends ends(void)
{
	return (struct tunnel_ends){.local_mac = mac_uplink,
		.next_hop_mac = mac_vtep_2,
		.local = address_of_ipv4(VTEP_OWN),
		.remote = address_of_ipv4(VTEP_2),
		.udp_port = 4789,
		.vni = 100};
}

static void a_vxlan_header_is_as_in_rfc_7348(void **state)
{
	static const uint8_t expected[] = {0x04, 0, 0, 0, 0, 2, 0x04, 0, 0, 0, 0, 1, 0x08, 0x00,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 0, 0x12,
		0xb5, 0, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 100, 0};
	const struct tunnel_ends between = ends();
	struct tunnel tunnel = {0};

	(void)state;
	tunnel_build(TUNNEL_VXLAN, &between, &tunnel);
	assert_int_equal(tunnel.kind, TUNNEL_VXLAN);
	assert_int_equal(tunnel.length, sizeof(expected));
	assert_memory_equal(tunnel.header, expected, sizeof(expected));
}

static void every_kind_has_room_and_fills_its_length(void **state)
{
	const struct tunnel_ends between = ends();

	(void)state;
	for (int kind = 0; kind < TUNNEL_KINDS; kind++) {
		struct tunnel tunnel = {0};

		assert_non_null(tunnel_kinds[kind].name);
		assert_in_range(tunnel_overhead(kind), 42, TUNNEL_HEADER_MAX);
		tunnel_build(kind, &between, &tunnel);
		assert_int_equal(tunnel.length, tunnel_overhead(kind));
		for (int i = tunnel.length; i < TUNNEL_HEADER_MAX; i++)
			assert_int_equal(tunnel.header[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vxlan_header_is_as_in_rfc_7348),
		cmocka_unit_test(every_kind_has_room_and_fills_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

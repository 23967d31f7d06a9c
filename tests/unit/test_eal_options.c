/* SPDX-License-Identifier: BSD-3-Clause */
/* Which devices EAL is told to open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>

#include "control/eal_options.h"

#define PCI "0000:3b:00.0,mprq_en=0"
#define OTHER_PCI "af:00.1"
#define VDEV "net_af_packet0,iface=eth1"

static struct uplink_config uplinks[2];
static struct config config = {.uplinks = uplinks};

static const struct config *with_devices(const char *first, const char *second)
{
	config.n_uplinks = second == NULL ? 1 : 2;
	snprintf(uplinks[0].port.device, sizeof(uplinks[0].port.device), "%s", first);
	if (second != NULL)
		snprintf(uplinks[1].port.device, sizeof(uplinks[1].port.device), "%s", second);
	return &config;
}

#define QUIET " --log-level=lib.vhost.config:warning --log-level=lib.telemetry:error"

/* Words are apart by one space. What is expected leaves out what stands behind the program's name.
 */
static void assert_made(const char *words, const struct config *devices, const char *expected)
{
	char copy[256], text[512] = "", wanted[512], *argv[16], *rest = copy;
	size_t name = strcspn(expected, " ");
	struct eal_options options;
	struct error error;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", words);
	while (rest != NULL)
		argv[argc++] = strsep(&rest, " ");
	assert_int_equal(eal_options_make(&options, argc, argv, devices, &error), 0);
	for (int i = 0; i < options.argc; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			options.argv[i]);
	snprintf(wanted, sizeof(wanted), "%.*s" QUIET "%s", (int)name, expected, expected + name);
	assert_string_equal(text, wanted);
	assert_null(options.argv[options.argc]);
	eal_options_free(&options);
}

static void uplinks_alone_are_opened(void **state)
{
	(void)state;
	assert_made("weft -l 0,1", with_devices(PCI, NULL), "weft -l 0,1 -a " PCI);
	assert_made("weft", with_devices(PCI, OTHER_PCI), "weft -a " PCI " -a " OTHER_PCI);
	assert_made("weft", with_devices(VDEV, PCI), "weft -a " PCI);
}

static void devices_of_a_vdev_are_opened(void **state)
{
	(void)state;
	assert_made("weft",
		with_devices("net_bonding0,mode=1,slave=0000:3b:00.0,slave=3b:00.1", VDEV),
		"weft -a 0000:3b:00.0 -a 3b:00.1");
	assert_made("weft",
		with_devices("net_failsafe0,mac=02:00:00:00:00:01,dev(0000:3b:00.0,rxq=1),"
			     "dev(net_tap0)",
			PCI),
		"weft -a 0000:3b:00.0 -a " PCI);
	assert_made("weft", with_devices("a=0:0.0,0:0.0,0:0.0", NULL),
		"weft -a 0:0.0 -a 0:0.0 -a 0:0.0");
}

static void no_pci_device_is_opened_where_none_is_named(void **state)
{
	(void)state;
	assert_made("weft -l 0,1", with_devices(VDEV, NULL), "weft -l 0,1 --no-pci");
	assert_made("weft", with_devices("0000:3b:00.0000000000000000", NULL), "weft --no-pci");
	assert_made("weft", with_devices("", "eth1"), "weft --no-pci");
	assert_made("weft", NULL, "weft --no-pci");
}

static void a_user_who_names_devices_is_left_alone(void **state)
{
	static const char *const words[] = {"weft -a 0000:01:00.0", "weft -a0000:01:00.0",
		"weft --allow 0000:01:00.0", "weft --allow=0000:01:00.0", "weft --all=0000:01:00.0",
		"weft -l 0,1 -b 0000:01:00.0", "weft -b0000:01:00.0", "weft --block=0000:01:00.0",
		"weft --no-pci", "weft --no-p -m 64"};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(words); i++) {
		assert_made(words[i], with_devices(PCI, NULL), words[i]);
		assert_made(words[i], with_devices(VDEV, NULL), words[i]);
	}
}

static void other_options_name_no_device(void **state)
{
	(void)state;
	assert_made("-a -l 0,1", with_devices(VDEV, NULL), "-a -l 0,1 --no-pci");
	assert_made("weft --no-huge --base-virtaddr=0x100000000 --vdev net_null0",
		with_devices(VDEV, NULL),
		"weft --no-huge --base-virtaddr=0x100000000 --vdev net_null0 --no-pci");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uplinks_alone_are_opened),
		cmocka_unit_test(devices_of_a_vdev_are_opened),
		cmocka_unit_test(no_pci_device_is_opened_where_none_is_named),
		cmocka_unit_test(a_user_who_names_devices_is_left_alone),
		cmocka_unit_test(other_options_name_no_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

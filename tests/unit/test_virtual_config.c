/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"

#include "control/config.h"
#include "virtual/config.h"
#include "virtual/run.h"

#define GOOD                                                                                       \
	"[uplink eth1]\ndevice = net_null0\naddress = 192.0.2.1/24\n"                              \
	"[network blue]\nvni = 100\nvteps = 192.0.2.2\n"                                           \
	"[network red]\nvni = 101\n"                                                               \
	"[port web]\nnetwork = blue\ntype = tap\nmac = 02:00:00:00:00:01\n"                        \
	"[port db]\nnetwork = red\ntype = tap\nmac = 02:00:00:00:00:02\n"
#define TRAFFIC "[traffic elephant]\nnetwork = blue\nfrom = 192.0.2.2\nto = web\n"

static struct config *read_text(const char *text, struct error *error)
{
	file_write(text, strlen(text));
	return file_read_config(error);
}

static struct config *read_good(const char *text)
{
	struct error error = {""};
	struct config *config = read_text(text, &error);

	if (config == NULL)
		fail_msg("%s", error.text);
	return config;
}

static void what_is_left_out_has_its_default(void **state)
{
	struct config *config = read_good(GOOD TRAFFIC "rate = 1000\n");
	const struct virtual_settings *settings = virtual_settings(config);
	const struct traffic_settings *traffic = traffic_settings(config, 0);

	(void)state;
	assert_int_equal(settings->lcores, 1);
	assert_int_equal(settings->ns, 1000000000);
	assert_int_equal(settings->seed, 1);
	assert_false(settings->measured);
	assert_int_equal(settings->order, VIRTUAL_BY_COST);
	assert_int_equal(traffic_count(config), 1);
	assert_string_equal(traffic->name, "elephant");
	assert_string_equal(traffic->to.port, "web");
	assert_int_equal(traffic->from.vtep, inet_addr("192.0.2.2"));
	assert_int_equal(traffic->flows, 1);
	assert_int_equal(traffic->arrivals, ARRIVALS_CONSTANT);
	assert_int_equal(traffic->law, ARRIVALS_EQUAL);
	assert_int_equal(traffic->exponent, 110);
	assert_int_equal(traffic->bytes_min, 64);
	assert_int_equal(traffic->bytes_max, 64);
	config_free(config);
}

static void every_key_of_virtual_is_read(void **state)
{
	struct config *config = read_good(
		GOOD "[virtual]\nlcores = 20\nseconds = 0.05\nseed = 18446744073709551615\n"
		     "costs = costs.ini\nsteps = measured\norder = adversarial\n"
		     "stop-reading = web 0 0.000000001\nstop-reading = db 1.5 2\n");
	const struct virtual_settings *settings = virtual_settings(config);

	(void)state;
	assert_int_equal(settings->lcores, 20);
	assert_int_equal(settings->ns, 50000000);
	assert_int_equal(settings->seed, UINT64_MAX);
	assert_string_equal(settings->costs, "costs.ini");
	assert_true(settings->measured);
	assert_int_equal(settings->order, VIRTUAL_ADVERSARIAL);
	assert_int_equal(settings->n_pauses, 2);
	assert_int_equal(settings->pauses[0].for_ns, 1);
	assert_string_equal(settings->pauses[1].port, "db");
	assert_int_equal(settings->pauses[1].from_ns, 1500000000);
	assert_int_equal(settings->pauses[1].for_ns, 2000000000);
	config_free(config);
}

static void every_key_of_traffic_is_read(void **state)
{
	struct config *config = read_good(
		GOOD "[traffic bursts]\nnetwork = blue\nfrom = web\nto = 192.0.2.2\nflows = 65000\n"
		     "rate = 1000000\narrivals = on-off\non = 500\noff = 1500\n"
		     "law = heavy-tailed\nexponent = 0.95\nsize = 64-1450\njump = 0.25 5000\n"
		     "[traffic tcp]\nnetwork = blue\nfrom = 192.0.2.2\nto = web\n"
		     "arrivals = window\nwindow = 64\nround-trip = 200\nsize = 1450\n");
	const struct traffic_settings *bursts = traffic_settings(config, 0);
	const struct traffic_settings *tcp = traffic_settings(config, 1);

	(void)state;
	assert_int_equal(bursts->flows, 65000);
	assert_int_equal(bursts->rate, 1000000);
	assert_int_equal(bursts->arrivals, ARRIVALS_ON_OFF);
	assert_int_equal(bursts->on_us, 500);
	assert_int_equal(bursts->off_us, 1500);
	assert_int_equal(bursts->law, ARRIVALS_HEAVY_TAILED);
	assert_int_equal(bursts->exponent, 95);
	assert_int_equal(bursts->bytes_min, 64);
	assert_int_equal(bursts->bytes_max, 1450);
	assert_int_equal(bursts->jump_ns, 250000000);
	assert_int_equal(bursts->jump_rate, 5000);
	assert_string_equal(bursts->from.port, "web");
	assert_int_equal(tcp->arrivals, ARRIVALS_WINDOW);
	assert_int_equal(tcp->window, 64);
	assert_int_equal(tcp->round_trip_us, 200);
	assert_int_equal(tcp->rate, 0);
	assert_int_equal(tcp->bytes_max, 1450);
	config_free(config);
}

/* A file that is wrong, and what its one line must name. */
static const struct {
	const char *text;
	const char *words[3];
} wrongs[] = {
	{GOOD "[virtual]\ncores = 4\n", {"[virtual]", "cores", "lcores"}},
	{GOOD "[virtual]\nlcores = 0\n", {"[virtual]", "lcores", "1 to 64"}},
	{GOOD "[virtual]\nlcores = 65\n", {"[virtual]", "lcores", "1 to 64"}},
	{GOOD "[virtual]\nseconds = 0\n", {"[virtual]", "seconds", "0.5"}},
	{GOOD "[virtual]\nseconds = soon\n", {"[virtual]", "seconds", "0.5"}},
	{GOOD "[virtual]\nseconds = 1.\n", {"[virtual]", "seconds", "0.5"}},
	{GOOD "[virtual]\nseconds = 3601\n", {"[virtual]", "seconds", "3600"}},
	{GOOD "[virtual]\nseed = -1\n", {"[virtual]", "seed"}},
	{GOOD "[virtual]\nsteps = guessed\n", {"[virtual]", "steps", "table, measured"}},
	{GOOD "[virtual]\norder = any\n", {"[virtual]", "order", "adversarial"}},
	{GOOD "[virtual]\nstop-reading = web 1\n", {"[virtual]", "stop-reading", "web 0.2"}},
	{GOOD "[virtual]\nstop-reading = shop 1 1\n", {"[virtual]", "stop-reading", "shop"}},
	{GOOD "[traffic]\nnetwork = blue\n", {"[traffic]", "no such section", "[traffic NAME]"}},
	{GOOD "[traffic a]\nfrom = web\n", {"[traffic a]", "network", "missing"}},
	{GOOD TRAFFIC, {"[traffic elephant]", "rate", "missing"}},
	{GOOD TRAFFIC "rate = 0\n", {"[traffic elephant]", "rate", "1 to"}},
	{GOOD TRAFFIC "rate = 1\nflows = 0\n", {"[traffic elephant]", "flows", "65535"}},
	{GOOD TRAFFIC "rate = 1\nflows = 65536\n", {"[traffic elephant]", "flows", "65535"}},
	{GOOD TRAFFIC "rate = 1\narrivals = never\n", {"[traffic elephant]", "arrivals", "on-off"}},
	{GOOD TRAFFIC "rate = 1\narrivals = on-off\non = 1\n", {"[traffic elephant]", "off:"}},
	{GOOD TRAFFIC "rate = 1\non = 1\n", {"[traffic elephant]", "on:", "on-off only"}},
	{GOOD TRAFFIC "arrivals = window\nround-trip = 9\n", {"[traffic elephant]", "window:"}},
	{GOOD TRAFFIC "arrivals = window\nwindow = 9\n", {"[traffic elephant]", "round-trip:"}},
	{GOOD TRAFFIC "rate = 1\nwindow = 9\n", {"[traffic elephant]", "window only"}},
	{GOOD TRAFFIC "arrivals = window\nwindow = 9\nround-trip = 9\njump = 1 1\n",
		{"[traffic elephant]", "jump", "rate"}},
	{GOOD TRAFFIC "rate = 1\nlaw = none\n", {"[traffic elephant]", "law", "heavy-tailed"}},
	{GOOD TRAFFIC "rate = 1\nexponent = 3.1\n", {"[traffic elephant]", "exponent", "0 to 3"}},
	{GOOD TRAFFIC "rate = 1\nsize = 63\n", {"[traffic elephant]", "size", "64-1450"}},
	{GOOD TRAFFIC "rate = 1\nsize = 100-64\n", {"[traffic elephant]", "size", "64-1450"}},
	{GOOD TRAFFIC "rate = 1\njump = 1\n", {"[traffic elephant]", "jump", "0.5 2000000"}},
	{GOOD TRAFFIC "rate = 1\njump = 1 0\n", {"[traffic elephant]", "jump", "0.5 2000000"}},
	{GOOD TRAFFIC "rate = 1\n" TRAFFIC "rate = 1\n", {"[traffic elephant]"}},
	{GOOD "[traffic a]\nnetwork = green\nfrom = 192.0.2.2\nto = web\nrate = 1\n",
		{"[traffic a]", "network", "green"}},
	{GOOD "[traffic a]\nnetwork = blue\nfrom = 192.0.2.3\nto = web\nrate = 1\n",
		{"[traffic a]", "from", "192.0.2.3"}},
	{GOOD "[traffic a]\nnetwork = blue\nfrom = 192.0.2.2\nto = shop\nrate = 1\n",
		{"[traffic a]", "to", "shop"}},
	{GOOD "[traffic a]\nnetwork = blue\nfrom = 192.0.2.2\nto = db\nrate = 1\n",
		{"[traffic a]", "to", "red"}},
	{GOOD "[traffic a]\nnetwork = blue\nfrom = 192.0.2.2\nto = 192.0.2.2\nrate = 1\n",
		{"[traffic a]", "to", "port"}},
	{GOOD "[traffic a]\nnetwork = blue\nfrom = web\nto = web\nrate = 1\n",
		{"[traffic a]", "to"}},
	{GOOD TRAFFIC "rate = 1\nflows = 40000\n"
		      "[traffic b]\nnetwork = blue\nfrom = web\nto = 192.0.2.2\nrate = 1\n"
		      "flows = 40000\n",
		{"[traffic b]", "flows", "65535"}},
};

static void errors_name_file_section_and_key(void **state)
{
	struct error error;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(wrongs); i++) {
		struct config *config = read_text(wrongs[i].text, &error);

		if (config != NULL)
			fail_msg("was read:\n%s", wrongs[i].text);
		assert_non_null(strstr(error.text, file));
		assert_null(strchr(error.text, '\n'));
		for (size_t j = 0; j < RTE_DIM(wrongs[i].words) && wrongs[i].words[j]; j++)
			if (strstr(error.text, wrongs[i].words[j]) == NULL)
				fail_msg("'%s' does not name %s", error.text, wrongs[i].words[j]);
	}
}

static void a_costs_file_that_is_not_there_has_no_line(void **state)
{
	struct config *config = read_good(GOOD "[virtual]\ncosts = no-such.ini\n");
	struct error_list errors = {.file = file};

	(void)state;
	run_virtual_check(config, &errors);
	assert_int_equal(errors.n, 1);
	assert_string_equal(errors.lines[0].text,
		"[virtual]: costs: /tmp/no-such.ini: cannot be read: No such file or directory");
	error_list_free(&errors);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(every_key_of_virtual_is_read),
		cmocka_unit_test(every_key_of_traffic_is_read),
		cmocka_unit_test(errors_name_file_section_and_key),
		cmocka_unit_test(a_costs_file_that_is_not_there_has_no_line),
	};

	return cmocka_run_group_tests(tests, file_make, file_remove);
}

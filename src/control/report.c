/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/lcore.h"

struct sample {
	struct port_counters counters;
	uint64_t ms;
};

/* The last sample of each port index; a new port at an old index starts from what it has. */
static struct sample last[PORTS_MAX];

static uint64_t rate(uint64_t now, uint64_t before, uint64_t ms)
{
	return ms == 0 || now < before ? 0 : (now - before) * 1000 / ms;
}

static void report_port(struct port *port, uint64_t now_ms)
{
	struct port_counters now = port_count(port);
	struct sample *before = &last[port->index];
	uint64_t ms = now_ms - before->ms;

	printf("  ######################## weft statistics for port %-12s ####################\n"
	       "  RX-packets: %-14" PRIu64 " RX-bytes:  %-16" PRIu64 " RX-missed:  %" PRIu64 "\n"
	       "  TX-packets: %-14" PRIu64 " TX-bytes:  %-16" PRIu64 " TX-refused: %" PRIu64 "\n"
	       "  Rx-pps: %12" PRIu64 "          Rx-bps: %14" PRIu64 "\n"
	       "  Tx-pps: %12" PRIu64 "          Tx-bps: %14" PRIu64 "\n",
		port->config.name, now.rx_packets, now.rx_bytes, port_missed(port), now.tx_packets,
		now.tx_bytes, now.tx_refused, rate(now.rx_packets, before->counters.rx_packets, ms),
		8 * rate(now.rx_bytes, before->counters.rx_bytes, ms),
		rate(now.tx_packets, before->counters.tx_packets, ms),
		8 * rate(now.tx_bytes, before->counters.tx_bytes, ms));
	*before = (struct sample){now, now_ms};
}

void report_ports(const struct control *control)
{
	uint64_t now_ms = control_now_ms(control);

	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (control->ports.list[i] != NULL)
			report_port(control->ports.list[i], now_ms);
	fflush(stdout);
}

bool report_conservation(const struct control *control)
{
	struct conservation sum = dataplane_conservation(control->dataplane);
	bool held = conservation_in_flight(&sum) == 0;

	for (unsigned int slot = 0; slot < DROP_SLOTS; slot++) {
		uint64_t packets = dataplane_drops(control->dataplane, slot);

		if (packets > 0)
			printf("  dropped at %s: %" PRIu64 " %s (%s)\n",
				stage_table[drop_step(slot)]->name, packets, drop_at(slot)->name,
				drop_at(slot)->text);
	}
	printf("conservation: received %" PRIu64 " + created %" PRIu64 " = delivered %" PRIu64
	       " + dropped %" PRIu64 " + consumed %" PRIu64 " + coalesced %" PRIu64 ": %s\n",
		sum.received, sum.created, sum.delivered, sum.dropped, sum.consumed, sum.coalesced,
		held ? "held" : "VIOLATED");
	return held;
}

bool report_mbufs(const struct control *control)
{
	uint64_t all, free;

	pools_count(&control->pools, &all, &free);
	printf("mbufs: %" PRIu64 " of %" PRIu64 " are back: %s\n", free, all,
		all == free ? "whole" : "LEAK");
	return all == free;
}
